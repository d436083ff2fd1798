//! The ledger has the loads that run, and the end of each load, however it ends.

use std::thread::JoinHandle;

use postgres::{Client, IsolationLevel};
use trips_tests::{
    Cluster, FIVE_COLUMNS, eventually, rows_as_csv, server_error, stays, text_of, trip_line,
};

const STATES: &str = "SELECT state, error_code FROM trips.loads ORDER BY load_id";

fn states(client: &mut Client) -> Vec<(String, String)> {
    let query = "SELECT state, coalesce(error_code, '') FROM trips.loads ORDER BY load_id";
    client.query(query, &[]).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Waits until the ledger's only load is like that.
fn wait_for(client: &mut Client, state: &str, code: &str) {
    eventually(client, STATES, format!("{state}|{code}"));
}

#[test]
fn a_running_load_is_in_the_ledger() {
    let cluster = Cluster::start();
    let path = cluster.file("trips.csv", rows_as_csv(1000, 1));
    let (mut client, mut loader) = (cluster.client(), cluster.client());
    let mut loading = loader.transaction().unwrap();
    loading.query_one("SELECT trips.ingest($1)", &[&path]).unwrap();
    wait_for(&mut client, "running", "");
    let row = client
        .query_one("SELECT source, bytes_read > 0, requested_by, started_at IS NOT NULL, finished_at IS NULL FROM trips.loads", &[])
        .unwrap();
    assert_eq!((row.get::<_, String>(0), row.get::<_, String>(2)), (path, "postgres".to_owned()));
    assert!(row.get::<_, bool>(1) && row.get::<_, bool>(3) && row.get::<_, bool>(4));
    loading.commit().unwrap();
    assert_eq!(text_of(&mut client, STATES), "loaded|");
    // The load monitor goes when it sees that.
    let monitors =
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'trips_pipeline monitor'";
    eventually(&mut client, monitors, 0);
}

#[test]
fn an_old_snapshot_is_entered_when_it_is_done() {
    let cluster = Cluster::start();
    let path = cluster.file("trips.csv", rows_as_csv(1000, 1));
    let (mut client, mut loader) = (cluster.client(), cluster.client());
    for level in [IsolationLevel::RepeatableRead, IsolationLevel::Serializable] {
        client
            .batch_execute("DROP EXTENSION trips_pipeline; CREATE EXTENSION trips_pipeline")
            .unwrap();
        let mut loading = loader.build_transaction().isolation_level(level).start().unwrap();
        loading.query_one("SELECT trips.ingest($1)", &[&path]).unwrap();
        stays(vec![], || states(&mut client));
        loading.commit().unwrap();
        assert_eq!(text_of(&mut client, STATES), "loaded|");
    }
}

/// The load waits in its transaction, or in the middle of its work, when it is struck.
#[test]
fn every_end_is_recorded() {
    let mut cluster = Cluster::start();
    let path = cluster.file("trips.csv", rows_as_csv(300_000, 1));
    for (code, end) in [
        ("57014", "SELECT pg_cancel_backend($1)"),
        ("57P01", "SELECT pg_terminate_backend($1)"),
        ("57P02", "kill"),
    ] {
        let mut client = cluster.client();
        client
            .batch_execute("DROP EXTENSION trips_pipeline; CREATE EXTENSION trips_pipeline")
            .unwrap();
        let mut loader = cluster.client();
        let pid: i32 = loader.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
        let path = path.clone();
        let load = std::thread::spawn(move || {
            loader.query_one("SELECT trips.ingest($1)", &[&path]).map(drop)
        });
        wait_for(&mut client, "running", "");
        if end == "kill" {
            // SAFETY: a signal to a process of our own server.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            load.join().unwrap().unwrap_err();
            cluster.wait_for_recovery();
            client = cluster.client();
        } else {
            client.query_one(end, &[&pid]).unwrap();
            load.join().unwrap().unwrap_err();
        }
        // No load follows: the load monitor itself reports it, after a crash when PostgreSQL starts it again.
        wait_for(&mut client, "failed", code);
    }
}

/// A savepoint that is rolled back takes the load with it, not its transaction.
#[test]
fn a_load_in_a_subtransaction() {
    let cluster = Cluster::start();
    let path = cluster.file("trips.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    let (mut client, mut loader) = (cluster.client(), cluster.client());
    let mut outer = loader.transaction().unwrap();
    let mut inner = outer.transaction().unwrap();
    inner.query_one("SELECT trips.ingest($1)", &[&path]).unwrap();
    inner.rollback().unwrap();
    wait_for(&mut client, "failed", "40000");
    outer.query_one("SELECT trips.ingest($1)", &[&path]).unwrap();
    outer.commit().unwrap();
    let states = states(&mut client);
    assert_eq!(states.iter().map(|s| s.0.as_str()).collect::<Vec<_>>(), ["failed", "loaded"]);
}

/// The failure is entered before the error reaches the client.
#[test]
fn a_failed_statement_in_a_longer_transaction() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let error =
        client.batch_execute("BEGIN; SELECT trips.ingest('/nowhere.csv'); COMMIT").unwrap_err();
    assert_eq!(server_error(&error).0, "58P01");
    client.batch_execute("ROLLBACK").unwrap();
    assert_eq!(states(&mut client), [("failed".to_owned(), "58P01".to_owned())]);
    client.batch_execute("DROP EXTENSION trips_pipeline").unwrap();
}

/// What the owner of the ledger has deferred to the commit runs with his rights, in the load monitor too.
#[test]
fn deferred_triggers_of_the_ledger() {
    let cluster = Cluster::start();
    let mut admin = cluster.client();
    admin
        .batch_execute(
            "CREATE ROLE owner; CREATE TABLE public.seen (who text); GRANT ALL ON public.seen TO owner;
             GRANT ALL ON SCHEMA trips, trips_internal, public TO owner;
             ALTER TABLE trips.loads OWNER TO owner; ALTER TABLE trips.hist_trip_data OWNER TO owner;
             SET ROLE owner;
             CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN INSERT INTO public.seen VALUES (current_user); RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER see AFTER INSERT OR UPDATE ON trips.loads
               DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.see();
             RESET ROLE",
        )
        .unwrap();
    admin.query_one("SELECT trips.ingest('/nowhere.csv')", &[]).unwrap_err();
    let seen: Vec<String> = admin
        .query("SELECT who FROM public.seen", &[])
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert!(!seen.is_empty() && seen.iter().all(|who| who == "owner"), "{seen:?}");
}

/// A new ledger gets no loads of the one before.
#[test]
fn the_extension_is_created_again() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let path = cluster.file("a.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    cluster.ingest(&mut client, &path);
    client.batch_execute("DROP EXTENSION trips_pipeline; CREATE EXTENSION trips_pipeline").unwrap();
    stays(vec![], || states(&mut client));
}

/// DROP EXTENSION waits before it has the first table: the load has some of them, and needs the others.
#[test]
fn the_extension_is_dropped_while_a_transaction_loads() {
    let cluster = Cluster::start();
    let [known, new] =
        [1, 2].map(|seed| cluster.file(&format!("{seed}.csv"), rows_as_csv(100, seed)));
    let (mut client, mut loader) = (cluster.client(), cluster.client());
    cluster.ingest(&mut client, &known);
    let mut loading = loader.transaction().unwrap();
    loading.query_one("SELECT trips.ingest($1)", &[&known]).unwrap();
    let drop = drop_extension(&cluster);
    wait_for_lock(&mut client, "client backend", "object");
    loading.query_one("SELECT trips.ingest($1)", &[&new]).unwrap();
    loading.commit().unwrap();
    drop.join().unwrap().unwrap();
}

/// The load monitor, too, waits before it has the first table.
#[test]
fn the_extension_is_dropped_under_the_monitor() {
    let cluster = Cluster::start();
    let path = cluster.file("a.csv", rows_as_csv(100, 1));
    let (mut client, mut loader, mut other) =
        (cluster.client(), cluster.client(), cluster.client());
    let mut loading = loader.transaction().unwrap();
    loading.query_one("SELECT trips.ingest($1)", &[&path]).unwrap();
    let mut reading = other.transaction().unwrap();
    reading.query_one("SELECT count(*) FROM trips.hist_trip_data", &[]).unwrap();
    let drop = drop_extension(&cluster);
    wait_for_lock(&mut client, "client backend", "object");
    loading.rollback().unwrap();
    wait_for_lock(&mut client, "client backend", "relation");
    wait_for_lock(&mut client, "trips_pipeline monitor", "object");
    reading.rollback().unwrap();
    drop.join().unwrap().unwrap();
}

fn drop_extension(cluster: &Cluster) -> JoinHandle<Result<(), postgres::Error>> {
    let mut client = cluster.client();
    std::thread::spawn(move || client.batch_execute("DROP EXTENSION trips_pipeline"))
}

/// Waits until one process of this kind waits for such a lock.
fn wait_for_lock(client: &mut Client, process: &str, lock: &str) {
    let waiting = format!(
        "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
                   WHERE NOT granted AND datname = current_database()
                     AND backend_type = '{process}' AND locktype = '{lock}'"
    );
    eventually(client, &waiting, 1);
}

/// Without a free worker, the load goes on, and says that nobody watches.
#[test]
fn a_load_without_a_worker() {
    let cluster = Cluster::start_bare("max_worker_processes = 0");
    let notices = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let received = notices.clone();
    let mut config = cluster.config();
    config
        .notice_callback(move |notice| received.lock().unwrap().push(notice.message().to_owned()));
    let mut client = config.connect(postgres::NoTls).unwrap();
    client.batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
    let path = cluster.file("a.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    assert_eq!(cluster.ingest(&mut client, &path).rows, [1, 1, 0, 0]);
    let notices = notices.lock().unwrap();
    let warnings =
        notices.iter().filter(|text| text.contains("could not start the load monitor")).count();
    assert_eq!(warnings, 1, "{notices:?}");
}
