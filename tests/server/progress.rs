//! What runs now, seen from another session.

use std::thread;
use std::time::Duration;

use trips_tests::{Database, rows_as_csv};

#[test]
fn a_waiting_and_a_running_load_are_seen() {
    let database = Database::on_shared();
    let bytes = rows_as_csv(400_000, 1);
    let size = i64::try_from(bytes.len()).unwrap();
    let path = database.file("trips.csv", bytes);
    let mut watcher = database.client();
    let mut holder = database.client();
    let mut held = holder.transaction().unwrap();
    let small = database.file("small.csv", rows_as_csv(10, 2));
    held.query_one("SELECT trips.ingest($1)", &[&small]).unwrap();
    thread::scope(|scope| {
        let loading = scope.spawn(|| database.ingest(&mut database.client(), &path));
        let mut look = || {
            watcher
                .query_opt(
                    "SELECT phase, load_id, bytes_done, bytes_total, rows_read, rows_per_second >= 0,
                            started_at <= clock_timestamp() AND started_at > clock_timestamp() - interval '1 minute',
                            pid <> pg_backend_pid()
                       FROM trips.load_progress",
                    &[],
                )
                .unwrap()
        };
        let mut phases: Vec<String> = Vec::new();
        let mut held = Some(held);
        let mut rows_seen = 0;
        while !loading.is_finished() {
            let Some(row) = look() else { continue };
            let phase: String = row.get(0);
            assert_eq!((row.get::<_, i64>(1), row.get::<_, i64>(3)), (2, size));
            assert!(row.get::<_, i64>(2) <= size);
            assert!(row.get::<_, bool>(5) && row.get::<_, bool>(6) && row.get::<_, bool>(7));
            rows_seen = rows_seen.max(row.get::<_, i64>(4));
            if phases.last() != Some(&phase) {
                phases.push(phase.clone());
            }
            if phase == "waiting"
                && let Some(transaction) = held.take()
            {
                transaction.rollback().unwrap();
            }
            thread::sleep(Duration::from_millis(2));
        }
        let load = loading.join().unwrap();
        assert_eq!(load.rows[1], 400_000);
        for phase in ["waiting", "reading", "inserting"] {
            assert!(phases.iter().any(|seen| seen == phase), "{phase} is not in {phases:?}");
        }
        assert!(rows_seen > 0);
        assert!(look().is_none(), "nothing runs any more");
    });
}

/// A load that stages does not vanish with its first staged rows.
#[test]
fn a_staging_load_is_seen_to_its_end() {
    let database = Database::on_shared();
    let bytes = rows_as_csv(150_000, 1);
    let size = i64::try_from(bytes.len()).unwrap();
    let path = database.file("trips.csv", bytes);
    let mut watcher = database.client();
    thread::scope(|scope| {
        let loading = scope.spawn(|| {
            database.client().query_one("SELECT trips.stage($1)", &[&path]).unwrap();
        });
        let mut furthest = 0;
        while !loading.is_finished() {
            let row = watcher.query_opt("SELECT bytes_done FROM trips.load_progress", &[]).unwrap();
            furthest = furthest.max(row.map_or(0, |row| row.get::<_, i64>(0)));
            thread::sleep(Duration::from_millis(1));
        }
        loading.join().unwrap();
        assert!(furthest > size / 2, "{furthest} of {size} bytes were seen");
    });
}

/// A session of psql gets notices of progress, unless they are turned off. The title of the process says what it does,
/// and PostgreSQL's own view counts the rows.
#[test]
fn notices_of_progress() {
    let database = Database::on_shared();
    let path = database.file("trips.csv", rows_as_csv(300_000, 1));
    let notices = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let received = notices.clone();
    let mut config = database.config();
    config
        .notice_callback(move |notice| received.lock().unwrap().push(notice.message().to_owned()));
    let mut loader = config.connect(postgres::NoTls).unwrap();
    let pid: i32 = loader.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    loader
        .batch_execute(
            "SELECT trips.trip_key('a', NULL, NULL, 'epoch', NULL); SET trips.notice_interval = 1",
        )
        .unwrap();
    let mut watcher = database.client();
    let (mut titles, mut rows) = (Vec::new(), 0);
    thread::scope(|scope| {
        let (database, path, loader) = (&database, &path, &mut loader);
        let loading = scope.spawn(move || database.ingest(loader, path));
        while !loading.is_finished() {
            let title = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
            titles.push(title.trim_end_matches('\0').to_owned());
            let query = "SELECT max(tuples_processed) FROM pg_stat_progress_copy
                          WHERE command = 'COPY FROM' AND relid <> 0 AND datname = current_database()";
            rows = rows
                .max(watcher.query_one(query, &[]).unwrap().get::<_, Option<i64>>(0).unwrap_or(0));
        }
        loading.join().unwrap();
    });
    for phase in ["trips: reading", "trips: inserting"] {
        assert!(titles.iter().any(|title| title.contains(phase)), "{titles:?}");
    }
    let title = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(!title.contains("trips:"), "{title}");
    assert!(rows > 0 && rows <= 300_000, "{rows}");
    let said = std::mem::take(&mut *notices.lock().unwrap());
    assert!(
        said.iter().any(|text| text.starts_with("load 1: ") && text.contains(" % of ")),
        "{said:?}"
    );
    let other = database.file("other.csv", rows_as_csv(100_000, 2));
    loader.batch_execute("SET trips.notice_interval = 0").unwrap();
    database.ingest(&mut loader, &other);
    assert_eq!(*notices.lock().unwrap(), Vec::<String>::new());
}
