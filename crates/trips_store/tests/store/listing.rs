//! Patterns.

use std::time::Duration;

use trips_bucket::Server;
use trips_store::{ErrorKind, Object, Pattern, StoreError, Stores};

use super::{head, stores};

fn list(stores: &Stores, pattern: &str, after: Option<&str>) -> Result<Vec<Object>, StoreError> {
    let mut found = Vec::new();
    let pattern = Pattern::parse(pattern).unwrap();
    stores.list(&pattern, after, &mut |object| found.push(object), &mut || true)?;
    Ok(found)
}

fn keys(stores: &Stores, pattern: &str) -> Vec<String> {
    let found = list(stores, pattern, None).unwrap();
    found.into_iter().map(|object| object.url.key().to_owned()).collect()
}

#[test]
fn a_pattern_matches_component_by_component() {
    let server = Server::start();
    let stores = stores(&server, &["s3://trips"]);
    for key in
        ["in/a.csv", "in/b.csv", "in/.c.csv", "in/old/d.csv", "in/e.txt", "inner/f.csv", "g.csv"]
    {
        server.put("trips", key, b"x");
    }
    server.put("trips", "in/empty.csv", b"");
    server.put("other", "in/h.csv", b"x");
    assert_eq!(keys(&stores, "s3://trips/in/*.csv"), ["in/a.csv", "in/b.csv"]);
    assert_eq!(keys(&stores, "s3://trips/in/[b-z].csv"), ["in/b.csv"]);
    assert_eq!(keys(&stores, "s3://trips/*/*/?.csv"), ["in/old/d.csv"]);
    assert_eq!(keys(&stores, "s3://trips/*.csv"), ["g.csv"]);
    assert_eq!(keys(&stores, "s3://trips/in/a.csv"), ["in/a.csv"]);
    assert_eq!(keys(&stores, "s3://trips/out/*"), [""; 0]);
    let pattern = Pattern::parse("s3://trips/in/*").unwrap();
    let listed = stores.list(&pattern, None, &mut |_| {}, &mut || true).unwrap();
    assert_eq!(listed.others, 1);
}

#[test]
fn a_listing_has_many_pages_and_knows_versions() {
    let server = Server::start();
    server.behave(|behaviour| behaviour.page = 7);
    let stores = stores(&server, &["s3://trips"]);
    for n in 0..2500 {
        server.put("trips", &format!("in/{n:04}.csv"), &vec![b'x'; n % 10 + 1]);
    }
    let found = list(&stores, "s3://trips/in/*.csv", None).unwrap();
    assert_eq!(found.len(), 2500);
    let mut described = head(&stores, "s3://trips/in/0017.csv").unwrap();
    described.modified = found[17].modified;
    assert_eq!(found[17], described);
    let rest = list(&stores, "s3://trips/in/*.csv", Some("in/2489.csv")).unwrap();
    assert_eq!(rest.len(), 10);
    assert_eq!(rest[0].url.to_string(), "s3://trips/in/2490.csv");
}

#[test]
fn a_listing_is_cancelled() {
    let server = Server::start();
    let stores = stores(&server, &["s3://trips"]);
    for n in 0..3000 {
        server.put("trips", &format!("in/{n:04}.csv"), b"x");
    }
    let pattern = Pattern::parse("s3://trips/in/*").unwrap();
    let mut count = 0;
    let error = stores.list(&pattern, None, &mut |_| count += 1, &mut || false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(count <= 1000, "{count}");
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let server = Server::start();
    let mut variables = server.variables();
    variables.push(("AWS_ENDPOINT_URL".into(), "http://127.0.0.1:1".into()));
    let policy = trips_store::Policy::parse(["s3://trips"]).unwrap();
    let options = trips_store::Options { patience: Duration::from_millis(100), ..super::options() };
    let stores = Stores::new(policy, trips_store::Environment::new(variables), options).unwrap();
    let error = list(&stores, "s3://trips/*", None).unwrap_err();
    assert_eq!((error.kind(), error.reason()), (ErrorKind::Network, "no connection to the server"));
}

#[test]
fn keys_that_no_address_has_are_counted() {
    let server = Server::start();
    let stores = stores(&server, &["s3://trips"]);
    server.put("trips", "in/a?b.csv", b"x");
    server.put("trips", "in/a#b.csv", b"x");
    let pattern = Pattern::parse("s3://trips/in/*").unwrap();
    let listed = stores.list(&pattern, None, &mut |_| {}, &mut || true).unwrap();
    assert_eq!(listed.others, 2);
}
