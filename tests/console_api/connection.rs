//! Without a session, the page says why; it connects again, and no event is lost.

use std::fs;

use serde_json::Value;
use trips_tests::{Cluster, Console, Database, Events, FIVE_COLUMNS, eventually, trip_line, until};

use super::{program, start};

/// What the page says once the console has tried.
fn fault(console: &Console) -> (String, String) {
    until("no fault is shown", || {
        let status = console.json("/api/status");
        assert_eq!(status["connected"], false);
        let text = |name: &str| status["fault"][name].as_str().unwrap_or_default().to_owned();
        status["fault"].is_object().then(|| (text("message"), text("hint")))
    })
}

#[test]
fn the_page_says_why_there_is_no_session() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    client.batch_execute("CREATE DATABASE other").unwrap();
    client
        .batch_execute("CREATE ROLE nobody LOGIN; CREATE ROLE etl LOGIN PASSWORD 'right'")
        .unwrap();
    let rules = cluster.path("data/pg_hba.conf");
    let others = fs::read_to_string(&rules).unwrap();
    fs::write(&rules, format!("local all etl scram-sha-256\n{others}")).unwrap();
    client.batch_execute("SELECT pg_reload_conf()").unwrap();
    let cases = [
        ("postgres", "PGHOST", "/nowhere", "/nowhere", "Start the server"),
        ("postgres", "PGDATABASE", "other", "does not have the extension", "CREATE EXTENSION"),
        ("postgres", "PGDATABASE", "missing", "does not exist", "Set PGDATABASE"),
        ("nobody", "PGOPTIONS", "", "does not have the privilege", "trips.grant_reader('nobody')"),
        ("etl", "PGPASSWORD", "wrong", "password authentication failed", "Set PGPASSWORD"),
    ];
    for (role, variable, value, message, hint) in cases {
        let console = Console::start(program(&cluster, role).env(variable, value));
        let said = fault(&console);
        assert!(said.0.contains(message) && said.1.contains(hint), "{said:?}");
        // Views say the same.
        let reply = console.get("/api/now");
        assert_eq!(reply.status, 503, "{}", reply.body);
        assert!(
            reply.json()["error"]["message"].as_str().unwrap().contains(message),
            "{}",
            reply.body
        );
    }
    // The page of a role that gets the privilege meanwhile needs no restart.
    let console = Console::start(&mut program(&cluster, "nobody"));
    fault(&console);
    client.batch_execute("SELECT trips.grant_reader('nobody')").unwrap();
    until("it does not connect", || {
        console.json("/api/status")["connected"].as_bool().filter(|is| *is)
    });
    assert_eq!(console.json("/api/status")["role"], "nobody");
}

/// Waits for what the page hears of the session.
fn hear(page: &mut Events, connected: bool) -> Value {
    loop {
        let (_, standing) = page.next("connection");
        if standing["connected"] == connected {
            return standing;
        }
    }
}

#[test]
fn a_restart_loses_no_event() {
    let mut cluster = Cluster::start();
    let file = |cluster: &Cluster, name: &str, second| {
        cluster.file(name, format!("{FIVE_COLUMNS}{}", trip_line("A", second)))
    };
    let console = start(&cluster);
    let mut page = console.events(None);
    hear(&mut page, true);
    let first = file(&cluster, "first.csv", 1);
    cluster.ingest(&mut cluster.client(), &first);
    let (seen, load) = page.next("load");
    assert_eq!(load["load_id"], 1);
    let ended = |page: &mut Events, load_id: i64| loop {
        let (_, load) = page.next("load");
        if load["load_id"] == load_id && load["state"] == "loaded" {
            return load;
        }
    };
    ended(&mut page, 1);
    // Another page is away while two loads end, one of them before a restart.
    let mut away = console.events(seen);
    drop(page);
    hear(&mut away, true);
    cluster.restart(|_| ());
    let fault = hear(&mut away, false);
    assert!(fault["fault"]["message"].is_string(), "{fault}");
    let second = file(&cluster, "second.csv", 2);
    cluster.ingest(&mut cluster.client(), &second);
    hear(&mut away, true);
    assert!(ended(&mut away, 2)["source"].as_str().unwrap().ends_with("second.csv"));
    // It asks for what came after the first event.
    let mut late = console.events(seen);
    // If the stream ends before them, it asks for them again.
    assert_eq!(late.next("now").0, None);
    ended(&mut late, 1);
    ended(&mut late, 2);
    let mut fresh = console.events(None);
    // The console sends the events of a load before what runs then.
    while fresh.next("now").1["recent"][0]["load_id"] != 2 {}
    assert_eq!(console.json("/api/loads")["loads"].as_array().unwrap().len(), 2);
}

