//! A watched folder: a file lands, it is in the history.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use postgres::Client;
use trips_tests::{Cluster, FIVE_COLUMNS, rows_as_csv, stays, trip_line, until};

mod crashes;
mod folders;
mod writers;

/// A server that watches `inbox` of its directory, which is not there yet.
fn start(more: &str) -> (Cluster, String) {
    start_in("inbox", more)
}

/// A server that watches this folder of its directory.
fn start_in(inbox: &str, more: &str) -> (Cluster, String) {
    let mut cluster = Cluster::start_bare("");
    cluster.client().batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
    let inbox = cluster.path(inbox);
    let configuration = format!(
        "shared_preload_libraries = 'trips_pipeline'\ntrips.watch_database = 'trips'
         trips.watch_directory = '{inbox}'\n{more}"
    );
    cluster.restart(|cluster| cluster.configure(&configuration));
    (cluster, inbox)
}

fn make_inbox(inbox: &str) {
    fs::create_dir(inbox).unwrap();
    fs::set_permissions(inbox, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A file of the server's user lands in a folder: all of it at once.
fn land(cluster: &Cluster, path: &str, bytes: impl AsRef<[u8]>) {
    let landing = cluster.file("landing", bytes);
    cluster.give_to_server(&landing);
    fs::rename(landing, cluster.path(path)).unwrap();
}

/// The process that watches the folder.
fn watcher(client: &mut Client) -> i32 {
    let query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'trips_pipeline watcher'";
    until("nobody watches", || client.query_opt(query, &[]).unwrap()).get(0)
}

fn loads_of(client: &mut Client, name: &str) -> i64 {
    let query = "SELECT count(*) FROM trips.loads WHERE source LIKE '%/' || $1";
    client.query_one(query, &[&name]).unwrap().get(0)
}

fn rows(client: &mut Client) -> i64 {
    client.query_one("SELECT count(*) FROM trips.hist_trip_data", &[]).unwrap().get(0)
}

fn wait_for_rows(client: &mut Client, expected: i64) {
    until(format!("the history does not get {expected} rows"), || {
        let found = rows(client);
        assert!(found <= expected, "{found} of {expected}");
        (found == expected).then_some(())
    });
}

/// Waits until the watcher has looked through the folder, from its first name to its last, since this was called: only
/// so it finds a file for which the kernel sends no event.
fn wait_for_a_look(cluster: &Cluster, client: &mut Client, inbox: &str) {
    let seen = loads_of(client, "look %.csv");
    let empty = cluster.file(
        &format!("empty {seen}"),
        format!("{FIVE_COLUMNS}{}", "\n".repeat(usize::try_from(seen).unwrap())),
    );
    // A second name, and no event.
    fs::hard_link(empty, format!("{inbox}/look {seen}.csv")).unwrap();
    until("nobody looks through the folder", || {
        (loads_of(client, "look %.csv") > seen).then_some(())
    });
}

fn one(region: &str, n: u32) -> String {
    format!("{FIVE_COLUMNS}{}", trip_line(region, n))
}

#[test]
fn a_file_lands_and_is_in_the_history() {
    let (cluster, inbox) = start("");
    let mut client = cluster.client();
    // The folder comes late, with a file in it.
    make_inbox(&inbox);
    land(&cluster, "inbox/first.csv", one("first", 1));
    wait_for_rows(&mut client, 1);
    // Renamed into it.
    cluster.file("waiting", one("a", 1));
    fs::rename(cluster.path("waiting"), format!("{inbox}/a.csv")).unwrap();
    wait_for_rows(&mut client, 2);
    // Written slowly: not before it is closed.
    let mut file = fs::File::create(format!("{inbox}/slow.csv")).unwrap();
    std::io::Write::write_all(&mut file, FIVE_COLUMNS.as_bytes()).unwrap();
    stays(2, || rows(&mut client));
    std::io::Write::write_all(&mut file, trip_line("slow", 1).as_bytes()).unwrap();
    drop(file);
    wait_for_rows(&mut client, 3);
    let slow = "SELECT count(*) FROM trips.loads WHERE source LIKE '%slow.csv'";
    assert_eq!(client.query_one(slow, &[]).unwrap().get::<_, i64>(0), 1);
    // Other names are others' files; a bad file costs no other; a link leads nowhere else.
    cluster.file("inbox/.part.csv", one("p", 1));
    cluster.file("inbox/notes.txt", one("n", 1));
    cluster.file("inbox/bad.csv", "region\n1\n");
    let outside = cluster.file("outside.csv", one("o", 1));
    std::os::unix::fs::symlink(outside, format!("{inbox}/link.csv")).unwrap();
    cluster.file("inbox/z.csv", one("z", 1));
    wait_for_rows(&mut client, 4);
    let failed =
        "SELECT error_code FROM trips.loads WHERE source LIKE '%bad.csv' AND state = 'failed'";
    assert_eq!(client.query_one(failed, &[]).unwrap().get::<_, &str>(0), "42703");
    // The folder is renamed away and made anew, with a file in it.
    make_inbox(&cluster.path("new"));
    land(&cluster, "new/again.csv", one("again", 1));
    fs::rename(&inbox, cluster.path("gone")).unwrap();
    fs::rename(cluster.path("new"), &inbox).unwrap();
    wait_for_rows(&mut client, 5);
}

#[test]
fn five_hundred_files_at_once() {
    let (mut cluster, inbox) = start("max_worker_processes = 20");
    make_inbox(&inbox);
    let mut client = cluster.client();
    land(&cluster, "inbox/0.csv", one("first", 1));
    wait_for_rows(&mut client, 1);
    let before = cluster.path("before");
    fs::create_dir(&before).unwrap();
    for i in 1..=500 {
        cluster.file(&format!("before/{i}.csv"), rows_as_csv(10, i));
    }
    for i in 1..=500 {
        fs::rename(format!("{before}/{i}.csv"), format!("{inbox}/{i}.csv")).unwrap();
    }
    wait_for_rows(&mut client, 5001);
    let loads = "SELECT count(*), count(*) FILTER (WHERE state = 'loaded') FROM trips.loads";
    let row = client.query_one(loads, &[]).unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (501, 501));
    // What is there already when the server starts is not read again.
    drop(client);
    cluster.restart(|_| ());
    land(&cluster, "inbox/last.csv", one("last", 1));
    let mut client = cluster.client();
    wait_for_rows(&mut client, 5002);
    assert_eq!(client.query_one(loads, &[]).unwrap().get::<_, i64>(0), 502);
}
