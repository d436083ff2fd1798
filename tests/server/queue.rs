//! Submitted loads run in the background, with the rights of their submitter, also after a crash.

use postgres::Client;
use trips_tests::{
    Cluster, FIVE_COLUMNS, eventually, rows_as_csv, server_error, stays, text_of, trip_line, until,
};

fn submit(client: &mut Client, path: &str) -> i64 {
    client.query_one("SELECT trips.submit($1)", &[&path]).unwrap().get(0)
}

/// State and SQLSTATE of all loads, in order.
fn states(client: &mut Client) -> Vec<(String, String)> {
    let query = "SELECT state, coalesce(error_code, '') FROM trips.loads ORDER BY load_id";
    client.query(query, &[]).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Waits until all loads are over, and returns how they ended.
fn wait(cluster: &Cluster) -> Vec<(String, String)> {
    let mut client = cluster.client();
    // The ledger may know it before the worker has taken it out of the queue.
    let left = "SELECT (SELECT count(*) FROM trips.loads WHERE state IN ('queued', 'running')),
                       (SELECT count(*) FROM trips.queue)";
    eventually(&mut client, left, "0|0");
    states(&mut client)
}

fn rows(client: &mut Client) -> i64 {
    client.query_one("SELECT count(*) FROM trips.hist_trip_data", &[]).unwrap().get(0)
}

fn queued(client: &mut Client) -> i64 {
    client.query_one("SELECT count(*) FROM trips.queue", &[]).unwrap().get(0)
}

#[test]
fn submitted_loads_are_made_in_order() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let mut transaction = client.transaction().unwrap();
    for i in 0..10 {
        let path = cluster.file(&format!("{i}.csv"), rows_as_csv(100, i + 1));
        let id: i64 = transaction.query_one("SELECT trips.submit($1)", &[&path]).unwrap().get(0);
        assert_eq!(id, i64::try_from(i + 1).unwrap());
    }
    // Nothing begins before the commit.
    stays(vec![], || states(&mut cluster.client()));
    transaction.commit().unwrap();
    assert_eq!(wait(&cluster), vec![("loaded".to_owned(), String::new()); 10]);
    assert_eq!((rows(&mut client), queued(&mut client)), (1000, 0));
    let times: Vec<String> = client
        .query(
            "SELECT concat_ws(' ', load_id, requested_at, started_at, finished_at, before)
               FROM (SELECT *, lag(finished_at) OVER (ORDER BY load_id) AS before FROM trips.loads) AS l
              WHERE NOT (started_at >= requested_at AND finished_at >= started_at
                         AND started_at >= coalesce(before, started_at))",
            &[],
        )
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(times, Vec::<String>::new());
    let events: Vec<String> = client
        .query("SELECT state FROM trips.events_since(0) WHERE load_id = 3 AND state <> 'running' ORDER BY seq", &[])
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(events, ["queued", "loaded"]);
}

#[test]
fn what_is_rolled_back_is_not_loaded() {
    let cluster = Cluster::start();
    let path = cluster.file("a.csv", rows_as_csv(10, 1));
    let mut client = cluster.client();
    let mut transaction = client.transaction().unwrap();
    transaction.query_one("SELECT trips.submit($1)", &[&path]).unwrap();
    transaction.rollback().unwrap();
    stays((vec![], 0), || (states(&mut client), queued(&mut client)));
}

