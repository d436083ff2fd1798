//! A retract undoes what its load has corrected, and records with other values become trips.

use trips_tests::{Database, FIVE_COLUMNS, trip_line};

use super::{count, error, retract, state};

/// A trip of the first load gets other values, and another day, from the second, as a load of a feed with ids would do it.
const CORRECT: &str = "
    INSERT INTO trips.corrections (load_id, corrected_load_id, new_date_time, region, origin_coord, destination_coord,
           date_time, datasource, trip_key)
    SELECT 2, h.load_id, h.date_time + interval '40 days', h.region, h.origin_coord, h.destination_coord, h.date_time,
           h.datasource, h.trip_key
      FROM trips.hist_trip_data AS h WHERE h.region = 'a';
    UPDATE trips.hist_trip_data SET load_id = 2, date_time = date_time + interval '40 days', details = '{\"x\": 1}'
     WHERE region = 'a';
    UPDATE trips.loads SET rows_read = rows_read + 1, rows_corrected = rows_corrected + 1,
           days = datemultirange(daterange('2018-05-01', '2018-07-01')) WHERE load_id = 2";

#[test]
fn corrections_are_undone() {
    let database = Database::on_shared();
    let mut client = database.client();
    let first =
        database.file("first.csv", [FIVE_COLUMNS, &trip_line("a", 1), &trip_line("b", 1)].concat());
    let june = trip_line("c", 1).replace("2018-05", "2018-06");
    let second = database.file("second.csv", [FIVE_COLUMNS, &june, &trip_line("b", 1)].concat());
    assert_eq!(database.ingest(&mut client, &first).load_id, 1);
    let alone = state(&mut client);
    assert_eq!(database.ingest(&mut client, &second).load_id, 2);
    client.batch_execute(CORRECT).unwrap();
    // The other load rests on it.
    let (code, message, _) = error(&mut client, "SELECT trips.retract(1)");
    assert_eq!(
        (&*code, &*message),
        ("55000", "cannot retract load 1: load 2 has corrected its trips")
    );
    client.batch_execute("BEGIN").unwrap();
    retract(&mut client, 2);
    assert_eq!(state(&mut client), alone);
    client.batch_execute("ROLLBACK").unwrap();
    let cascade = "SELECT (trips.retract(1, cascade => true)).state";
    let state: String = client.query_one(cascade, &[]).unwrap().get(0);
    assert_eq!(state, "retracted");
    let left = "SELECT (SELECT count(*) FROM trips.hist_trip_data) + (SELECT count(*) FROM trips.corrections)
                     + (SELECT count(*) FROM trips.loads WHERE state = 'loaded')";
    assert_eq!(count(&mut client, left), 0);
    assert_eq!(count(&mut client, "SELECT count(*) FROM trips.verify() WHERE NOT passed"), 0);
}

#[test]
fn a_correction_passes_to_a_later_load_with_the_same_values() {
    let database = Database::on_shared();
    let mut client = database.client();
    let first = database.file("first.csv", [FIVE_COLUMNS, &trip_line("a", 1)].concat());
    let june = trip_line("c", 1).replace("2018-05", "2018-06");
    let second = database.file("second.csv", [FIVE_COLUMNS, &june].concat());
    let third = database.file("third.csv", [FIVE_COLUMNS, &june, "\n"].concat());
    for path in [&first, &second, &third] {
        database.ingest(&mut client, path);
    }
    client.batch_execute(CORRECT).unwrap();
    // The third load has the corrected trip, too.
    client
        .batch_execute(
            "UPDATE trips.loads SET rows_read = rows_read + 1, rows_duplicate = rows_duplicate + 1 WHERE load_id = 3;
             INSERT INTO trips_internal.claims (load_id, first_time, last_time, trips, corrects, keys)
             SELECT 3, date_time, date_time, 1, true, '\\x0200'::bytea || decode(replace(trip_key::text, '-', ''), 'hex')
               FROM trips.hist_trip_data WHERE region = 'a'",
        )
        .unwrap();
    retract(&mut client, 2);
    let of_third = "SELECT string_agg(format('%s %s', region, load_id), ', ' ORDER BY region) FROM trips.hist_trip_data";
    let trips: String = client.query_one(of_third, &[]).unwrap().get(0);
    assert_eq!(trips, "a 3, c 3");
    let correction = "SELECT format('%s %s', load_id, corrected_load_id) FROM trips.corrections";
    let correction: String = client.query_one(correction, &[]).unwrap().get(0);
    assert_eq!(correction, "3 1");
    let counts = client.query_one(
        "SELECT rows_inserted, rows_corrected, rows_duplicate FROM trips.loads WHERE load_id = 3",
        &[],
    );
    let counts = counts.unwrap();
    assert_eq!([0, 1, 2].map(|i| counts.get::<_, i64>(i)), [1, 1, 0]);
    let failed = "SELECT count(*) FROM trips.verify() WHERE NOT passed AND check_name <> 'keys'";
    assert_eq!(count(&mut client, failed), 0);
    retract(&mut client, 3);
    assert_eq!(count(&mut client, "SELECT count(*) FROM trips.verify() WHERE NOT passed"), 0);
    assert_eq!(
        count(&mut client, "SELECT count(*) FROM trips.hist_trip_data WHERE load_id = 1"),
        1
    );
}

#[test]
fn a_kept_version_becomes_the_trip() {
    let database = Database::on_shared();
    let mut client = database.client();
    for (name, region) in [("first.csv", "a"), ("second.csv", "b"), ("third.csv", "c")] {
        let path = database.file(name, [FIVE_COLUMNS, &trip_line(region, 1)].concat());
        database.ingest(&mut client, &path);
    }
    // Later loads have the trip with other values: in a month without a partition, and at the same time.
    client
        .batch_execute(
            "INSERT INTO trips_internal.kept_versions (load_id, kept_date_time, region, date_time, trip_key, details)
             SELECT n, h.date_time, 'a', CASE n WHEN 2 THEN timestamp '2019-01-05' ELSE h.date_time END, h.trip_key, '{\"n\": 1}'
               FROM trips.hist_trip_data AS h, generate_series(2, 3) AS n WHERE h.region = 'a';
             UPDATE trips.loads SET rows_read = rows_read + 1, rows_duplicate = rows_duplicate + 1 WHERE load_id > 1",
        )
        .unwrap();
    let failed = "SELECT count(*) FROM trips.verify() WHERE NOT passed AND check_name <> 'keys'";
    retract(&mut client, 1);
    let trip =
        "SELECT format('%s %s', load_id, date_time) FROM trips.hist_trip_data WHERE region = 'a'";
    let of: String = client.query_one(trip, &[]).unwrap().get(0);
    assert_eq!(of, "2 2019-01-05 00:00:00");
    assert_eq!(count(&mut client, failed), 0);
    retract(&mut client, 2);
    let of: String = client.query_one(trip, &[]).unwrap().get(0);
    assert_eq!(of, "3 2018-05-01 00:00:01");
    assert_eq!(count(&mut client, failed), 0);
    retract(&mut client, 3);
    assert_eq!(count(&mut client, "SELECT count(*) FROM trips.hist_trip_data"), 0);
    assert_eq!(count(&mut client, "SELECT count(*) FROM trips_internal.kept_versions"), 0);
}
