//! Retracts and replacements beside each other and beside loads: one after the other, whoever is first.

use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;

use postgres::{Client, Error, NoTls};
use trips_tests::{Database, FIVE_COLUMNS, eventually, server_error, text_of, trip_line};

/// Trips of these seconds, and a bad line.
fn file(database: &Database, name: &str, seconds: std::ops::Range<u32>) -> String {
    let lines: String = seconds.map(|second| trip_line("a", second)).collect();
    database.file(name, [FIVE_COLUMNS, &lines, "bad line of ", name, "\n"].concat())
}

fn load(client: &mut Client, path: &str) -> i64 {
    client.query_one("SELECT (trips.ingest($1)).load_id", &[&path]).unwrap().get(0)
}

/// Runs a statement in a session of its own, and returns when it waits for the history.
fn behind(database: &Database, query: String) -> JoinHandle<Result<u64, Error>> {
    let mut client = database.config().connect(NoTls).unwrap();
    let statement = std::thread::spawn(move || client.execute(&query, &[]));
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'object'
                      AND objid = 'trips.hist_trip_data'::regclass
                      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    eventually(&mut database.client(), waiting, 1);
    statement
}

/// Runs statements in sessions of their own that begin together.
fn at_once(database: &Database, queries: &[String]) -> Vec<Result<u64, Error>> {
    let barrier = Arc::new(Barrier::new(queries.len()));
    let threads: Vec<_> = queries
        .iter()
        .cloned()
        .map(|query| {
            let (mut client, barrier) = (database.client(), Arc::clone(&barrier));
            std::thread::spawn(move || {
                barrier.wait();
                client.execute(&query, &[])
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

/// The trips and the staged rows of each file in the history, and faults that `trips.verify()` finds.
fn state(client: &mut Client) -> String {
    text_of(
        client,
        "SELECT format('%s; %s; %s',
           (SELECT string_agg(format('%s: %s trips', f.file, f.trips), ', ' ORDER BY f.file)
              FROM (SELECT regexp_replace(l.source, '.*/', '') AS file, count(*) AS trips
                      FROM trips.hist_trip_data AS h JOIN trips.loads AS l USING (load_id) GROUP BY 1) AS f),
           (SELECT string_agg(s.raw_line, ', ' ORDER BY s.raw_line) FROM trips.stg_trip_data AS s),
           (SELECT string_agg(v.check_name, ', ') FROM trips.verify() AS v WHERE NOT v.passed))",
    )
}

#[test]
fn one_of_two_retracts_of_a_load_is_refused() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = file(&database, "a.csv", 0..100);
    for round in 0..10 {
        let number = load(&mut client, &path);
        // A replacement retracts, too.
        let other = file(&database, &format!("other{round}.csv"), 100 + round..101 + round);
        let calls = match round % 2 {
            0 => vec![format!("SELECT trips.retract({number})"); 3],
            _ => vec![
                format!("SELECT trips.retract({number})"),
                format!("SELECT trips.replace('{other}', {number})"),
            ],
        };
        let results = at_once(&database, &calls);
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            let (code, message, _) = server_error(error);
            let expected = format!("cannot retract load {number}: its state is retracted");
            assert_eq!((&*code, message), ("55000", expected));
        }
        let left = format!("SELECT count(*) FROM trips.hist_trip_data WHERE load_id = {number}");
        assert_eq!(text_of(&mut client, &left), "0");
        assert_eq!(
            text_of(&mut client, "SELECT count(*) FROM trips.verify() WHERE NOT passed"),
            "0"
        );
    }
}

#[test]
fn two_loads_are_retracted_at_once() {
    let database = Database::on_shared();
    let mut client = database.client();
    let paths = [
        file(&database, "a.csv", 0..100),
        file(&database, "b.csv", 50..150),
        file(&database, "c.csv", 100..200),
        file(&database, "d.csv", 80..120),
    ];
    for pair in [[0, 1], [1, 2], [2, 0]] {
        client
            .batch_execute("DROP EXTENSION trips_pipeline; CREATE EXTENSION trips_pipeline")
            .unwrap();
        let numbers: Vec<i64> = paths.iter().map(|path| load(&mut client, path)).collect();
        let calls = pair.map(|i| format!("SELECT trips.retract({})", numbers[i]));
        for result in at_once(&database, &calls) {
            result.unwrap();
        }
        let found = state(&mut client);
        client
            .batch_execute("DROP EXTENSION trips_pipeline; CREATE EXTENSION trips_pipeline")
            .unwrap();
        for (_, path) in paths.iter().enumerate().filter(|(i, _)| !pair.contains(i)) {
            load(&mut client, path);
        }
        assert_eq!(found, state(&mut client), "without {pair:?}");
    }
}

/// A retract and a load of the same trips: the second waits for the first, and sees its end.
#[test]
fn a_retract_beside_a_load_of_the_same_trips() {
    let both = "a.csv: 60 trips, b.csv: 40 trips; bad line of a.csv, bad line of b.csv; ";
    let only_b = "b.csv: 80 trips; bad line of b.csv; ";
    for (retract_is_first, end, expected) in [
        (true, "COMMIT", only_b),
        (true, "ROLLBACK", both),
        (false, "COMMIT", only_b),
        (false, "ROLLBACK", "; ; "),
    ] {
        let database = Database::on_shared();
        let mut client = database.client();
        let a = file(&database, "a.csv", 0..60);
        let b = file(&database, "b.csv", 20..100);
        load(&mut client, &a);
        let retract = "SELECT trips.retract(1)".to_owned();
        let ingest = format!("SELECT trips.ingest('{b}')");
        let (first, second) = if retract_is_first { (retract, ingest) } else { (ingest, retract) };
        client.batch_execute("BEGIN").unwrap();
        client.execute(&first, &[]).unwrap();
        let second = behind(&database, second);
        client.batch_execute(end).unwrap();
        second.join().unwrap().unwrap();
        assert_eq!(state(&mut client), expected, "{first}, {end}");
        // What is left can be retracted.
        let loaded = "SELECT load_id FROM trips.loads WHERE state = 'loaded'";
        for row in client.query(loaded, &[]).unwrap() {
            client.execute("SELECT trips.retract($1)", &[&row.get::<_, i64>(0)]).unwrap();
        }
        assert_eq!(state(&mut client), "; ; ");
    }
}

/// Replacements of two loads by files with the trips of the other: as one after the other.
#[test]
fn two_replacements_at_once() {
    let database = Database::on_shared();
    let mut client = database.client();
    let [a, b] = [file(&database, "a.csv", 0..100), file(&database, "b.csv", 100..200)];
    let [c, d] = [file(&database, "c.csv", 100..220), file(&database, "d.csv", 0..120)];
    let numbers = [load(&mut client, &a), load(&mut client, &b)];
    let calls = [(&c, numbers[0]), (&d, numbers[1])]
        .map(|(path, number)| format!("SELECT trips.replace('{path}', {number})"));
    for result in at_once(&database, &calls) {
        result.unwrap();
    }
    // The trips of both files belong to the first of the two.
    let found = state(&mut client);
    let expected = [(120, 100), (100, 120)].map(|(c, d)| {
        format!("c.csv: {c} trips, d.csv: {d} trips; bad line of c.csv, bad line of d.csv; ")
    });
    assert!(expected.contains(&found), "{found}");
}

#[test]
fn a_savepoint_brings_a_replaced_load_back() {
    let database = Database::on_shared();
    let mut client = database.client();
    let [a, b] = [file(&database, "a.csv", 0..60), file(&database, "b.csv", 20..100)];
    load(&mut client, &a);
    let before = state(&mut client);
    client.batch_execute("BEGIN; SAVEPOINT s").unwrap();
    client.execute("SELECT trips.replace($1, 1)", &[&b]).unwrap();
    assert_eq!(state(&mut client), "b.csv: 80 trips; bad line of b.csv; ");
    client.batch_execute("ROLLBACK TO s").unwrap();
    assert_eq!(state(&mut client), before);
    // The transaction goes on.
    client.execute("SELECT trips.retract(1)", &[]).unwrap();
    client.batch_execute("COMMIT").unwrap();
    assert_eq!(state(&mut client), "; ; ");
}

#[test]
fn only_loaded_loads_are_replaced() {
    let database = Database::on_shared();
    let mut client = database.client();
    let [a, b] = [file(&database, "a.csv", 0..60), file(&database, "b.csv", 20..100)];
    load(&mut client, &a);
    let skipped = load(&mut client, &a);
    let bad = database.file("bad.csv", "region\nx\n");
    client.execute("SELECT trips.ingest($1)", &[&bad]).unwrap_err();
    eventually(&mut client, "SELECT count(*) FROM trips.loads WHERE state = 'failed'", 1);
    let failed = "SELECT load_id FROM trips.loads WHERE state = 'failed'";
    let failed: i64 = client.query_one(failed, &[]).unwrap().get(0);
    let before = state(&mut client);
    for (number, state) in [(skipped, "skipped"), (failed, "failed")] {
        let replace = client.execute("SELECT trips.replace($1, $2)", &[&b, &number]);
        let (code, message, _) = server_error(&replace.unwrap_err());
        let expected = format!("cannot retract load {number}: its state is {state}");
        assert_eq!((&*code, message), ("55000", expected));
    }
    assert_eq!(state(&mut client), before);
}
