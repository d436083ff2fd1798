//! Objects of web servers.

use trips_bucket::{Fault, Server};
use trips_store::{ErrorKind, Options, Stores};

use super::{bytes, head, options, read, stores_with};

const SIZE: usize = 300_000;

fn web() -> (Server, Stores, String) {
    let server = Server::start();
    server.behave(|behaviour| behaviour.needs_key = false);
    server.put("data", "may.csv", &bytes(SIZE));
    let prefix = format!("{}/data", server.url());
    let stall = std::time::Duration::from_millis(500);
    let stores = stores_with(&server, &[&prefix], Options { stall, ..options() });
    (server, stores, format!("{prefix}/may.csv"))
}

#[test]
fn a_server_with_ranges() {
    let (server, stores, url) = web();
    for (has_head, has_etags) in [(true, true), (false, true), (true, false)] {
        server.behave(|behaviour| {
            behaviour.has_head = has_head;
            behaviour.has_etags = has_etags;
        });
        let object = head(&stores, &url).unwrap();
        assert_eq!(object.size, SIZE as u64);
        assert_eq!(object.version.starts_with('"'), has_etags);
        server.fail([Fault::Cut(1000), Fault::Status(503, "x"), Fault::Stall(10)]);
        assert!(read(&stores, &object).unwrap() == bytes(SIZE));
        server.fail([Fault::Delay(std::time::Duration::ZERO), Fault::Replace(bytes(SIZE))]);
        assert_eq!(read(&stores, &object).unwrap_err().kind(), ErrorKind::Changed);
    }
}

#[test]
fn a_server_without_ranges_is_asked_once() {
    let (server, stores, url) = web();
    server.behave(|behaviour| behaviour.has_ranges = false);
    let object = head(&stores, &url).unwrap();
    assert!(read(&stores, &object).unwrap() == bytes(SIZE));
    assert_eq!(server.requests().len(), 2);
    // As long as nothing was given, it is asked again.
    server.fail([Fault::Cut(1000), Fault::Cut(0), Fault::Status(503, "x")]);
    assert!(read(&stores, &object).unwrap() == bytes(SIZE));
}

#[test]
fn a_server_without_ranges_cannot_go_on() {
    let (server, stores, url) = web();
    server.behave(|behaviour| behaviour.has_ranges = false);
    let size = 3 * 1024 * 1024;
    server.put("data", "may.csv", &bytes(size));
    let object = head(&stores, &url).unwrap();
    server.fail([Fault::Cut(2 * 1024 * 1024 + 5)]);
    let error = read(&stores, &object).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    let (before, after) = error.reason().split_once(" bytes, ").unwrap();
    assert!(before.starts_with("the connection ended in the middle of an answer after "));
    assert_eq!(after, "and the server does not answer requests for the rest");
}

#[test]
fn redirects_are_followed_inside_the_list_only() {
    let (server, stores, url) = web();
    server.put("data", "june.csv", &bytes(SIZE));
    server.put("secret", "june.csv", &bytes(SIZE));
    let object = head(&stores, &url).unwrap();
    let same = format!("{}/data/may.csv?signature=secret", server.url());
    server.fail([Fault::Redirect(same)]);
    assert!(read(&stores, &object).unwrap() == bytes(SIZE));
    for target in [
        format!("{}/secret/june.csv?signature=secret", server.url()),
        "http://169.254.169.254/latest?signature=secret".to_owned(),
        "https://example.com/data/may.csv".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        server.fail([Fault::Redirect(target.clone())]);
        let error = read(&stores, &object).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotAllowed, "{target}");
        assert!(!error.to_string().contains("signature"));
    }
    server.fail(vec![Fault::Redirect("may.csv".to_owned()); 6]);
    assert_eq!(read(&stores, &object).unwrap_err().kind(), ErrorKind::Server);
}
