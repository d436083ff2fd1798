//! The keyboard alone reaches everything, and one sees where it is.

use trips_tests::text_of;

use crate::city;
use crate::page::{Page, Shared};
use crate::safe::VIEWS;

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";
/// What a pointer can use; of a group of elements that are not shown, none.
const REACHABLE: &str = "[...document.querySelectorAll('a[href], button, input, select, summary, canvas, [tabindex=\"0\"]')]\
    .filter(element => element.checkVisibility() && !element.disabled && element.tabIndex >= 0)";

fn fill(page: &Page<Shared>) {
    let text = city::file("2026-03-02".parse().expect("a date"), 21, 300, 1)
        + "Prague,nowhere,POINT (14 50),2026-03-02 10:00:00,x\n";
    let path = page.database.file("march.csv", text);
    // Of the role of the console, which may take back its own loads alone.
    let mut client = page.database.client_as(&page.role);
    client.query_one("SELECT trips.ingest($1)", &[&path]).expect("a load");
}

/// Presses Tab until the focus is on this element.
#[track_caller]
fn tab_to(page: &Page<Shared>, selector: &str) {
    page.browser.wait_for(selector);
    for _ in 0..120 {
        if page
            .browser
            .value(&format!("document.activeElement?.matches({})", serde_json::json!(selector)))
            == true
        {
            return;
        }
        page.browser.keys(TAB);
    }
    panic!("Tab does not reach {selector}");
}

#[test]
fn tab_reaches_all_of_each_view() {
    let page = Page::start(&["--allow-actions"]);
    fill(&page);
    for view in
        VIEWS.iter().copied().chain(["loads?load=1", "staging?load=1", "map?box=14.3,50,14.5,50.2"])
    {
        page.browser.open("about:blank");
        page.view(view);
        page.browser.value("document.activeElement?.blur(), getSelection().removeAllRanges(), window.reached = new Set()");
        let all =
            page.browser.text(&format!("{REACHABLE}.length")).parse::<usize>().expect("a number");
        for _ in 0..all + 3 {
            page.browser.keys(TAB);
            page.browser.value("reached.add(document.activeElement)");
            // The focus is seen: an outline, on the element itself.
            let seen = page.browser.value("(e => e === document.body || getComputedStyle(e).outlineStyle !== 'none')(document.activeElement)");
            assert_eq!(
                seen,
                true,
                "{view}: {}",
                page.browser.text("document.activeElement.outerHTML")
            );
        }
        let missed = page.browser.text(&format!("{REACHABLE}.filter(element => !reached.has(element)).map(element => element.outerHTML.slice(0, 120)).join('\\n')"));
        assert_eq!(missed, "", "{view}: Tab does not reach");
        // All that can be used has a name for those who do not see it.
        let nameless = page.browser.text(&format!(
            "{REACHABLE}.filter(e => !(e.ariaLabel || e.textContent.trim() || e.labels?.length || e.title)).map(e => e.outerHTML.slice(0, 120)).join('\\n')"
        ));
        assert_eq!(nameless, "", "{view}: no name");
    }
}

#[test]
fn the_keyboard_does_all() {
    let page = Page::start(&["--allow-actions"]);
    fill(&page);
    page.view("now");
    // To the views by their tabs; the title says where one is.
    for view in ["loads", "trips", "map", "staging"] {
        tab_to(&page, &format!("nav a[data-view={view}]"));
        page.browser.keys(ENTER);
        page.browser.wait(&format!(
            "location.hash.startsWith('#{view}') && document.activeElement?.tagName === 'H1'"
        ));
        page.browser.settled();
    }
    // A load, its retraction with a second look, and back.
    page.view("loads");
    tab_to(&page, "tr[data-load='1'] button");
    page.browser.keys(ENTER);
    page.browser.wait("document.activeElement?.textContent === 'Load 1'");
    tab_to(&page, "[data-key=retract-1]");
    page.browser.keys(ENTER);
    page.browser.wait("document.activeElement?.textContent === 'Yes, retract'");
    page.browser.keys(ENTER);
    page.browser.wait_for("tr[data-load='1'] .chip-retracted");
    assert_eq!(text_of(&mut page.client(), "SELECT state FROM trips.loads"), "retracted");
    page.browser.value("document.querySelector('.detail h2').focus()");
    page.browser.keys(ESCAPE);
    page.browser
        .wait("!location.hash.includes('load=') && document.activeElement?.matches('.row-button')");
}

#[test]
fn the_map_moves_by_keys_and_an_area_is_taken() {
    let page = Page::start(&[]);
    fill(&page);
    page.view("map?region=Prague");
    page.browser.wait("location.hash.includes('at=')");
    tab_to(&page, ".map-canvas");
    let before = page.browser.address();
    page.browser.keys("\u{e014}++");
    page.browser.wait(&format!("location.href !== {}", serde_json::json!(before)));
    page.browser.settled();
    tab_to(&page, ".as-table summary");
    page.browser.keys(ENTER);
    tab_to(&page, ".as-table td button");
    page.browser.keys(ENTER);
    page.browser
        .wait("location.hash.includes('polygon=') && document.querySelector('.area-average')");
    // The values of a chart are read by keys.
    page.view("trips");
    tab_to(&page, ".chart");
    let all = page.browser.text_of(".legend-when");
    page.browser.keys("\u{e010}");
    page.browser.wait(&format!(
        "document.querySelector('.legend-when').innerText !== {}",
        serde_json::json!(all)
    ));
    assert!(page.browser.text_of(".legend-when").starts_with("Week of 2026-03-16: "));
}

/// The link to the content comes first, and works.
#[test]
fn a_link_skips_the_tabs() {
    let page = Page::start(&[]);
    page.view("health");
    page.browser.value("document.activeElement?.blur()");
    page.browser.keys(TAB);
    assert_eq!(page.browser.text("document.activeElement.className"), "skip");
    page.browser.keys(ENTER);
    assert_eq!(page.browser.text("document.activeElement.tagName"), "H1");
    assert_eq!(page.browser.text("location.hash"), "#health");
}
