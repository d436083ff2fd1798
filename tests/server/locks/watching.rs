//! Who watches loads waits for nobody.

use trips_tests::{Cluster, eventually, rows_as_csv, until};

/// Somebody has locked the ledger: what runs is seen, and can be cancelled.
#[test]
fn loads_are_seen_and_cancelled_although_the_ledger_is_locked() {
    let cluster = Cluster::start();
    let (mut loader, mut locker, mut watcher) =
        (cluster.client(), cluster.client(), cluster.client());
    let paths = [1, 2].map(|i| cluster.file(&format!("{i}.csv"), rows_as_csv(100, i)));
    watcher.batch_execute("SET lock_timeout = '5s'").unwrap();
    // A load that waits for another one.
    let mut holder = cluster.client();
    let mut held = holder.transaction().unwrap();
    held.query_one("SELECT trips.ingest($1)", &[&paths[0]]).unwrap();
    let path = paths[1].clone();
    let load =
        std::thread::spawn(move || loader.query_one("SELECT trips.ingest($1)", &[&path]).map(drop));
    let progress = "SELECT load_id FROM trips.load_progress WHERE phase = 'waiting'";
    let load_id: i64 = until("no load waits", || watcher.query_opt(progress, &[]).unwrap()).get(0);
    let locking = std::thread::spawn(move || {
        let locked = locker.batch_execute("BEGIN; LOCK TABLE trips.loads");
        (locker, locked)
    });
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'trips.loads'::regclass AND mode = 'AccessExclusiveLock'";
    eventually(&mut watcher, waits, 1);
    for query in [
        "SELECT count(*) FROM trips.load_progress",
        "SELECT count(*) FROM trips_internal.running_loads()",
        "SELECT count(*) FROM trips.events_since(0)",
    ] {
        watcher.query_one(query, &[]).unwrap_or_else(|error| panic!("{query}: {error:?}"));
    }
    watcher.query_one("SELECT trips.cancel($1)", &[&load_id]).unwrap();
    let error = load.join().unwrap().unwrap_err();
    assert_eq!(trips_tests::server_error(&error).0, "57014");
    held.rollback().unwrap();
    let (mut locker, locked) = locking.join().unwrap();
    locked.unwrap();
    // It has the lock now, and nothing loads.
    assert!(watcher.query("SELECT FROM trips.load_progress", &[]).unwrap().is_empty());
    locker.batch_execute("ROLLBACK").unwrap();
}
