//! Google Cloud Storage: its XML API reads and lists as S3's does.

use trips_bucket::{Fault, Server};
use trips_store::{Environment, ErrorKind, Pattern, Policy, Stores};

use super::{bytes, head, options, read};

#[test]
fn objects_are_listed_and_read() {
    let server = Server::start();
    server.behave(|behaviour| behaviour.needs_key = false);
    server.put("trips", "in/may.csv", &bytes(200_000));
    server.put("trips", "in/june.csv", &bytes(10));
    let policy = Policy::parse(["gs://trips/in"]).unwrap();
    let variables =
        [("GOOGLE_BASE_URL", server.url()), ("GOOGLE_SKIP_SIGNATURE", "true".to_owned())];
    let stores = Stores::new(policy, Environment::new(variables), options()).unwrap();
    let mut found = Vec::new();
    let pattern = Pattern::parse("gs://trips/in/*.csv").unwrap();
    stores.list(&pattern, None, &mut |object| found.push(object), &mut || true).unwrap();
    assert_eq!(found.len(), 2);
    let mut object = head(&stores, "gs://trips/in/may.csv").unwrap();
    assert_eq!(object.version, found[1].version);
    server.fail([Fault::Status(503, "SlowDown"), Fault::Cut(1000)]);
    assert!(read(&stores, &object).unwrap() == bytes(200_000));
    object.version = "\"another\"".to_owned();
    assert_eq!(read(&stores, &object).unwrap_err().kind(), ErrorKind::Changed);
}
