//! Filters live in the address: a reload, the button "back" and a sent link keep them.

use trips_tests::text_of;

use crate::city;
use crate::page::{Page, Shared};

fn fill(page: &Page<Shared>) {
    let text = city::file("2026-03-02".parse().expect("a date"), 40, 400, 1);
    let path = page.database.file("march.csv", text);
    page.client().query_one("SELECT trips.ingest($1)", &[&path]).expect("a load");
}

/// The same by SQL, of those under a condition.
fn count(page: &Page<Shared>, condition: &str) -> String {
    let query = format!("SELECT count(*) FROM trips.hist_trip_data WHERE {condition}");
    text_of(&mut page.client(), &query)
}

/// All trips of the chart, without commas.
fn total(page: &Page<Shared>) -> String {
    let text = page.browser.text_of(".legend-when");
    text.rsplit(": ").next().unwrap_or_default().replace(',', "").replace(" trips", "")
}

#[test]
fn filters_survive_a_reload_and_back() {
    let page = Page::start(&[]);
    fill(&page);
    let count = |condition: &str| count(&page, condition);
    page.view("trips");
    page.browser.wait_for(".legend-when");
    assert_eq!(total(&page), count("true"));

    // A region by typing, a datasource by choosing, days by the address.
    page.browser.click(".filters input[type=search]");
    page.browser.keys("Prague\u{e007}");
    page.browser.wait("location.hash.includes('region=Prague')");
    page.browser.value("(select => { select.value = 'scooters'; select.dispatchEvent(new Event('change')); })(document.querySelector('[data-key=datasource]'))");
    page.browser.wait("location.hash.includes('datasource=scooters')");
    page.browser.settled();
    let both = count("region = 'Prague' AND datasource = 'scooters'");
    page.browser.wait(&format!("document.querySelector('.legend-when').innerText.replaceAll(',', '').includes(': {both} trips')"));

    page.browser.reload();
    page.browser.settled();
    page.browser.wait_for(".legend-when");
    assert_eq!(total(&page), both);
    assert_eq!(
        page.browser.text("document.querySelector('.filters input[type=search]').value"),
        "Prague"
    );
    assert_eq!(
        page.browser.text("document.querySelector('[data-key=datasource]').value"),
        "scooters"
    );

    // Another view has them, too.
    page.browser.click("nav a[data-view=when]");
    page.browser.wait("document.querySelector('h1').textContent === 'When'");
    page.browser.settled();
    let month =
        "date_time >= date_trunc('month', (SELECT max(date_time) FROM trips.hist_trip_data))";
    let newest = count(&format!("region = 'Prague' AND datasource = 'scooters' AND {month}"));
    assert!(
        page.browser.text_of(".facts-line").starts_with(&format!("{newest} trips")),
        "{}",
        page.browser.text_of(".facts-line")
    );

    page.browser.back();
    page.browser.wait("document.querySelector('h1').textContent === 'Trips'");
    page.browser.back();
    page.browser.wait("!location.hash.includes('datasource')");
    page.browser.settled();
    let prague = count("region = 'Prague'");
    page.browser.wait(&format!("document.querySelector('.legend-when')?.innerText.replaceAll(',', '').includes(': {prague} trips')"));
}

#[test]
fn days_are_of_the_address() {
    let page = Page::start(&[]);
    fill(&page);
    let days = "since=2026-03-10&until=2026-03-19";
    page.view(&format!("trips?period=day&{days}"));
    page.browser.wait_for(".legend-when");
    let expected = count(&page, "date_time >= '2026-03-10' AND date_time < '2026-03-20'");
    assert_eq!(total(&page), expected);
}

#[test]
fn filters_of_loads_survive_a_reload() {
    let page = Page::start(&[]);
    fill(&page);
    let bad = page.database.file("stations.csv", "station,docks\nMain,24\n");
    page.client().query_one("SELECT trips.ingest($1)", &[&bad]).expect_err("no file of trips");
    page.view("loads");
    page.browser.wait("document.querySelectorAll('tr[data-load]').length === 2");
    page.browser.value("(select => { select.value = 'failed'; select.dispatchEvent(new Event('change')); })(document.querySelector('[data-key=state]'))");
    page.browser.wait("document.querySelectorAll('tr[data-load]').length === 1");
    page.browser.reload();
    page.browser.settled();
    assert_eq!(
        page.browser.text(
            "[...document.querySelectorAll('tr[data-load]')].map(row => row.dataset.load).join()"
        ),
        "2"
    );
    page.browser.click("[data-key=path]");
    page.browser.keys("march\u{e007}");
    page.browser
        .wait("document.querySelector('.empty')?.innerText.includes('No load is like that')");
}
