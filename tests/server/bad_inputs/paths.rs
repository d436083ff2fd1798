//! Kinds of paths and of what is found there, and of files that do not hold still.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use postgres::Client;
use trips_tests::{Cluster, FIVE_COLUMNS as HEADER, eventually, server_error, trip_line};

use super::case::{Case, ROW, STORED, made, scene};

#[rustfmt::skip]
pub fn cases() -> Vec<Case> {
    let mut cases = not_regular();
    cases.extend(names());
    cases.extend(broken());
    cases.extend([
        scene(24, "a file that grows", |cluster, client| changes(cluster, client, |path| {
            fs::write(path, format!("{HEADER}{ROW}\n{ROW}\n")).unwrap();
        })),
        scene(24, "a file that shrinks", |cluster, client| changes(cluster, client, |path| {
            fs::File::options().write(true).open(path).unwrap().set_len(70).unwrap();
        })),
        scene(24, "a file that is rewritten in its size", |cluster, client| changes(cluster, client, |path| {
            fs::write(path, format!("{HEADER}{}\n", ROW.replace('x', "y"))).unwrap();
        })),
        scene(24, "a file that is replaced", |cluster, client| changes(cluster, client, |path| {
            let other = path.replace("changing", "other");
            fs::write(&other, format!("{HEADER}{ROW}\n")).unwrap();
            fs::rename(other, path).unwrap();
        })),
    ]);
    cases
}

#[rustfmt::skip]
fn not_regular() -> Vec<Case> {
    vec![
        made(21, "directory", |cluster| {
            let path = cluster.path("directory.csv");
            fs::create_dir(&path).unwrap();
            path
        }).refuses("42809", "is a directory", "a regular file"),
        made(21, "pipe", |cluster| {
            let path = cluster.path("pipe.csv");
            let name = CString::new(path.as_str()).unwrap();
            // SAFETY: the name is a C string.
            assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o666) }, 0);
            path
        }).refuses("42809", "is a named pipe", "a regular file"),
        made(21, "socket", |cluster| {
            let path = cluster.path("socket.csv");
            UnixListener::bind(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
            path
        }).refuses("42809", "is a socket", "a regular file"),
        made(21, "endless device", |_| "/dev/zero".into()).refuses("42809", "is a device", "a regular file"),
        made(21, "no device", |_| "/dev/null".into()).refuses("42809", "is a device", "a regular file"),
        // The system calls it a regular file, of no bytes: it is read, and is no CSV.
        made(21, "what the system makes up", |_| "/proc/version".into())
            .refuses("42703", "are missing", "with the columns"),
    ]
}

fn plain(cluster: &Cluster) -> String {
    cluster.file("plain.csv", format!("{HEADER}{ROW}\n"))
}

/// The path of the usual file, said in another way.
fn again(cluster: &Cluster, other: fn(&Path) -> String) -> String {
    other(Path::new(&plain(cluster)))
}

#[rustfmt::skip]
fn names() -> Vec<Case> {
    // Who may load files may load any (pg_read_server_files): no directory limits them.
    let loads = |name, make| made(22, name, make).loads([1, 1, 0, 0]).stores(&[STORED]);
    vec![
        loads("symbolic link", |cluster| {
            let link = cluster.path("link.csv");
            symlink(plain(cluster), &link).unwrap();
            link
        }),
        loads("hard link", |cluster| {
            let link = cluster.path("hard.csv");
            fs::hard_link(plain(cluster), &link).unwrap();
            link
        }),
        loads("..", |cluster| again(cluster, |path| {
            format!("{}/data/../plain.csv", path.parent().unwrap().display())
        })),
        loads("//", |cluster| again(cluster, |path| {
            format!("/{}//plain.csv", path.parent().unwrap().display())
        })),
        made(22, "symbolic link to itself", |cluster| {
            let link = cluster.path("loop.csv");
            symlink(&link, &link).unwrap();
            link
        }).refuses("58030", "Too many levels of symbolic links", "a path of the server"),
        made(22, "codes and a forged line, missing", |cluster| cluster.path("\x1b[2J\nFORGED: x.csv"))
            .refuses("58P01", "\\x1b[2J\\nFORGED: x.csv\": No such file", "a path of the server"),
        scene(22, "5000 characters", paths_that_are_too_long),
        scene(22, "newline in the name", newline_in_the_name),
        scene(22, "NUL, and no UTF-8, in the name", names_that_are_no_text),
    ]
}

