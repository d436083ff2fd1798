//! Pictures of all views for the documents: `make console-pictures` writes them to `docs/images`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use chrono::{Days, NaiveDate};
use postgres::Client;
use trips_tests::{Database, FIVE_COLUMNS, eventually, text_of};

use crate::city;
use crate::page::{DESK, Page, Shared, SlowLoad};

const WEEKS: u64 = 100;
/// Weeks that nobody has sent.
const NOT_SENT: [u64; 3] = [41, 42, 77];
const PHONE: [u32; 2] = [390, 844];

/// The views, and what is chosen in them. Those of what runs come last.
const VIEWS: [(&str, &str); 8] = [
    ("loads", "?load=failed"),
    ("health", ""),
    ("trips", "?compare=year"),
    ("map", "?region=Prague&box=14.36,50.03,14.49,50.12"),
    ("when", "?region=Prague"),
    ("staging", ""),
    ("feeds", ""),
    ("now", ""),
];

#[test]
#[ignore = "writes pictures into docs/images: make console-pictures"]
fn all_views() {
    let page = Page::start(&["--allow-actions"]);
    let mut client = page.client();
    fill(&page, &mut client);
    let failed = "SELECT min(load_id) FROM trips.loads WHERE state = 'failed'";
    let failed = text_of(&mut client, failed);
    let mut loads = None;
    for (name, parameters) in VIEWS {
        let fragment = format!("{name}{}", parameters.replace("failed", &failed));
        for (kind, scheme, [width, height]) in
            [("light", "light", DESK), ("dark", "dark", DESK), ("phone", "light", PHONE)]
        {
            page.browser.resize(width, height, kind == "phone");
            page.browser.prefer(scheme);
            // The page that saw the loads begin has their events.
            if loads.is_none() {
                page.browser.open("about:blank");
                page.view(&fragment);
            }
            if name == "now" && loads.is_none() {
                loads = Some(begin_loads(&page, &mut client));
            }
            // The checks read the whole history.
            if name == "health" && kind == "light" {
                page.browser.click("main button.main");
                page.browser.wait_for(".verdict");
                page.browser.value("scrollTo(0, 0)");
            }
            // A request that was broken off is repeated.
            page.browser.wait("!document.querySelector('.fault[role=alert]')");
            page.browser.settled();
            // Charts are drawn in the next frame.
            let frames = "requestAnimationFrame(() => requestAnimationFrame(done))";
            page.browser.value(&format!("new Promise(done => {frames})"));
            page.browser.value("document.activeElement?.blur()");
            fs::write(picture(name, kind), page.browser.picture()).expect("a picture");
        }
    }
    let (running, waiting) = loads.expect("the loads of now");
    running.end();
    waiting.end();
}

fn picture(name: &str, kind: &str) -> PathBuf {
    let folder = std::env::var("TRIPS_PICTURES").expect("TRIPS_PICTURES names a folder");
    PathBuf::from(folder).join(format!("console-{name}-{kind}.png"))
}

fn folder(database: &Database, name: &str) {
    let folder = database.path(name);
    fs::create_dir(&folder).expect("a folder");
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("permissions");
}

fn today(client: &mut Client) -> NaiveDate {
    text_of(client, "SELECT current_date").parse().expect("a date")
}

