//! Objects that are read without a fault.

use trips_bucket::Server;
use trips_store::{Environment, ErrorKind, Policy, Stores};

use super::{bytes, head, options, read, stores};

#[test]
fn an_object_of_any_size_is_read_whole() {
    let server = Server::start();
    let stores = stores(&server, &["s3://trips"]);
    let step = 64 * 1024;
    for size in [1, 100, step - 1, step, step + 1, 3 * step, 5 * step + 17] {
        server.put("trips", "in/may.csv", &bytes(size));
        let object = head(&stores, "s3://trips/in/may.csv").unwrap();
        assert_eq!(object.size, size as u64);
        assert!(read(&stores, &object).unwrap() == bytes(size), "{size} bytes");
    }
    server.put("trips", "empty", b"");
    let object = head(&stores, "s3://trips/empty").unwrap();
    assert_eq!(read(&stores, &object).unwrap(), b"");
}

#[test]
fn each_byte_is_requested_once() {
    let server = Server::start();
    let stores = stores(&server, &["s3://trips"]);
    server.put("trips", "may.csv", &bytes(200_000));
    let object = head(&stores, "s3://trips/may.csv").unwrap();
    read(&stores, &object).unwrap();
    // Two are requested at the same time.
    let mut requests = server.requests();
    requests.sort();
    assert_eq!(
        requests,
        [
            "GET /trips/may.csv bytes=0-65535",
            "GET /trips/may.csv bytes=131072-196607",
            "GET /trips/may.csv bytes=196608-199999",
            "GET /trips/may.csv bytes=65536-131071",
            "HEAD /trips/may.csv",
        ]
    );
}

#[test]
fn odd_keys_are_read() {
    let server = Server::start();
    let stores = stores(&server, &["s3://trips"]);
    for key in ["a b.csv", "a%20b.csv", "a+b&c=d.csv", "Tägliche Fahrten.csv", "a:b@c.csv"] {
        server.put("trips", key, key.as_bytes());
        let object = head(&stores, &format!("s3://trips/{key}")).unwrap();
        assert_eq!(read(&stores, &object).unwrap(), key.as_bytes());
    }
}

#[test]
fn a_missing_object_is_not_found() {
    let server = Server::start();
    let error = head(&stores(&server, &["s3://trips"]), "s3://trips/may.csv").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().starts_with("could not read \"s3://trips/may.csv\": "), "{error}");
}

#[test]
fn wrong_credentials_are_an_error_without_them() {
    let server = Server::start();
    server.put("trips", "may.csv", b"region");
    let mut variables = server.variables();
    for (name, value) in &mut variables {
        if name == "AWS_ACCESS_KEY_ID" {
            *value = "AKIDOTHER".to_owned();
        }
    }
    let policy = Policy::parse(["s3://trips"]).unwrap();
    let environment = Environment::new(variables);
    assert!(!format!("{environment:?}").contains("AKIDOTHER"));
    let stores = Stores::new(policy, environment, options()).unwrap();
    let pattern = trips_store::Pattern::parse("s3://trips/*.csv").unwrap();
    let listed = stores.list(&pattern, None, &mut |_| {}, &mut || true).unwrap_err();
    let described = head(&stores, "s3://trips/may.csv").unwrap_err();
    for error in [listed, described] {
        assert_eq!(error.kind(), ErrorKind::Denied);
        let text = format!("{error} {error:?}");
        assert!(!text.contains("AKIDOTHER") && !text.contains("secret"), "{text}");
    }
}

#[test]
fn no_credentials_are_an_error() {
    let server = Server::start();
    // The address of the server of credentials is one where nobody listens.
    let variables = [
        ("AWS_ENDPOINT_URL", server.url()),
        ("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1".to_owned()),
        ("AWS_REGION", "eu-central-1".to_owned()),
    ];
    let policy = Policy::parse(["s3://trips"]).unwrap();
    let stores = Stores::new(policy, Environment::new(variables), options()).unwrap();
    let error = head(&stores, "s3://trips/may.csv").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoCredentials, "{error}");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_profile_has_credentials() {
    let server = Server::start();
    server.put("trips", "may.csv", b"region");
    let home = std::env::temp_dir().join(format!("trips_store_profile_{}", std::process::id()));
    std::fs::create_dir_all(&home).unwrap();
    let file = home.join("credentials");
    let keys = "[other]\naws_access_key_id = X\n\n[ etl ]\n# the loader\n\
                aws_access_key_id=AKIDTRIPS\naws_secret_access_key = s\n";
    std::fs::write(&file, keys).unwrap();
    let variables = [
        ("AWS_ENDPOINT_URL", server.url()),
        ("AWS_SHARED_CREDENTIALS_FILE", file.to_string_lossy().into_owned()),
        ("AWS_PROFILE", "etl".to_owned()),
    ];
    let policy = Policy::parse(["s3://trips"]).unwrap();
    let stores = Stores::new(policy, Environment::new(variables), options()).unwrap();
    let described = head(&stores, "s3://trips/may.csv");
    std::fs::remove_dir_all(&home).unwrap();
    assert_eq!(described.unwrap().size, 6);
}