/// A bad file does not affect others. `submit` itself refuses what it can check.
#[test]
fn failures_are_in_the_ledger() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let error = client.query_one("SELECT trips.submit('/nowhere.csv')", &[]).unwrap_err();
    assert_eq!(server_error(&error).0, "58P01");
    let bad = cluster.file("bad.csv", "region\n1\n");
    let lines = cluster.file("lines.csv", format!("{FIVE_COLUMNS}{}x\ny\n", trip_line("A", 1)));
    let good = cluster.file("good.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 2)));
    submit(&mut client, &bad);
    client.query_one("SELECT trips.submit($1, max_errors => 1)", &[&lines]).unwrap();
    client.query_one("SELECT trips.submit($1, on_error => 'abort')", &[&lines]).unwrap();
    submit(&mut client, &good);
    submit(&mut client, &good);
    let ends = wait(&cluster);
    let codes: Vec<(&str, &str)> = ends.iter().map(|(s, c)| (s.as_str(), c.as_str())).collect();
    assert_eq!(
        codes,
        [
            ("failed", "42703"),
            ("failed", "22P04"),
            ("failed", "22P04"),
            ("loaded", ""),
            ("skipped", "")
        ]
    );
    assert_eq!(queued(&mut client), 0);
}

/// A load has the rights on files and the settings of who submitted it, not the worker's.
#[test]
fn a_load_is_made_as_who_submitted_it() {
    let cluster = Cluster::start();
    let mut admin = cluster.client();
    let inbox = cluster.path("inbox");
    std::fs::create_dir(&inbox).unwrap();
    let path = cluster.file("inbox/a.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    admin
        .batch_execute(&format!(
            "CREATE ROLE etl LOGIN; SELECT trips.grant_loader('etl');
             ALTER ROLE etl SET trips.data_directories = '{inbox}'; CREATE ROLE other LOGIN;
             SELECT trips.grant_loader('other')"
        ))
        .unwrap();
    // The setting of the role is not that of the worker: it must be the database's, as docs/reference.md says.
    let mut etl = cluster.client_as("etl");
    submit(&mut etl, &path);
    assert_eq!(wait(&cluster), [("failed".to_owned(), "42501".to_owned())]);
    admin
        .batch_execute(&format!("ALTER DATABASE trips SET trips.data_directories = '{inbox}'"))
        .unwrap();
    let mut etl = cluster.client_as("etl");
    etl.batch_execute("SET trips.latest_date = '2000-01-01'").unwrap();
    submit(&mut etl, &path);
    let ends = wait(&cluster);
    assert_eq!(ends[1].0, "loaded", "{ends:?}");
    let row = admin
        .query_one("SELECT requested_by, rows_staged FROM trips.loads WHERE load_id = 2", &[])
        .unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, i64>(1)), ("etl", 1));
    // A role that lost its rights loads nothing; a role may not cancel loads of others.
    let again = cluster.file("inbox/b.csv", format!("{FIVE_COLUMNS}{}", trip_line("B", 1)));
    let mut held = etl.transaction().unwrap();
    let id: i64 = held.query_one("SELECT trips.submit($1)", &[&again]).unwrap().get(0);
    admin.batch_execute("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA trips FROM etl").unwrap();
    held.commit().unwrap();
    let error =
        cluster.client_as("other").query_one("SELECT trips.cancel($1)", &[&id]).unwrap_err();
    assert_eq!(server_error(&error).0, "42501");
    assert_eq!(wait(&cluster)[2], ("failed".to_owned(), "42501".to_owned()));
}

