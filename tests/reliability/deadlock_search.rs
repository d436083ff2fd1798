//! Random DDL and DML beside loads: no load ends with a deadlock, and at the end everything agrees.
//!
//! `TRIPS_SEARCH_SECONDS` is how long it searches (20 unless it is set), `TRIPS_SEARCH_SEED` where it begins.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use postgres::Client;
use trips_datagen::random::Random;
use trips_tests::{Cluster, month_as_csv, server_error};

use crate::{setting, turn};

const LOADERS: u64 = 2;
const BY_HAND: u64 = 4;
/// How long a statement may take, whatever the others do.
const LONGEST: Duration = Duration::from_secs(180);

const MONTHS: [&str; 5] = ["2018-03", "2018-04", "2018-05", "2018-06", "2018-07"];
/// What a transaction by hand does with a partition (`{p}`), or with the history. The partition may be gone.
const STATEMENTS: [&str; 34] = [
    "INSERT INTO trips.hist_trip_data SELECT 'Cork', point(1, 50), NULL, '{m}-09 12:00', 'hand', gen_random_uuid(), 0",
    "INSERT INTO {p} SELECT 'Cork', point(1, 50), NULL, '{m}-09 12:00', 'hand', gen_random_uuid(), 0",
    "COPY {p} (region, date_time, trip_key, load_id) FROM PROGRAM $$echo Cork,{m}-09,$(cat /proc/sys/kernel/random/uuid),0$$ WITH (FORMAT csv)",
    "UPDATE {p} SET datasource = 'x' WHERE region = 'Cork'",
    "UPDATE trips.hist_trip_data SET date_time = '{m}-08' WHERE region = 'Cork' AND datasource = 'x'",
    "DELETE FROM trips.hist_trip_data WHERE region = 'Cork'",
    "DELETE FROM {p} WHERE region = 'Lyon'",
    "TRUNCATE {p}",
    "TRUNCATE trips.hist_trip_data",
    "SELECT count(*) FROM trips.hist_trip_data",
    "SELECT count(*) FROM {p} WHERE region = 'Lyon'",
    "LOCK TABLE {p}",
    "LOCK TABLE {p} IN SHARE MODE",
    "LOCK TABLE {p} IN ROW EXCLUSIVE MODE",
    "LOCK TABLE {p} IN SHARE ROW EXCLUSIVE MODE",
    "LOCK TABLE trips.hist_trip_data IN SHARE UPDATE EXCLUSIVE MODE",
    "LOCK TABLE trips.hist_trip_data IN SHARE MODE",
    "LOCK TABLE trips.daily_trip_counts IN SHARE MODE",
    "ALTER TABLE {p} ALTER region SET STATISTICS 10",
    "ALTER TABLE {p} ADD CHECK (region <> 'none')",
    "ALTER TABLE trips.hist_trip_data ALTER region SET STATISTICS 20",
    "CREATE INDEX ON {p} (region)",
    "CREATE TRIGGER theirs AFTER INSERT ON {p} FOR EACH STATEMENT EXECUTE FUNCTION public.nothing()",
    "DROP TRIGGER IF EXISTS theirs ON {p}",
    "ALTER TABLE {p} DISABLE TRIGGER trips_lock; ALTER TABLE {p} ENABLE TRIGGER trips_lock",
    "ALTER TABLE trips.hist_trip_data DETACH PARTITION {p}; DROP TABLE {p}",
    "DROP TABLE {p}",
    "ALTER TABLE trips.hist_trip_data DETACH PARTITION {p};
     ALTER TABLE trips.hist_trip_data ATTACH PARTITION {p} FOR VALUES FROM ('{m}-01') TO ('{n}-01')",
    "ANALYZE trips.hist_trip_data",
    "REINDEX TABLE {p}",
    "CLUSTER {p} USING {i}",
    "ALTER INDEX trips.{i} SET (fillfactor = 80)",
    "REFRESH MATERIALIZED VIEW trips.summarized_trip_data",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY trips.summarized_trip_data",
];
/// Commands that no transaction may contain.
const ALONE: [&str; 4] = [
    "VACUUM FULL {p}",
    "VACUUM ANALYZE trips.hist_trip_data",
    "CREATE INDEX CONCURRENTLY ON {p} (datasource)",
    "REINDEX TABLE CONCURRENTLY {p}",
];

