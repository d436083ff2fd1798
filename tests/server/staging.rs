//! The two halves of a load, and what waits between them.

use postgres::Client;
use trips_tests::{Cluster, FIVE_COLUMNS, Load, real_trips, rows_as_csv, server_error, trip_line};

fn stage(client: &mut Client, path: &str) -> Load {
    Load::from_row(&client.query_one("SELECT * FROM trips.stage($1)", &[&path]).unwrap())
}

fn merge(client: &mut Client, load_id: Option<i64>) -> Load {
    Load::from_row(&client.query_one("SELECT * FROM trips.merge_staged($1)", &[&load_id]).unwrap())
}

/// History, roll-up and summary as one text each.
fn state(client: &mut Client) -> Vec<String> {
    [
        "SELECT string_agg(h::text, ';' ORDER BY date_time, trip_key) FROM trips.hist_trip_data AS h",
        "SELECT string_agg(d::text, ';' ORDER BY d::text) FROM trips.daily_trip_counts AS d",
        "SELECT string_agg(s::text, ';' ORDER BY s::text) FROM trips.summarized_trip_data AS s",
    ]
    .map(|query| client.query_one(query, &[]).unwrap().get::<_, Option<String>>(0).unwrap_or_default())
    .into()
}

/// Staging then merging gives the history that ingesting gives, and the same lines stay.
#[test]
fn both_ways_give_the_same_history() {
    let sample = include_bytes!("../../samples/trips_sample.csv").to_vec();
    for file in [real_trips(), sample] {
        let cluster = Cluster::start();
        let mut client = cluster.client();
        let path = cluster.file("trips.csv", &file);
        let staged_lines = "SELECT string_agg((line_no, column_name, error_code, error, raw_line)::text, ';' ORDER BY line_no)
                              FROM trips.stg_trip_data";
        let ingested = cluster.ingest(&mut client, &path);
        let expected = (
            state(&mut client),
            client.query_one(staged_lines, &[]).unwrap().get::<_, Option<String>>(0),
        );

        client
            .batch_execute("DROP EXTENSION trips_pipeline; CREATE EXTENSION trips_pipeline")
            .unwrap();
        let staged = stage(&mut client, &path);
        let rows = ingested.rows[0];
        assert_eq!(staged.summary(), ("loaded", [rows, 0, 0, rows]));
        assert_eq!(state(&mut client)[0], "");
        let merged = merge(&mut client, Some(staged.load_id));
        assert_eq!(merged.summary(), ingested.summary());
        assert_eq!(merged.load_id, staged.load_id);
        let lines = client.query_one(staged_lines, &[]).unwrap().get::<_, Option<String>>(0);
        assert_eq!((state(&mut client), lines), expected);
    }
}

/// More rows than one batch and than one run.
#[test]
fn many_staged_rows() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let path = cluster.file("trips.csv", rows_as_csv(25_000, 5));
    client.batch_execute("SET trips.memory = '1MB'").unwrap();
    let staged = stage(&mut client, &path);
    assert_eq!(staged.rows, [25_000, 0, 0, 25_000]);
    assert_eq!(merge(&mut client, None).rows, [25_000, 25_000, 0, 0]);
    let left: i64 =
        client.query_one("SELECT count(*) FROM trips.stg_trip_data", &[]).unwrap().get(0);
    assert_eq!(left, 0);
}

