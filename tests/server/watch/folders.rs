//! Which folder is watched, for which database; names of all kinds.

use std::fs;
use std::time::Duration;

use postgres::Client;
use trips_testkit::containers::pack;
use trips_testkit::containers::zip::{Entry, Zip};
use trips_tests::{Cluster, eventually, server_error, until};

use super::{land, loads_of, make_inbox, one, rows, start, start_in, wait_for_rows, watcher};

/// The folder that the path names is watched, not the one that it named.
#[test]
fn a_parent_is_renamed_and_made_anew() {
    let (cluster, inbox) = start_in("parent/inbox", "");
    let make = || {
        make_inbox(&cluster.path("parent"));
        make_inbox(&inbox);
    };
    make();
    let mut client = cluster.client();
    land(&cluster, "parent/inbox/a.csv", one("a", 1));
    wait_for_rows(&mut client, 1);
    fs::rename(cluster.path("parent"), cluster.path("gone")).unwrap();
    make();
    land(&cluster, "parent/inbox/b.csv", one("b", 1));
    wait_for_rows(&mut client, 2);
    cluster.file("parent/inbox/c.csv", one("c", 1));
    wait_for_rows(&mut client, 3);
    // What lands in the old one is not ours.
    cluster.file("gone/inbox/d.csv", one("d", 1));
    cluster.file("parent/inbox/e.csv", one("e", 1));
    wait_for_rows(&mut client, 4);
    assert_eq!(loads_of(&mut client, "d.csv"), 0);
}

/// Packed files land, and are loaded once they are whole; a damaged one is a failed load.
#[test]
fn packed_files() {
    let (cluster, inbox) = start("trips.watch_pattern = '*'");
    make_inbox(&inbox);
    let mut client = cluster.client();
    land(&cluster, "inbox/a.csv.gz", pack::gzip(one("a", 1).as_bytes()));
    wait_for_rows(&mut client, 1);
    let archive = Zip::new(&[Entry::new("b.csv", one("b", 1)), Entry::new("c.csv", one("c", 1))]);
    land(&cluster, "inbox/b.zip", &archive.bytes);
    wait_for_rows(&mut client, 3);
    land(&cluster, "inbox/cut.zip", &archive.bytes[..archive.bytes.len() - 9]);
    let failed = "SELECT count(*), min(error_code) FROM trips.loads WHERE state = 'failed'";
    eventually(&mut client, failed, "1|22P04");
    assert_eq!(rows(&mut client), 3);
}

