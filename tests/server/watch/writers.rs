//! A file that is still being written is not loaded. A file without an event is found.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use postgres::Client;
use trips_tests::{Cluster, FIVE_COLUMNS, eventually, trip_line, until};

use super::{land, loads_of, make_inbox, one, start, wait_for_a_look, wait_for_rows, watcher};

/// Waits until the folder has been looked through, and all that has rested in it was taken.
fn some_looks(cluster: &Cluster, client: &mut Client, inbox: &str) {
    for _ in 0..2 {
        wait_for_a_look(cluster, client, inbox);
    }
}

/// A file with half a row in it, which is still open; and the rest.
fn begin(path: &str) -> (File, String) {
    let line = trip_line(path.rsplit('/').next().unwrap(), 1);
    let (half, rest) = line.split_at(line.len() / 2);
    let mut file = File::options().create(true).append(true).open(path).unwrap();
    file.write_all(format!("{FIVE_COLUMNS}{half}").as_bytes()).unwrap();
    file.sync_all().unwrap();
    (file, rest.to_owned())
}

fn start_with_inbox() -> (Cluster, String) {
    start_with_inbox_of("trips.watch_interval = '1s'")
}

fn start_with_inbox_of(configuration: &str) -> (Cluster, String) {
    let (cluster, inbox) = start(configuration);
    make_inbox(&inbox);
    let mut client = cluster.client();
    land(&cluster, "inbox/first.csv", one("first", 1));
    wait_for_rows(&mut client, 1);
    (cluster, inbox)
}

fn assert_all_good(cluster: &Cluster) {
    let query = "SELECT count(*) FROM trips.loads WHERE state <> 'loaded' OR rows_staged > 0";
    assert_eq!(cluster.client().query_one(query, &[]).unwrap().get::<_, i64>(0), 0);
}

/// Whose file it is makes no difference while the folder is watched.
#[test]
fn a_file_that_is_written_slowly() {
    let (cluster, inbox) = start_with_inbox();
    let mut client = cluster.client();
    let (mut own, rest_of_own) = begin(&format!("{inbox}/own.csv"));
    cluster.give_to_server(&format!("{inbox}/own.csv"));
    let (mut other, rest_of_other) = begin(&format!("{inbox}/other.csv"));
    some_looks(&cluster, &mut client, &inbox);
    assert_eq!((loads_of(&mut client, "own.csv"), loads_of(&mut client, "other.csv")), (0, 0));
    own.write_all(rest_of_own.as_bytes()).unwrap();
    drop(own);
    wait_for_rows(&mut client, 2);
    other.write_all(rest_of_other.as_bytes()).unwrap();
    drop(other);
    wait_for_rows(&mut client, 3);
    // One is opened again, and gets another row; a second writer comes and goes meanwhile.
    let mut own = File::options().append(true).open(format!("{inbox}/own.csv")).unwrap();
    let line = trip_line("more", 1);
    let (half, rest) = line.split_at(line.len() / 2);
    own.write_all(half.as_bytes()).unwrap();
    drop(File::options().append(true).open(format!("{inbox}/own.csv")).unwrap());
    some_looks(&cluster, &mut client, &inbox);
    assert_eq!(loads_of(&mut client, "own.csv"), 1);
    own.write_all(rest.as_bytes()).unwrap();
    drop(own);
    wait_for_rows(&mut client, 4);
    assert_eq!((loads_of(&mut client, "own.csv"), loads_of(&mut client, "other.csv")), (2, 1));
    assert_all_good(&cluster);
}

/// What is being written while the server starts is not taken for complete.
#[test]
fn a_file_that_is_open_at_the_start() {
    let (mut cluster, inbox) = start_with_inbox();
    let (mut own, rest) = begin(&format!("{inbox}/own.csv"));
    cluster.give_to_server(&format!("{inbox}/own.csv"));
    cluster.restart(|_| ());
    let mut client = cluster.client();
    // The watcher cannot see whether it is open: it loads the file after the quiet period.
    cluster.file("inbox/other.csv", one("other", 1));
    wait_for_rows(&mut client, 2);
    some_looks(&cluster, &mut client, &inbox);
    assert_eq!(loads_of(&mut client, "own.csv"), 0);
    own.write_all(rest.as_bytes()).unwrap();
    drop(own);
    wait_for_rows(&mut client, 3);
    assert_eq!(loads_of(&mut client, "own.csv"), 1);
    assert_all_good(&cluster);
}

