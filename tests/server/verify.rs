//! trips.verify(): everything passes, and what is broken on purpose fails, and nothing else.

use postgres::Client;
use trips_tests::{Cluster, Database, FIVE_COLUMNS, month_as_csv, trip_line};

fn failed(client: &mut Client) -> Vec<String> {
    let rows = client.query("SELECT check_name, passed, detail FROM trips.verify()", &[]).unwrap();
    assert_eq!(rows.len(), 13);
    assert!(rows.iter().all(|row| !row.get::<_, String>("detail").is_empty()));
    rows.iter().filter(|row| !row.get::<_, bool>("passed")).map(|row| row.get(0)).collect()
}

/// What breaks something without its keepers, and which checks see it.
const BREAKS: [(&str, &[&str]); 27] = [
    (
        "INSERT INTO trips_internal.claims (load_id, first_time, last_time, trips, keys) VALUES (77, '2018-05-01', '2018-05-01', 1, '')",
        &["claims"],
    ),
    (
        "UPDATE trips.daily_trip_counts SET trips = trips + 1 WHERE region = 'Lyon' AND day = '2018-05-05'",
        &["daily roll-up"],
    ),
    ("DELETE FROM trips.daily_trip_counts WHERE region = 'Cork'", &["daily roll-up"]),
    (
        "UPDATE trips.daily_trip_counts SET datasource = NULL WHERE ctid = (SELECT min(ctid) FROM trips.daily_trip_counts)",
        &["daily roll-up"],
    ),
    (
        "REFRESH MATERIALIZED VIEW trips.summarized_trip_data WITH NO DATA; REFRESH MATERIALIZED VIEW trips.summarized_trip_data",
        &[],
    ),
    (
        "UPDATE trips.daily_trip_counts SET trips = 0 WHERE region = 'Graz'; REFRESH MATERIALIZED VIEW trips.summarized_trip_data",
        &["daily roll-up"],
    ),
    (
        "UPDATE trips.weekly_trip_counts SET trips = trips + 1 WHERE region = 'Graz'",
        &["weekly sums", "weekly summary"],
    ),
    (
        "DELETE FROM trips.weekly_trip_counts WHERE region = 'Graz'; REFRESH MATERIALIZED VIEW trips.summarized_trip_data",
        &["weekly sums"],
    ),
    (
        "UPDATE trips_internal.area_pages SET content = set_byte(content, 10, get_byte(content, 10) # 1) WHERE page_id = (SELECT min(page_id) FROM trips_internal.area_pages)",
        &["areas"],
    ),
    (
        "UPDATE trips_internal.area_directory SET directory = set_byte(directory, 20, get_byte(directory, 20) # 1) WHERE segment_id = (SELECT min(segment_id) FROM trips_internal.area_directory)",
        &["areas"],
    ),
    (
        "DELETE FROM trips_internal.area_pages WHERE page_id = (SELECT max(page_id) FROM trips_internal.area_pages)",
        &["areas"],
    ),
    ("DELETE FROM trips_internal.area_directory WHERE week = '2018-05-07'", &[]),
    (
        "UPDATE trips.loads SET rows_inserted = rows_inserted + 1, rows_duplicate = rows_duplicate - 1 WHERE load_id = 2",
        &["ledger", "claims"],
    ),
    ("DELETE FROM trips.hist_trip_data WHERE region = 'Lyon'", &["ledger"]),
    ("UPDATE trips.hist_trip_data SET datasource = 'other' WHERE region = 'Lyon'", &["keys"]),
    (
        "ALTER TABLE trips.hist_trip_data_2018_05 DROP CONSTRAINT hist_trip_data_2018_05_pkey",
        &["partitions"],
    ),
    ("ALTER TABLE trips.hist_trip_data_2018_05 DISABLE TRIGGER trips_track", &["partitions"]),
    (
        "ALTER TABLE trips.hist_trip_data_2018_05 ENABLE REPLICA TRIGGER trips_track_update",
        &["partitions"],
    ),
    ("DROP TRIGGER trips_lock ON trips.hist_trip_data_2018_05", &["partitions"]),
    ("ALTER TABLE trips.hist_trip_data DISABLE TRIGGER ALL", &["triggers"]),
    ("DROP TRIGGER trips_track_insert ON trips.hist_trip_data", &["triggers"]),
    ("ALTER EVENT TRIGGER trips_partitions DISABLE", &["triggers"]),
    ("ALTER EVENT TRIGGER trips_partitions_dropped ENABLE REPLICA", &["triggers"]),
    ("ALTER EVENT TRIGGER trips_refresh DISABLE", &["triggers"]),
    ("ALTER EVENT TRIGGER trips_refresh_lock ENABLE REPLICA", &["triggers"]),
    ("REFRESH MATERIALIZED VIEW trips.summarized_trip_data WITH NO DATA", &["weekly summary"]),
    ("DELETE FROM trips.stg_trip_data", &["staging"]),
];

