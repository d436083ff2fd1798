//! Backends that have no more memory: the statement fails with 53200, and the session goes on.

use std::sync::LazyLock;

use postgres::Client;
use postgres::types::ToSql;
use trips_testkit::containers::pack;
use trips_testkit::parquet::{Column, Layout, Value, write};
use trips_tests::{AddressLimit, Cluster, server_error};

use super::containers::zip_of;
use super::memory::{MEGABYTE, client_with, regions, stage_long_texts};

/// Megabytes of addresses that a backend has more than at its begin.
const STEPS: [u64; 12] = [0, 1, 3, 8, 15, 25, 40, 60, 90, 150, 250, 400];

static FILE: LazyLock<String> = LazyLock::new(|| regions(20_000, |i| i) + &"x\n".repeat(100_000));

/// Runs a query with each limit, and again without. Returns the number of those that failed.
fn failures(cluster: &Cluster, query: &str, path: &str) -> usize {
    let fails = |&more: &u64| {
        let mut client = client_with(cluster, 256);
        // The library is there, and the query has its plan.
        client.batch_execute("SELECT trips.h3_cell(point '(1,2)', 9)").unwrap();
        let query = client.prepare(query).unwrap();
        let parameters: &[&(dyn ToSql + Sync)] =
            if query.params().is_empty() { &[] } else { &[&path] };
        let limit = AddressLimit::set(&mut client, more * MEGABYTE);
        let result = client.query_one(&query, parameters);
        limit.lift();
        let Err(error) = result else { return false };
        let (code, message, _) = server_error(&error);
        println!("{path}, {more} MB: {code} {message}");
        assert!(["53200", "53000"].contains(&code.as_str()), "{path}: {code} {message}");
        client.query_one(&query, parameters).unwrap();
        true
    };
    STEPS.iter().filter(|more| fails(more)).count()
}

fn require_no_crash(cluster: &Cluster) {
    let log = cluster.log();
    assert!(!log.contains("was terminated by signal"), "{log}");
}

/// Whether the system has no memory for a large allocation, or for a small one.
#[test]
fn an_end_of_memory_is_an_error() {
    let cluster = Cluster::start();
    stage_long_texts(&mut cluster.client(), 3, 60);
    let path = cluster.file("regions.csv", &*FILE);
    let mut failed = 0;
    for query in [
        "SELECT count(*) FROM trips.merge_staged()",
        "SELECT count(*) FROM trips.preview($1)",
        "SELECT count(*) FROM trips.diff($1)",
        "SELECT count(*) FROM trips.ingest($1, force => true)",
        "SELECT count(*) FROM trips.stage($1)",
    ] {
        failed += failures(&cluster, query, &path);
    }
    // A preview needs little.
    assert!(failed >= 10, "{failed} had no memory");
    require_no_crash(&cluster);
}

fn failures_of(name: &str, content: Vec<u8>) {
    let cluster = Cluster::start();
    let path = cluster.file(name, content);
    let failed = failures(&cluster, "SELECT count(*) FROM trips.ingest($1, force => true)", &path);
    assert!(failed >= 1, "{name}: {failed} had no memory");
    require_no_crash(&cluster);
}

#[test]
fn an_end_of_memory_while_a_stream_is_unpacked() {
    failures_of("a.csv.gz", pack::gzip(FILE.as_bytes()));
    failures_of("a.csv.zst", pack::zstd(FILE.as_bytes()));
}

#[test]
fn an_end_of_memory_while_another_stream_is_unpacked() {
    failures_of("a.csv.bz2", pack::bzip2(FILE.as_bytes()));
    failures_of("a.csv.xz", pack::xz(FILE.as_bytes()));
}

#[test]
fn an_end_of_memory_in_an_archive() {
    let inner = zip_of(&[("b.csv", FILE.as_bytes())]);
    failures_of("a.zip", zip_of(&[("inner.zip", inner)]));
}

#[test]
fn an_end_of_memory_in_json() {
    let line = |i: u32| {
        format!(
            r#"{{"region":"{i:0900}","origin_coord":"POINT (1 2)","destination_coord":"POINT (3 4)","date_time":"2018-05-{:02} 00:00:00","datasource":"d"}}"#,
            1 + i % 28
        )
    };
    let lines: Vec<String> = (0..20_000).map(line).collect();
    failures_of("a.json", lines.join("\n").into_bytes());
}

#[test]
fn an_end_of_memory_in_parquet() {
    let column = |name: &str, text: &dyn Fn(u32) -> String| {
        let values = (0..20_000).map(|i| Some(Value::from(&*text(i)))).collect();
        Column::new(&format!("optional binary {name} (STRING)"), values)
    };
    let columns = [
        column("region", &|i| format!("{i:0900}")),
        column("origin_coord", &|_| "POINT (1 2)".into()),
        column("destination_coord", &|_| "POINT (3 4)".into()),
        column("date_time", &|i| format!("2018-05-{:02} 00:00:00", 1 + i % 28)),
        column("datasource", &|_| "d".into()),
    ];
    failures_of("a.parquet", write(&columns, Layout::default()));
}

/// Questions have no threads, but allocations of their own.
#[test]
fn an_end_of_memory_in_a_question() {
    let cluster = Cluster::start();
    let path = cluster.file("regions.csv", &*FILE);
    let mut client: Client = client_with(&cluster, 64);
    client.query_one("SELECT count(*) FROM trips.ingest($1)", &[&path]).unwrap();
    let query = "SELECT count(*) FROM trips.weekly_counts(box '(-180,-90),(180,90)')";
    failures(&cluster, query, &path);
    failures(&cluster, "SELECT count(*) FROM trips.verify()", &path);
    require_no_crash(&cluster);
}
