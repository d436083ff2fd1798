//! Actions: only where they are allowed, and as far as the role may.

use serde_json::json;
use trips_tests::{Console, Database, FIVE_COLUMNS, text_of, trip_line};

use super::{program, start};

#[test]
fn a_console_reads_by_default() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file = database.file("a.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    database.ingest(&mut client, &file);
    let console = start(&database);
    assert_eq!(console.json("/api/status")["actions"], false);
    for action in ["cancel", "retry", "merge", "retract", "drop"] {
        let reply = console.post(&format!("/api/actions/{action}"), &json!({ "load_id": 1 }));
        assert_eq!(reply.status, 403, "{}", reply.body);
        assert!(reply.body.contains("--allow-actions"), "{}", reply.body);
    }
    assert_eq!(text_of(&mut client, "SELECT state FROM trips.loads"), "loaded");
    // Its sessions cannot write, whoever the role is.
    let read_only = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'trips_console' AND datname = current_database()
        AND backend_xid IS NOT NULL";
    assert_eq!(text_of(&mut client, read_only), "0");
}

#[test]
fn actions_do_what_they_say() {
    let database = Database::on_shared();
    let mut client = database.client();
    let console = Console::start(program(&database, "postgres").arg("--allow-actions"));
    assert_eq!(console.json("/api/status")["actions"], true);
    let act = |action: &str, body| console.post(&format!("/api/actions/{action}"), &body);
    let line = trip_line("A", 1);
    let bad = line.replace("2018-05-01", "yesterday");
    let file = database.file("a.csv", format!("{FIVE_COLUMNS}{}{bad}", trip_line("A", 2)));
    database.ingest(&mut client, &file);
    client
        .batch_execute("UPDATE trips.stg_trip_data SET date_time = '2018-05-02 01:02:03'")
        .unwrap();
    let merged = act("merge", json!({ "load_id": 1 }));
    assert_eq!(merged.status, 200, "{}", merged.body);
    let merged = merged.json();
    assert_eq!(
        (&merged["rows_inserted"], &merged["rows_staged"]),
        (&json!(2), &json!(0)),
        "{merged}"
    );
    let retracted = act("retract", json!({ "load_id": 1, "cascade": false })).json();
    assert_eq!(retracted["state"], "retracted", "{retracted}");
    assert_eq!(text_of(&mut client, "SELECT count(*) FROM trips.hist_trip_data"), "0");
    // Errors of the server are answers.
    let again = act("retract", json!({ "load_id": 1 }));
    assert_eq!((again.status, &again.json()["error"]["sqlstate"]), (409, &json!("55000")));
    let nothing = act("merge", json!({ "load_id": 99 }));
    assert_eq!((nothing.status, &nothing.json()["error"]["sqlstate"]), (404, &json!("42704")));
    assert_eq!(act("cancel", json!({ "load_id": 1 })).json()["error"]["sqlstate"], "55000");
    let broken = database.file("b.csv", "no header\n");
    client.query("SELECT trips.ingest($1)", &[&broken]).unwrap_err();
    let failed: i64 = client
        .query_one("SELECT max(load_id) FROM trips.loads WHERE state = 'failed'", &[])
        .unwrap()
        .get(0);
    let retried = act("retry", json!({ "load_id": failed }));
    assert_eq!(retried.status, 200, "{}", retried.body);
    let retried = retried.json();
    assert!(retried["load_id"].as_i64().unwrap() > failed, "{retried}");
    assert_eq!(retried["source"], json!(broken));
    assert_eq!(act("retry", json!({ "load_id": 1 })).status, 400);
    assert_eq!(act("drop", json!({ "load_id": 1 })).status, 404);
    assert_eq!(act("cancel", json!({ "load_id": "1; DROP" })).status, 400);
}

/// A reader may read, whatever the console allows.
#[test]
fn the_rights_are_those_of_the_role() {
    let cluster = trips_tests::Cluster::start();
    let mut client = cluster.client();
    client.batch_execute("CREATE ROLE reader LOGIN; SELECT trips.grant_reader('reader')").unwrap();
    let file = cluster.file("a.csv", format!("{FIVE_COLUMNS}{}bad,line\n", trip_line("A", 1)));
    cluster.ingest(&mut client, &file);
    let console = Console::start(program(&cluster, "reader").arg("--allow-actions"));
    for action in ["cancel", "retry", "merge", "retract"] {
        // Only failed loads are tried again.
        let reply = console.post(&format!("/api/actions/{action}"), &json!({ "load_id": 1 }));
        assert!([400, 403].contains(&reply.status), "{action}: {}", reply.body);
        if reply.status == 403 {
            assert!(
                reply.body.contains("trips.grant_loader('reader')"),
                "{action}: {}",
                reply.body
            );
        }
    }
    // Who may load, but not change this load, hears who may: another right does not help.
    client.batch_execute("CREATE ROLE loader LOGIN; SELECT trips.grant_reader('loader'); SELECT trips.grant_loader('loader')").unwrap();
    let loader = Console::start(program(&cluster, "loader").arg("--allow-actions"));
    let reply = loader.post("/api/actions/retract", &json!({ "load_id": 1 }));
    assert!(reply.status == 403 && !reply.body.contains("trips.grant_"), "{}", reply.body);
    let load = console.json("/api/loads/1");
    assert!(load["staged"].is_null() && load["explain"].is_null(), "{load}");
    let staging = console.get("/api/staging");
    assert_eq!((staging.status, &staging.json()["error"]["sqlstate"]), (403, &json!("42501")));
    for view in [
        "status",
        "regions",
        "now",
        "loads",
        "health",
        "trips",
        "cells",
        "flows",
        "when",
        "feeds",
        "trips.csv",
    ] {
        let reply = console.get(&format!("/api/{view}"));
        assert_eq!(reply.status, 200, "{view}: {}", reply.body);
    }
    assert_eq!(text_of(&mut client, "SELECT state FROM trips.loads"), "loaded");
}
