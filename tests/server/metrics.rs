//! `trips.metrics()`, and the examples for monitoring systems that are made from it.

use std::fs;
use std::path::PathBuf;

use postgres::Client;
use serde_json::Value;
use trips_tests::{Cluster, Database, FIVE_COLUMNS, text_of, trip_line};

fn value(client: &mut Client, name: &str, labels: &str) -> Option<f64> {
    let query = "SELECT value FROM trips.metrics() WHERE name = $1 AND labels::text = $2";
    client.query_opt(query, &[&name, &labels]).unwrap().map(|row| row.get(0))
}

#[test]
fn figures_are_those_of_the_ledger() {
    let database = Database::on_shared();
    let mut client = database.client();
    assert_eq!(value(&mut client, "trips_loads", r#"{"state": "loaded"}"#), Some(0.0));
    assert_eq!(value(&mut client, "trips_rows", r#"{"result": "read"}"#), Some(0.0));
    for absent in
        ["trips_newest_load_age_seconds", "trips_queue_age_seconds", "trips_newest_day_age_days"]
    {
        assert_eq!(value(&mut client, absent, "{}"), None);
    }
    let lines = format!("{FIVE_COLUMNS}{0}{0}{1}bad,line\n", trip_line("A", 1), trip_line("B", 2));
    let file = database.file("a.csv", lines);
    database.ingest(&mut client, &file);
    database.ingest(&mut client, &file);
    client.query("SELECT trips.ingest('/nowhere/a.csv')", &[]).unwrap_err();
    for (state, loads) in
        [("loaded", 1.0), ("skipped", 1.0), ("failed", 1.0), ("queued", 0.0), ("retracted", 0.0)]
    {
        let labels = format!(r#"{{"state": "{state}"}}"#);
        assert_eq!(value(&mut client, "trips_loads", &labels), Some(loads), "{state}");
    }
    for (result, rows) in [("read", 4.0), ("inserted", 2.0), ("duplicate", 1.0), ("corrected", 0.0)]
    {
        let labels = format!(r#"{{"result": "{result}"}}"#);
        assert_eq!(value(&mut client, "trips_rows", &labels), Some(rows), "{result}");
    }
    for (name, expected) in
        [("trips_staged_rows", 1.0), ("trips_trips", 2.0), ("trips_queue_loads", 0.0)]
    {
        assert_eq!(value(&mut client, name, "{}"), Some(expected), "{name}");
    }
    let bytes = fs::metadata(&file).unwrap().len();
    assert_eq!(
        text_of(&mut client, "SELECT value FROM trips.metrics() WHERE name = 'trips_load_bytes'"),
        bytes.to_string()
    );
    for age in ["trips_newest_load_age_seconds", "trips_newest_failure_age_seconds"] {
        assert!((0.0..600.0).contains(&value(&mut client, age, "{}").unwrap()), "{age}");
    }
    let day = "SELECT value = current_date - date '2018-05-01' FROM trips.metrics() WHERE name = 'trips_newest_day_age_days'";
    assert_eq!(text_of(&mut client, day), "t");
    assert_eq!(
        text_of(
            &mut client,
            "SELECT count(*) FROM trips.metrics() WHERE help = '' OR help IS NULL"
        ),
        "0"
    );
}

fn example(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Readers run all queries of the examples, in an empty database and with a load.
#[test]
fn the_examples_run() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    client.batch_execute("CREATE ROLE reader LOGIN; SELECT trips.grant_reader('reader')").unwrap();
    let mut queries = Vec::new();
    let file = example("postgres_exporter/queries.yaml");
    queries.extend(file.lines().filter_map(|line| {
        Some(line.trim().strip_prefix("query: \"")?.strip_suffix('"')?.to_owned())
    }));
    assert_eq!(queries.len(), 3);
    let dashboard: Value = serde_json::from_str(&example("grafana/trips_pipeline.json")).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            queries.push(without_macros(target["rawSql"].as_str().unwrap()));
        }
    }
    assert!(queries.len() > 12, "{queries:?}");
    let file = cluster.file("a.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    for round in 0..2 {
        let mut reader = cluster.client_as("reader");
        for query in &queries {
            let rows =
                reader.query(query, &[]).unwrap_or_else(|error| panic!("{query}: {error:?}"));
            assert!(round == 0 || !rows.is_empty() || !query.contains("metrics"), "{query}");
        }
        cluster.ingest(&mut client, &file);
        client.query("SELECT trips.ingest('/nowhere/a.csv')", &[]).unwrap_err();
    }
}

/// A query as Grafana sends it: its macros are replaced by expressions.
fn without_macros(query: &str) -> String {
    let mut query = query.to_owned();
    while let Some(begin) = query.find("$__timeFilter(") {
        let end = begin + query[begin..].find(')').unwrap();
        let column = query[begin + "$__timeFilter(".len()..end].to_owned();
        query
            .replace_range(begin..=end, &format!("{column} BETWEEN '2000-01-01' AND '2100-01-01'"));
    }
    while let Some(begin) = query.find("$__timeGroup(") {
        let end = begin + query[begin..].find(')').unwrap();
        let column =
            query[begin + "$__timeGroup(".len()..end].split(',').next().unwrap().to_owned();
        query.replace_range(
            begin..=end,
            &format!("floor(extract(epoch FROM {column}) / 3600) * 3600"),
        );
    }
    assert!(!query.contains("$__"), "{query}");
    query
}
