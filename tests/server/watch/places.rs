//! Which folder is watched, for which database; names of all kinds.

use std::fs;
use std::time::Duration;

use trips_tests::{Cluster, server_error};

use super::{START, land, make_inbox, one, start, start_in, wait_for_rows};

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
    wait_for_rows(&cluster, &mut client, 1, START);
    fs::rename(cluster.path("parent"), cluster.path("gone")).unwrap();
    make();
    land(&cluster, "parent/inbox/b.csv", one("b", 1));
    wait_for_rows(&cluster, &mut client, 2, START);
    cluster.file("parent/inbox/c.csv", one("c", 1));
    wait_for_rows(&cluster, &mut client, 3, Duration::from_secs(2));
    // What lands in the old one is not ours.
    cluster.file("gone/inbox/d.csv", one("d", 1));
    std::thread::sleep(Duration::from_secs(2));
    wait_for_rows(&cluster, &mut client, 3, Duration::from_secs(2));
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
    wait_for_rows(&cluster, &mut client, 7, START);
    for (i, name) in names.iter().enumerate() {
        cluster.file(&format!("in[b]ox*/2 {name}"), one(&format!("land {i}"), 1));
    }
    wait_for_rows(&cluster, &mut client, 14, Duration::from_secs(5));
    drop(client);
    cluster.restart(|_| ());
    land(&cluster, "in[b]ox*/3.csv", one("last", 1));
    let mut client = cluster.client();
    wait_for_rows(&cluster, &mut client, 15, START);
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
        "It must be an absolute path",
        "invalid value for parameter \"trips.watch_pattern\": \"[\"",
        "It must be a pattern of names",
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

/// A database that is not there is told once, and waited for; one that was dropped, too.
#[test]
fn a_database_that_is_not_there() {
    let (mut cluster, inbox) = start("");
    make_inbox(&inbox);
    cluster.restart(|cluster| cluster.configure("trips.watch_database = 'late'"));
    land(&cluster, "inbox/a.csv", one("a", 1));
    let missing = "trips.watch_database \"late\" does not exist, or lets nobody in";
    std::thread::sleep(Duration::from_secs(8));
    assert_eq!(cluster.log().matches(missing).count(), 1, "{}", cluster.log());
    let mut admin = cluster.client();
    for round in 1..=2 {
        admin.batch_execute("CREATE DATABASE late").unwrap();
        let mut client = cluster.client_of("late");
        client.batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
        wait_for_rows(&cluster, &mut client, 1, START);
        drop(client);
        admin.batch_execute("DROP DATABASE late WITH (FORCE)").unwrap();
        std::thread::sleep(Duration::from_secs(8));
        assert_eq!(cluster.log().matches(missing).count(), 1 + round, "{}", cluster.log());
    }
    assert!(!cluster.log().contains("FATAL:  database"), "{}", cluster.log());
}
