//! Everything at once: loads of overlapping files at all isolation levels, merges, VACUUM, REFRESH and
//! readers, in one database.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postgres::{Client, IsolationLevel};
use trips_tests::{
    Cluster, FIVE_COLUMNS, Load, lines_of, rows_as_csv, server_error, trip_line, until,
    until_within,
};

/// The level of each session's loads. Those above READ COMMITTED fail as long as others are faster, and
/// get through when these are done.
const LEVELS: [IsolationLevel; 8] = [
    IsolationLevel::ReadCommitted,
    IsolationLevel::RepeatableRead,
    IsolationLevel::ReadCommitted,
    IsolationLevel::Serializable,
    IsolationLevel::ReadCommitted,
    IsolationLevel::ReadCommitted,
    IsolationLevel::ReadCommitted,
    IsolationLevel::ReadCommitted,
];

/// Loads a file in a transaction of this level, again after a serialization failure, as a client must.
fn load(client: &mut Client, path: &str, level: IsolationLevel) -> Load {
    until_within(Duration::from_secs(300), format!("{path} is not loaded"), || {
        let result = (|| {
            let mut transaction = client.build_transaction().isolation_level(level).start()?;
            let row = transaction.query_one("SELECT * FROM trips.ingest($1)", &[&path])?;
            transaction.commit()?;
            Ok::<_, postgres::Error>(Load::from_row(&row))
        })();
        result.map_err(|error| assert_eq!(server_error(&error).0, "40001", "{error:?}")).ok()
    })
}

/// Repeats a statement until the loads are done; a serialization failure is allowed.
fn repeat(cluster: &Cluster, statement: &str, done: &AtomicBool) {
    let mut client = cluster.client();
    while !done.load(Ordering::Relaxed) {
        if let Err(error) = client.batch_execute(statement) {
            assert_eq!(server_error(&error).0, "40001", "{statement}: {error:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn everything_at_once() {
    let cluster = Cluster::start();
    let rows = rows_as_csv(12_000, 31);
    // Twelve files of 2,000 lines, each overlapping the next by half; with bad lines of their own.
    let paths: Vec<String> = (0..12)
        .map(|i| {
            let from = i * 1000 % 11_000;
            let text = lines_of(&rows, from..from + 2000) + &format!("bad line {i}\n");
            cluster.file(&format!("{i}.csv"), text)
        })
        .collect();
    let by_hand = format!("{FIVE_COLUMNS}{}", trip_line("By hand", 1));
    let by_hand = cluster.file("by_hand.csv", by_hand);
    let (done, cluster) = (AtomicBool::new(false), &cluster);
    std::thread::scope(|scope| {
        for statement in [
            "REFRESH MATERIALIZED VIEW CONCURRENTLY trips.summarized_trip_data",
            "VACUUM trips.hist_trip_data_2018_05; ",
            "SELECT trips.merge_staged()",
            "INSERT INTO trips.stg_trip_data (region, date_time) VALUES ('By hand', '2018-05-01 00:00:00')",
            "SELECT count(*), (SELECT count(*) FROM trips.weekly_avg()) FROM trips.hist_trip_data",
        ] {
            let done = &done;
            scope.spawn(move || {
                // VACUUM needs the partition that the first load makes.
                if statement.starts_with("VACUUM") {
                    until("no partition", || has_partition(cluster).then_some(()));
                }
                repeat(cluster, statement, done);
            });
        }
        let loaders: Vec<_> = (0..8)
            .map(|session| {
                let (paths, by_hand) = (&paths, &by_hand);
                scope.spawn(move || {
                    let mut client = cluster.client();
                    for i in 0..paths.len() {
                        load(&mut client, &paths[(i + session) % paths.len()], LEVELS[session]);
                    }
                    load(&mut client, by_hand, LEVELS[session]);
                })
            })
            .collect();
        let results: Vec<_> =
            loaders.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::Relaxed);
        assert!(results.into_iter().all(|result| result.is_ok()));
    });
    check(cluster, &rows);
}

fn has_partition(cluster: &Cluster) -> bool {
    let query = "SELECT to_regclass('trips.hist_trip_data_2018_05') IS NOT NULL";
    cluster.client().query_one(query, &[]).unwrap().get(0)
}

/// One history, in which every trip of the files is once; counts that agree; no deadlock.
fn check(cluster: &Cluster, rows: &[u8]) {
    let mut client = cluster.client();
    client.query("SELECT trips.merge_staged()", &[]).unwrap();
    // A REFRESH by hand that waited for a load goes on with its snapshot from before that load, and may
    // have been the last one: the next load corrects the summary.
    let last = cluster.file("last.csv", format!("{FIVE_COLUMNS}{}", trip_line("By hand", 2)));
    assert_eq!(cluster.ingest(&mut client, &last).rows, [1, 1, 0, 0]);
    let distinct: BTreeSet<&str> =
        std::str::from_utf8(rows).unwrap().lines().skip(1).take(12_000).collect();
    let one =
        |client: &mut Client, query: &str| -> i64 { client.query_one(query, &[]).unwrap().get(0) };
    let of_files = "SELECT count(*) FROM trips.hist_trip_data WHERE region <> 'By hand'";
    assert_eq!(one(&mut client, of_files), i64::try_from(distinct.len()).unwrap());
    let by_hand = "SELECT count(*) FROM trips.hist_trip_data WHERE region = 'By hand'";
    assert_eq!(one(&mut client, by_hand), 3, "one of each file, one of the rows in staging");
    for (query, expected) in [
        ("SELECT count(*) FROM trips.loads WHERE state = 'loaded' AND source LIKE '/%'", 14),
        ("SELECT count(*) FROM trips.loads WHERE state = 'running'", 0),
        (
            "SELECT (SELECT count(*) FROM trips.hist_trip_data)
                  - (SELECT sum(rows_inserted) FROM trips.loads)::bigint",
            0,
        ),
        (
            "SELECT (SELECT count(*) FROM trips.hist_trip_data)
                  - (SELECT sum(weekly_avg) FROM trips.summarized_trip_data)::bigint",
            0,
        ),
        ("SELECT deadlocks FROM pg_stat_database WHERE datname = 'trips'", 0),
    ] {
        assert_eq!(one(&mut client, query), expected, "{query}");
    }
}
