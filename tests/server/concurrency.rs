//! Loads at the same time: one history, no error, no deadlock, balanced books.

use std::thread;

use postgres::IsolationLevel;
use trips_tests::{Database, Load, lines_of, rows_as_csv};

fn ingest_in_threads(database: &Database, paths: &[String]) -> Vec<Load> {
    thread::scope(|scope| {
        let loads: Vec<_> = paths
            .iter()
            .map(|path| scope.spawn(|| database.ingest(&mut database.client(), path)))
            .collect();
        loads.into_iter().map(|load| load.join().expect("no session fails")).collect()
    })
}

#[test]
fn eight_sessions_with_the_same_file() {
    let database = Database::on_shared();
    let path = database.file("trips.csv", rows_as_csv(5000, 1));
    let loads = ingest_in_threads(&database, &vec![path; 8]);
    let (loaded, skipped): (Vec<&Load>, Vec<&Load>) =
        loads.iter().partition(|load| load.state == "loaded");
    assert_eq!(loaded.len(), 1);
    assert_eq!(loaded[0].rows, [5000, 5000, 0, 0]);
    assert!(
        skipped
            .iter()
            .all(|load| load.state == "skipped" && load.same_as == Some(loaded[0].load_id))
    );
}

#[test]
fn eight_sessions_with_overlapping_files() {
    let database = Database::on_shared();
    let all = rows_as_csv(9000, 2);
    let paths: Vec<String> = (0..8)
        .map(|i| database.file(&format!("{i}.csv"), lines_of(&all, i * 1000..i * 1000 + 2000)))
        .collect();
    let loads = ingest_in_threads(&database, &paths);
    assert!(loads.iter().all(|load| load.state == "loaded"));
    assert_eq!(loads.iter().map(|load| load.rows[1]).sum::<i64>(), 9000);
    let mut client = database.client();
    let row = client
        .query_one("SELECT count(*), (SELECT sum(trips)::bigint FROM trips.daily_trip_counts) FROM trips.hist_trip_data", &[])
        .unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (9000, 9000));
}

/// A snapshot from before the other load's commit must not hide its trips.
#[test]
fn an_old_snapshot_sees_what_was_loaded_since() {
    let database = Database::on_shared();
    let all = rows_as_csv(300, 3);
    let first = database.file("first.csv", lines_of(&all, 0..200));
    let second = database.file("second.csv", lines_of(&all, 100..300));
    for level in [IsolationLevel::RepeatableRead, IsolationLevel::Serializable] {
        let mut old = database.client();
        let mut transaction = old.build_transaction().isolation_level(level).start().unwrap();
        transaction.query_one("SELECT count(*) FROM trips.hist_trip_data", &[]).unwrap();
        database.ingest(&mut database.client(), &first);

        let row = transaction.query_one("SELECT * FROM trips.ingest($1)", &[&first]).unwrap();
        assert_eq!(Load::from_row(&row).summary(), ("skipped", [0; 4]), "{level:?}");
        let row = transaction
            .query_one("SELECT * FROM trips.ingest($1, force => true)", &[&first])
            .unwrap();
        assert_eq!(Load::from_row(&row).rows, [200, 0, 200, 0], "{level:?}");
        transaction.rollback().unwrap();
        let mut client = database.client();
        client
            .batch_execute("DROP EXTENSION trips_pipeline; CREATE EXTENSION trips_pipeline")
            .unwrap();
    }
    let mut client = database.client();
    database.ingest(&mut client, &first);
    assert_eq!(database.ingest(&mut client, &second).rows, [200, 100, 100, 0]);
}

/// Two files in one transaction while another session loads one of them: they wait, none fails.
#[test]
fn loads_of_several_files_in_one_transaction() {
    let database = Database::on_shared();
    let a = database.file("a.csv", rows_as_csv(2000, 1));
    let b = database.file("b.csv", rows_as_csv(2000, 2));
    thread::scope(|scope| {
        for order in [[&a, &b], [&b, &a]] {
            let database = &database;
            scope.spawn(move || {
                let mut client = database.client();
                let mut transaction = client.transaction().unwrap();
                for path in order {
                    transaction.query_one("SELECT trips.ingest($1)", &[path]).expect("no deadlock");
                }
                transaction.commit().unwrap();
            });
        }
    });
    let mut client = database.client();
    let row = client
        .query_one("SELECT count(*) FILTER (WHERE state = 'loaded'), count(*) FILTER (WHERE state = 'skipped') FROM trips.loads", &[])
        .unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (2, 2));
}

/// Under an old snapshot the summary could not be right: the client gets 40001 and must repeat.
#[test]
fn an_old_snapshot_with_new_trips_is_a_serialization_failure() {
    let database = Database::on_shared();
    let all = rows_as_csv(200, 4);
    let first = database.file("first.csv", lines_of(&all, 0..100));
    let second = database.file("second.csv", lines_of(&all, 100..200));
    let mut old = database.client();
    let level = IsolationLevel::RepeatableRead;
    let mut transaction = old.build_transaction().isolation_level(level).start().unwrap();
    transaction.query_one("SELECT count(*) FROM trips.hist_trip_data", &[]).unwrap();
    database.ingest(&mut database.client(), &first);
    let error = transaction.query_one("SELECT trips.ingest($1)", &[&second]).unwrap_err();
    assert_eq!(trips_tests::server_error(&error).0, "40001");
    transaction.rollback().unwrap();
    let mut again = old.build_transaction().isolation_level(level).start().unwrap();
    let row = again.query_one("SELECT * FROM trips.ingest($1)", &[&second]).unwrap();
    assert_eq!(Load::from_row(&row).rows, [100, 100, 0, 0]);
    again.commit().unwrap();
}

/// VACUUM and loads do not wait for each other; nor do readers, when a load adds a new month.
#[test]
fn vacuum_and_readers_beside_a_load() {
    let database = Database::on_shared();
    let [first, second, third] =
        [1, 2, 3].map(|seed| database.file(&format!("{seed}.csv"), rows_as_csv(1000, seed)));
    let june = std::fs::read_to_string(&third).unwrap().replace(",2018-05-", ",2018-06-");
    let june = database.file("june.csv", june);
    database.ingest(&mut database.client(), &first);
    let mut loader = database.client();
    let mut loading = loader.transaction().unwrap();
    loading.query_one("SELECT trips.ingest($1)", &[&second]).unwrap();
    let mut client = database.client();
    client.batch_execute("SET lock_timeout = '5s'").unwrap();
    client.batch_execute("VACUUM (FREEZE, ANALYZE) trips.hist_trip_data").unwrap();
    loading.query_one("SELECT trips.ingest($1)", &[&june]).unwrap();
    client.batch_execute("VACUUM (FREEZE, ANALYZE) trips.hist_trip_data_2018_05").unwrap();
    let count = |client: &mut postgres::Client| -> i64 {
        client.query_one("SELECT count(*) FROM trips.hist_trip_data", &[]).unwrap().get(0)
    };
    assert_eq!(count(&mut client), 1000);
    loading.commit().unwrap();
    assert_eq!(count(&mut client), 3000);
}
