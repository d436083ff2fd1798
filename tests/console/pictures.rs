//! Pictures of all views for the documents: `make console-pictures` writes them to `docs/images`.

use std::fs;
use std::path::PathBuf;

use chrono::{Days, NaiveDate};
use postgres::Client;
use trips_tests::{Database, FIVE_COLUMNS, text_of};

use crate::city;
use crate::page::{DESK, Page, SlowLoad};

const WEEKS: u64 = 100;
/// Weeks that nobody has sent.
const NOT_SENT: [u64; 3] = [41, 42, 77];
const PHONE: [u32; 2] = [390, 844];

/// A view, and what is done in it before the picture.
const VIEWS: [(&str, &str); 8] = [
    ("now", ""),
    ("loads", "?load=failed"),
    ("health", ""),
    ("trips", "?compare=year"),
    ("map", "?region=Prague&box=14.36,50.03,14.49,50.12"),
    ("when", "?region=Prague"),
    ("staging", ""),
    ("feeds", ""),
];

#[test]
#[ignore = "writes pictures into docs/images: make console-pictures"]
fn all_views() {
    let page = Page::start(&["--allow-actions"]);
    let mut client = page.client();
    fill(&page.database, &mut client);
    let mut loads = Some(begin_loads(&page.database, &mut client));
    let failed =
        text_of(&mut client, "SELECT max(load_id) FROM trips.loads WHERE state = 'failed'");
    for (name, parameters) in VIEWS {
        // The first pictures are those of what runs.
        if name != "now"
            && let Some((running, waiting)) = loads.take()
        {
            running.end();
            waiting.end();
        }
        let fragment = format!("{name}{}", parameters.replace("failed", &failed));
        for (kind, scheme, [width, height]) in
            [("light", "light", DESK), ("dark", "dark", DESK), ("phone", "light", PHONE)]
        {
            page.browser.resize(width, height, kind == "phone");
            page.browser.prefer(scheme);
            page.browser.open("about:blank");
            page.view(&fragment);
            // The checks read the whole history.
            if name == "health" && kind == "light" {
                page.browser.click("main button.main");
                page.browser.wait_for(".verdict");
                page.browser.value("scrollTo(0, 0)");
            }
            // Charts are drawn in the next frame.
            page.browser.value(
                "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))",
            );
            page.browser.value("document.activeElement?.blur()");
            fs::write(picture(name, kind), page.browser.picture()).expect("a picture");
        }
    }
}

fn picture(name: &str, kind: &str) -> PathBuf {
    let folder = std::env::var("TRIPS_PICTURES").expect("TRIPS_PICTURES names a folder");
    PathBuf::from(folder).join(format!("console-{name}-{kind}.png"))
}

/// Two years of weekly files, and some that are not as they should be.
fn fill(database: &Database, client: &mut Client) {
    let today: String = text_of(client, "SELECT current_date");
    let today: NaiveDate = today.parse().expect("a date");
    let folder = database.path("inbox");
    fs::create_dir(&folder).expect("a folder");
    fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("permissions");
    for week in (0..WEEKS).filter(|week| !NOT_SENT.contains(week)) {
        let first = today - Days::new((WEEKS - week) * 7);
        let mut text = city::file(first, 7, 900, week);
        if week % 16 == 9 {
            text.push_str(&faults(first, week));
        }
        let path = database.file(&format!("inbox/trips-{first}.csv"), text);
        client.query_one("SELECT trips.ingest($1)", &[&path]).expect("a load");
        if week % 30 == 21 {
            client.query_one("SELECT trips.ingest($1)", &[&path]).expect("a skipped load");
        }
    }
    let other = database.file("inbox/stations.csv", "station,docks,opened\nMain,24,2019-04-01\n");
    client
        .query_one("SELECT trips.ingest($1)", &[&other])
        .expect_err("a file that is no file of trips");
    let cut = database.file("inbox/trips-export.parquet", &b"PAR1\x15\x04\x15\x00broken"[..]);
    client.query_one("SELECT trips.ingest($1)", &[&cut]).expect_err("a file that is cut");
    // The loads came week by week, not in a minute.
    client
        .batch_execute(
            "UPDATE trips.loads AS l
                SET requested_at = l.requested_at - m.back, started_at = l.started_at - m.back, finished_at = l.finished_at - m.back
               FROM (SELECT x.load_id, make_interval(days => (now()::date - (substring(x.source FROM '\\d{4}-\\d\\d-\\d\\d')::date + 7)),
                                                     mins => (x.load_id * 37 % 300)::int) AS back
                       FROM trips.loads AS x WHERE x.source ~ '\\d{4}-\\d\\d-\\d\\d') AS m
              WHERE m.load_id = l.load_id",
        )
        .expect("the times of loads");
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
fn begin_loads(database: &Database, client: &mut Client) -> (SlowLoad, SlowLoad) {
    let today: NaiveDate = text_of(client, "SELECT current_date").parse().expect("a date");
    let file = |name: &str, seed| {
        let text = city::file(today - Days::new(60), 60, 3000, seed);
        database.file(&format!("inbox/{name}.csv"), text)
    };
    let (one, two) = (file("trips-backfill-autumn", 501), file("scooters-november", 502));
    let running = SlowLoad::begin(database, &one);
    running.hold_at(database, 0.62);
    let waiting = SlowLoad::begin(database, &two);
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
