//! Deletions beside loads: one after the other, whoever is first.

use postgres::NoTls;
use trips_tests::{Database, FIVE_COLUMNS, eventually, month_as_csv, trip_line};

use super::{count, delete, failed, trips};

/// Sessions of this database that wait for the history.
const WAITING: &str = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'object'
      AND objid = 'trips.hist_trip_data'::regclass
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// The trips that loads have brought are in the history, or were deleted.
const BALANCE: &str = "SELECT (SELECT count(*) FROM trips.hist_trip_data)
      - (SELECT coalesce(sum(rows_inserted - rows_deleted), 0)::bigint FROM trips.loads WHERE state = 'loaded')";

#[test]
fn the_second_waits_for_the_first() {
    for end in ["COMMIT", "ROLLBACK"] {
        let database = Database::on_shared();
        let mut client = database.client();
        let [april, may] = ["2018-04-01", "2018-05-01"]
            .map(|first| database.file(first, month_as_csv(2_000, 1, first)));
        database.ingest(&mut client, &april);
        let old = trips(&mut client, "true");
        // The load is first: the deletion has its trips, too.
        client.batch_execute("BEGIN").unwrap();
        database.ingest(&mut client, &may);
        let all = trips(&mut client, "true");
        let mut other = database.config().connect(NoTls).unwrap();
        let deletion = std::thread::spawn(move || delete(&mut other, "before => '2018-06-01'")[0]);
        eventually(&mut database.client(), WAITING, 1);
        client.batch_execute(end).unwrap();
        let expected = if end == "COMMIT" { all } else { old };
        assert_eq!(deletion.join().unwrap(), expected, "{end}");
        assert_eq!((trips(&mut client, "true"), count(&mut client, BALANCE)), (0, 0), "{end}");
        // The deletion is first: the trips come after it, and a partition that it drops is created again.
        let lines = [FIVE_COLUMNS, &trip_line("Turin", 1), &trip_line("Cork", 2), "bad\n"];
        let first = database.file("first.csv", lines.concat());
        database.ingest(&mut client, &first);
        let second = database.file("second.csv", lines.concat() + &trip_line("Lyon", 3));
        client.batch_execute("BEGIN").unwrap();
        assert_eq!(delete(&mut client, "before => '2018-06-01'")[..2], [2, 0]);
        let mut other = database.config().connect(NoTls).unwrap();
        let load = std::thread::spawn(move || {
            let load = "SELECT rows_inserted FROM trips.ingest($1)";
            other.query_one(load, &[&second]).unwrap().get::<_, i64>(0)
        });
        eventually(&mut database.client(), WAITING, 1);
        client.batch_execute(end).unwrap();
        let inserted = if end == "COMMIT" { 3 } else { 1 };
        assert_eq!(load.join().unwrap(), inserted, "{end}");
        assert_eq!((trips(&mut client, "true"), count(&mut client, BALANCE)), (3, 0), "{end}");
        assert_eq!(failed(&mut client), [""; 0], "{end}");
    }
}

/// Loads and deletions that run at the same time, in any order: no trip is lost or counted twice.
#[test]
fn loads_and_deletions_at_once() {
    let database = Database::on_shared();
    let mut client = database.client();
    let mut sessions = Vec::new();
    for number in 0..3_u64 {
        let mut other = database.config().connect(NoTls).unwrap();
        let paths: Vec<String> = (0..6_u64)
            .map(|round| {
                let month = ["2018-04-01", "2018-05-01"][usize::try_from(round % 2).unwrap()];
                // The files of the sessions have trips in common.
                let csv = month_as_csv(600, round / 2, month);
                let lines = "\n".repeat(usize::try_from(number).unwrap());
                database
                    .file(&format!("{number} {round}.csv"), [&csv[..], lines.as_bytes()].concat())
            })
            .collect();
        sessions.push(std::thread::spawn(move || {
            for path in paths {
                other.execute("SELECT trips.ingest($1)", &[&path]).unwrap();
            }
        }));
    }
    for conditions in [
        "before => '2018-05-01'",
        "region => 'Turin'",
        "since => '2018-05-10', before => '2018-05-20'",
    ] {
        let mut other = database.config().connect(NoTls).unwrap();
        sessions.push(std::thread::spawn(move || {
            for _ in 0..6 {
                delete(&mut other, conditions);
            }
        }));
    }
    for session in sessions {
        session.join().unwrap();
    }
    assert_eq!(count(&mut client, BALANCE), 0);
    assert_eq!(failed(&mut client), [""; 0]);
    delete(&mut client, "since => '0001-01-01'");
    assert_eq!((trips(&mut client, "true"), count(&mut client, BALANCE)), (0, 0));
    assert_eq!(failed(&mut client), [""; 0]);
}
