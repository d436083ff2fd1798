//! The crate against a server of objects with faults (`trips_bucket`).

mod faults;
mod gcs;
mod listing;
mod objects;
mod policy;
mod roles;
mod urls;
mod web;

use std::io::Read;
use std::time::Duration;

use trips_bucket::Server;
use trips_store::{Environment, Object, Options, Policy, StoreError, Stores, Url};

/// Ranges of 64 KiB, and short pauses.
fn options() -> Options {
    Options {
        connect: Duration::from_secs(2),
        stall: Duration::from_secs(10),
        patience: Duration::from_secs(60),
        pause: Duration::from_millis(5),
        range: 64 * 1024,
        ranges: 3,
    }
}

/// The objects of a server below these prefixes.
fn stores(server: &Server, prefixes: &[&str]) -> Stores {
    stores_with(server, prefixes, options())
}

fn stores_with(server: &Server, prefixes: &[&str], options: Options) -> Stores {
    let policy = Policy::parse(prefixes).expect("the prefixes are valid");
    Stores::new(policy, Environment::new(server.variables()), options).expect("a thread starts")
}

fn url(text: &str) -> Url {
    Url::parse(text).expect("the address is valid")
}

fn head(stores: &Stores, text: &str) -> Result<Object, StoreError> {
    stores.head(&url(text), &mut || true)
}

/// All bytes of an object.
fn read(stores: &Stores, object: &Object) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    match stores.open(object)?.read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(of_io(error)),
    }
}

fn of_io(error: std::io::Error) -> StoreError {
    *error.into_inner().expect("it has a cause").downcast().expect("it is one of the store")
}

/// Bytes that differ at each position.
fn bytes(length: usize) -> Vec<u8> {
    let byte = |n: usize| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0];
    (0..length).map(byte).collect()
}