/// The numbers of the events that a page gets, up to the last one of the database.
fn heard(page: &mut Events, last: i64) -> Vec<i64> {
    let mut numbers = Vec::new();
    while numbers.last() != Some(&last) {
        numbers.push(page.next("load").0.expect("a number"));
    }
    numbers
}

fn numbers_after(client: &mut postgres::Client, after: i64) -> Vec<i64> {
    let query = "SELECT seq FROM trips.events WHERE seq > $1 ORDER BY seq";
    client.query(query, &[&after]).unwrap().iter().map(|row| row.get(0)).collect()
}

/// A console that starts while the server is away connects later than a page of it may read.
#[test]
fn a_page_loses_no_event_before_the_first_session() {
    let mut cluster = Cluster::start();
    let file = |cluster: &Cluster, name: &str, second| {
        cluster.file(name, format!("{FIVE_COLUMNS}{}", trip_line("A", second)))
    };
    let first = file(&cluster, "first.csv", 1);
    cluster.ingest(&mut cluster.client(), &first);
    let seen = *numbers_after(&mut cluster.client(), 0).last().unwrap();
    let mut started = None;
    cluster.restart(|cluster| {
        let console = start(cluster);
        let mut late = console.events(Some(seen));
        // It waits longer after each attempt: now for seconds.
        let mut page = console.events(None);
        let faults = std::iter::from_fn(|| Some(page.next("connection").1));
        assert_eq!(faults.filter(|standing| standing["fault"].is_object()).take(5).count(), 5);
        // Also the page that waits for events is told why.
        while !hear(&mut late, false)["fault"].is_object() {}
        started = Some((console, late));
    });
    let (console, mut late) = started.unwrap();
    let second = file(&cluster, "second.csv", 2);
    cluster.ingest(&mut cluster.client(), &second);
    // The console has read events, or what runs.
    let has_read = "SELECT count(*) > 0 FROM pg_stat_activity
                     WHERE application_name = 'trips_console' AND state = 'idle' AND query ~ 'trips.(events|load_progress)'";
    eventually(&mut cluster.client(), has_read, "t");
    let third = file(&cluster, "third.csv", 3);
    cluster.ingest(&mut cluster.client(), &third);
    until("it does not connect", || {
        console.json("/api/status")["connected"].as_bool().filter(|is| *is)
    });
    let fourth = file(&cluster, "fourth.csv", 4);
    cluster.ingest(&mut cluster.client(), &fourth);
    let expected = numbers_after(&mut cluster.client(), seen);
    assert_eq!(heard(&mut late, *expected.last().unwrap()), expected);
}

/// The numbers of a database that was restored begin earlier than a page has seen.
#[test]
fn a_page_that_has_seen_more_than_there_is_begins_anew() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file = |name: &str, second| {
        database.file(name, format!("{FIVE_COLUMNS}{}", trip_line("A", second)))
    };
    database.ingest(&mut client, &file("first.csv", 1));
    let last = *numbers_after(&mut client, 0).last().unwrap();
    let console = start(&database);
    let mut page = console.events(Some(1_000_000));
    assert_eq!(page.next("begin").0, Some(last));
    database.ingest(&mut client, &file("second.csv", 2));
    let expected = numbers_after(&mut client, last);
    assert_eq!(heard(&mut page, *expected.last().unwrap()), expected);
}
