//! The same trips in another order of columns and rows, other quoting, line ends and spelling of numbers: no new trip.

use trips_testkit::feed_fixtures::{Style, fixtures};
use trips_tests::Database;

use super::fixtures::{RESET, ingest};

#[test]
fn each_file_in_another_style_adds_no_trip() {
    let database = Database::for_any_date();
    let mut client = database.client();
    let mut faults = Vec::new();
    for (fixture, seed) in fixtures().into_iter().zip(0..) {
        let other = fixture.restyled(&Style::other(seed));
        let [original, other] = [("a", &fixture.bytes), ("b", &other)]
            .map(|(name, bytes)| database.file(&format!("{name}-{}.csv", fixture.name()), bytes));
        for (first, second) in [(&original, &other), (&other, &original)] {
            client.batch_execute(RESET).unwrap();
            let ([read, inserted, _, staged], _) = ingest(&mut client, first);
            let (found, _) = ingest(&mut client, second);
            let expected = [read, 0, read - staged, staged];
            if inserted == 0 || found != expected {
                faults.push(format!(
                    "{second} after {inserted} trips of {first}: {found:?} instead of {expected:?}"
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
