//! Servers that fail.

use std::io::Read;
use std::time::{Duration, Instant};

use trips_bucket::{Fault, Server};
use trips_store::{ErrorKind, Options};

use super::{bytes, head, of_io, options, read, stores, stores_with};

const SIZE: usize = 300_000;

/// The objects of a server that stalls: a request without a byte is soon sent again.
fn hasty(server: &Server) -> trips_store::Stores {
    let options = Options { stall: Duration::from_millis(500), ..options() };
    stores_with(server, &["s3://trips"], options)
}

/// Passing faults, each followed by some good answers.
fn passing() -> Vec<Fault> {
    vec![
        Fault::Status(503, "SlowDown"),
        Fault::Cut(0),
        Fault::Cut(1),
        Fault::Cut(40_000),
        Fault::CutHead,
        Fault::Stall(0),
        Fault::Stall(10_000),
        Fault::StallHead,
        Fault::Status(500, "InternalError"),
        Fault::Status(429, "TooManyRequests"),
        Fault::Delay(Duration::from_millis(50)),
    ]
}

#[test]
fn passing_faults_cost_no_byte() {
    for fault in passing() {
        let server = Server::start();
        let stores = hasty(&server);
        server.put("trips", "may.csv", &bytes(SIZE));
        let object = head(&stores, "s3://trips/may.csv").unwrap();
        server.fail([fault.clone(), fault.clone()]);
        assert!(read(&stores, &object).unwrap() == bytes(SIZE), "{fault:?}");
    }
}

#[test]
fn many_faults_in_a_row_cost_no_byte() {
    let server = Server::start();
    let stores = hasty(&server);
    server.put("trips", "may.csv", &bytes(SIZE));
    let object = head(&stores, "s3://trips/may.csv").unwrap();
    server.fail(passing());
    assert!(read(&stores, &object).unwrap() == bytes(SIZE));
}

#[test]
fn a_cut_range_goes_on_at_its_byte() {
    let server = Server::start();
    let stores = stores(&server, &["s3://trips"]);
    server.put("trips", "may.csv", &bytes(60_000));
    let object = head(&stores, "s3://trips/may.csv").unwrap();
    server.fail([Fault::Cut(40_000)]);
    assert!(read(&stores, &object).unwrap() == bytes(60_000));
    let requests = server.requests();
    assert_eq!(requests[1], "GET /trips/may.csv bytes=0-59999");
    let (_, from) = requests[2].split_once("bytes=").unwrap();
    let from: u64 = from.split('-').next().unwrap().parse().unwrap();
    assert!(from > 0 && from <= 40_000, "{requests:?}");
}

#[test]
fn a_fault_that_lasts_is_an_error() {
    let cases = [
        (Fault::Status(503, "SlowDown"), "the server answered 503 (SlowDown)"),
        (Fault::Cut(0), "the connection ended in the middle of an answer"),
        (Fault::Stall(0), "the server did not answer in time"),
    ];
    for (fault, reason) in cases {
        let server = Server::start();
        let (stall, patience) = (Duration::from_millis(300), Duration::from_millis(400));
        let options = Options { stall, patience, ..options() };
        let stores = stores_with(&server, &["s3://trips"], options);
        server.put("trips", "may.csv", &bytes(SIZE));
        let object = head(&stores, "s3://trips/may.csv").unwrap();
        server.fail_all(Some(fault));
        let error = read(&stores, &object).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network);
        assert_eq!(error.reason(), reason);
        assert!(!format!("{error:?}").contains("secret"));
    }
}

#[test]
fn an_object_that_changes_ends_the_reading() {
    let other = Fault::Replace(bytes(SIZE));
    let shorter = Fault::Replace(bytes(10));
    for fault in [other, shorter, Fault::Remove] {
        // In the first range, and in one of the later ones.
        for before in 0..4 {
            let server = Server::start();
            let stores = stores(&server, &["s3://trips"]);
            server.put("trips", "may.csv", &bytes(SIZE));
            let object = head(&stores, "s3://trips/may.csv").unwrap();
            server.fail(vec![Fault::Delay(Duration::ZERO); before]);
            server.fail([fault.clone()]);
            let error = read(&stores, &object).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Changed, "{fault:?} after {before}: {error}");
        }
    }
}

