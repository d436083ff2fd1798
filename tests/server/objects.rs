//! Objects of stores: loads by address, patterns, what may be loaded, and servers that fail.

use std::time::{Duration, Instant};

use postgres::Client;
use trips_bucket::{Fault, OF_ANOTHER_HOST, OF_LOOPBACK, Server};
use trips_tests::{
    Cluster, FIVE_COLUMNS, eventually, rows_as_csv, server_error, takes_less_than, text_of,
    trip_line, until,
};

/// A server of objects, a cluster whose environment names it, and its superuser.
fn start() -> (Server, Cluster, Client) {
    start_with("")
}

fn start_with(configuration: &str) -> (Server, Cluster, Client) {
    let server = Server::start();
    let configuration = format!("trips.allowed_urls = 's3://trips/in'\n{configuration}");
    let cluster = Cluster::start_in(&configuration, &server.variables());
    let client = cluster.client();
    (server, cluster, client)
}

fn one(region: &str, second: u32) -> String {
    format!("{FIVE_COLUMNS}{}", trip_line(region, second))
}

fn call(client: &mut Client, pattern: &str) -> [i64; 3] {
    let row = client.query_one(&format!("CALL trips.ingest_new('{pattern}')"), &[]).unwrap();
    [0, 1, 2].map(|i| row.get(i))
}

fn refused(client: &mut Client, path: &str) -> (String, String) {
    let error = client.query_one("SELECT trips.ingest($1)", &[&path]).expect_err(path);
    let (code, message, _) = server_error(&error);
    (code, message)
}

fn trips(client: &mut Client) -> i64 {
    client.query_one("SELECT count(*) FROM trips.hist_trip_data", &[]).unwrap().get(0)
}

/// The bytes of an object count as those of PostgreSQL's temporary files.
#[test]
fn an_object_has_the_limit_of_temporary_files() {
    let (server, cluster, mut client) = start();
    let csv = rows_as_csv(20_000, 1);
    assert!(csv.len() > 1024 * 1024);
    server.put("trips", "in/may.csv", &csv);
    client.batch_execute("SET temp_file_limit = '1MB'").unwrap();
    let (code, message) = refused(&mut client, "s3://trips/in/may.csv");
    assert_eq!(code, "53400");
    assert_eq!(message, "temporary file size exceeds temp_file_limit (1024kB)");
    let failed = "SELECT state, error_code FROM trips.loads";
    assert_eq!(text_of(&mut client, failed), "failed|53400");
    client.batch_execute(&format!("SET temp_file_limit = {}", csv.len() / 1024 + 1)).unwrap();
    assert_eq!(cluster.ingest(&mut client, "s3://trips/in/may.csv").rows[1], 20_000);
}

/// A server whose certificate the environment names is trusted. Others are refused, and no request reaches them.
#[test]
fn certificates_are_checked() {
    let server = Server::start_tls(OF_LOOPBACK);
    let other = Server::start_tls(OF_ANOTHER_HOST);
    for server in [&server, &other] {
        server.behave(|behaviour| behaviour.needs_key = false);
        server.put("data", "may.csv", one("TLS", 1).as_bytes());
    }
    let (address, of_other) =
        (format!("{}/data/may.csv", server.url()), format!("{}/data/may.csv", other.url()));
    assert!(address.starts_with("https://127.0.0.1:"), "{address}");
    let configuration = format!("trips.allowed_urls = '{}, {}'", server.url(), other.url());
    let files = Cluster::start_in(&configuration, &[]);
    let trusted = files.file("trusted.pem", format!("{}{}", OF_LOOPBACK.pem, OF_ANOTHER_HOST.pem));
    let refuses = |cluster: &Cluster, address: &str| {
        let mut client = cluster.client();
        let error = client.query_one("SELECT trips.ingest($1)", &[&address]).expect_err(address);
        let (code, message, hint) = server_error(&error);
        assert_eq!(code, "08006", "{message}");
        let reason = "the certificate of the server is not trusted, or is one of another host";
        assert!(message.ends_with(reason) && message.contains(address), "{message}");
        assert!(hint.contains("SSL_CERT_FILE"), "{hint}");
        let failed = "SELECT state, error_code FROM trips.loads ORDER BY load_id DESC LIMIT 1";
        assert_eq!(text_of(&mut client, failed), "failed|08006");
    };
    refuses(&files, &address);
    let variables = [("SSL_CERT_FILE".to_owned(), trusted)];
    let cluster = Cluster::start_in(&configuration, &variables);
    let mut client = cluster.client();
    assert_eq!(cluster.ingest(&mut client, &address).rows, [1, 1, 0, 0]);
    refuses(&cluster, &of_other);
    assert!(other.requests().is_empty(), "{:?}", other.requests());
}