/// A writer who has closed his file, and then changes its mode, keeps nobody from loading it.
#[test]
fn a_file_that_changes_while_it_is_read() {
    let (cluster, inbox) = start_with_inbox_of("");
    let (mut client, mut holder) = (cluster.client(), cluster.client());
    let outside = cluster.file("outside.csv", one("outside", 1));
    let mut held = holder.transaction().unwrap();
    held.query_one("SELECT trips.ingest($1)", &[&outside]).unwrap();
    land(&cluster, "inbox/changes.csv", one("changes", 1));
    let pid = watcher(&mut client);
    let waits = "SELECT FROM pg_locks WHERE NOT granted AND pid = $1";
    until("the watcher does not wait", || client.query_opt(waits, &[&pid]).unwrap());
    let path = format!("{inbox}/changes.csv");
    fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap();
    held.rollback().unwrap();
    wait_for_rows(&mut client, 2);
    let failed = "SELECT FROM trips.loads WHERE state = 'failed' AND error_code = '55006'";
    assert!(client.query_opt(failed, &[]).unwrap().is_some());
}

/// A second name for a file causes no event: the file is found after the quiet period.
#[test]
fn a_file_without_an_event() {
    let (cluster, inbox) = start_with_inbox();
    let mut client = cluster.client();
    let outside = cluster.file("outside", one("outside", 1));
    fs::hard_link(outside, format!("{inbox}/linked.csv")).unwrap();
    wait_for_rows(&mut client, 2);
    assert_eq!(loads_of(&mut client, "linked.csv"), 1);
}

/// A folder in which something happens all the time is looked through nevertheless.
#[test]
fn what_failed_in_passing_is_tried_again_in_a_busy_folder() {
    let (cluster, inbox) = start_with_inbox();
    let (mut client, mut holder) = (cluster.client(), cluster.client());
    let outside = cluster.file("outside.csv", one("outside", 1));
    let mut held = holder.transaction().unwrap();
    held.query_one("SELECT trips.ingest($1)", &[&outside]).unwrap();
    cluster.file("inbox/waits.csv", one("waits", 1));
    let pid = watcher(&mut client);
    let waits = "SELECT FROM pg_locks WHERE NOT granted AND pid = $1";
    until("the watcher does not wait", || client.query_opt(waits, &[&pid]).unwrap());
    client.query_one("SELECT pg_cancel_backend($1)", &[&pid]).unwrap();
    let failed = "SELECT count(*) FROM trips.loads WHERE state = 'failed' AND error_code = '57014'";
    eventually(&mut client, failed, 1);
    held.rollback().unwrap();
    let loaded = "SELECT FROM trips.loads WHERE state = 'loaded' AND source LIKE '%waits.csv'";
    until("nobody tries again", || {
        fs::write(format!("{inbox}/notes.txt"), "busy").unwrap();
        client.query_opt(loaded, &[]).unwrap()
    });
}

/// More happens than the kernel keeps: the folder is looked through, with the same caution as at the start.
#[test]
fn an_overflow() {
    let (cluster, inbox) = start_with_inbox();
    let mut client = cluster.client();
    let kept = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let kept: u32 = kept.trim().parse().unwrap();
    let path = cluster.file("late", one("late", 1));
    cluster.give_to_server(&path);
    let (own, _) = begin(&format!("{inbox}/own.csv"));
    cluster.give_to_server(&format!("{inbox}/own.csv"));
    let pid = watcher(&mut client);
    // SAFETY: a signal to a process of our own server.
    unsafe { libc::kill(pid, libc::SIGSTOP) };
    // Equal events that follow each other are one.
    for i in 0..kept + 100 {
        File::create(format!("{inbox}/{}.txt", i % 2)).unwrap();
    }
    fs::rename(path, format!("{inbox}/late.csv")).unwrap();
    // SAFETY: as above.
    unsafe { libc::kill(pid, libc::SIGCONT) };
    wait_for_rows(&mut client, 2);
    assert_eq!(loads_of(&mut client, "own.csv"), 0);
    drop(own);
}
