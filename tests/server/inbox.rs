//! `CALL trips.ingest_new`: every file of an inbox that is new, each in a transaction of its own.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use postgres::Client;
use trips_tests::{
    Cluster, Database, FIVE_COLUMNS, eventually, rows_as_csv, server_error, text_of, trip_line,
    until,
};

fn call(client: &mut Client, pattern: &str) -> [i64; 3] {
    let row = client.query_one(&format!("CALL trips.ingest_new('{pattern}')"), &[]).unwrap();
    [0, 1, 2].map(|i| row.get(i))
}

/// Whether a process has the file open.
fn is_open(path: &str) -> bool {
    let entries = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten();
    entries("/proc".into()).any(|process| {
        entries(process.path().join("fd"))
            .any(|file| fs::read_link(file.path()).is_ok_and(|target| target == Path::new(path)))
    })
}

fn one(region: &str, n: u32) -> String {
    format!("{FIVE_COLUMNS}{}", trip_line(region, n))
}

fn loads(client: &mut Client) -> Vec<(String, String)> {
    let query = "SELECT regexp_replace(source, '.*/', ''), state FROM trips.loads ORDER BY load_id";
    client.query(query, &[]).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn inbox(database: &Database) -> String {
    let inbox = database.path("inbox");
    fs::create_dir(&inbox).unwrap();
    fs::set_permissions(&inbox, fs::Permissions::from_mode(0o755)).unwrap();
    inbox
}

#[test]
fn every_new_file_once_in_the_order_of_names() {
    let database = Database::on_shared();
    let mut client = database.client();
    let inbox = inbox(&database);
    let pattern = format!("{inbox}/*.csv");
    assert_eq!(call(&mut client, &pattern), [0, 0, 0]);
    for name in ["b", "a", "c"] {
        database.file(&format!("inbox/{name}.csv"), one(name, 1));
    }
    database.file("inbox/copy.csv", one("a", 1));
    database.file("inbox/.hidden.csv", one("h", 1));
    database.file("inbox/other.txt", one("o", 1));
    database.file("inbox/bad.csv", "region\nx\n");
    fs::create_dir(format!("{inbox}/directory.csv")).unwrap();
    assert_eq!(call(&mut client, &pattern), [3, 1, 1]);
    let expected = [
        ("a.csv", "loaded"),
        ("b.csv", "loaded"),
        ("bad.csv", "failed"),
        ("c.csv", "loaded"),
        ("copy.csv", "skipped"),
    ];
    let owned = |(name, state): &(&str, &str)| ((*name).to_owned(), (*state).to_owned());
    assert_eq!(loads(&mut client), expected.iter().map(owned).collect::<Vec<_>>());
    // Nothing is new: nothing is read, nothing is entered.
    assert_eq!(call(&mut client, &pattern), [0, 0, 0]);
    assert_eq!(loads(&mut client).len(), 5);
    // What has changed is new, whether it was loaded, known or refused.
    database.file("inbox/a.csv", one("a", 2));
    database.file("inbox/bad.csv", one("bad", 1));
    assert_eq!(call(&mut client, &pattern), [2, 0, 0]);
    // The same bytes, written again: read, and known.
    fs::copy(format!("{inbox}/b.csv"), format!("{inbox}/.tmp")).unwrap();
    fs::rename(format!("{inbox}/.tmp"), format!("{inbox}/b.csv")).unwrap();
    assert_eq!(call(&mut client, &pattern), [0, 1, 0]);
    assert_eq!(call(&mut client, &pattern), [0, 0, 0]);
}

/// A failure that may pass is tried again although the file is the same.
#[test]
fn passing_failures_are_tried_again() {
    let database = Database::on_shared();
    let (mut client, mut holder) = (database.client(), database.client());
    let inbox = inbox(&database);
    let pattern = format!("{inbox}/*.csv");
    database.file("inbox/a.csv", one("a", 1));
    database.file("inbox/b.csv", one("b", 1));
    let other = database.file("other.csv", one("o", 1));
    let mut held = holder.transaction().unwrap();
    held.query_one("SELECT trips.ingest($1)", &[&other]).unwrap();
    client.batch_execute("SET lock_timeout = '50ms'").unwrap();
    assert_eq!(call(&mut client, &pattern), [0, 0, 2]);
    held.rollback().unwrap();
    let codes = "SELECT DISTINCT error_code FROM trips.loads WHERE source LIKE '%/inbox/%'";
    assert_eq!(client.query_one(codes, &[]).unwrap().get::<_, &str>(0), "55P03");
    assert_eq!(call(&mut client, &pattern), [2, 0, 0]);
}

/// Each file has its own transaction: what is in stays in when the call is cancelled, and a second call
/// that finds the first at work returns at once.
#[test]
fn runs_do_not_overlap() {
    let database = Database::on_shared();
    let (mut client, mut holder) = (database.client(), database.client());
    let inbox = inbox(&database);
    let pattern = format!("{inbox}/*.csv");
    database.file("inbox/a.csv", one("a", 1));
    database.file("inbox/b.csv", rows_as_csv(1000, 1));
    // Files of this name let the second load wait: a trigger of the user's.
    client
        .batch_execute(
            "CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               PERFORM pg_advisory_xact_lock(1); RETURN NULL; END $$;
             CREATE TRIGGER wait AFTER INSERT ON trips.loads FOR EACH ROW
               WHEN (NEW.source LIKE '%b.csv') EXECUTE FUNCTION public.wait()",
        )
        .unwrap();
    holder.batch_execute("SELECT pg_advisory_lock(1)").unwrap();
    let mut runner = database.client();
    let pid: i32 = runner.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let call_of = pattern.clone();
    let run = std::thread::spawn(move || {
        runner.query_one(&format!("CALL trips.ingest_new('{call_of}')"), &[]).map(drop).unwrap_err()
    });
    let waits = format!("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = {pid}");
    eventually(&mut client, &waits, 1);
    // It does not wait for the first one: that waits still.
    assert_eq!(call(&mut client, &pattern), [0, 0, 0]);
    assert_eq!(text_of(&mut client, &waits), "1");
    client.query_one("SELECT pg_cancel_backend($1)", &[&pid]).unwrap();
    holder.batch_execute("SELECT pg_advisory_unlock(1)").unwrap();
    assert_eq!(server_error(&run.join().unwrap()).0, "57014");
    client.batch_execute("DROP TRIGGER wait ON trips.loads").unwrap();
    assert_eq!(call(&mut client, &pattern), [1, 0, 0]);
    let rows: i64 =
        client.query_one("SELECT count(*) FROM trips.hist_trip_data", &[]).unwrap().get(0);
    assert_eq!(rows, 1001);
}

/// Patterns in directories; what may not be: relative ones, bad ones, and ones in a transaction.
#[test]
fn patterns() {
    let database = Database::on_shared();
    let mut client = database.client();
    let inbox = inbox(&database);
    for day in ["2018-05-01", "2018-05-02", "other"] {
        fs::create_dir(format!("{inbox}/{day}")).unwrap();
        database.file(&format!("inbox/{day}/x[1].csv"), one(day, 1));
    }
    assert_eq!(call(&mut client, &format!("{inbox}/2018-*/x[[]?].csv")), [2, 0, 0]);
    assert_eq!(call(&mut client, &format!("{inbox}/*/*")), [1, 0, 0]);
    for (pattern, code) in
        [("*.csv", "42602"), ("/a/***x", "22023"), ("/nowhere/at/all/*.csv", "58P01")]
    {
        let error = client.query_one(&format!("CALL trips.ingest_new('{pattern}')"), &[]);
        assert_eq!(server_error(&error.unwrap_err()).0, code, "{pattern}");
    }
    let mut transaction = client.transaction().unwrap();
    let error = transaction.query_one("CALL trips.ingest_new('/tmp/*.csv')", &[]).unwrap_err();
    assert_eq!(server_error(&error).0, "2D000");
}

/// Who may load from a directory only, lists nothing outside of it.
#[test]
fn a_plain_loader_sees_his_directory_only() {
    let cluster = Cluster::start();
    let mut admin = cluster.client();
    let inbox = inbox(&cluster);
    cluster.file("inbox/a.csv", one("a", 1));
    cluster.file("secret.csv", one("s", 1));
    std::os::unix::fs::symlink(cluster.path(""), format!("{inbox}/out")).unwrap();
    std::os::unix::fs::symlink(cluster.path("secret.csv"), format!("{inbox}/link.csv")).unwrap();
    admin
        .batch_execute(&format!(
            "CREATE ROLE etl LOGIN; SELECT trips.grant_loader('etl');
             ALTER DATABASE trips SET trips.data_directories = '{inbox}'"
        ))
        .unwrap();
    let mut etl = cluster.client_as("etl");
    assert_eq!(call(&mut etl, &format!("{inbox}/*.csv")), [1, 0, 0]);
    for outside in
        [cluster.path("*.csv"), format!("{inbox}/../*.csv"), format!("{inbox}/out/*.csv")]
    {
        let error = etl.query_one(&format!("CALL trips.ingest_new('{outside}')"), &[]).unwrap_err();
        assert_eq!(server_error(&error).0, "42501", "{outside}");
    }
    assert_eq!(loads(&mut admin).len(), 1);
}

/// Half a row would be a trip of its own.
#[test]
fn a_file_that_is_still_open_is_left_for_the_next_run() {
    let database = Database::on_shared();
    let mut client = database.client();
    let inbox = inbox(&database);
    let pattern = format!("{inbox}/*.csv");
    database.file("inbox/b.csv", one("b", 1));
    let path = database.file("inbox/a.csv", "");
    // The kernel gives this only to the owner of a file.
    database.give_to_server(&path);
    let text = one("a", 1);
    let (half, rest) = text.split_at(text.len() - 4);
    let mut file = File::options().append(true).open(&path).unwrap();
    file.write_all(half.as_bytes()).unwrap();
    file.sync_all().unwrap();
    assert_eq!(call(&mut client, &pattern), [1, 0, 0]);
    file.write_all(rest.as_bytes()).unwrap();
    drop(file);
    // A process that another test is starting may have a copy of the descriptor for a moment.
    until("the file is closed", || (!is_open(&path)).then_some(()));
    assert_eq!(call(&mut client, &pattern), [1, 0, 0]);
    let expected = [("b.csv", "loaded"), ("a.csv", "loaded")];
    assert_eq!(loads(&mut client), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
}

/// What failed because of one caller's arguments or settings is no failure of the file.
#[test]
fn failures_of_other_options_are_not_final() {
    let database = Database::on_shared();
    let (mut client, mut other) = (database.client(), database.client());
    let inbox = inbox(&database);
    let pattern = format!("{inbox}/*.csv");
    for name in ["a", "b", "c", "d", "e"] {
        database.file(&format!("inbox/{name}.csv"), format!("{}bad\n", one(name, 1)));
    }
    database.file("inbox/f.csv", "no header");
    for statement in [
        format!("SELECT trips.ingest('{inbox}/a.csv', 'abort')"),
        format!("SELECT trips.ingest('{inbox}/b.csv', max_errors => 0)"),
        format!("SET trips.max_errors = 0; SELECT trips.ingest('{inbox}/c.csv')"),
        format!("RESET trips.max_errors; SELECT trips.ingest('{inbox}/f.csv')"),
    ] {
        other.batch_execute(&statement).unwrap_err();
    }
    other.batch_execute("SET trips.latest_date = '1970-01-02'").unwrap();
    let row =
        other.query_one("SELECT * FROM trips.ingest($1)", &[&format!("{inbox}/d.csv")]).unwrap();
    assert_eq!(trips_tests::Load::from_row(&row).rows, [2, 0, 0, 2]);
    other.batch_execute("RESET trips.latest_date").unwrap();
    // d.csv is known; f.csv has failed under the same options; e.csv is new.
    assert_eq!(call(&mut client, &pattern), [4, 1, 0]);
    assert_eq!(call(&mut client, &pattern), [0, 0, 0]);
    // The rows of d.csv wait, and are there when somebody takes them.
    client.batch_execute("SELECT trips.merge_staged()").unwrap();
    let regions = "SELECT string_agg(region, '' ORDER BY region) FROM trips.hist_trip_data";
    assert_eq!(client.query_one(regions, &[]).unwrap().get::<_, String>(0), "abcde");
    // Under rules that refuse a line, a failure of the run is final for such runs.
    database.file("inbox/g.csv", format!("{}bad\n", one("g", 1)));
    client.batch_execute("SET trips.max_errors = 0").unwrap();
    assert_eq!(call(&mut client, &pattern)[2], 2, "f.csv and g.csv");
    assert_eq!(call(&mut client, &pattern), [0, 0, 0]);
    let options: String = client
        .query_one("SELECT options->>'on_error' FROM trips.loads WHERE source LIKE '%/a.csv' AND state = 'failed'", &[])
        .unwrap()
        .get(0);
    assert_eq!(options, "abort");
}

/// One directory that cannot be read costs no file of the others.
#[test]
fn unreadable_directories_are_passed_over() {
    let cluster = Cluster::start();
    let mut admin = cluster.client();
    let inbox = inbox(&cluster);
    for name in ["a", "b", "z"] {
        fs::create_dir(format!("{inbox}/{name}")).unwrap();
        cluster.file(&format!("inbox/{name}/x.csv"), one(name, 1));
    }
    fs::set_permissions(format!("{inbox}/b"), fs::Permissions::from_mode(0o000)).unwrap();
    std::os::unix::fs::symlink("loop", format!("{inbox}/loop")).unwrap();
    fs::create_dir(cluster.path("outside")).unwrap();
    std::os::unix::fs::symlink(cluster.path("outside"), format!("{inbox}/out")).unwrap();
    admin
        .batch_execute(&format!(
            "CREATE ROLE etl LOGIN; SELECT trips.grant_loader('etl');
             ALTER DATABASE trips SET trips.data_directories = '{inbox}'"
        ))
        .unwrap();
    let notices = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let received = notices.clone();
    let mut config = cluster.config();
    config
        .user("etl")
        .notice_callback(move |notice| received.lock().unwrap().push(notice.message().to_owned()));
    let mut etl = config.connect(postgres::NoTls).unwrap();
    assert_eq!(call(&mut etl, &format!("{inbox}/*/*.csv")), [2, 0, 0]);
    let notices = notices.lock().unwrap().join("; ");
    for name in ["b", "loop", "out"] {
        assert!(notices.contains(&format!("/{name}\"")), "{name}: {notices}");
    }
    // A part of the pattern that is no guess must be there, and readable.
    let named = format!("CALL trips.ingest_new('{inbox}/b/*.csv')");
    assert_eq!(server_error(&etl.query_one(&named, &[]).unwrap_err()).0, "42501");
    assert_eq!(call(&mut admin, &format!("{inbox}/*/*.csv")), [0, 0, 0]);
}
