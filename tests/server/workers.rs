//! Background workers and the databases that they work for.

use postgres::Client;
use trips_tests::{Cluster, eventually, rows_as_csv, until};

/// A database with the extension, in which a worker of the queue waits for the history.
fn with_waiting_worker(cluster: &Cluster, database: &str) -> (Client, i32) {
    cluster.client().batch_execute(&format!("CREATE DATABASE {database}")).unwrap();
    let (mut client, mut holder) = (cluster.client_of(database), cluster.client_of(database));
    client.batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
    let [held, waits] =
        [1, 2].map(|seed| cluster.file(&format!("{database}{seed}.csv"), rows_as_csv(10, seed)));
    holder.batch_execute("BEGIN").unwrap();
    holder.query_one("SELECT trips.ingest($1)", &[&held]).unwrap();
    client.query_one("SELECT trips.submit($1)", &[&waits]).unwrap();
    let query = "SELECT a.pid FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
                  WHERE NOT l.granted AND a.backend_type = 'trips_pipeline queue'
                    AND a.datname = current_database()";
    let pid = until("no worker waits", || client.query_opt(query, &[]).unwrap());
    (holder, pid.get(0))
}

/// Workers of a database that is gone, or that lets nobody in, end for good.
#[test]
fn a_database_is_dropped_or_closed() {
    // So the log says which workers PostgreSQL may still start again.
    let cluster = Cluster::start_with("log_min_messages = debug1");
    let mut admin = cluster.client();
    let (_holder, _) = with_waiting_worker(&cluster, "dropped");
    let (_other, worker) = with_waiting_worker(&cluster, "closed");
    admin.batch_execute("DROP DATABASE dropped WITH (FORCE)").unwrap();
    admin.batch_execute("ALTER DATABASE closed ALLOW_CONNECTIONS false").unwrap();
    admin.query_one("SELECT pg_terminate_backend($1)", &[&worker]).unwrap();
    drop(_other);
    // Sessions that were ended have started a load monitor. It may have connected while the database was being dropped.
    // PostgreSQL starts again what ends with an error: each worker must have ended without one, for good.
    until("a worker is kept", || {
        let log = cluster.log();
        let count =
            |what: &str| log.matches(&format!("{what} background worker \"trips_pipeline")).count();
        (count(" registering") > 0 && count(" registering") == count("unregistering")).then_some(())
    });
    let refusals = cluster.log().matches("FATAL:  database").count();
    assert!(refusals <= 9, "{refusals}: {}", cluster.log());
    let query = "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'trips_pipeline%'";
    eventually(&mut admin, query, 0);
}

/// More databases than workers can be started at once: all queues go on, although no database is the launcher's.
#[test]
fn more_databases_than_slots() {
    let mut cluster = Cluster::start_bare(
        "shared_preload_libraries = 'trips_pipeline'\ntrips.max_workers = 0
         trips.watch_database = 'nowhere'",
    );
    let mut admin = cluster.client();
    let names: Vec<String> = (0..6).map(|i| format!("many{i}")).collect();
    for name in &names {
        admin.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        let mut client = cluster.client_of(name);
        client.batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
        let path = cluster.file(&format!("{name}.csv"), rows_as_csv(1000, 1));
        client.query_one("SELECT trips.submit($1)", &[&path]).unwrap();
    }
    drop(admin);
    cluster.restart(|cluster| {
        cluster.configure("trips.max_workers = 1\nmax_worker_processes = 3");
    });
    cluster.client().batch_execute("DROP DATABASE postgres").unwrap();
    for name in &names {
        let loaded = "SELECT count(*) FROM trips.loads WHERE state = 'loaded'";
        eventually(&mut cluster.client_of(name), loaded, 1);
    }
}
