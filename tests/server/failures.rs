//! What cannot be loaded: one clear error, its own SQLSTATE, the file named, a hint, nothing done.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use postgres::Client;
use trips_tests::{Cluster, Database, FIVE_COLUMNS, eventually, server_error, trip_line};

/// Loads the path, expects the error, and returns its message.
fn refused(client: &mut Client, path: &str, code: &str, words: &str) {
    let error = client.query_one("SELECT * FROM trips.ingest($1)", &[&path]).expect_err(path);
    let (found, message, hint) = server_error(&error);
    assert_eq!(found, code, "{message}");
    assert!(message.contains(words), "{message}");
    assert!(message.contains(path), "{message}");
    assert!(!hint.is_empty(), "{message}");
}

fn ledger(client: &mut Client) -> Vec<(String, String, String)> {
    let rows = client
        .query(
            "SELECT source, state, coalesce(error_code, '') FROM trips.loads ORDER BY load_id",
            &[],
        )
        .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

#[test]
fn what_is_not_a_readable_file() {
    let database = Database::on_shared();
    let mut client = database.client();
    let missing = database.path("missing.csv");
    refused(&mut client, &missing, "58P01", "could not open file");
    refused(&mut client, &database.path("no/such/directory.csv"), "58P01", "could not open file");

    let directory = database.path("directory.csv");
    fs::create_dir(&directory).unwrap();
    refused(&mut client, &directory, "42809", "is a directory");

    let pipe = database.path("pipe.csv");
    let name = CString::new(pipe.as_str()).unwrap();
    // SAFETY: the name is a C string.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o666) }, 0);
    refused(&mut client, &pipe, "42809", "is a named pipe");

    refused(&mut client, "/dev/zero", "42809", "is a device");

    let secret = database.file("secret.csv", FIVE_COLUMNS);
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    refused(&mut client, &secret, "42501", "could not open file");

    // All of them concern the file: the ledger remembers, with the code that the client saw.
    let failed = ledger(&mut client);
    let codes: Vec<&str> = failed.iter().map(|(_, _, code)| code.as_str()).collect();
    assert_eq!(codes, ["58P01", "58P01", "42809", "42809", "42809", "42501"]);
    assert!(failed.iter().all(|(_, state, _)| state == "failed"));
    assert_eq!(failed[0].0, missing);
}

#[test]
fn paths_and_arguments_that_make_no_sense() {
    let database = Database::on_shared();
    let mut client = database.client();
    refused(&mut client, "trips.csv", "42602", "is not absolute");
    refused(&mut client, "../trips.csv", "42602", "is not absolute");
    for (call, code) in [
        ("trips.ingest(NULL)", "22004"),
        ("trips.stage(NULL)", "22004"),
        ("trips.ingest('/x', NULL)", "22004"),
        ("trips.ingest('/x', 'ignore')", "22023"),
        ("trips.ingest('/x', max_errors => -1)", "22023"),
        ("trips.ingest('/x', force => NULL)", "22004"),
        ("trips.ingest('')", "42602"),
    ] {
        let error = client.query_one(&format!("SELECT {call}"), &[]).expect_err(call);
        assert_eq!(server_error(&error).0, code, "{call}");
    }
    assert_eq!(ledger(&mut client), [], "nothing was delivered");
}

/// A file's name and bytes, the SQLSTATE, and words of the message.
type BadHeader = (&'static str, &'static [u8], &'static str, &'static str);

#[rustfmt::skip]
const BAD_HEADERS: [BadHeader; 10] = [
    ("empty", b"", "22P04", "is empty"),
    ("byte order mark", b"\xef\xbb\xbf", "22P04", "is empty"),
    ("blank", b"\n \n\r\n", "22P04", "is empty"),
    ("utf-16", b"\xff\xfer\0e\0g\0", "22P04", "UTF-16"),
    ("missing", b"region,origin_coord,destination_coord,date_time\n", "42703", "column datasource is missing"),
    ("missing three", b"region,date_time\n", "42703", "columns origin_coord, destination_coord, datasource are missing"),
    ("twice", b"region,origin_coord,destination_coord,date_time,datasource,REGION\n", "42701", "columns 1 and 6"),
    ("both names", b"region,origin_coord,destination_coord,date_time,datasource,datetime\n", "42701", "date_time appears twice"),
    ("none", b"A,POINT (1 2),POINT (3 4),2018-05-01 00:00:00,x\n", "42703", "are missing"),
    ("quote", b"region,\"origin_coord\n", "22P04", "invalid header"),
];

#[test]
fn files_without_a_good_header() {
    let database = Database::on_shared();
    let mut client = database.client();
    for (name, bytes, code, words) in BAD_HEADERS {
        let path = database.file(name, bytes);
        refused(&mut client, &path, code, words);
    }
    for (name, separator, guess) in
        [("a", ';', "semicolons"), ("b", '\t', "tabs"), ("c", '|', "pipes")]
    {
        let path = database.file(name, FIVE_COLUMNS.replace(',', &separator.to_string()));
        let error = client.query_one("SELECT * FROM trips.ingest($1)", &[&path]).unwrap_err();
        let (code, _, hint) = server_error(&error);
        assert!(code == "42703" && hint.contains(guess), "{hint}");
    }
    for table in ["hist_trip_data", "stg_trip_data"] {
        let done: i64 =
            client.query_one(&format!("SELECT count(*) FROM trips.{table}"), &[]).unwrap().get(0);
        assert_eq!(done, 0);
    }
}

/// Names and values of the input cannot forge log lines or terminal codes, and are cut.
#[test]
fn input_in_messages_is_escaped() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let error = client
        .query_one("SELECT trips.ingest(E'/tmp/\\x1b[31mred\\nLOG:  forged')", &[])
        .unwrap_err();
    let (_, message, _) = server_error(&error);
    assert!(message.contains(r"/tmp/\x1b[31mred\nLOG:  forged"), "{message}");
    let file = format!("{FIVE_COLUMNS}A,,,\x1b[1m{},x\n", "9".repeat(5000));
    let path = cluster.file("long.csv", file);
    let error = client.query_one("SELECT trips.ingest($1, 'abort')", &[&path]).unwrap_err();
    let (_, message, _) = server_error(&error);
    assert!(message.contains(r"\x1b[1m999") && message.len() < 400, "{message}");
    assert!(!cluster.log().contains('\x1b'));
}