/// They are refused before anything is done with them: the ledger does not keep them.
fn paths_that_are_too_long(cluster: &Cluster, client: &mut Client) {
    for path in [cluster.path(&"n".repeat(5000)), cluster.path(&"name/".repeat(1000))] {
        let error = client.query("SELECT trips.ingest($1)", &[&path]).unwrap_err();
        let error = error.as_db_error().expect("an error of the server");
        assert_eq!((error.code().code(), error.message()), ("22023", "path is too long"));
        assert!(error.hint().is_some_and(|hint| hint.contains("Use a shorter value")), "{error:?}");
    }
    let query = "SELECT count(*) FROM trips.loads";
    assert_eq!(client.query_one(query, &[]).unwrap().get::<_, i64>(0), 0);
}

/// It is a name like others; the ledger has it as it is, and messages show it escaped.
fn newline_in_the_name(cluster: &Cluster, client: &mut Client) {
    let path = cluster.file("a\nFORGED: \x1b[2J.csv", format!("{HEADER}{ROW}\nbad\n"));
    let error = client.query_one("SELECT trips.ingest($1, 'abort')", &[&path]).unwrap_err();
    let (code, message, _) = server_error(&error);
    assert!(
        code == "22P04"
            && message.starts_with("could not load file")
            && message.contains("/a\\nFORGED: \\x1b[2J.csv\""),
        "{message}"
    );
    assert_eq!(cluster.ingest(client, &path).rows, [2, 1, 0, 1]);
    let source: String = client
        .query_one("SELECT source FROM trips.loads WHERE state = 'loaded'", &[])
        .unwrap()
        .get(0);
    assert_eq!(source, path);
}

/// A path is a text of SQL, which PostgreSQL itself keeps clean: such a file needs another name.
fn names_that_are_no_text(cluster: &Cluster, client: &mut Client) {
    let path = cluster.path("a\0b.csv");
    let error = client.query_one("SELECT trips.ingest($1)", &[&path]).unwrap_err();
    assert_eq!(server_error(&error).0, "22021");
    let error = client.query_one("SELECT trips.ingest(E'/tmp/\\xff.csv')", &[]).unwrap_err();
    assert_eq!(server_error(&error).0, "22021");
}

/// A stale handle of NFS and a disk that fails come the same way as the one error of reading that can
/// be had everywhere: the memory of a process, which cannot be read at its beginning.
#[rustfmt::skip]
fn broken() -> Vec<Case> {
    vec![
        made(23, "missing", |cluster| cluster.path("missing.csv"))
            .refuses("58P01", "could not open file", "a path of the server"),
        made(23, "in a missing directory", |cluster| cluster.path("no/such.csv"))
            .refuses("58P01", "could not open file", "a path of the server"),
        made(23, "a file for a directory", |cluster| format!("{}/x.csv", plain(cluster)))
            .refuses("58P01", "Not a directory", "a path of the server"),
        made(23, "unreadable", |cluster| {
            let path = plain(cluster);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
            path
        }).refuses("42501", "Permission denied", "read permission"),
        made(23, "an error while it is read", |_| "/proc/self/mem".into())
            .refuses("58030", "could not read file \"/proc/self/mem\": Input/output error", "again"),
    ]
}

/// The file changes between its opening and its end: while its load waits for another one.
fn changes(cluster: &Cluster, client: &mut Client, change: fn(&str)) {
    let path = cluster.file("changing.csv", format!("{HEADER}{ROW}\n"));
    let other = cluster.file("first.csv", format!("{HEADER}{}", trip_line("first", 1)));
    let mut first = cluster.client();
    let mut transaction = first.transaction().unwrap();
    transaction.query_one("SELECT trips.ingest($1)", &[&other]).unwrap();
    let error = std::thread::scope(|scope| {
        let load = scope.spawn(|| cluster.client().query_one("SELECT trips.ingest($1)", &[&path]));
        let waits = "SELECT count(*) FROM trips.load_progress WHERE phase = 'waiting'";
        eventually(client, waits, 1);
        // Not in the tick of the clock in which it was written.
        std::thread::sleep(Duration::from_millis(20));
        change(&path);
        transaction.commit().unwrap();
        load.join().unwrap().expect_err("the file has changed")
    });
    let (code, message, hint) = server_error(&error);
    assert!(code == "55006" && message.contains("changing.csv\" changed"), "{code} {message}");
    assert!(hint.contains("after its writer has finished"), "{hint}");
    let left: i64 = client
        .query_one("SELECT count(*) FROM trips.hist_trip_data WHERE region <> 'first'", &[])
        .unwrap()
        .get(0);
    assert_eq!(left, 0);
}
