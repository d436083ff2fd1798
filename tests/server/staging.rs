//! The two halves of a load, and what waits between them.

use postgres::Client;
use trips_tests::{Database, FIVE_COLUMNS, Load, real_trips, rows_as_csv, server_error, trip_line};

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
        let database = Database::on_shared();
        let mut client = database.client();
        let path = database.file("trips.csv", &file);
        let staged_lines = "SELECT string_agg((line_no, column_name, error_code, error, raw_line)::text, ';' ORDER BY line_no)
                              FROM trips.stg_trip_data";
        let ingested = database.ingest(&mut client, &path);
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
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("trips.csv", rows_as_csv(25_000, 5));
    client.batch_execute("SET trips.work_mem = '1MB'").unwrap();
    let staged = stage(&mut client, &path);
    assert_eq!(staged.rows, [25_000, 0, 0, 25_000]);
    assert_eq!(merge(&mut client, None).rows, [25_000, 25_000, 0, 0]);
    let left: i64 =
        client.query_one("SELECT count(*) FROM trips.stg_trip_data", &[]).unwrap().get(0);
    assert_eq!(left, 0);
}

#[test]
fn a_mended_line_is_promoted_and_booked_to_its_load() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file =
        format!("{FIVE_COLUMNS}{}B,,,05/06/2018,x\nragged,line\nC,,,now,y\n", trip_line("A", 1));
    let path = database.file("bad.csv", file);
    let load = database.ingest(&mut client, &path);
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
    let database = Database::on_shared();
    let mut client = database.client();
    let columns = "region, origin_coord, destination_coord, date_time, datasource";
    let path = database.file("trips.csv", real_trips());
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
    assert_eq!(database.ingest(&mut client, &path).rows, [100, 0, 100, 0]);
}

#[test]
fn nothing_staged_and_unknown_loads() {
    let database = Database::on_shared();
    let mut client = database.client();
    let row = client.query_one("SELECT * FROM trips.merge_staged()", &[]).unwrap();
    assert_eq!(row.get::<_, Option<i64>>("load_id"), None);
    let error = client.query_one("SELECT trips.merge_staged(42)", &[]).unwrap_err();
    assert_eq!(server_error(&error).0, "42704");

    let path = database.file("trips.csv", real_trips());
    let load = database.ingest(&mut client, &path);
    assert_eq!(merge(&mut client, Some(load.load_id)), load);
}

/// What is staged is known: the same bytes are not taken twice, and a notice says what to do.
#[test]
fn a_staged_file_is_not_ingested_beside() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("trips.csv", real_trips());
    let staged = stage(&mut client, &path);
    let again = database.ingest(&mut client, &path);
    assert_eq!((again.summary(), again.same_as), (("skipped", [0; 4]), Some(staged.load_id)));
    assert_eq!(merge(&mut client, None).rows, [100, 100, 0, 0]);
}

/// What text cannot hold is not promoted as something else.
#[test]
fn lines_with_bad_bytes_stay_until_they_are_mended() {
    let database = Database::on_shared();
    let mut client = database.client();
    let mut file = FIVE_COLUMNS.as_bytes().to_vec();
    file.extend_from_slice(b"Plze\xf2,,,2018-05-01 00:00:00,x\nA\0B,,,2018-05-01 00:00:00,x\n");
    let path = database.file("latin.csv", file);
    for call in ["ingest", "stage"] {
        let query = format!("SELECT * FROM trips.{call}($1)");
        let load = Load::from_row(&client.query_one(&query, &[&path]).unwrap());
        assert_eq!(load.rows, [2, 0, 0, 2]);
        assert_eq!(merge(&mut client, None).rows, [2, 0, 0, 2]);
        client
            .batch_execute("DROP EXTENSION trips_pipeline; CREATE EXTENSION trips_pipeline")
            .unwrap();
    }
}

/// Two sessions that write rows and merge in one transaction wait for each other, and no deadlock.
#[test]
fn writers_that_merge_at_the_same_time() {
    let database = Database::on_shared();
    let write = |client: &mut postgres::Transaction<'_>, region: &str| {
        let row = format!("('{region}', '2018-05-01 00:00:00')");
        let columns = "region, date_time";
        client
            .batch_execute(&format!("INSERT INTO trips.stg_trip_data ({columns}) VALUES {row}"))
            .unwrap();
    };
    let (mut first, mut second) = (database.client(), database.client());
    let mut one = first.transaction().unwrap();
    let mut two = second.transaction().unwrap();
    write(&mut one, "A");
    write(&mut two, "B");
    std::thread::scope(|scope| {
        let merging = scope.spawn(move || {
            let row =
                two.query_one("SELECT * FROM trips.merge_staged()", &[]).expect("no deadlock");
            two.commit().unwrap();
            Load::from_row(&row).rows
        });
        let row = one.query_one("SELECT * FROM trips.merge_staged()", &[]).expect("no deadlock");
        one.commit().unwrap();
        assert_eq!(Load::from_row(&row).rows[1], 1);
        assert_eq!(merging.join().unwrap()[1], 1);
    });
    let mut client = database.client();
    let trips: i64 =
        client.query_one("SELECT count(*) FROM trips.hist_trip_data", &[]).unwrap().get(0);
    assert_eq!(trips, 2);
}