#[test]
fn what_is_broken_is_found() {
    let database = Database::on_shared();
    let mut client = database.client();
    assert_eq!(failed(&mut client), [""; 0], "an empty history");
    let may = database.file("may.csv", month_as_csv(3_000, 1, "2018-05-01"));
    let more = database
        .file("more.csv", [month_as_csv(3_100, 1, "2018-05-01"), b"bad line\n".to_vec()].concat());
    let one = database.file("one.csv", format!("{FIVE_COLUMNS}{}", trip_line("Cork", 1)));
    for path in [&may, &more, &one] {
        database.ingest(&mut client, path);
        assert_eq!(failed(&mut client), [""; 0]);
    }
    for (statement, expected) in BREAKS {
        client.batch_execute("BEGIN").unwrap();
        client.batch_execute(statement).unwrap_or_else(|e| panic!("{statement}: {e:?}"));
        assert_eq!(failed(&mut client), expected, "{statement}");
        // What the detail advises, mends it.
        let advised = "SELECT EXISTS (SELECT FROM trips.verify() WHERE NOT passed AND detail LIKE '%trips.rebuild()%')";
        let is_advised: bool = client.query_one(advised, &[]).unwrap().get(0);
        if is_advised && !statement.contains("DROP CONSTRAINT") {
            client.batch_execute("SELECT trips.rebuild()").unwrap();
            assert_eq!(failed(&mut client), [""; 0], "rebuild() after {statement}");
        }
        client.batch_execute("ROLLBACK").unwrap();
    }
    // Behind the back of the triggers.
    client
        .batch_execute(
            "BEGIN; SET LOCAL session_replication_role = replica;
             INSERT INTO trips.hist_trip_data SELECT region, origin_coord, destination_coord, date_time + interval '1 s',
                    datasource, trip_key, load_id FROM trips.hist_trip_data WHERE region = 'Tartu'",
        )
        .unwrap();
    assert_eq!(failed(&mut client), ["daily roll-up", "weekly sums", "ledger", "keys"]);
    client.batch_execute("ROLLBACK").unwrap();
    // A trip twice, where the key is gone.
    client
        .batch_execute(
            "BEGIN; ALTER TABLE trips.hist_trip_data_2018_05 DROP CONSTRAINT hist_trip_data_2018_05_pkey;
             INSERT INTO trips.hist_trip_data SELECT * FROM trips.hist_trip_data WHERE region = 'Tartu'",
        )
        .unwrap();
    assert_eq!(failed(&mut client), ["ledger", "unique", "partitions"]);
    client.batch_execute("ROLLBACK").unwrap();
    // What rebuild() can mend.
    client
        .batch_execute(
            "DELETE FROM trips.daily_trip_counts; DELETE FROM trips.weekly_trip_counts; DELETE FROM trips_internal.area_directory;
             UPDATE trips_internal.area_pages SET content = '\\x'; DROP TRIGGER trips_lock ON trips.hist_trip_data_2018_05;
             DROP TRIGGER trips_track ON trips.hist_trip_data_2018_05;
             REFRESH MATERIALIZED VIEW trips.summarized_trip_data",
        )
        .unwrap();
    assert_eq!(failed(&mut client), ["daily roll-up", "weekly sums", "partitions"]);
    client.batch_execute("SELECT trips.rebuild()").unwrap();
    assert_eq!(failed(&mut client), [""; 0]);
}

#[test]
fn readers_may_verify_and_query() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let may = cluster.file("may.csv", month_as_csv(300, 1, "2018-05-01"));
    cluster.ingest(&mut client, &may);
    client
        .batch_execute("CREATE ROLE analyst LOGIN; CREATE ROLE other LOGIN; SELECT trips.grant_reader('analyst')")
        .unwrap();
    let mut reader = cluster.client_as("analyst");
    assert_eq!(failed(&mut reader), [""; 0]);
    let all: i64 = reader
        .query_one(
            "SELECT sum(trips)::bigint FROM trips.weekly_counts(trips.area(-180, -90, 180, 90))",
            &[],
        )
        .unwrap()
        .get(0);
    assert_eq!(all, 300);
    for query in [
        "SELECT trips.rebuild()",
        "SELECT trips_internal.check_area_index()",
        "SELECT * FROM trips.stg_trip_data",
    ] {
        let error = reader.query(query, &[]).unwrap_err();
        assert_eq!(trips_tests::server_error(&error).0, "42501", "{query}");
    }
    client.batch_execute("GRANT USAGE ON SCHEMA trips TO other").unwrap();
    for query in ["SELECT * FROM trips.verify()", "SELECT trips.weekly_avg(box '(1,1),(0,0)')"] {
        let error = cluster.client_as("other").query(query, &[]).unwrap_err();
        assert_eq!(trips_tests::server_error(&error).0, "42501", "{query}");
    }
}