/// The requests for bytes of objects so far.
fn gets(server: &Server) -> usize {
    let is_get = |request: &&String| request.starts_with("GET") && !request.contains("list-type");
    server.requests().iter().filter(is_get).count()
}

const SUMS: &str =
    "SELECT state, rows_read, rows_inserted, rows_duplicate, source_version IS NOT NULL,
                           source, file_changed_at IS NOT NULL, digest IS NOT NULL
                      FROM trips.loads ORDER BY load_id DESC LIMIT 1";

#[test]
fn an_object_is_loaded_as_the_same_file_is() {
    let (server, cluster, mut client) = start();
    let csv = rows_as_csv(200_000, 1);
    server.put("trips", "in/may.csv", &csv);
    let load = cluster.ingest(&mut client, "s3://trips/in/may.csv");
    assert_eq!(load.rows, [200_000, 200_000, 0, 0]);
    let row = text_of(&mut client, SUMS);
    assert_eq!(row, "loaded|200000|200000|0|t|s3://trips/in/may.csv|t|t");
    let file = cluster.file("may.csv", &csv);
    assert_eq!(cluster.ingest(&mut client, &file).same_as, Some(load.load_id));
    // The version is known: the bytes are not fetched.
    server.forget_requests();
    let again = cluster.ingest(&mut client, "S3://trips/in/may.csv");
    assert_eq!((again.state.as_str(), again.same_as), ("skipped", Some(load.load_id)));
    assert_eq!(server.requests(), ["HEAD /trips/in/may.csv"]);
    // Another version with the same bytes is fetched once, and not loaded.
    server.put("trips", "in/may.csv", &csv);
    let again = cluster.ingest(&mut client, "s3://trips/in/may.csv");
    assert_eq!((again.state.as_str(), again.same_as), ("skipped", Some(load.load_id)));
    let query = "SELECT * FROM trips.ingest('s3://trips/in/may.csv', force => true)";
    let forced = client.query_one(query, &[]).unwrap();
    assert_eq!(forced.get::<_, i64>("rows_duplicate"), 200_000);
    client.batch_execute("SELECT trips.verify()").unwrap();
}

#[test]
fn a_preview_and_the_feed_of_an_object() {
    let (server, _cluster, mut client) = start();
    server.put("trips", "in/may.csv", one("A", 1).as_bytes());
    let query = "SELECT region FROM trips.preview('s3://trips/in/may.csv') WHERE kind = 'trip'";
    assert_eq!(text_of(&mut client, query), "A");
    let query = "SELECT feed FROM trips.detect_feed('s3://trips/in/may.csv') WHERE is_chosen";
    assert_eq!(text_of(&mut client, query), "trips");
    let staged =
        client.query_one("SELECT * FROM trips.stage('s3://trips/in/may.csv')", &[]).unwrap();
    assert_eq!(staged.get::<_, i64>("rows_staged"), 1);
}

#[test]
fn a_second_run_over_200_objects_fetches_nothing() {
    let (server, _cluster, mut client) = start();
    server.behave(|behaviour| behaviour.page = 30);
    for n in 0..200 {
        server.put("trips", &format!("in/{n:03}.csv"), one("A", n).as_bytes());
    }
    server.put("trips", "in/deep/other.csv", one("B", 1).as_bytes());
    server.put("trips", "in/empty.csv", b"");
    let pattern = "s3://trips/in/*.csv";
    assert_eq!(call(&mut client, pattern), [200, 0, 0]);
    assert_eq!((trips(&mut client), gets(&server)), (200, 200));
    server.forget_requests();
    assert_eq!(call(&mut client, pattern), [0, 0, 0]);
    assert_eq!(gets(&server), 0);
    // A new version of one of them.
    server.put("trips", "in/017.csv", one("C", 17).as_bytes());
    assert_eq!(call(&mut client, pattern), [1, 0, 0]);
    assert_eq!((trips(&mut client), gets(&server)), (201, 1));
}