/// A load number that the ledger does not know is an outside writer's own affair.
#[test]
fn load_numbers_of_outside_writers_are_not_believed() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.query_one("SELECT trips.ingest('/nowhere.csv')", &[]).unwrap_err();
    client
        .batch_execute(
            "INSERT INTO trips.stg_trip_data (load_id, region, date_time)
             VALUES (1, 'of a failed load', '2018-05-01 00:00:00'), (4, 'of a future load', '2018-05-01 00:00:00')",
        )
        .unwrap();
    let load = merge(&mut client, None);
    assert_eq!((load.load_id, load.rows), (2, [2, 2, 0, 0]));
    for i in 0..3 {
        let path = database.file("trips.csv", rows_as_csv(10, i));
        assert_eq!(database.ingest(&mut client, &path).rows, [10, 10, 0, 0]);
    }
    let failed = client.query_one("SELECT * FROM trips.loads WHERE load_id = 1", &[]).unwrap();
    assert_eq!(Load::from_row(&failed).summary(), ("failed", [0; 4]));
}

/// Lines of a load that is gone from the ledger become a load once, not with every merge.
#[test]
fn lines_without_a_load_are_adopted_once() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("bad.csv", format!("{FIVE_COLUMNS}ragged,line\n"));
    let first = database.ingest(&mut client, &path);
    client.batch_execute("DELETE FROM trips.loads").unwrap();
    let adopted = merge(&mut client, None);
    assert_ne!(adopted.load_id, first.load_id);
    assert_eq!(adopted.rows, [1, 0, 0, 1]);
    assert_eq!(merge(&mut client, None), adopted);
    let code: String =
        client.query_one("SELECT error_code FROM trips.stg_trip_data", &[]).unwrap().get(0);
    assert_eq!(code, "22P04");
}

/// Rows that would need more new partitions than the setting allows wait, and keep nobody else's rows waiting.
#[test]
fn too_many_new_months_stay_and_the_rest_is_merged() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("may.csv", format!("{FIVE_COLUMNS}M,,,2018-05-01 00:00:00,s\n"));
    assert_eq!(database.ingest(&mut client, &path).rows, [1, 1, 0, 0]);
    // 100 months of a file, 300 others of an outside writer, then rows of somebody else; 250 rows of one month.
    let months = |region: &str, first: i32, count: i32| {
        let month = |i: i32| format!("{}-{:02}-10 10:00:00", first + i / 12, 1 + i % 12);
        (0..count).map(|i| format!("{region},,,{},s\n", month(i))).collect::<String>()
    };
    let path = database.file("months.csv", FIVE_COLUMNS.to_owned() + &months("F", 1972, 100));
    let of_file = stage(&mut client, &path).load_id;
    let columns = "region, origin_coord, destination_coord, date_time, datasource";
    let mine = "2018-05-02 00:00:00,s\nmine,,,2018-05-03 00:00:00,s\n";
    let rows = months("months", 1985, 300)
        + &format!("mine,,,{mine}")
        + &"again,,,1985-01-10 10:00:00,s\n".repeat(250);
    let path = database.file("outside.csv", rows);
    client
        .batch_execute(&format!("COPY trips.stg_trip_data ({columns}) FROM '{path}' (FORMAT csv)"))
        .unwrap();
    // The loads of a merge share the limit: 100 months of the file, 140 of the others.
    let outside = merge(&mut client, None);
    assert_eq!(outside.summary(), ("loaded", [552, 143, 249, 160]));
    assert_eq!(rows_of(&mut client, of_file), [100, 100, 0, 0]);
    let waiting = "SELECT count(*), min(date_time), min(error_code), max(error_code), min(column_name), max(column_name),
                          min(error), max(error), min(region), max(region), max(load_id)
                     FROM trips.stg_trip_data";
    let row = client.query_one(waiting, &[]).unwrap();
    assert_eq!(
        (row.get(0), row.get(1), row.get(10)),
        (160_i64, "1996-09-10 10:00:00", outside.load_id)
    );
    let texts: Vec<&str> = (2..10).map(|column| row.get(column)).collect();
    let reason = "the trip needs a new partition of the history; the limit for one merge is 240 (trips.max_new_partitions)";
    let column = "date_time";
    assert_eq!(texts, ["54000", "54000", column, column, reason, reason, "months", "months"]);

    // None is allowed, and one month has got a partition by hand.
    client
        .batch_execute(
            "SET trips.max_new_partitions = 0;
             CREATE TABLE public.by_hand PARTITION OF trips.hist_trip_data (PRIMARY KEY (date_time, trip_key))
                FOR VALUES FROM ('2009-12-01') TO ('2010-01-01')",
        )
        .unwrap();
    assert_eq!(merge(&mut client, None).rows, [552, 144, 249, 159]);
    client.batch_execute("SET trips.max_new_partitions = 158").unwrap();
    assert_eq!(merge(&mut client, Some(outside.load_id)).rows, [552, 302, 249, 1]);
    assert_eq!(merge(&mut client, None).rows, [552, 303, 249, 0]);
    let counted = "SELECT (SELECT count(*) FROM trips.hist_trip_data), (SELECT sum(trips)::bigint FROM trips.daily_trip_counts)";
    let row = client.query_one(counted, &[]).unwrap();
    assert_eq!((row.get(0), row.get(1)), (404_i64, 404_i64));
}

fn rows_of(client: &mut Client, load_id: i64) -> [i64; 4] {
    let query = "SELECT * FROM trips.loads WHERE load_id = $1";
    Load::from_row(&client.query_one(query, &[&load_id]).unwrap()).rows
}
