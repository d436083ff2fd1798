//! What moves by itself: bars of running loads, events, and what the page does when its console or server is away.

use serde_json::Value;
use trips_tests::{rows_as_csv, text_of, until};

use crate::page::{Page, SlowLoad};

/// Number of rows of a load that lasts.
const MANY: u64 = 150_000;

/// The value of a load's bar; none if there is no bar.
fn bar(page: &crate::browser::Browser, load: i64) -> Option<i64> {
    let bar = format!(
        "document.querySelector('.bar[data-load=\"{load}\"] [role=progressbar]')?.ariaValueNow ?? ''"
    );
    page.text(&bar).parse().ok()
}

#[test]
fn two_loads_run_and_their_bars_move() {
    let page = Page::start(&[]);
    let one = page.database.file("one.csv", rows_as_csv(MANY, 1));
    let two = page.database.file("two.csv", rows_as_csv(MANY, 2));
    page.view("now");
    assert!(page.browser.text_of("main").contains("SELECT * FROM trips.ingest('/data/trips.csv')"));
    page.browser.value("window.was_here = true");

    let first = SlowLoad::begin(&page.database, page.client(), &one);
    first.hold_at(&page.database, 0.05);
    let early =
        until("the first load has no bar", || bar(&page.browser, 1).filter(|share| *share > 0));
    let second = SlowLoad::begin(&page.database, page.client(), &two);
    until("the second load has no bar", || bar(&page.browser, 2));
    page.browser.wait("document.querySelectorAll('.bar').length === 2");
    assert!(page.browser.text_of(".bar[data-load='1']").contains("one.csv"));
    assert_eq!(page.browser.text_of("nav a[data-view=now] .badge"), "2");

    first.hold_at(&page.database, 0.6);
    until("the first bar does not move", || bar(&page.browser, 1).filter(|share| *share > early));
    let text = page.browser.text_of(".bar[data-load='1']");
    assert!(
        text.contains("rows/s") && text.contains("left") && text.contains("by postgres"),
        "{text}"
    );
    first.end();
    page.browser.wait("document.querySelector('.recent [data-load=\"1\"]')");
    let before = bar(&page.browser, 2).expect("its bar");
    second.hold_at(&page.database, 0.7);
    until("the second bar does not move", || bar(&page.browser, 2).filter(|share| *share > before));
    second.end();
    page.browser.wait(
        "document.querySelector('.recent [data-load=\"2\"]') && !document.querySelector('.bar')",
    );
    assert!(
        page.browser
            .text_of(".recent [data-load='2']")
            .contains("150,000 of 150,000 rows inserted")
    );
    assert_eq!(
        page.browser.value("window.was_here"),
        Value::Bool(true),
        "the page was loaded again"
    );
}

#[test]
fn a_failure_shows_its_reason_at_once() {
    let page = Page::start(&[]);
    let bad = page.database.file("stations.csv", "station,docks\nMain,24\n");
    let mixed = page.database.file(
        "mixed.csv",
        [rows_as_csv(5, 1), b"Prague,POINT (14 50),POINT (14 50),2018-05-01 25:00:00,x\n".to_vec()]
            .concat(),
    );
    page.view("loads");
    let error =
        page.client().query_one("SELECT trips.ingest($1)", &[&bad]).expect_err("no file of trips");
    let message = error
        .as_db_error()
        .expect("an error of the server")
        .message()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    page.browser.wait_for("tr[data-load='1'] .chip-failed");
    page.browser.click("tr[data-load='1'] button");
    page.browser.wait_for(".detail:not([hidden]) .load-error");
    assert!(
        page.browser.text_of(".load-error").contains(&message),
        "{}",
        page.browser.text_of(".load-error")
    );
    assert!(page.browser.text_of(".load-error").contains("SQLSTATE 42703"));

    // A load that stages a line shows it, and why.
    page.client().query_one("SELECT trips.ingest($1)", &[&mixed]).expect("a load");
    page.browser.wait_for("tr[data-load='2'] .chip-loaded");
    page.browser.click("tr[data-load='2'] button");
    page.browser.wait("document.querySelector('.detail h2')?.textContent === 'Load 2' && document.querySelector('.detail .bad-lines')");
    let detail = page.browser.text_of(".detail");
    assert!(
        detail.contains("2018-05-01 25:00:00")
            && detail.contains("line 7")
            && detail.contains("22008"),
        "{detail}"
    );
}