/// Two years of weekly files, and some that are not as they should be.
fn fill(page: &Page<Shared>, client: &mut Client) {
    let (database, today) = (&page.database, today(client));
    folder(database, "inbox");
    folder(database, "partners");
    let mut loader = database.client_as(&page.role);
    let mut load = |path: &str| loader.query_one("SELECT trips.ingest($1)", &[&path]);
    for week in (0..WEEKS).filter(|week| !NOT_SENT.contains(week)) {
        let first = today - Days::new((WEEKS - week) * 7);
        let mut text = city::file(first, 7, 900, week);
        if week % 16 == 9 {
            text.push_str(&faults(first, week));
        }
        let path = database.file(&format!("inbox/trips-{first}.csv"), text);
        load(&path).expect("a load");
        if week % 30 == 21 {
            load(&path).expect("a skipped load");
        }
        // They have stopped to send.
        if (70..92).contains(&week) {
            let text = city::file(first, 7, 60, 1000 + week);
            let path = database.file(&format!("partners/partner-{first}.csv"), text);
            load(&path).expect("a load");
        }
    }
    let cut = database.file("inbox/export.parquet", &b"PAR1\x15\x04\x15\x00broken"[..]);
    load(&cut).expect_err("a file that is cut");
    let other = database.file("inbox/stations.csv", "station,docks,opened\nMain,24,2019-04-01\n");
    load(&other).expect_err("a file that is no file of trips");
    // The loads came week by week, not in a minute.
    let back = "UPDATE trips.loads AS l
           SET requested_at = l.requested_at - m.back, started_at = l.started_at - m.back,
               finished_at = l.finished_at - m.back
          FROM (SELECT x.load_id,
                       make_interval(days => (now()::date - (substring(x.source FROM '\\d{4}-\\d\\d-\\d\\d')::date + 7)),
                                     mins => (x.load_id * 37 % 300)::int) AS back
                  FROM trips.loads AS x WHERE x.source ~ '\\d{4}-\\d\\d-\\d\\d') AS m
         WHERE m.load_id = l.load_id";
    client.batch_execute(back).expect("the times of loads");
    shorten(database, client);
}

/// Pictures show `/data/` instead of the directory of this test.
fn shorten(database: &Database, client: &mut Client) {
    let directory = database.path("");
    for statement in [
        "UPDATE trips.loads SET source = replace(source, 'DIR', '/data/'), error = replace(error, 'DIR', '/data/')",
        "UPDATE trips_internal.load_failures SET message = replace(message, 'DIR', '/data/')",
    ] {
        let statement = statement.replace("DIR", &directory);
        client.batch_execute(&statement).expect("shorter names");
    }
}

/// Lines that a load stages, each for another reason.
fn faults(day: NaiveDate, seed: u64) -> String {
    let mut text = String::new();
    for number in 0..3 + seed % 5 {
        text.push_str(&format!("Prague,POINT (14.{number}21 50.0871),POINT (14.4102 50.0999),{day} 25:0{number}:00,city_bikes\n"));
        text.push_str(&format!("Hamburg,POINT (10.0012 153.{number}5),POINT (9.99 53.56),{day} 08:1{number}:00,scooters\n"));
        if number % 2 == 0 {
            text.push_str(&format!(
                "Turin,\"45,07 7,68\",POINT (7.6{number} 45.1),{day} 17:45:1{number},ride_share\n"
            ));
        }
    }
    text.push_str(&format!(
        "Lyon,POINT (4.83 45.76),POINT (4.85 45.75),{},night_bus\n",
        day.format("%d/%m/%Y 23:40")
    ));
    text
}

/// A load that runs, and one that waits for it.
fn begin_loads(page: &Page<Shared>, client: &mut Client) -> (SlowLoad, SlowLoad) {
    let (database, today) = (&page.database, today(client));
    let file = |name: &str, seed| {
        let text = city::file(today - Days::new(60), 60, 3000, seed);
        database.file(&format!("inbox/{name}.csv"), text)
    };
    let (one, two) = (file("backfill-autumn", 501), file("scooters-november", 502));
    let begin = |path: &str| SlowLoad::begin(database, database.client_as(&page.role), path);
    let running = begin(&one);
    running.hold_at(database, 0.3);
    let waiting = begin(&two);
    eventually(client, "SELECT count(*) FROM trips.loads WHERE state = 'running'", 2);
    shorten(database, client);
    page.browser.wait("document.querySelectorAll('.bar').length === 2");
    running.hold_at(database, 0.62);
    let name = "document.querySelector('.bar .name')?.textContent === 'backfill-autumn.csv'";
    page.browser.wait("!document.querySelector('.bars').innerText.includes('/dev/')");
    page.browser.wait(&format!("{name} && document.querySelector('.bar [aria-valuenow^=\"6\"]')"));
    (running, waiting)
}

/// The header of files of trips is known: what is added to one has its columns.
#[test]
fn faults_have_the_columns_of_trips() {
    let day = NaiveDate::from_ymd_opt(2026, 5, 4).expect("a day");
    let columns = FIVE_COLUMNS.split(',').count();
    assert!(
        faults(day, 9)
            .lines()
            .filter(|line| !line.contains('"'))
            .all(|line| line.split(',').count() == columns)
    );
}
