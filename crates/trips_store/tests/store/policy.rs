//! What may be read.

use std::net::IpAddr;

use trips_bucket::Server;
use trips_store::{ErrorKind, Pattern, Policy, Url};

use super::{head, stores};

#[test]
fn a_prefix_allows_whole_components() {
    let policy =
        Policy::parse(["s3://trips/in/", "https://Example.com:443/data", "gs://all"]).unwrap();
    let allows = |text: &str| Url::parse(text).is_ok_and(|url| policy.allows(&url));
    for text in [
        "s3://trips/in/may.csv",
        "S3://trips/in/a/b.csv",
        "s3://trips/in",
        "https://example.com/data/a",
        "https://EXAMPLE.com:443/d%61ta/a",
        "gs://all/x",
    ] {
        assert!(allows(text), "{text}");
    }
    for text in [
        "s3://trips/inner/may.csv",
        "s3://trips/other.csv",
        "s3://trips/",
        "s3://trips2/in/may.csv",
        "s3://trips/in/../out/may.csv",
        "gs://trips/in/may.csv",
        "http://example.com/data/a",
        "https://example.com:8443/data/a",
        "https://example.com/data%2Fa",
        "https://example.com/data/%2e%2e/a",
        "https://example.com/data/.%2E/a",
        "https://example.com//data/a",
        "https://example.com.evil.org/data/a",
        "https://example.com@evil.org/data/a",
        "https://evil.org\\@example.com/data/a",
        "https://example.com/data/a?token=x",
        "https://example.com./data/a",
    ] {
        assert!(!allows(text), "{text}");
    }
    let allows = |text: &str| policy.allows_pattern(&Pattern::parse(text).unwrap());
    assert!(allows("s3://trips/in/*.csv") && allows("s3://trips/in/a/*/*.csv"));
    assert!(!allows("s3://trips/*/may.csv") && !allows("s3://trips/i*/may.csv"));
    assert!(!allows("s3://trips/in*/may.csv"));
    assert!(!Policy::default().allows(&Url::parse("s3://trips/in/may.csv").unwrap()));
}

#[test]
fn nothing_outside_is_requested() {
    let server = Server::start();
    server.put("trips", "out/may.csv", b"x");
    let stores = stores(&server, &["s3://trips/in"]);
    let error = head(&stores, "s3://trips/out/may.csv").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotAllowed);
    let pattern = Pattern::parse("s3://trips/*/may.csv").unwrap();
    let error = stores.list(&pattern, None, &mut |_| {}, &mut || true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotAllowed);
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn loopback_and_metadata_servers_are_reached_only_by_their_address() {
    let server = Server::start();
    server.behave(|behaviour| behaviour.needs_key = false);
    server.put("data", "a.csv", b"x");
    let port = server.port();
    let listed = format!("http://127.0.0.1:{port}/data");
    // The list names loopback, in any spelling.
    for host in ["127.0.0.1", "0x7f.1", "2130706433"] {
        let stores = stores(&server, &[&listed]);
        assert_eq!(head(&stores, &format!("http://{host}:{port}/data/a.csv")).unwrap().size, 1);
    }
    // Names of this machine and of others that lead to loopback are not on the list of addresses.
    let environment = trips_store::Environment::new([("AWS_REGION", "x")]);
    let by_name = |host: &str| {
        let prefix = format!("http://{host}/");
        let policy = Policy::parse([prefix.as_str()]).unwrap();
        let options = trips_store::Options {
            patience: std::time::Duration::from_millis(50),
            connect: std::time::Duration::from_millis(50),
            ..super::options()
        };
        trips_store::Stores::new(policy, environment.clone(), options).unwrap()
    };
    let stores = by_name("metadata.google.internal");
    let error = head(&stores, "http://metadata.google.internal/computeMetadata/v1").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RefusedAddress);
    assert_eq!(
        head(&by_name("localhost"), "http://localhost/a").unwrap_err().kind(),
        ErrorKind::Network
    );
}

#[test]
fn the_environment_may_name_loopback_but_no_metadata_server() {
    for (endpoint, kind) in [
        ("http://169.254.169.254", ErrorKind::RefusedAddress),
        ("http://[fe80::1]", ErrorKind::RefusedAddress),
        ("http://[::ffff:169.254.169.254]", ErrorKind::RefusedAddress),
        ("http://[fd00:ec2::254]", ErrorKind::RefusedAddress),
        ("http://100.100.100.200", ErrorKind::RefusedAddress),
        ("http://127.0.0.1:1", ErrorKind::Network),
    ] {
        let server = Server::start();
        let mut variables = server.variables();
        variables.push(("AWS_ENDPOINT_URL".into(), endpoint.into()));
        let policy = Policy::parse(["s3://trips"]).unwrap();
        let options = trips_store::Options {
            patience: std::time::Duration::from_millis(50),
            ..super::options()
        };
        let environment = trips_store::Environment::new(variables);
        let stores = trips_store::Stores::new(policy, environment, options).unwrap();
        let error = head(&stores, "s3://trips/a.csv").unwrap_err();
        assert_eq!(error.kind(), kind, "{endpoint}: {error}");
    }
    assert!("169.254.169.254".parse::<IpAddr>().is_ok());
}
