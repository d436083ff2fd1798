//! Packed files: what they unpack to is loaded as the plain file is.

mod archives;
mod damaged;
mod refused;
mod same_trips;
mod unpacking;
mod uploads;

use postgres::Client;
use trips_testkit::containers::zip::{Entry, Zip};
use trips_tests::server_error;

/// An archive with these members.
pub fn zip_of<N: AsRef<[u8]>, C: AsRef<[u8]>>(members: &[(N, C)]) -> Vec<u8> {
    let entries: Vec<Entry> =
        members.iter().map(|(name, content)| Entry::new(name, content)).collect();
    Zip::new(&entries).bytes
}

/// The header of the five columns, and these lines of trips.
pub fn csv(lines: &[&str]) -> String {
    [trips_tests::FIVE_COLUMNS, &lines.concat()].concat()
}

/// SQLSTATE, message and hint of a load that fails. Nothing of it is in the history.
pub fn refused(client: &mut Client, path: &str) -> (String, String, String) {
    let error = client.query("SELECT trips.ingest($1)", &[&path]).expect_err(path);
    let trips: i64 =
        client.query_one("SELECT count(*) FROM trips.hist_trip_data", &[]).unwrap().get(0);
    let members: i64 =
        client.query_one("SELECT count(*) FROM trips.load_members", &[]).unwrap().get(0);
    assert_eq!((trips, members), (0, 0), "{path}");
    let row = client
        .query_one(
            "SELECT state, error_code FROM trips.loads WHERE source = $1 ORDER BY load_id DESC LIMIT 1",
            &[&path],
        )
        .unwrap();
    let (code, message, hint) = server_error(&error);
    assert_eq!((row.get(0), row.get(1)), ("failed", code.as_str()), "{message}");
    (code, message, hint)
}
