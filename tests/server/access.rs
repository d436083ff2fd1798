//! Which files a role may load that is no member of pg_read_server_files: those below
//! trips.data_directories, and nothing else, whatever links and names somebody makes.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use postgres::Client;
use trips_tests::{Cluster, Database, FIVE_COLUMNS, Load, server_error, trip_line};

/// A cluster with an inbox that may be loaded from, a file beside it that may not, and the role `etl`.
fn with_inbox() -> (Cluster, Client) {
    let cluster = Cluster::start();
    for directory in ["inbox", "inbox/deep", "inboxer"] {
        let path = cluster.path(directory);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut admin = cluster.client();
    let inbox = cluster.path("inbox");
    admin
        .batch_execute(&format!(
            "CREATE ROLE etl LOGIN; SELECT trips.grant_loader('etl');
             ALTER DATABASE trips SET trips.data_directories = '/nowhere, {inbox}'"
        ))
        .unwrap();
    let etl = cluster.client_as("etl");
    (cluster, etl)
}

fn good(database: &Database, name: &str, second: u32) -> String {
    database.file(name, format!("{FIVE_COLUMNS}{}", trip_line("A", second)))
}

fn refused(client: &mut Client, path: &str) -> (String, String) {
    let error = client.query_one("SELECT trips.ingest($1)", &[&path]).expect_err(path);
    let (code, message, _) = server_error(&error);
    (code, message)
}

#[test]
fn below_the_directories() {
    let (cluster, mut etl) = with_inbox();
    for (name, second) in [("inbox/a.csv", 1), ("inbox/deep/b.csv", 2)] {
        let path = good(&cluster, name, second);
        assert_eq!(cluster.ingest(&mut etl, &path).rows, [1, 1, 0, 0]);
    }
    // A link that stays inside is followed.
    symlink("deep/b.csv", cluster.path("inbox/link.csv")).unwrap();
    assert_eq!(cluster.ingest(&mut etl, &cluster.path("inbox/link.csv")).state, "skipped");
    let staged = good(&cluster, "inbox/staged.csv", 3);
    let row = etl.query_one("SELECT * FROM trips.stage($1)", &[&staged]).unwrap();
    assert_eq!(Load::from_row(&row).rows, [1, 0, 0, 1]);
}

#[test]
fn no_way_out() {
    let (cluster, mut etl) = with_inbox();
    let outside = good(&cluster, "outside.csv", 1);
    let beside = good(&cluster, "inboxer/a.csv", 1);
    symlink("../outside.csv", cluster.path("inbox/relative.csv")).unwrap();
    symlink(&outside, cluster.path("inbox/absolute.csv")).unwrap();
    symlink("..", cluster.path("inbox/up")).unwrap();
    symlink("/proc/self/root", cluster.path("inbox/magic")).unwrap();
    for path in [
        outside.clone(),
        beside,
        cluster.path("inbox"),
        cluster.path("inbox/"),
        cluster.path("inbox/../outside.csv"),
        cluster.path("inbox/deep/../../outside.csv"),
        cluster.path("inbox/relative.csv"),
        cluster.path("inbox/absolute.csv"),
        cluster.path("inbox/up/outside.csv"),
        format!("{}{outside}", cluster.path("inbox/magic")),
        "/etc/passwd".to_owned(),
        "/nowhere-else/x.csv".to_owned(),
    ] {
        let (code, message) = refused(&mut etl, &path);
        assert_eq!(code, "42501", "{path}: {message}");
    }
    // Only for files inside does the error say whether the file exists.
    assert_eq!(refused(&mut etl, &cluster.path("inbox/missing.csv")).0, "58P01");
    assert_eq!(refused(&mut etl, &cluster.path("missing.csv")).0, "42501");
    assert_eq!(refused(&mut etl, &cluster.path("inbox/deep")).0, "42809");
    let loaded: i64 = cluster
        .client()
        .query_one("SELECT count(*) FROM trips.hist_trip_data", &[])
        .unwrap()
        .get(0);
    assert_eq!(loaded, 0);
}

/// Somebody swaps a file for a link to a secret, again and again, while loads open it.
#[test]
fn a_swap_between_check_and_open() {
    let (cluster, mut etl) = with_inbox();
    let secret = cluster.file("secret.csv", format!("{FIVE_COLUMNS}{}", trip_line("SECRET", 7)));
    let path = cluster.path("inbox/swapped.csv");
    let good = good(&cluster, "inbox/good.csv", 1);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let next = cluster.path("inbox/next");
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                symlink(&secret, &next).unwrap();
                fs::rename(&next, &path).unwrap();
                fs::hard_link(&good, &next).unwrap();
                fs::rename(&next, &path).unwrap();
                let _ = fs::remove_file(&next);
            }
        });
        for _ in 0..200 {
            let _ = etl.query_one("SELECT trips.ingest($1)", &[&path]);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let seen = "SELECT count(*) FROM trips.hist_trip_data WHERE region = 'SECRET'";
    assert_eq!(cluster.client().query_one(seen, &[]).unwrap().get::<_, i64>(0), 0);
}