#[test]
fn only_allowed_addresses_are_requested() {
    let (server, cluster, mut admin) = start();
    for key in ["in/a.csv", "out/a.csv", "inner/a.csv"] {
        server.put("trips", key, one("A", 1).as_bytes());
    }
    // Superusers, too.
    for address in ["s3://trips/out/a.csv", "s3://trips/inner/a.csv", "gs://trips/in/a.csv"] {
        let expected =
            ("42501".to_owned(), format!("permission denied to load object \"{address}\""));
        assert_eq!(refused(&mut admin, address), expected);
    }
    for address in [
        "s3://u:secret@trips/in/a.csv",
        "https://x.org/a?sig=secret",
        "ftp://x/a",
        "s3://trips/in/../out/a.csv",
    ] {
        let expected = ("42602".to_owned(), "invalid address of an object".to_owned());
        assert_eq!(refused(&mut admin, address), expected);
    }
    let error = admin.batch_execute("CALL trips.ingest_new('s3://trips/*/a.csv')").unwrap_err();
    assert_eq!(server_error(&error).0, "42501");
    assert_eq!(server.requests().len(), 0);
    assert_eq!(text_of(&mut admin, "SELECT count(*) FROM trips.loads"), "0");
    // Plain loaders load what is below a prefix, without rights on files.
    admin.batch_execute("CREATE ROLE etl LOGIN; SELECT trips.grant_loader('etl')").unwrap();
    let mut etl = cluster.client_as("etl");
    assert_eq!(cluster.ingest(&mut etl, "s3://trips/in/a.csv").rows, [1, 1, 0, 0]);
    assert_eq!(refused(&mut etl, "s3://trips/out/a.csv").0, "42501");
    let error = etl.batch_execute("SET trips.allowed_urls = 's3://trips'").unwrap_err();
    assert_eq!(server_error(&error).0, "42501");
    let error = etl.query("SELECT * FROM trips.preview('s3://trips/in/a.csv')", &[]).unwrap_err();
    assert_eq!(server_error(&error).0, "42501");
    for value in ["s3://", "/data", "s3://trips/*", "https://u:p@x.org", "s3://a/../b"] {
        let error =
            admin.batch_execute(&format!("SET trips.allowed_urls = '{value}'")).unwrap_err();
        assert_eq!(server_error(&error).0, "22023", "{value}");
    }
    admin.batch_execute("SET trips.allowed_urls = ''").unwrap();
    assert_eq!(refused(&mut admin, "s3://trips/in/a.csv").0, "42501");
}

#[test]
fn an_object_that_changes_leaves_nothing() {
    let (server, cluster, mut client) = start();
    let csv = rows_as_csv(300_000, 1);
    server.put("trips", "in/may.csv", &csv);
    // The first range is 8 MiB.
    assert!(csv.len() > 9 * 1024 * 1024, "{}", csv.len());
    server.fail([Fault::Delay(Duration::ZERO), Fault::Replace(rows_as_csv(300_000, 2))]);
    assert_eq!(
        refused(&mut client, "s3://trips/in/may.csv"),
        (
            "55006".to_owned(),
            "could not read object \"s3://trips/in/may.csv\": the object was replaced or removed while it was read"
                .to_owned()
        )
    );
    assert_eq!(trips(&mut client), 0);
    eventually(&mut client, "SELECT state, error_code FROM trips.loads", "failed|55006");
    // The failure is temporary: the next run of a schedule loads the new version.
    assert_eq!(call(&mut client, "s3://trips/in/*"), [1, 0, 0]);
    assert_eq!(trips(&mut client), 300_000);
    drop(cluster);
}

#[test]
fn passing_faults_cost_and_double_no_trip() {
    let (server, cluster, mut client) = start();
    let csv = rows_as_csv(300_000, 1);
    server.put("trips", "in/may.csv", &csv);
    server.fail([
        Fault::Status(503, "SlowDown"),
        Fault::Cut(100_000),
        Fault::CutHead,
        Fault::Cut(5_000_000),
        Fault::Status(500, "InternalError"),
    ]);
    let load = cluster.ingest(&mut client, "s3://trips/in/may.csv");
    assert_eq!(load.rows, [300_000, 300_000, 0, 0]);
    let file = cluster.file("may.csv", &csv);
    assert_eq!(cluster.ingest(&mut client, &file).same_as, Some(load.load_id));
}

