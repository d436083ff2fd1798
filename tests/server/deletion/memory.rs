//! Claims of many trips are compared in blocks: neither a deletion nor a retract keeps the keys of a block.

use trips_tests::{Cluster, month_as_csv, peak_memory};

use super::{delete, failed};

const MEGABYTE: u64 = 1024 * 1024;

#[test]
fn claims_take_no_memory_of_their_number() {
    let cluster = Cluster::start();
    let month = month_as_csv(300_000, 1, "2018-05-01");
    let first = cluster.file("first.csv", &month);
    let second = cluster.file("second.csv", [&month[..], b"\n"].concat());
    let mut client = cluster.client();
    let first = cluster.ingest(&mut client, &first).load_id;
    assert!(cluster.ingest(&mut client, &second).rows[2] > 250_000);
    // The partition is in use, so its trips are updated.
    let mut reader = cluster.client();
    reader.batch_execute("BEGIN; SELECT FROM trips.hist_trip_data LIMIT 1").unwrap();
    // A session of its own has not yet had the memory of a load.
    let (deleted, of_deletion) =
        peak_memory(&mut cluster.client(), |client| delete(client, "region => 'Turin'"));
    assert!(deleted[0] > 1_000, "{deleted:?}");
    let (state, of_retract) = peak_memory(&mut cluster.client(), |client| {
        let query = "SELECT (trips.retract($1)).state";
        client.query_one(query, &[&first]).unwrap().get::<_, String>(0)
    });
    assert_eq!(state, "retracted");
    let peaks = [of_deletion / MEGABYTE, of_retract / MEGABYTE];
    assert!(peaks.into_iter().all(|peak| peak < 64), "{peaks:?} MB of private memory");
    assert_eq!(failed(&mut client), [""; 0]);
}