/// Not even a superuser loads the server's own files.
#[test]
fn the_servers_own_files() {
    let cluster = Cluster::start();
    let mut admin = cluster.client();
    for name in ["data/postgresql.conf", "data/PG_VERSION", "data/base/../pg_hba.conf"] {
        let (code, message) = refused(&mut admin, &cluster.path(name));
        assert_eq!(code, "42501", "{message}");
        assert!(message.contains("belongs to the data of this server"), "{message}");
    }
    symlink(cluster.path("data/pg_hba.conf"), cluster.path("link.csv")).unwrap();
    assert_eq!(refused(&mut admin, &cluster.path("link.csv")).0, "42501");
}

/// They are the server's, too, where they lie outside of its data directory.
#[test]
fn the_servers_own_files_elsewhere() {
    let mut cluster = Cluster::start();
    let [wal, etc, log, space] = ["wal", "etc", "logs", "space"].map(|name| cluster.path(name));
    let owner = std::fs::metadata(cluster.path("data")).unwrap();
    for directory in [&etc, &log, &space] {
        std::fs::create_dir(directory).unwrap();
        std::os::unix::fs::chown(directory, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    cluster.client().batch_execute(&format!("CREATE TABLESPACE space LOCATION '{space}'")).unwrap();
    cluster.restart(|cluster| {
        // As initdb --waldir makes it, and as Debian places configurations.
        std::fs::rename(cluster.path("data/pg_wal"), &wal).unwrap();
        symlink(&wal, cluster.path("data/pg_wal")).unwrap();
        for name in ["pg_hba.conf", "pg_ident.conf"] {
            std::fs::rename(cluster.path(&format!("data/{name}")), format!("{etc}/{name}")).unwrap();
        }
        cluster.configure(&format!(
            "hba_file = '{etc}/pg_hba.conf'\nident_file = '{etc}/pg_ident.conf'\nlog_directory = '{log}'
             ssl_key_file = '{}'",
            cluster.path("server.pem")
        ));
    });
    let mut admin = cluster.client();
    admin.batch_execute("CREATE TABLE public.t TABLESPACE space AS SELECT 1").unwrap();
    let table: String =
        admin.query_one("SELECT pg_relation_filepath('public.t')", &[]).unwrap().get(0);
    let segment: String =
        admin.query_one("SELECT name FROM pg_ls_waldir() ORDER BY 1 LIMIT 1", &[]).unwrap().get(0);
    let others = ["etc/users.conf", "logs/postgresql.csv", "server.pem"];
    let mut paths: Vec<String> = others.map(|name| cluster.file(name, "a")).into();
    paths.push(format!("{etc}/pg_hba.conf"));
    paths.push(format!("{wal}/{segment}"));
    paths.push(cluster.path(&format!("data/{table}")));
    for path in paths {
        let (code, message) = refused(&mut admin, &path);
        assert_eq!(code, "42501", "{message}");
        assert!(message.contains("belongs to the data of this server"), "{message}");
    }
    let path = good(&cluster, "PG_notes_1.csv", 1);
    cluster.ingest(&mut admin, &path);
}

/// A role that may load, but may not read all files of the server, gets errors without text of the file.
#[test]
fn errors_do_not_show_text_of_a_file() {
    let (cluster, mut etl) = with_inbox();
    let bad = format!("{FIVE_COLUMNS}A,POINT (sesame 2),,2018-05-01 00:00:00,x\n");
    let bad = cluster.file("inbox/bad.csv", bad);
    let header = cluster.file("inbox/header.csv", "sesame,open\n1,2\n");
    for query in [
        format!("SELECT trips.ingest('{bad}', 'abort')"),
        format!("SELECT trips.ingest('{bad}', max_errors => 0)"),
        format!("SELECT trips.ingest('{header}')"),
    ] {
        let error = etl.query_one(&query, &[]).unwrap_err();
        let error = format!("{:?}", error.as_db_error().unwrap());
        assert!(!error.contains("sesame"), "{error}");
        // A member gets the text.
        let error = cluster.client().query_one(&query, &[]).unwrap_err();
        assert!(format!("{:?}", error.as_db_error().unwrap()).contains("sesame"));
    }
    // With on_error => 'stage', the line is in staging, which a loader cannot read.
    assert_eq!(cluster.ingest(&mut etl, &bad).rows, [1, 0, 0, 1]);
    let error = etl.query("SELECT raw_line FROM trips.stg_trip_data", &[]).unwrap_err();
    assert_eq!(server_error(&error).0, "42501");
    let ledger =
        etl.query("SELECT coalesce(error, '') FROM trips.loads WHERE requested_by = 'etl'", &[]);
    let ledger: Vec<String> = ledger.unwrap().iter().map(|row| row.get(0)).collect();
    assert!(ledger.iter().all(|error| !error.contains("sesame")), "{ledger:?}");
}

#[test]
fn what_is_granted() {
    let cluster = Cluster::start();
    let path = cluster.file("a.csv", format!("{FIVE_COLUMNS}{}bad\n", trip_line("A", 1)));
    let mut admin = cluster.client();
    cluster.ingest(&mut admin, &path);
    admin
        .batch_execute(
            "CREATE ROLE \"some body\" LOGIN; CREATE ROLE analyst LOGIN;
             SELECT trips.grant_loader('\"some body\"'); SELECT trips.grant_reader('analyst')",
        )
        .unwrap();
    let code = |client: &mut Client, query: &str| {
        client.query(query, &[]).map_or_else(|error| server_error(&error).0, |_| "ok".to_owned())
    };
    let mut loader = cluster.client_as("some body");
    let mut analyst = cluster.client_as("analyst");
    for (query, of_loader, of_reader) in [
        ("SELECT * FROM trips.hist_trip_data", "42501", "ok"),
        ("SELECT * FROM trips.stg_trip_data", "42501", "42501"),
        ("SELECT * FROM trips.loads", "ok", "ok"),
        ("SELECT * FROM trips.load_progress", "ok", "ok"),
        ("SELECT * FROM trips.weekly_avg()", "42501", "ok"),
        ("SELECT * FROM trips.latest_datasource()", "42501", "ok"),
        ("SELECT trips.merge_staged()", "ok", "42501"),
        ("SELECT trips.retry_staged(99)", "42704", "42501"),
        ("SELECT trips.explain_staged(99)", "42704", "42501"),
        ("SELECT trips.ingest('/nowhere.csv')", "42501", "42501"),
        ("INSERT INTO trips.stg_trip_data (region) VALUES ('x')", "ok", "42501"),
        ("INSERT INTO trips.stg_trip_data (load_id) VALUES (1)", "42501", "42501"),
        ("DELETE FROM trips.loads", "42501", "42501"),
        ("SELECT trips.grant_reader('analyst')", "42501", "42501"),
    ] {
        assert_eq!(code(&mut loader, query), of_loader, "loader: {query}");
        assert_eq!(code(&mut analyst, query), of_reader, "reader: {query}");
    }
}