/// Files are known by their names, whatever is in them: at the start, and when they land.
#[test]
fn names() {
    let (mut cluster, inbox) = start_in("in[b]ox*", "");
    make_inbox(&inbox);
    let names = [
        "a b.csv",
        "it's.csv",
        "\"quoted\".csv",
        "two\nlines.csv",
        "Übergröße 東京 🚕.csv",
        "back\\slash, $1 %s.csv",
        "[a]*?.csv",
    ];
    for (i, name) in names.iter().enumerate() {
        land(&cluster, &format!("in[b]ox*/1 {name}"), one(&format!("start {i}"), 1));
    }
    let mut client = cluster.client();
    wait_for_rows(&mut client, 7);
    for (i, name) in names.iter().enumerate() {
        cluster.file(&format!("in[b]ox*/2 {name}"), one(&format!("land {i}"), 1));
    }
    wait_for_rows(&mut client, 14);
    drop(client);
    cluster.restart(|_| ());
    land(&cluster, "in[b]ox*/3.csv", one("last", 1));
    let mut client = cluster.client();
    wait_for_rows(&mut client, 15);
    let sources = "SELECT source FROM trips.loads";
    let mut sources: Vec<String> =
        client.query(sources, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    let path = |prefix: &str, name: &&str| format!("{inbox}/{prefix} {name}");
    let mut paths: Vec<String> = names.iter().map(|name| path("1", name)).collect();
    paths.extend(names.iter().map(|name| path("2", name)));
    paths.push(format!("{inbox}/3.csv"));
    sources.sort();
    paths.sort();
    assert_eq!(sources, paths);
}

/// A setting that cannot be meant is refused when it is set.
#[test]
fn wrong_settings_are_refused() {
    let configuration = "shared_preload_libraries = 'trips_pipeline'
        trips.watch_directory = 'relative/inbox'\ntrips.watch_pattern = '['";
    let cluster = Cluster::start_bare(configuration);
    let log = cluster.log();
    for text in [
        "invalid value for parameter \"trips.watch_directory\": \"relative/inbox\"",
        "The value must be an absolute path",
        "invalid value for parameter \"trips.watch_pattern\": \"[\"",
        "The value must be a pattern of file names",
    ] {
        assert!(log.contains(text), "{text}: {log}");
    }
    let mut client = cluster.client();
    for setting in [
        "watch_directory = 'inbox'",
        "watch_directory = '//'",
        "watch_pattern = 'x/*.csv'",
        "watch_pattern = 'a***'",
        "watch_interval = '10ms'",
    ] {
        let error = client.batch_execute(&format!("ALTER SYSTEM SET trips.{setting}")).unwrap_err();
        assert_eq!(server_error(&error).0, "22023", "{setting}");
    }
    client.batch_execute("ALTER SYSTEM SET trips.watch_directory = ''").unwrap();
    client.batch_execute("ALTER SYSTEM SET trips.watch_pattern = '*.[ct]sv'").unwrap();
}

/// A missing database is reported once, and the launcher waits for it; the same after DROP DATABASE.
#[test]
fn a_database_that_is_not_there() {
    let (mut cluster, inbox) = start("");
    make_inbox(&inbox);
    cluster.restart(|cluster| cluster.configure("trips.watch_database = 'late'"));
    land(&cluster, "inbox/a.csv", one("a", 1));
    let missing = "database \"late\" (trips.watch_database) does not exist";
    let reports = || cluster.log().matches(missing).count();
    until("nobody misses the database", || (reports() > 0).then_some(()));
    let mut admin = cluster.client();
    // Each reload lets the launcher look again.
    let look_again = |admin: &mut Client| {
        for _ in 0..5 {
            admin.query_one("SELECT pg_reload_conf()", &[]).unwrap();
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    look_again(&mut admin);
    assert_eq!(reports(), 1, "{}", cluster.log());
    for round in 1..=2 {
        admin.batch_execute("CREATE DATABASE late").unwrap();
        let mut client = cluster.client_of("late");
        client.batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
        wait_for_rows(&mut client, 1);
        drop(client);
        admin.batch_execute("DROP DATABASE late WITH (FORCE)").unwrap();
        // A starting worker may find the database dropped. No worker starts in a loop.
        until("nobody misses the database", || {
            admin.query_one("SELECT pg_reload_conf()", &[]).unwrap();
            (reports() > round).then_some(())
        });
        let refusals = || cluster.log().matches("FATAL:  database").count();
        let first = refusals();
        look_again(&mut admin);
        assert_eq!(refusals(), first, "{}", cluster.log());
        assert_eq!(reports(), 1 + round, "{}", cluster.log());
    }
}

/// Another database is set while the folder is watched: it has the files from then on.
#[test]
fn another_database_is_watched() {
    let (cluster, inbox) = start("");
    make_inbox(&inbox);
    let (mut first, mut admin) = (cluster.client(), cluster.client_of("postgres"));
    admin.batch_execute("CREATE DATABASE second").unwrap();
    let mut second = cluster.client_of("second");
    second.batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
    land(&cluster, "inbox/a.csv", one("a", 1));
    wait_for_rows(&mut first, 1);
    let before = watcher(&mut admin);
    admin.batch_execute("ALTER SYSTEM SET trips.watch_database = 'second'").unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").unwrap();
    // It is the folder's listing that the new database gets: what lies there is new to it.
    wait_for_rows(&mut second, 1);
    assert_ne!(watcher(&mut admin), before);
    land(&cluster, "inbox/b.csv", one("b", 2));
    wait_for_rows(&mut second, 2);
    assert_eq!(loads_of(&mut first, "b.csv"), 0);
}

/// Every function that loads, or takes text, refuses to.
fn require_refusals(latin: &mut postgres::Client, inbox: &str) {
    for call in [
        format!("SELECT trips.ingest('{inbox}/a.csv')"),
        format!("SELECT trips.stage('{inbox}/a.csv')"),
        format!("SELECT trips.submit('{inbox}/a.csv')"),
        "SELECT trips.ingest('/Z' || chr(252) || 'rich.csv')".to_owned(),
        "SELECT trips.submit('/a', chr(252))".to_owned(),
        "SELECT trips_internal.new_files('/' || chr(252))".to_owned(),
        "SELECT trips.create_upload(chr(252), decode(repeat('00', 32), 'hex'), 1, chr(252))"
            .to_owned(),
        "SELECT trips.merge_staged()".to_owned(),
        "SELECT trips.create_upload('a', decode(repeat('00', 32), 'hex'), 1, '')".to_owned(),
        "SELECT trips.upload_part(1, '')".to_owned(),
        "SELECT trips.abort_upload(1)".to_owned(),
        "SELECT trips.trip_key('a', NULL, NULL, '2018-05-01', NULL)".to_owned(),
        "SELECT trips.trip_key(convert_from('\\xfc', 'LATIN1'), NULL, NULL, '2018-05-01', NULL)"
            .to_owned(),
    ] {
        let (code, _, hint) = server_error(&latin.query(&call, &[]).expect_err(&call));
        assert!(code == "0A000" && hint.contains("UTF8"), "{call}: {code} {hint}");
    }
    for call in [
        "SELECT * FROM trips.weekly_counts(box '((0,0),(1,1))', NULL, NULL, chr(252))",
        "SELECT * FROM trips.similar_trips(match => chr(252))",
        "SELECT trips.h3_center(chr(252))",
    ] {
        let (code, ..) = server_error(&latin.query(call, &[]).expect_err(call));
        assert!(code == "22023" || code == "22P02", "{call}: {code}");
    }
}

/// Nothing is loaded into a database that is not encoded in UTF8: by no way.
#[test]
fn a_database_that_is_not_utf8() {
    let (mut cluster, inbox) = start("");
    make_inbox(&inbox);
    let mut admin = cluster.client_of("postgres");
    admin
        .batch_execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
        .unwrap();
    cluster.client_of("latin").batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
    land(&cluster, "inbox/a.csv", one("Z\u{fc}rich", 1));
    drop(admin);
    cluster.restart(|cluster| cluster.configure("trips.watch_database = 'latin'"));
    let refusal = "database encoding is not UTF8";
    let mut latin = cluster.client_of("latin");
    until("nobody refuses the database", || {
        assert_eq!(rows(&mut latin), 0);
        cluster.log().contains(refusal).then_some(())
    });
    // What is queued by hand fails, and says why.
    latin
        .batch_execute(&format!(
            "INSERT INTO trips.loads (load_id, source, state, requested_by, requested_at)
             VALUES (1, '{inbox}/a.csv', 'queued', 'postgres', now());
             INSERT INTO trips.queue (load_id, path, on_error, force, settings)
             VALUES (1, '{inbox}/a.csv', 'stage', false, '{{}}')"
        ))
        .unwrap();
    require_refusals(&mut latin, &inbox);
    cluster.restart(|_| ());
    let mut latin = cluster.client_of("latin");
    let query = "SELECT state, error_code FROM trips.loads WHERE load_id = 1";
    eventually(&mut latin, query, "failed|0A000");
    assert_eq!(rows(&mut latin), 0);
    // Each watcher says it once.
    let said = cluster.log().matches("inbox: database encoding is not UTF8").count();
    assert!((1..=2).contains(&said), "{}", cluster.log());
}
