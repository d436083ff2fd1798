//! Statements that look rows up by their keys run once a block. They are not compiled: JIT takes longer than they do.

use std::sync::{Arc, Mutex};

use postgres::error::SqlState;
use postgres::{Client, NoTls};
use trips_tests::{Database, FIVE_COLUMNS, month_as_csv, trip_line};

use super::retract;

/// A client that gets the plans of all statements that run within functions. None if the server lacks `auto_explain`, which
/// Debian's has.
fn explaining(database: &Database) -> Option<(Client, Arc<Mutex<Vec<String>>>)> {
    let plans = Arc::new(Mutex::new(Vec::new()));
    let received = plans.clone();
    let mut config = database.config();
    config.notice_callback(move |notice| {
        if notice.message().contains("Query Text:") {
            received.lock().unwrap().push(notice.message().to_owned());
        }
    });
    let mut client = config.connect(NoTls).unwrap();
    if let Err(error) = client.batch_execute("LOAD 'auto_explain'") {
        let version = "SELECT current_setting('server_version')";
        let version: String = client.query_one(version, &[]).unwrap().get(0);
        let is_missing = error.code() == Some(&SqlState::UNDEFINED_FILE);
        assert!(is_missing && !version.contains("(Debian "), "{version}: {error}");
        eprintln!("auto_explain is not installed for this PostgreSQL: passed over");
        return None;
    }
    client
        .batch_execute(
            "SET auto_explain.log_min_duration = 0; SET auto_explain.log_analyze = on;
             SET auto_explain.log_nested_statements = on; SET auto_explain.log_settings = on;
             SET auto_explain.log_level = notice; SET jit = on; SET jit_above_cost = 0;
             SET jit_optimize_above_cost = 0; SET jit_inline_above_cost = 0",
        )
        .unwrap();
    Some((client, plans))
}

const FEED: &str = r#"SELECT trips.create_feed('rides', '{
    "title": "Rides", "columns": {"Number": {"type": "id"}, "When": {"type": "time"}, "Town": {}},
    "versions": {"1": ["Number", "When", "Town"]},
    "time": {"columns": ["When"], "forms": ["YYYY-MM-DD HH24:MI:SS"]}, "region": [{"column": "Town"}],
    "identity": {"scheme": "source_id", "columns": ["Number"], "window_days": 100, "policy": "keep"},
    "trip_id": "Number"}')"#;

/// Rides of these numbers, in a town.
fn rides(numbers: std::ops::Range<u32>, town: &str) -> String {
    let line = |number: u32| format!("{number},2018-05-{:02} 10:00:00,{town}\n", 1 + number % 28);
    "Number,When,Town\n".to_owned() + &numbers.map(line).collect::<String>()
}

#[test]
fn lookups_are_not_compiled() {
    let database = Database::on_shared();
    let Some((mut client, plans)) = explaining(&database) else { return };
    client.batch_execute(FEED).unwrap();
    let load = |client: &mut Client, name: &str, text: &[u8], on_change: Option<&str>| -> i64 {
        let path = database.file(name, text);
        let query = "SELECT load_id FROM trips.ingest($1, on_change => $2)";
        client.query_one(query, &[&path, &on_change]).unwrap().get(0)
    };
    // A load of which all trips pass to another, and one of which none does.
    let month = month_as_csv(3_000, 1, "2018-05-01");
    let first = load(&mut client, "a.csv", &month, None);
    load(&mut client, "b.csv", &[&month[..], trip_line("x", 1).as_bytes()].concat(), None);
    let bad = [FIVE_COLUMNS, &trip_line("y", 1), "bad\n"].concat();
    load(&mut client, "c.csv", bad.as_bytes(), None);
    retract(&mut client, first);
    // Other values: kept, and corrected; another load has the same ones.
    let old = load(&mut client, "old.csv", rides(0..500, "Cork").as_bytes(), None);
    load(&mut client, "kept.csv", rides(0..300, "Lyon").as_bytes(), Some("keep"));
    let new = load(&mut client, "new.csv", rides(100..500, "Rome").as_bytes(), Some("replace"));
    load(&mut client, "same.csv", rides(400..510, "Rome").as_bytes(), Some("replace"));
    retract(&mut client, new);
    client.execute("SELECT trips.retract($1, cascade => true)", &[&old]).unwrap();
    // Corrections and claims of trips that are deleted.
    load(&mut client, "old.csv", rides(0..500, "Cork").as_bytes(), None);
    load(&mut client, "new.csv", rides(100..500, "Rome").as_bytes(), Some("replace"));
    load(&mut client, "d.csv", &[&month[..], b"\n"].concat(), None);
    client.batch_execute("SELECT trips.delete_trips(region => 'Cork')").unwrap();
    let plans = std::mem::take(&mut *plans.lock().unwrap());
    // Statements with the keys of a block, and those that may only look rows up.
    let lookups: Vec<&String> = plans
        .iter()
        .filter(|plan| {
            plan.contains("(date_time, trip_key") || plan.contains("enable_seqscan = 'off'")
        })
        .collect();
    for part in [
        "'take', NULL::bigint, NULL::int",
        "'correct' THEN v.version_no",
        "passed AS MATERIALIZED",
        "risen AS MATERIALIZED",
        "DELETE FROM trips.hist_trip_data AS h USING trips.corrections",
        "INSERT INTO trips.corrections",
        "CROSS JOIN LATERAL (\n        SELECT t.load_id FROM trips.hist_trip_data",
        "DELETE FROM trips_internal.kept_versions AS k\n              USING unnest",
    ] {
        assert!(lookups.iter().any(|plan| plan.contains(part)), "no statement has {part}");
    }
    for plan in lookups {
        assert!(plan.contains("jit = 'off'") && !plan.contains("\nJIT:"), "{plan}");
    }
    let failed: i64 = client
        .query_one("SELECT count(*) FROM trips.verify() WHERE NOT passed", &[])
        .unwrap()
        .get(0);
    assert_eq!(failed, 0);
}
