//! Without a session, the page says why; it connects again, and no event is lost.

use std::fs;

use serde_json::Value;
use trips_tests::{Cluster, Console, Events, FIVE_COLUMNS, trip_line, until};

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
    let (_, now) = console.events(None).next("now");
    assert_eq!(now["recent"][0]["load_id"], 2, "{now}");
    assert_eq!(console.json("/api/loads")["loads"].as_array().unwrap().len(), 2);
}