/// A worker cannot be had: the load fails with its own error all the same.
#[test]
fn a_failure_without_a_worker_slot() {
    let cluster = Cluster::start_bare("max_worker_processes = 0");
    let mut client = cluster.client();
    client.batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
    refused(&mut client, "/nowhere.csv", "58P01", "could not open file");
    assert_eq!(ledger(&mut client), []);
    let path = cluster.file("good.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    assert_eq!(cluster.ingest(&mut client, &path).rows, [1, 1, 0, 0]);
}

/// In the transaction that creates the extension, no worker can see the ledger yet.
#[test]
fn a_failure_in_the_transaction_that_creates_the_extension() {
    let cluster = Cluster::start_bare("");
    let mut client = cluster.client();
    let mut transaction = client.transaction().unwrap();
    transaction.batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
    let error = transaction.query_one("SELECT trips.ingest('/nowhere.csv')", &[]).unwrap_err();
    assert_eq!(server_error(&error).0, "58P01");
    transaction.rollback().unwrap();
}

/// A trigger that swallows rows would make the ledger lie: the load is refused.
#[test]
fn rows_that_a_trigger_suppresses_are_noticed() {
    let database = Database::on_shared();
    let mut client = database.client();
    client
        .batch_execute(
            "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
             CREATE TRIGGER swallow BEFORE INSERT ON trips.hist_trip_data FOR EACH ROW EXECUTE FUNCTION swallow()",
        )
        .unwrap();
    let path = database.file("good.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    let error = client.query_one("SELECT trips.ingest($1)", &[&path]).unwrap_err();
    let (code, message, _) = server_error(&error);
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("09000", "table trips.hist_trip_data accepted 0 of 1 row")
    );
}

/// The ledger cannot be written because the failing transaction has locked it: reported, not waited for,
/// and made good when the lock is gone.
#[test]
fn a_failure_that_the_worker_cannot_write() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let mut transaction = client.transaction().unwrap();
    transaction.batch_execute("LOCK TABLE trips.loads").unwrap();
    let error = transaction.query_one("SELECT trips.ingest('/nowhere.csv')", &[]).unwrap_err();
    assert_eq!(server_error(&error).0, "58P01");
    transaction.rollback().unwrap();
    assert!(
        cluster.log().contains("could not record the failed load in trips.loads yet"),
        "{}",
        cluster.log()
    );
    eventually(&mut client, "SELECT count(*) FROM trips.loads", 1);
    let expected = ("/nowhere.csv".to_owned(), "failed".to_owned(), "58P01".to_owned());
    assert_eq!(ledger(&mut client), [expected]);
}

/// The owner of the tables need not be allowed to log in.
#[test]
fn a_failure_is_entered_for_an_owner_without_login() {
    let cluster = Cluster::start_bare("");
    let mut client = cluster.client();
    client
        .batch_execute(
            "CREATE ROLE owner SUPERUSER NOLOGIN; SET ROLE owner; CREATE EXTENSION trips_pipeline; RESET ROLE",
        )
        .unwrap();
    refused(&mut client, "/nowhere.csv", "58P01", "could not open file");
    assert_eq!(ledger(&mut client).len(), 1);
}
