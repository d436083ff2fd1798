//! What runs now, seen from another session.

use std::thread;
use std::time::Duration;

use trips_tests::{Cluster, rows_as_csv};

#[test]
fn a_waiting_and_a_running_load_are_seen() {
    let cluster = Cluster::start();
    let bytes = rows_as_csv(400_000, 1);
    let size = i64::try_from(bytes.len()).unwrap();
    let path = cluster.file("trips.csv", bytes);
    let mut watcher = cluster.client();
    let mut holder = cluster.client();
    let mut held = holder.transaction().unwrap();
    let small = cluster.file("small.csv", rows_as_csv(10, 2));
    held.query_one("SELECT trips.ingest($1)", &[&small]).unwrap();
    thread::scope(|scope| {
        let loading = scope.spawn(|| cluster.ingest(&mut cluster.client(), &path));
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
    let cluster = Cluster::start();
    let bytes = rows_as_csv(150_000, 1);
    let size = i64::try_from(bytes.len()).unwrap();
    let path = cluster.file("trips.csv", bytes);
    let mut watcher = cluster.client();
    thread::scope(|scope| {
        let loading = scope.spawn(|| {
            cluster.client().query_one("SELECT trips.stage($1)", &[&path]).unwrap();
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
