//! The server dies with the one that watches.

use postgres::Client;
use trips_tests::until;

use super::{land, make_inbox, one, start, wait_for_a_look, wait_for_rows, watcher};

/// The watcher, in the middle of the load that a trigger keeps from ending.
fn sleeping_watcher(client: &mut Client) -> i32 {
    let query = "SELECT pid FROM pg_stat_activity
                  WHERE backend_type = 'trips_pipeline watcher' AND wait_event = 'PgSleep'";
    until("no watcher sleeps", || client.query_opt(query, &[]).unwrap()).get(0)
}

/// A file with which the server dies again and again is left alone, and costs no other file.
#[test]
fn a_file_with_which_the_server_dies() {
    let (mut cluster, inbox) = start("trips.watch_interval = '1s'");
    make_inbox(&inbox);
    let mut client = cluster.client();
    client
        .batch_execute(
            "CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               PERFORM pg_sleep(600); RETURN NULL; END $$;
             CREATE TRIGGER wait AFTER INSERT OR UPDATE ON trips.loads FOR EACH ROW
               WHEN (NEW.source LIKE '%crash.csv' AND NEW.state = 'loaded')
               EXECUTE FUNCTION public.wait()",
        )
        .unwrap();
    watcher(&mut client);
    land(&cluster, "inbox/crash.csv", one("crash", 1));
    for _ in 0..3 {
        let pid = sleeping_watcher(&mut client);
        // SAFETY: a signal to a process of our own server.
        unsafe { libc::kill(pid, libc::SIGKILL) };
        cluster.wait_for_recovery();
        client = cluster.client();
    }
    land(&cluster, "inbox/good.csv", one("good", 1));
    wait_for_rows(&mut client, 1);
    for _ in 0..2 {
        wait_for_a_look(&cluster, &mut client, &inbox);
    }
    let query = "SELECT state, error_code, count(*) FROM trips.loads
                  WHERE source LIKE '%crash.csv' GROUP BY state, error_code";
    let found = client.query(query, &[]).unwrap();
    let found: Vec<(&str, &str, i64)> =
        found.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    assert_eq!(found, [("failed", "57P02", 3)]);
    // trips.ingest_new leaves it alone, too; not when it has changed.
    let call = format!("CALL trips.ingest_new('{inbox}/*.csv')");
    assert_eq!(client.query_one(&call, &[]).unwrap().get::<_, i64>(0), 0);
    client.batch_execute("DROP TRIGGER wait ON trips.loads").unwrap();
    cluster.file("inbox/crash.csv", one("crash", 1));
    wait_for_rows(&mut client, 2);
}
