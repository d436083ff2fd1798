//! Queued loads run, whatever the settings of the database, and also after a lock or a missing worker.

use std::time::Duration;

use postgres::Client;
use trips_tests::{Cluster, eventually, rows_as_csv, server_error, stays, until};

fn submit(client: &mut Client, path: &str) -> i64 {
    client.query_one("SELECT trips.submit($1)", &[&path]).unwrap().get(0)
}

fn count(client: &mut Client, query: &str) -> i64 {
    client.query_one(&format!("SELECT count(*) FROM {query}"), &[]).unwrap().get(0)
}

fn wait_until(cluster: &Cluster, query: &str, expected: i64) {
    eventually(&mut cluster.client(), &format!("SELECT count(*) FROM {query}"), expected);
}

/// Workers of the queue that the server has logged as ended.
fn ended_workers(cluster: &Cluster) -> usize {
    let log = cluster.log();
    log.lines()
        .filter(|line| line.contains("unregistering background worker \"trips_pipeline queue"))
        .count()
}

const LOADED: &str = "trips.loads WHERE state = 'loaded'";
const WORKERS: &str = "pg_stat_activity WHERE backend_type = 'trips_pipeline queue'";
const WAITING: &str = "pg_locks JOIN pg_stat_activity USING (pid)
   WHERE NOT granted AND locktype = 'object' AND backend_type = 'trips_pipeline queue'";

fn files<const N: usize>(cluster: &Cluster) -> [String; N] {
    std::array::from_fn(|i| cluster.file(&format!("{i}.csv"), rows_as_csv(10, 1 + i as u64)))
}

/// A worker waits for the transaction that has queued the load, however long that takes.
#[test]
fn with_a_lock_timeout() {
    let cluster = Cluster::start();
    let [path] = files(&cluster);
    cluster.client().batch_execute("ALTER DATABASE trips SET lock_timeout = '100ms'").unwrap();
    let mut client = cluster.client();
    let (mut holder, [other]) = (cluster.client(), [cluster.file("x.csv", rows_as_csv(10, 99))]);
    let mut held = holder.transaction().unwrap();
    held.query_one("SELECT trips.ingest($1)", &[&other]).unwrap();
    let mut transaction = client.transaction().unwrap();
    transaction.query_one("SELECT trips.submit($1)", &[&path]).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    transaction.commit().unwrap();
    // It waits for the other load, too, and for longer than the timeout.
    wait_until(&cluster, WAITING, 1);
    std::thread::sleep(Duration::from_millis(300));
    held.commit().unwrap();
    wait_until(&cluster, LOADED, 2);
}

#[test]
fn with_read_only_transactions() {
    let cluster = Cluster::start();
    let [path] = files(&cluster);
    let bad = cluster.file("bad.csv", "region\n1\n");
    let mut client = cluster.client();
    client.batch_execute("ALTER DATABASE trips SET default_transaction_read_only = on").unwrap();
    // This session is from before.
    submit(&mut client, &path);
    wait_until(&cluster, LOADED, 1);
    client.query_one("SELECT trips.ingest($1)", &[&bad]).unwrap_err();
    wait_until(&cluster, "trips.loads WHERE state = 'failed'", 1);
    assert!(!cluster.log().contains("read-only"), "{}", cluster.log());
}

/// A load that has waited for another sees what that one has committed.
#[test]
fn with_repeatable_read() {
    let cluster = Cluster::start();
    let [first, second] = files(&cluster);
    let (mut client, mut holder) = (cluster.client(), cluster.client());
    client
        .batch_execute("ALTER DATABASE trips SET default_transaction_isolation = 'repeatable read'")
        .unwrap();
    let mut held = holder.transaction().unwrap();
    held.query_one("SELECT trips.ingest($1)", &[&first]).unwrap();
    submit(&mut client, &second);
    wait_until(&cluster, WAITING, 1);
    held.commit().unwrap();
    wait_until(&cluster, LOADED, 2);
}

/// A load that cannot be begun costs no other, and not the processor.
#[test]
fn a_load_that_cannot_be_begun() {
    let cluster = Cluster::start();
    let [first, second] = files(&cluster);
    let mut client = cluster.client();
    client
        .batch_execute(
            "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN RAISE 'not this one'; END $$;
             CREATE TRIGGER refuse BEFORE UPDATE ON trips.queue FOR EACH ROW WHEN (OLD.load_id = 1)
               EXECUTE FUNCTION public.refuse()",
        )
        .unwrap();
    submit(&mut client, &first);
    submit(&mut client, &second);
    wait_until(&cluster, LOADED, 1);
    // It is tried again, after a second at first: not in a loop.
    let refused = || cluster.log().matches("not this one").count();
    until("it is not tried again", || (refused() > 1).then_some(()));
    let before = refused();
    std::thread::sleep(Duration::from_millis(500));
    assert!((2..before + 4).contains(&refused()), "{} times\n{}", refused(), cluster.log());
    client.batch_execute("DROP TRIGGER refuse ON trips.queue").unwrap();
    wait_until(&cluster, LOADED, 2);
}