#[test]
fn queued_and_running_loads_are_cancelled() {
    let cluster = Cluster::start();
    let (mut client, mut holder) = (cluster.client(), cluster.client());
    let big = cluster.file("big.csv", rows_as_csv(400_000, 1));
    let small = cluster.file("small.csv", rows_as_csv(10, 2));
    let other = cluster.file("other.csv", rows_as_csv(10, 3));
    // Somebody has the history: the first load waits in its worker, the second in the queue.
    let mut held = holder.transaction().unwrap();
    held.query_one("SELECT trips.ingest($1)", &[&small]).unwrap();
    let first = submit(&mut client, &big);
    let second = submit(&mut client, &other);
    let waits = "SELECT count(*) FROM pg_locks JOIN pg_database AS d ON d.oid = database
                  WHERE NOT granted AND locktype = 'object' AND datname = current_database()";
    eventually(&mut client, waits, 1);
    client.query_one("SELECT trips.cancel($1)", &[&second]).unwrap();
    client.query_one("SELECT trips.cancel($1)", &[&first]).unwrap();
    held.commit().unwrap();
    let ends = wait(&cluster);
    let codes: Vec<&str> = ends.iter().map(|(_, code)| code.as_str()).collect();
    assert_eq!(codes, ["", "57014", "57014"]);
    assert_eq!((rows(&mut client), queued(&mut client)), (10, 0));
    for (id, code) in [(first, "55000"), (99, "42704")] {
        let error = client.query_one("SELECT trips.cancel($1)", &[&id]).unwrap_err();
        assert_eq!(server_error(&error).0, code);
    }
    // A load of a session, too.
    let mut loader = cluster.client();
    let load = std::thread::spawn(move || {
        let error = loader.query_one("SELECT trips.ingest($1)", &[&big]).unwrap_err();
        assert_eq!(server_error(&error).0, "57014");
    });
    let running = "SELECT load_id FROM trips.loads WHERE state = 'running'";
    let id: i64 = until("no load runs", || client.query_opt(running, &[]).unwrap()).get(0);
    client.query_one("SELECT trips.cancel($1)", &[&id]).unwrap();
    load.join().unwrap();
}

/// The worker is ended, the server is killed, the server is stopped: the queue goes on.
#[test]
fn queued_loads_survive() {
    let mut cluster = Cluster::start_bare("shared_preload_libraries = 'trips_pipeline'");
    let mut client = cluster.client();
    client.batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
    let files: Vec<String> =
        (0..4).map(|i| cluster.file(&format!("{i}.csv"), rows_as_csv(150_000, 1 + i))).collect();
    for file in &files {
        submit(&mut client, file);
    }
    let worker = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'trips_pipeline queue'
                     AND pid IN (SELECT pid FROM trips.load_progress)";
    let working = |client: &mut Client| -> i32 {
        until("nobody works", || client.query_opt(worker, &[]).unwrap()).get(0)
    };
    let pid = working(&mut client);
    client.query_one("SELECT pg_terminate_backend($1)", &[&pid]).unwrap();
    // PostgreSQL starts it again.
    let pid = working(&mut client);
    // SAFETY: a signal to a process of our own server.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    cluster.wait_for_recovery();
    client = cluster.client();
    working(&mut client);
    drop(client);
    cluster.restart(|_| ());
    assert_eq!(wait(&cluster), vec![("loaded".to_owned(), String::new()); 4]);
    let mut client = cluster.client();
    assert_eq!((rows(&mut client), queued(&mut client)), (600_000, 0));
}

/// A session with this number of workers, after the server has reloaded its configuration.
fn reloaded(cluster: &Cluster, workers: &str) -> Client {
    cluster.client().batch_execute("SELECT pg_reload_conf()").unwrap();
    until("the setting is not in force", || {
        let mut client = cluster.client();
        client.batch_execute("LOAD 'trips_pipeline'").unwrap();
        (text_of(&mut client, "SHOW trips.max_workers") == workers).then_some(client)
    })
}

/// What has ended five workers is not begun again.
#[test]
fn a_load_that_ends_its_workers_is_given_up() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let path = cluster.file("a.csv", rows_as_csv(10, 1));
    client.batch_execute("LOAD 'trips_pipeline'").unwrap();
    client.batch_execute("ALTER SYSTEM SET trips.max_workers = 0").unwrap();
    let mut client = reloaded(&cluster, "0");
    let id = submit(&mut client, &path);
    client.execute("UPDATE trips.queue SET attempts = 5", &[]).unwrap();
    client.batch_execute("ALTER SYSTEM RESET trips.max_workers").unwrap();
    let mut client = reloaded(&cluster, "1");
    submit(&mut client, &path);
    let ends = wait(&cluster);
    assert_eq!(ends[usize::try_from(id).unwrap() - 1].1, "57P02", "{ends:?}");
    assert_eq!(ends[1].0, "loaded");
}
