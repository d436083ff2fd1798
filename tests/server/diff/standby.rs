//! `trips.diff` writes nothing, so a standby answers as its primary does.

use trips_tests::{Cluster, FIVE_COLUMNS, text_of, trip_line};

use super::{create_feeds, diff, file};
use crate::containers::zip_of;

#[test]
fn a_standby_answers_as_its_primary() {
    let primary = Cluster::start();
    let standby = primary.start_standby();
    let mut client = primary.client();
    create_feeds(&mut client);
    let records = [(3, 1, true), (4, 1, true), (5, 2, false), (3, 2, true), (9, 3, true)];
    let loaded = [
        primary.file("five.csv", file(0, &records, 2_000)),
        primary.file("rides.csv", file(1, &records[..2], 2_000)),
        primary.file("hires.csv", file(2, &records, 100)),
    ];
    for path in &loaded {
        client.execute("SELECT trips.ingest($1)", &[path]).unwrap();
    }
    let again = [(3, 1, true), (5, 1, true), (4, 4, true), (5, 2, false)];
    let members = ["a.csv", "b.csv"].map(|name| (name, file(1, &again, 1_500)));
    let mut paths = loaded.to_vec();
    paths.push(primary.file("again.csv", file(1, &again, 3_000)));
    paths.push(primary.file("again.zip", zip_of(&members)));
    paths.push(primary.file("new.csv", [FIVE_COLUMNS, &trip_line("Cork", 1)].concat()));
    standby.catch_up_with(&primary);
    let mut on_standby = standby.client();
    assert_eq!(text_of(&mut on_standby, "SELECT pg_is_in_recovery()"), "t");
    // Several runs: what earlier ones had is in temporary files.
    for client in [&mut client, &mut on_standby] {
        client.batch_execute("SET trips.work_mem = '1MB'").unwrap();
    }
    let examples = "SELECT coalesce(string_agg(d::text, '; '), '')
                      FROM trips.diff($1, on_change => $2, examples => 3) AS d";
    for path in &paths {
        for on_change in [None, Some("replace"), Some("stage")] {
            let found = diff(&mut on_standby, path, on_change);
            assert_eq!(found, diff(&mut client, path, on_change), "{path} {on_change:?}");
            let mut shown = [&mut client, &mut on_standby].into_iter().map(|client| {
                let row = client.query_one(examples, &[path, &on_change]).unwrap();
                row.get::<_, String>(0)
            });
            assert_eq!(shown.next(), shown.next(), "{path} {on_change:?}");
        }
    }
    // The primary then loads what the standby has said.
    let path = &paths[4];
    let found = diff(&mut on_standby, path, Some("replace"));
    assert!(found[1] > 0, "{found:?}");
    let load = "SELECT rows_inserted, rows_corrected, rows_duplicate, rows_staged
                  FROM trips.ingest($1, on_change => 'replace')";
    let load = client.query_one(load, &[path]).unwrap();
    assert_eq!(found, [0, 1, 2, 3].map(|at| load.get::<_, i64>(at)));
}
