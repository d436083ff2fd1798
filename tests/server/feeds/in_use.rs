//! Feeds that are dropped, or dropped and created again, while loads name them.

use std::thread;

use trips_tests::{Cluster, eventually, rows_as_csv, server_error, text_of};

use super::{BIKES, BIKES_HEADER};

const WAITING: &str = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'object'";
const CREATE: &str = "SELECT trips.create_feed('brno', $1::text::jsonb)";

/// A queued load keeps its feed, also while it runs.
#[test]
fn a_feed_of_a_queued_load_stays() {
    let cluster = Cluster::start();
    let (mut client, mut holder) = (cluster.client(), cluster.client());
    client.execute(CREATE, &[&BIKES]).unwrap();
    let path = cluster.file("b.csv", format!("{BIKES_HEADER}1,7,8,2018-05-01 10:00:00,x,y\n"));
    let other = cluster.file("other.csv", rows_as_csv(10, 1));
    let mut held = holder.transaction().unwrap();
    held.query_one("SELECT trips.ingest($1)", &[&other]).unwrap();
    let submit = "SELECT trips.submit($1, feed => 'brno')";
    let load_id: i64 = client.query_one(submit, &[&path]).unwrap().get(0);
    for is_running in [false, true] {
        if is_running {
            eventually(&mut client, WAITING, 1_i64);
        }
        let error = client.execute("SELECT trips.drop_feed('brno')", &[]).unwrap_err();
        let (code, message, hint) = server_error(&error);
        let expected = format!("cannot drop feed \"brno\" because load {load_id} is queued for it");
        assert_eq!((code.as_str(), message), ("55006", expected));
        assert!(hint.contains("trips.cancel()"), "{hint}");
    }
    held.commit().unwrap();
    let state = format!("SELECT state, feed FROM trips.loads WHERE load_id = {load_id}");
    eventually(&mut client, &state, "loaded|brno");
    client.execute("SELECT trips.drop_feed('brno')", &[]).unwrap();
    assert_eq!(text_of(&mut client, "SELECT count(*) FROM trips.hist_trip_data"), "11");
}

/// A load that waits for another one takes the definition that is there when it begins to read.
#[test]
fn a_load_uses_the_definition_when_it_reads() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    client.execute(CREATE, &[&BIKES]).unwrap();
    let other = cluster.file("other.csv", rows_as_csv(10, 1));
    for (name, again, expected) in [
        (
            "again",
            Some(BIKES.replace("\"constant\": \"Brno\"", "\"constant\": \"Other\"")),
            Ok("Other"),
        ),
        ("gone", None, Err("42704")),
    ] {
        let path = cluster
            .file(name, format!("{BIKES_HEADER}{},7,8,2018-05-01 10:00:00,x,y\n", name.len()));
        let mut holder = cluster.client();
        let mut held = holder.transaction().unwrap();
        held.query_one("SELECT trips.ingest($1, force => true)", &[&other]).unwrap();
        let mut waiting = cluster.client();
        let load = thread::spawn(move || {
            waiting.query_one("SELECT trips.ingest($1, feed => 'brno')", &[&path]).map(drop)
        });
        eventually(&mut client, WAITING, 1_i64);
        client.execute("SELECT trips.drop_feed('brno')", &[]).unwrap();
        if let Some(definition) = &again {
            client.execute(CREATE, &[definition]).unwrap();
        }
        held.commit().unwrap();
        let outcome = load.join().unwrap().map_err(|error| server_error(&error).0);
        assert_eq!(outcome.is_ok(), expected.is_ok(), "{name}: {outcome:?}");
        match expected {
            Ok(region) => {
                let regions = "SELECT region FROM trips.hist_trip_data WHERE trip_id IS NOT NULL";
                assert_eq!(text_of(&mut client, regions), region);
            }
            Err(code) => assert_eq!(outcome.unwrap_err(), code),
        }
    }
}
