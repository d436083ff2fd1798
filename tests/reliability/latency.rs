//! A load ends soon after a cancel, whatever its phase.

use std::time::{Duration, Instant};

use trips_tests::{Cluster, rows_as_csv, server_error};

use crate::{setting, turn};

#[test]
fn a_cancel_is_answered_at_once() {
    let _turn = turn();
    let cancels = setting("TRIPS_CANCELS", 30);
    let cluster = Cluster::start();
    let path = cluster.file("trips.csv", rows_as_csv(400_000, 5));
    let begin = Instant::now();
    cluster.ingest(&mut cluster.client(), &path);
    let duration = begin.elapsed();
    let mut admin = cluster.client();
    let (mut latencies, mut too_late) = (Vec::new(), 0);
    for number in 0..cancels {
        admin
            .batch_execute("DROP EXTENSION trips_pipeline; CREATE EXTENSION trips_pipeline")
            .expect("the extension");
        let mut client = cluster.client();
        let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).expect("a pid").get(0);
        let path = path.clone();
        let load = std::thread::spawn(move || {
            let result = client.query_one("SELECT trips.ingest($1)", &[&path]);
            (result.map(|_| ()), Instant::now())
        });
        std::thread::sleep(duration.mul_f64(f64::from(number) / f64::from(cancels)));
        let struck = Instant::now();
        admin.query_one("SELECT pg_cancel_backend($1)", &[&pid]).expect("a superuser may");
        let (result, ended) = load.join().expect("the thread of the client");
        match result {
            Ok(()) => too_late += 1,
            Err(error) => {
                assert_eq!(server_error(&error).0, "57014");
                latencies.push(ended.duration_since(struck));
            }
        }
    }
    latencies.sort_unstable();
    let (median, longest) = (latencies[latencies.len() / 2], latencies[latencies.len() - 1]);
    println!(
        "cancel: {} in time, median {median:?}, longest {longest:?}; {too_late} loads were done before",
        latencies.len()
    );
    assert!(latencies.len() > cancels as usize / 2, "most cancels come too late to say anything");
    // What the load itself takes says how busy the machine is.
    let at_once = Duration::from_millis(100).max(duration / 5);
    assert!(median < at_once, "{latencies:?} of {duration:?}");
    assert!(longest < 10 * at_once, "{latencies:?} of {duration:?}");
}

/// A line without an end, of a file that takes minutes to read: the threads stop in the middle of it.
#[test]
fn a_cancel_within_an_endless_line() {
    let _turn = turn();
    let cluster = Cluster::start();
    let header = "region,origin_coord,destination_coord,date_time,datasource\nA,";
    let path = cluster.file("endless.csv", header);
    // The rest is a hole: NUL bytes that take no room on the disk.
    std::fs::File::options()
        .write(true)
        .open(&path)
        .and_then(|file| file.set_len(200 << 30))
        .expect("a sparse file");
    let mut client = cluster.client();
    client.batch_execute("SET statement_timeout = '500ms'").expect("a setting");
    let begin = Instant::now();
    let error =
        client.query_one("SELECT trips.ingest($1)", &[&path]).expect_err("it takes minutes");
    assert_eq!(server_error(&error).0, "57014");
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}