fn statement(random: &mut Random, statements: &[&str]) -> String {
    let month = *random.pick(&MONTHS[..4]);
    let position = MONTHS.iter().position(|&other| other == month).unwrap_or(0);
    let table = format!("hist_trip_data_{}", month.replace('-', "_"));
    random
        .pick(statements)
        .replace("{p}", &format!("trips.{table}"))
        .replace("{i}", &format!("{table}_pkey"))
        .replace("{m}", month)
        .replace("{n}", MONTHS[position + 1])
}

/// How often which SQLSTATE ended what.
type Ends = Mutex<BTreeMap<(&'static str, String), u64>>;

fn note(ends: &Ends, who: &'static str, result: &Result<(), postgres::Error>) -> String {
    let code = result.as_ref().map_or_else(|error| server_error(error).0, |()| String::new());
    *ends
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .entry((who, code.clone()))
        .or_insert(0) += 1;
    code
}

/// `CREATE INDEX CONCURRENTLY` unlocks the table before it commits its last update of `pg_index`. A
/// `DROP TABLE` that waited for the lock then fails so, in a database without the extension, too.
fn is_race_of_postgresql(result: &Result<(), postgres::Error>) -> bool {
    let Err(error) = result else { return false };
    error.as_db_error().is_some_and(|error| {
        error.code().code() == "XX000" && error.message() == "tuple concurrently updated"
    })
}

fn by_hand(client: &mut Client, random: &mut Random, ends: &Ends) {
    if random.below(8) == 0 {
        let command = statement(random, &ALONE);
        note(ends, "by hand", &client.batch_execute(&command));
        return;
    }
    client.batch_execute("BEGIN").expect("a transaction");
    for _ in 0..=random.below(3) {
        let command = statement(random, &STATEMENTS);
        let result = client.batch_execute(&command);
        let code = note(ends, "by hand", &result);
        assert!(
            !code.starts_with("XX") && code != "42601" || is_race_of_postgresql(&result),
            "{command}: {result:?}"
        );
        if result.is_err() {
            client.batch_execute("ROLLBACK").expect("a rollback");
            return;
        }
        std::thread::sleep(Duration::from_millis(random.below(40)));
    }
    let end = if random.below(5) == 0 { "ROLLBACK" } else { "COMMIT" };
    note(ends, "by hand", &client.batch_execute(end));
}

/// A file of one or two months, now and then large enough for an index that is built anew.
fn file(cluster: &Cluster, random: &mut Random, name: &str) -> String {
    let mut text = String::new();
    for part in 0..=random.below(2) {
        let rows = if random.below(4) == 0 { 5_000 } else { 20 + random.below(400) };
        let month = random.pick(&MONTHS[..4]);
        let csv = month_as_csv(rows, random.number(), &format!("{month}-01"));
        let csv = String::from_utf8(csv).expect("UTF-8");
        text.push_str(if part == 0 {
            &csv
        } else {
            csv.split_once('\n').map_or("", |(_, rows)| rows)
        });
    }
    if random.below(2) == 0 {
        text.push_str("bad line\n");
    }
    cluster.file(name, text)
}

fn loads(
    cluster: &Cluster,
    client: &mut Client,
    random: &mut Random,
    name: &str,
    ends: &Ends,
) -> Vec<String> {
    let count = 1 + random.below(2);
    let mut faults = Vec::new();
    client.batch_execute("BEGIN").expect("a transaction");
    for _ in 0..count {
        let path = file(cluster, random, name);
        let result = client.query_one("SELECT trips.ingest($1)", &[&path]).map(drop);
        let code = note(ends, "load", &result);
        // Somebody dropped a partition's name from the history, or is just about to detach it.
        if !matches!(code.as_str(), "" | "55000" | "42P07") {
            let mut text = String::new();
            let _ = write!(text, "{:?}", result.expect_err("a code"));
            faults.push(text);
        }
        if !code.is_empty() {
            client.batch_execute("ROLLBACK").expect("a rollback");
            return faults;
        }
    }
    note(ends, "load", &client.batch_execute("COMMIT"));
    faults
}

fn repeat<T>(until: Instant, mut work: impl FnMut() -> Vec<T>) -> Vec<T> {
    let mut found = Vec::new();
    while Instant::now() < until {
        let begin = Instant::now();
        found.extend(work());
        assert!(begin.elapsed() < LONGEST, "somebody waited for {:?}", begin.elapsed());
    }
    found
}

#[test]
fn no_load_ends_with_a_deadlock() {
    let _turn = turn();
    let seconds = setting("TRIPS_SEARCH_SECONDS", 20);
    let seed = u64::from(setting("TRIPS_SEARCH_SEED", 1));
    let cluster = Cluster::start_bare(
        "deadlock_timeout = '100ms'\nstatement_timeout = '120s'\nlog_min_messages = fatal",
    );
    let mut admin = cluster.client();
    admin
        .batch_execute(
            "CREATE EXTENSION trips_pipeline;
             CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        )
        .expect("the extension");
    let until = Instant::now() + Duration::from_secs(u64::from(seconds));
    let ends = Ends::default();
    let faults: Vec<String> = std::thread::scope(|scope| {
        let (cluster, ends) = (&cluster, &ends);
        for session in 0..BY_HAND {
            scope.spawn(move || {
                let (mut client, mut random) =
                    (cluster.client(), Random::new(seed * 1000 + session));
                repeat(until, || {
                    by_hand(&mut client, &mut random, ends);
                    Vec::<()>::new()
                });
            });
        }
        let loaders: Vec<_> = (0..LOADERS)
            .map(|session| {
                scope.spawn(move || {
                    let (mut client, mut random) =
                        (cluster.client(), Random::new(seed * 1000 + 500 + session));
                    let name = format!("{session}.csv");
                    repeat(until, || loads(cluster, &mut client, &mut random, &name, ends))
                })
            })
            .collect();
        loaders.into_iter().flat_map(|loader| loader.join().expect("a loader")).collect()
    });
    let ends = ends.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    for ((who, code), count) in &ends {
        println!("deadlock search: {who} {}: {count}", if code.is_empty() { "done" } else { code });
    }
    assert!(faults.is_empty(), "{} of the loads: {}", faults.len(), faults.join("\n"));
    assert!(ends.get(&("load", String::new())).is_some_and(|&loads| loads > 10), "{ends:?}");
    agrees(&mut admin);
}

/// What is derived is what the history has, and the ledger's failures are none of a deadlock.
fn agrees(client: &mut Client) {
    let query = "SELECT string_agg(check_name || ': ' || detail, '; ') FROM trips.verify()
                  WHERE NOT passed AND check_name NOT IN ('ledger', 'keys')";
    let failed: Option<String> = client.query_one(query, &[]).expect("a row").get(0);
    assert_eq!(failed, None);
    let query = "SELECT (SELECT count(*) FROM trips.hist_trip_data)
                      - (SELECT coalesce(sum(trips), 0)::bigint FROM trips.daily_trip_counts),
                        (SELECT count(*) FROM trips.loads WHERE error_code = '40P01'),
                        (SELECT count(*) FROM trips.loads WHERE rows_read <> rows_inserted + rows_duplicate + rows_staged)";
    let row = client.query_one(query, &[]).expect("a row");
    assert_eq!([0, 1, 2].map(|i| row.get::<_, i64>(i)), [0, 0, 0]);
}