#[test]
fn wrong_credentials_are_temporary_and_not_shown() {
    let server = Server::start();
    let mut variables = server.variables();
    for (name, value) in &mut variables {
        if name == "AWS_ACCESS_KEY_ID" {
            *value = "AKIDOTHER".to_owned();
        }
    }
    let mut cluster = Cluster::start_in("trips.allowed_urls = 's3://trips'", &variables);
    let mut client = cluster.client();
    server.put("trips", "a.csv", one("A", 1).as_bytes());
    let (code, message) = refused(&mut client, "s3://trips/a.csv");
    assert_eq!(code, "28000");
    assert_eq!(message, "could not read object \"s3://trips/a.csv\": the server answered 403");
    let error = client.batch_execute("CALL trips.ingest_new('s3://trips/*')").unwrap_err();
    let (code, message, _) = server_error(&error);
    assert_eq!(code, "28000");
    assert!(message.ends_with("the server answered 403 (InvalidAccessKeyId)"), "{message}");
    eventually(&mut client, "SELECT state FROM trips.loads", "failed");
    let shown = text_of(&mut client, "SELECT string_agg(l::text, '') FROM trips.loads AS l");
    for text in [shown, cluster.log()] {
        assert!(!text.contains("AKIDOTHER") && !text.contains("secret"), "{text}");
    }
    // The environment of a server changes with a restart.
    cluster.set_environment(&server.variables());
    cluster.restart(|_| ());
    let mut client = cluster.client();
    assert_eq!(call(&mut client, "s3://trips/*"), [1, 0, 0]);
}

/// How long a load goes on after it has been cancelled while it waits for bytes.
fn cancelled(server: &Server, cluster: &Cluster, path: &str) -> Duration {
    server.forget_requests();
    let [mut other, mut admin] = [cluster.client(), cluster.client()];
    let pid: i32 = other.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let path = path.to_owned();
    let load = std::thread::spawn(move || {
        let error = other.query_one("SELECT trips.ingest($1)", &[&path]).unwrap_err();
        (Instant::now(), server_error(&error).0)
    });
    until("no request", || (gets(server) > 0).then_some(()));
    std::thread::sleep(Duration::from_millis(300));
    assert!(!load.is_finished());
    let begin = Instant::now();
    admin.query_one("SELECT pg_cancel_backend($1)", &[&pid]).unwrap();
    let (end, code) = load.join().unwrap();
    assert_eq!(code, "57014");
    end - begin
}

#[test]
fn a_load_is_cancelled_while_the_network_hangs() {
    let (server, cluster, mut client) = start();
    let csv = rows_as_csv(300_000, 1);
    for (name, bytes) in
        [("in/may.csv", csv.as_slice()), ("in/may.csv.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\0")]
    {
        server.put("trips", name, &[bytes, &vec![0; 100_000]].concat());
        for fault in [Fault::StallHead, Fault::Stall(50_000)] {
            server.fail_all(Some(fault));
            let path = format!("s3://trips/{name}");
            takes_less_than(Duration::from_millis(100), &path, || {
                cancelled(&server, &cluster, &path)
            });
        }
    }
    server.fail_all(None);
    assert_eq!(trips(&mut client), 0);
}

#[test]
fn a_queued_object_is_loaded_by_a_worker() {
    let (server, _cluster, mut client) = start_with("shared_preload_libraries = 'trips_pipeline'");
    server.put("trips", "in/may.csv", one("A", 1).as_bytes());
    client.query_one("SELECT trips.submit('s3://trips/in/may.csv')", &[]).unwrap();
    eventually(&mut client, "SELECT state, rows_inserted FROM trips.loads", "loaded|1");
    let error = client.query_one("SELECT trips.submit('s3://trips/in/june.csv')", &[]).unwrap_err();
    assert_eq!(server_error(&error).0, "58P01");
}

#[test]
fn an_object_of_a_web_server() {
    let server = Server::start();
    server.behave(|behaviour| behaviour.needs_key = false);
    let configuration = format!("trips.allowed_urls = '{}/data'", server.url());
    let cluster = Cluster::start_with(&configuration);
    let mut client = cluster.client();
    server.put("data", "may.csv", one("A", 1).as_bytes());
    let address = format!("{}/data/may.csv", server.url());
    assert_eq!(cluster.ingest(&mut client, &address).rows, [1, 1, 0, 0]);
    server.forget_requests();
    assert_eq!(cluster.ingest(&mut client, &address).state, "skipped");
    assert_eq!(server.requests(), ["HEAD /data/may.csv"]);
    assert_eq!(refused(&mut client, "http://169.254.169.254/latest/meta-data").0, "42501");
    let listing = format!("CALL trips.ingest_new('{}/data/*.csv')", server.url());
    assert_eq!(server_error(&client.batch_execute(&listing).unwrap_err()).0, "42602");
}