#[test]
fn an_object_that_changed_before_it_is_opened_is_not_read() {
    let server = Server::start();
    let stores = stores(&server, &["s3://trips"]);
    server.put("trips", "may.csv", &bytes(100));
    let object = head(&stores, "s3://trips/may.csv").unwrap();
    server.put("trips", "may.csv", &bytes(100));
    assert_eq!(read(&stores, &object).unwrap_err().kind(), ErrorKind::Changed);
}

#[test]
fn refused_credentials_in_mid_read_are_an_error_at_once() {
    let server = Server::start();
    let stores = stores(&server, &["s3://trips"]);
    server.put("trips", "may.csv", &bytes(SIZE));
    let object = head(&stores, "s3://trips/may.csv").unwrap();
    server.fail([Fault::Delay(Duration::ZERO), Fault::Status(403, "ExpiredToken")]);
    let error = read(&stores, &object).unwrap_err();
    assert_eq!(
        (error.kind(), error.reason()),
        (ErrorKind::Denied, "the server answered 403 (ExpiredToken)")
    );
}

#[test]
fn calls_are_cancelled_while_the_network_hangs() {
    let server = Server::start();
    let patient = Options { stall: Duration::from_secs(60), ..options() };
    let stores = stores_with(&server, &["s3://trips"], patient);
    server.put("trips", "may.csv", &bytes(SIZE));
    let object = head(&stores, "s3://trips/may.csv").unwrap();
    server.fail_all(Some(Fault::Stall(10)));
    let mut stream = stores.open(&object).unwrap();
    let stop = stream.stopper();
    let reader = std::thread::spawn(move || (stream.read(&mut [0; 10]), Instant::now()));
    std::thread::sleep(Duration::from_millis(200));
    assert!(!reader.is_finished());
    let begin = Instant::now();
    stop.stop();
    let (result, end) = reader.join().unwrap();
    assert_eq!(of_io(result.unwrap_err()).kind(), ErrorKind::Cancelled);
    assert!(end - begin < Duration::from_millis(100), "{:?}", end - begin);
}

#[test]
fn a_cancelled_description_ends_at_once() {
    // A listener that never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start();
    let mut variables = server.variables();
    variables
        .push(("AWS_ENDPOINT_URL".into(), format!("http://{}", listener.local_addr().unwrap())));
    let policy = trips_store::Policy::parse(["s3://trips"]).unwrap();
    let patient = Options { stall: Duration::from_secs(60), ..options() };
    let environment = trips_store::Environment::new(variables);
    let stores = trips_store::Stores::new(policy, environment, patient).unwrap();
    let begin = Instant::now();
    let mut polls = 0;
    let mut go_on = || {
        polls += 1;
        polls < 5
    };
    let error = stores.head(&super::url("s3://trips/may.csv"), &mut go_on).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    drop(stores);
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[test]
fn a_dropped_stream_ends_its_requests() {
    let server = Server::start();
    let patient = Options { stall: Duration::from_secs(60), ..options() };
    let stores = stores_with(&server, &["s3://trips"], patient);
    server.put("trips", "may.csv", &bytes(SIZE));
    let object = head(&stores, "s3://trips/may.csv").unwrap();
    server.fail_all(Some(Fault::Stall(10)));
    let stream = stores.open(&object).unwrap();
    while !server.requests().iter().any(|request| request.starts_with("GET")) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let begin = Instant::now();
    drop(stream);
    drop(stores);
    assert!(begin.elapsed() < Duration::from_millis(100), "{:?}", begin.elapsed());
}

#[test]
fn only_some_ranges_are_requested_ahead() {
    let server = Server::start();
    let stores = stores(&server, &["s3://trips"]);
    server.put("trips", "may.csv", &bytes(20 * 65_536));
    let object = head(&stores, "s3://trips/may.csv").unwrap();
    let mut stream = stores.open(&object).unwrap();
    let gets = || server.requests().iter().filter(|request| request.starts_with("GET")).count();
    while gets() < 3 {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(gets(), 3);
    stream.read_exact(&mut [0; 65_536 + 1]).unwrap();
    while gets() < 4 {
        std::thread::sleep(Duration::from_millis(5));
    }
}