#[test]
fn a_mended_line_is_promoted_and_booked_to_its_load() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let file =
        format!("{FIVE_COLUMNS}{}B,,,05/06/2018,x\nragged,line\nC,,,now,y\n", trip_line("A", 1));
    let path = cluster.file("bad.csv", file);
    let load = cluster.ingest(&mut client, &path);
    assert_eq!(load.rows, [4, 1, 0, 3]);

    // Nothing is mended: nothing changes, and the reasons stay.
    let reasons = |client: &mut Client| -> Vec<(i64, String)> {
        let rows = client
            .query("SELECT line_no, error FROM trips.stg_trip_data ORDER BY line_no", &[])
            .unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    };
    let before = reasons(&mut client);
    assert_eq!(merge(&mut client, Some(load.load_id)).rows, [4, 1, 0, 3]);
    assert_eq!(reasons(&mut client), before);

    client
        .batch_execute(
            "UPDATE trips.stg_trip_data SET date_time = '2018-06-05 00:00:00' WHERE line_no = 3;
             UPDATE trips.stg_trip_data
                SET region = 'A', origin_coord = 'POINT (1 2)', destination_coord = 'POINT (3 4)',
                    date_time = '2018-05-01 00:00:01', datasource = 'source'
              WHERE line_no = 4;
             UPDATE trips.stg_trip_data SET date_time = '2018-13-01 00:00:00' WHERE line_no = 5",
        )
        .unwrap();
    // Line 4 has become the trip of line 2.
    assert_eq!(merge(&mut client, None).rows, [4, 2, 1, 1]);
    let left = client
        .query_one("SELECT line_no, error_code, load_id FROM trips.stg_trip_data", &[])
        .unwrap();
    assert_eq!((left.get(0), left.get(1), left.get(2)), (5_i64, "22008", load.load_id));
    let loads: i64 = client.query_one("SELECT count(*) FROM trips.loads", &[]).unwrap().get(0);
    assert_eq!(loads, 1);
}

/// Spark, COPY and JDBC write the five columns and nothing else.
#[test]
fn rows_of_outside_writers_become_a_load() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let columns = "region, origin_coord, destination_coord, date_time, datasource";
    let path = cluster.file("trips.csv", real_trips());
    let copy = format!("COPY trips.stg_trip_data ({columns}) FROM '{path}' (FORMAT csv, HEADER)");
    client.batch_execute(&copy).unwrap();
    client.batch_execute(&copy).unwrap();
    client
        .batch_execute(&format!(
            "INSERT INTO trips.stg_trip_data ({columns}) VALUES ('A', '', '', 'infinity', 'x')"
        ))
        .unwrap();
    let load = merge(&mut client, None);
    assert_eq!(load.summary(), ("loaded", [201, 100, 100, 1]));
    let left = client
        .query_one("SELECT load_id, column_name, error_code FROM trips.stg_trip_data", &[])
        .unwrap();
    assert_eq!((left.get(0), left.get(1), left.get(2)), (load.load_id, "date_time", "22007"));
    let source: String = client.query_one("SELECT source FROM trips.loads", &[]).unwrap().get(0);
    assert_eq!(source, "trips.stg_trip_data");

    // The same trips as a file now: known, all of them.
    assert_eq!(cluster.ingest(&mut client, &path).rows, [100, 0, 100, 0]);
}

#[test]
fn nothing_staged_and_unknown_loads() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let row = client.query_one("SELECT * FROM trips.merge_staged()", &[]).unwrap();
    assert_eq!(row.get::<_, Option<i64>>("load_id"), None);
    let error = client.query_one("SELECT trips.merge_staged(42)", &[]).unwrap_err();
    assert_eq!(server_error(&error).0, "42704");

    let path = cluster.file("trips.csv", real_trips());
    let load = cluster.ingest(&mut client, &path);
    assert_eq!(merge(&mut client, Some(load.load_id)), load);
}

/// What is staged is known: the same bytes are not taken twice, and a notice says what to do.
#[test]
fn a_staged_file_is_not_ingested_beside() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let path = cluster.file("trips.csv", real_trips());
    let staged = stage(&mut client, &path);
    let again = cluster.ingest(&mut client, &path);
    assert_eq!((again.summary(), again.same_as), (("skipped", [0; 4]), Some(staged.load_id)));
    assert_eq!(merge(&mut client, None).rows, [100, 100, 0, 0]);
}
