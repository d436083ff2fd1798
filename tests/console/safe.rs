//! Text of the database stays text; the page asks nobody but its console; the browser has nothing to complain of.

use std::fs;
use std::path::Path;

use serde_json::Value;
use trips_tests::FIVE_COLUMNS;

use crate::city;
use crate::page::Page;

pub const VIEWS: [&str; 8] = ["now", "loads", "health", "trips", "map", "when", "staging", "feeds"];
const HOSTILE: &str = "<img src=x onerror=alert(1)>";

#[test]
fn hostile_names_stay_text() {
    let page = Page::start(&[]);
    let mut text = FIVE_COLUMNS.to_owned();
    for number in 0..20 {
        text.push_str(&format!("{HOSTILE},POINT (14.{number:02} 50.1),POINT (14.4 50.1),2026-03-02 10:{number:02}:00,<b>{HOSTILE}\n"));
    }
    text.push_str(&format!("{HOSTILE},POINT (14 950.1),POINT (14.4 50.1),2026-03-02 10:00:00,<script>alert(1)</script>\n"));
    let path = page.database.file("<img src=x onerror=alert(2)>.csv", text);
    page.client().query_one("SELECT trips.ingest($1)", &[&path]).expect("a load");
    let bad = page.database.file("<svg onload=alert(3)>.csv", "<script>alert(4)</script>,b\n1,2\n");
    page.client().query_one("SELECT trips.ingest($1)", &[&bad]).expect_err("no file of trips");
    let hostile = "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E";
    let more = [
        format!("trips?region={hostile}"),
        format!("map?region={hostile}"),
        "trips?by=datasource".into(),
        "loads?load=1".into(),
        "loads?load=2".into(),
        "staging?load=1".into(),
        format!("loads?path={hostile}&feed={hostile}"),
    ];
    page.browser.open(&page.console.view("now"));
    for fragment in VIEWS.map(String::from).iter().chain(&more) {
        page.view(fragment);
        assert_eq!(page.browser.text("document.querySelectorAll('main img, main script, main b, main svg[onload], [onerror]').length"), "0", "{fragment}");
    }
    page.view("trips");
    page.browser.wait(&format!(
        "document.querySelector('.legend')?.innerText.includes({})",
        serde_json::json!(HOSTILE)
    ));
    page.view("staging");
    page.browser.wait(&format!(
        "document.querySelector('.groups')?.innerText.includes({})",
        serde_json::json!(HOSTILE)
    ));
    assert_eq!(page.browser.complaints(), Vec::<String>::new());
}

#[test]
fn no_view_has_errors_or_asks_others() {
    let page = Page::start(&["--allow-actions"]);
    let text = city::file("2026-03-02".parse().expect("a date"), 28, 300, 1)
        + "Prague,nowhere,POINT (14 50),2026-03-02 10:00:00,x\n";
    let path = page.database.file("march.csv", text);
    let origin = page.console.origin();
    // With an empty database, and with trips.
    for _ in 0..2 {
        for view in VIEWS {
            for scheme in ["light", "dark"] {
                page.browser.prefer(scheme);
                page.view(view);
            }
            assert_eq!(page.browser.complaints(), Vec::<String>::new(), "{view}");
        }
        page.client().query_one("SELECT trips.ingest($1)", &[&path]).expect("a load");
    }
    let others: Vec<String> = page
        .browser
        .requests()
        .into_iter()
        .filter(|address| {
            // Chromium's own pages are no requests.
            address.starts_with("http") && !address.starts_with(&format!("{origin}/"))
        })
        .collect();
    assert_eq!(others, Vec::<String>::new());
    // What would let others in is refused by the browser.
    page.browser.value("void document.head.append(Object.assign(document.createElement('script'), { textContent: 'window.foreign = true' }))");
    assert_eq!(page.browser.value("window.foreign ?? null"), Value::Null);
    assert!(page.browser.complaints().iter().any(|line| line.contains("Content Security Policy")));
}

/// Text of the database must not become markup: no source has a way to do that.
#[test]
fn no_source_makes_markup_of_text() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/trips_console/page/src");
    let words = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "setHTMLUnsafe",
        "createContextualFragment",
        "DOMParser",
        "document.write",
        "eval(",
        "new Function",
        "srcdoc",
        "javascript:",
    ];
    let mut files = 0;
    visit(&folder, &mut |path, text| {
        files += 1;
        for word in words {
            assert!(!text.contains(word), "{} has {word}", path.display());
        }
        let lines = text.lines().count();
        assert!(lines < 400, "{} has {lines} lines", path.display());
    });
    assert!(files > 20, "{files} sources");
}

fn visit(folder: &Path, look: &mut impl FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            visit(&path, look);
        } else {
            look(&path, &fs::read_to_string(&path).expect("text"));
        }
    }
}
