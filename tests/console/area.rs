//! A box that is drawn on the map gives the number that SQL gives.

use trips_tests::text_of;

use crate::city;
use crate::page::{Page, Shared};

fn fill(page: &Page<Shared>) {
    let text = city::file("2026-03-02".parse().expect("a date"), 28, 600, 1);
    let path = page.database.file("march.csv", text);
    page.client().query_one("SELECT trips.ingest($1)", &[&path]).expect("a load");
}

/// The weekly average that the page shows, and its trips.
fn answer(page: &Page<Shared>) -> [String; 2] {
    page.browser.wait_for(".area-average");
    page.browser.settled();
    [".area-average", ".area-trips"].map(|part| page.browser.text_of(part).replace(',', ""))
}

/// The same by SQL, for the box or polygon of the address.
fn by_sql(page: &Page<Shared>, condition: &str) -> [String; 2] {
    let query = format!("SELECT round(sum(trips) / count(*), 1), sum(trips) FROM {condition} AS w");
    let text = text_of(&mut page.client(), &query);
    let (average, trips) = text.split_once('|').expect("two columns");
    [average.to_owned(), trips.to_owned()]
}

fn edges(page: &Page<Shared>) -> String {
    let address = page.browser.address();
    let rest = address.split("box=").nth(1).expect("a box in the address");
    rest.split('&').next().expect("text").replace("%2C", ",")
}

#[test]
fn a_drawn_box_gives_the_number_of_sql() {
    let page = Page::start(&[]);
    fill(&page);
    page.view("map?region=Prague");
    page.browser.wait("document.querySelector('.map-status .facts-line')");
    page.browser.click("[data-key=draw-box]");
    let [left, top, width, height] = page.browser.place(".map-canvas");
    let at = |x: i64, y: i64| [left + width * x / 100, top + height * y / 100];
    page.browser.pointer(&[at(40, 42), at(50, 50), at(61, 66)]);
    page.browser.wait("location.hash.includes('box=')");
    let drawn = answer(&page);
    let boxed = format!("trips.weekly_counts(trips.area({}), match => 'origin')", edges(&page));
    assert_eq!(drawn, by_sql(&page, &boxed));
    assert!(drawn[1].parse::<i64>().expect("a number") > 100, "{drawn:?}");

    // It survives a reload, with its fields.
    page.browser.reload();
    assert_eq!(answer(&page), drawn);
    assert_eq!(
        page.browser.text(
            "[...document.querySelectorAll('.area-fields input')].map(input => input.value).join()"
        ),
        edges(&page)
    );

    // The other end of the trips.
    page.browser.click("[data-key='End of the trips-destination']");
    page.browser.wait("location.hash.includes('which=destination')");
    let boxed = boxed.replace("origin", "destination");
    let expected = by_sql(&page, &boxed);
    page.browser.wait(&format!(
        "document.querySelector('.area-trips')?.innerText.replaceAll(',', '') === '{}'",
        expected[1]
    ));
    assert_eq!(answer(&page), expected);
}

#[test]
fn a_drawn_polygon_gives_the_number_of_sql() {
    let page = Page::start(&[]);
    fill(&page);
    page.view("map?region=Prague&since=2026-03-02&until=2026-03-29");
    page.browser.wait("document.querySelector('.map-status .facts-line')");
    page.browser.click("[data-key=draw-polygon]");
    let [left, top, width, height] = page.browser.place(".map-canvas");
    for [x, y] in [[35, 40], [65, 45], [50, 70]] {
        page.browser.pointer(&[[left + width * x / 100, top + height * y / 100]]);
    }
    page.browser.keys("\u{e007}");
    page.browser.wait("location.hash.includes('polygon=')");
    let corners =
        page.browser.text("new URLSearchParams(location.hash.split('?')[1]).get('polygon')");
    let corners: Vec<String> =
        corners.split(';').map(|place| format!("({})", place.replace(' ', ","))).collect();
    let weeks = format!(
        "(SELECT date_trunc('week', date_time), count(*) AS trips FROM trips.hist_trip_data \
          WHERE date_time >= '2026-03-02' AND date_time < '2026-03-30' AND origin_coord <@ polygon '({})' GROUP BY 1)",
        corners.join(",")
    );
    assert_eq!(answer(&page), by_sql(&page, &weeks));
}

/// Without a pointer: the fields of the edges.
#[test]
fn typed_edges_give_the_number_of_sql() {
    let page = Page::start(&[]);
    fill(&page);
    page.view("map");
    page.browser.click(".area-fields input");
    page.browser.keys("14.36\u{e004}50.03\u{e004}14.49\u{e004}50.12\u{e007}");
    page.browser.wait("location.hash.includes('box=14.36')");
    assert_eq!(
        answer(&page),
        by_sql(
            &page,
            "trips.weekly_counts(trips.area(14.36, 50.03, 14.49, 50.12), match => 'origin')"
        )
    );
}