/// The numbers of all events, oldest first, as the database has them.
fn events(page: &Page<trips_tests::Cluster>, after: &str) -> String {
    let query = format!(
        "SELECT string_agg(seq::text, ',' ORDER BY seq) FROM trips.events WHERE seq > {after}"
    );
    text_of(&mut page.client(), &query)
}

/// What the page shows of them. It may show earlier ones, too: they came while it opened.
fn shown(page: &Page<trips_tests::Cluster>, after: &str) -> String {
    let script = format!(
        "[...document.querySelectorAll('.events [data-seq]')].map(line => line.dataset.seq).filter(seq => seq > {after}).reverse().join(',')"
    );
    page.browser.text(&script)
}

#[test]
fn it_reconnects_and_loses_no_event() {
    let mut page = Page::start_alone();
    let files: Vec<String> = (0..4)
        .map(|number| page.database.file(&format!("{number}.csv"), rows_as_csv(1000, number + 1)))
        .collect();
    let ingest = |page: &Page<trips_tests::Cluster>, path: &str| {
        page.client().query_one("SELECT trips.ingest($1)", &[&path]).expect("a load");
    };
    ingest(&page, &files[0]);
    let begin = text_of(&mut page.client(), "SELECT coalesce(max(seq), 0) FROM trips.events");
    page.view("now");
    page.browser.wait_for(".recent [data-load='1']");
    ingest(&page, &files[1]);
    page.browser.wait_for(".recent [data-load='2']");

    // The console is away, and comes back: what happened meanwhile is there.
    page.console.stop();
    page.browser.wait("document.querySelector('.banner-place .fault')?.innerText.includes('console does not answer')");
    ingest(&page, &files[2]);
    page.console.start_again();
    page.browser.wait("!document.querySelector('.banner-place .fault')");
    page.browser.wait_for(".events [data-load='3'][data-state=loaded]");

    // The server is away.
    page.database.restart(|_| {});
    ingest(&page, &files[3]);
    page.browser.wait_for(".events [data-load='4'][data-state=loaded]");
    page.browser.wait("!document.querySelector('.banner-place .fault')");
    let (shown, expected) = (shown(&page, &begin), events(&page, &begin));
    assert_eq!(shown, expected, "shown, and expected after {begin}");
}

#[test]
fn a_page_without_events_shows_those_that_came_while_it_was_alone() {
    let mut page = Page::start_alone();
    let file = page.database.file("first.csv", rows_as_csv(1000, 1));
    page.view("now");
    page.browser.wait("document.querySelector('main').innerText.includes('No loads yet')");
    assert_eq!(shown(&page, "0"), "");
    page.console.stop();
    page.browser.wait("document.querySelector('.banner-place .fault')?.innerText.includes('console does not answer')");
    page.client().query_one("SELECT trips.ingest($1)", &[&file]).expect("a load");
    page.console.start_again();
    page.browser.wait_for(".events [data-load='1'][data-state=loaded]");
    let (shown, expected) = (shown(&page, "0"), events(&page, "0"));
    assert_eq!(shown, expected);
}

#[test]
fn a_database_that_is_away_is_said_with_its_reason() {
    let mut page = Page::start_alone();
    page.view("now");
    let Page { browser, database, .. } = &mut page;
    database.restart(|_| {
        browser.wait("document.querySelector('.banner-place .fault')");
        assert_eq!(browser.text_of(".connection strong"), "Database away");
    });
    browser.wait("!document.querySelector('.banner-place .fault')");
    browser.wait("document.querySelector('.connection strong').textContent === 'Live'");
}