/// The queue's worker has found the load locked, and is gone when it is free again.
#[test]
fn a_cancel_that_is_rolled_back() {
    for end in ["ROLLBACK", "ROLLBACK TO s; COMMIT", "session"] {
        let cluster = Cluster::start_bare("log_min_messages = debug1");
        cluster.client().batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
        let [path, small, third] = files(&cluster);
        let (mut client, mut holder, mut other) =
            (cluster.client(), cluster.client(), cluster.client());
        // The worker is at another load, which waits.
        let mut held = holder.transaction().unwrap();
        held.query_one("SELECT trips.ingest($1)", &[&small]).unwrap();
        submit(&mut other, &third);
        wait_until(&cluster, WAITING, 1);
        let ended = ended_workers(&cluster);
        let id = submit(&mut other, &path);
        // The second worker has found no slot, and has ended before the cancel.
        until("the second worker has ended", || (ended_workers(&cluster) > ended).then_some(()));
        wait_until(&cluster, WORKERS, 1);
        client.batch_execute(&format!("BEGIN; SAVEPOINT s; SELECT trips.cancel({id})")).unwrap();
        held.commit().unwrap();
        wait_until(&cluster, LOADED, 2);
        wait_until(&cluster, WORKERS, 0);
        if end == "session" {
            drop(client);
        } else {
            client.batch_execute(end).unwrap();
        }
        wait_until(&cluster, LOADED, 3);
    }
}

/// No slot is free when the load is queued: the load monitor has the only one, and goes on as a worker of the queue.
#[test]
fn without_a_free_slot() {
    // PostgreSQL's own launcher of logical replication takes the other.
    let cluster = Cluster::start_bare("max_worker_processes = 2");
    let mut client = cluster.client();
    client.batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
    let [path, first, second, third] = files(&cluster);
    let mut holder = cluster.client();
    let mut held = holder.transaction().unwrap();
    for path in [&first, &second, &third] {
        held.query_one("SELECT trips.ingest($1)", &[path]).unwrap();
    }
    submit(&mut client, &path);
    stays(0, || count(&mut client, WORKERS));
    held.commit().unwrap();
    wait_until(&cluster, LOADED, 4);
    wait_until(&cluster, "trips.queue", 0);
}

/// One transaction costs one worker, and that only from its commit on.
#[test]
fn many_in_one_transaction() {
    let cluster = Cluster::start();
    let paths: [String; 30] = files(&cluster);
    let mut client = cluster.client();
    let mut transaction = client.transaction().unwrap();
    for path in &paths {
        transaction.query_one("SELECT trips.submit($1)", &[path]).unwrap();
    }
    let mut watcher = cluster.client();
    stays(0, || count(&mut watcher, WORKERS));
    transaction.commit().unwrap();
    until("the queue is not empty", || {
        assert!(count(&mut watcher, WORKERS) <= 2, "too many workers");
        (count(&mut watcher, "trips.queue") == 0).then_some(())
    });
    wait_until(&cluster, LOADED, 30);
}

/// A prepared transaction's load is made when that is committed.
#[test]
fn in_a_prepared_transaction() {
    let cluster = Cluster::start_bare("max_prepared_transactions = 2");
    let mut client = cluster.client();
    client.batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
    let [path] = files(&cluster);
    client
        .batch_execute(&format!("BEGIN; SELECT trips.submit('{path}'); PREPARE TRANSACTION 'one'"))
        .unwrap();
    stays(0, || count(&mut client, "trips.loads"));
    client.batch_execute("COMMIT PREPARED 'one'").unwrap();
    wait_until(&cluster, LOADED, 1);
}

/// The worker has the load, and is still beginning it, when it is cancelled.
#[test]
fn a_cancel_while_it_is_begun() {
    let cluster = Cluster::start();
    let [path] = files(&cluster);
    let (mut client, mut holder) = (cluster.client(), cluster.client());
    client
        .batch_execute(
            "CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END $$;
             CREATE TRIGGER wait BEFORE UPDATE ON trips.queue FOR EACH ROW EXECUTE FUNCTION public.wait()",
        )
        .unwrap();
    holder.query_one("SELECT pg_advisory_lock(7)", &[]).unwrap();
    let id = submit(&mut client, &path);
    wait_until(&cluster, "pg_locks WHERE NOT granted AND locktype = 'advisory'", 1);
    client.query_one("SELECT trips.cancel($1)", &[&id]).unwrap();
    wait_until(&cluster, "trips.loads WHERE error_code = '57014'", 1);
    holder.query_one("SELECT pg_advisory_unlock(7)", &[]).unwrap();
    wait_until(&cluster, "trips.queue", 0);
    let error = client.query_one("SELECT trips.cancel($1)", &[&id]).unwrap_err();
    assert_eq!(server_error(&error).0, "55000");
    assert_eq!(count(&mut client, LOADED), 0);
}
