//! The history is divided by months: made when they come, found whatever they are called.

use std::fmt::Write;

use postgres::Client;
use trips_tests::{Database, FIVE_COLUMNS, Load, rows_as_csv, server_error};

/// A line for a region and a date and time.
fn at(region: &str, date_time: &str) -> String {
    format!("{region},POINT (1 2),POINT (3 4),{date_time},source\n")
}

fn partitions(client: &mut Client) -> Vec<(String, i64)> {
    let query =
        "SELECT tableoid::regclass::text, count(*) FROM trips.hist_trip_data GROUP BY 1 ORDER BY 1";
    client.query(query, &[]).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn named(counts: &[(&str, i64)]) -> Vec<(String, i64)> {
    let name = |suffix: &str| format!("trips.hist_trip_data_{suffix}");
    counts.iter().map(|&(suffix, count)| (name(suffix), count)).collect()
}

#[test]
fn any_date_has_its_partition() {
    let database = Database::on_shared();
    let mut client = database.client();
    client
        .batch_execute("LOAD 'trips_pipeline'; SET trips.earliest_date = '0001-01-01'; SET trips.latest_date = '9999-12-31'")
        .unwrap();
    let dates = [
        "0001-01-01 00:00:00",
        "1969-12-31 23:59:59.999999",
        "1970-01-01 00:00:00",
        "2018-05-31 23:59:59.999999",
        "2018-06-01 00:00:00",
        "2018-06-30 12:00:00",
        "2019-02-28 23:59:59",
        "2099-12-31 23:59:59.999999",
        "2100-01-01 00:00:00",
        "9999-12-31 23:59:59",
    ];
    let lines: String = dates.iter().rev().map(|date| at("Prague", date)).collect();
    let path = database.file("a.csv", format!("{FIVE_COLUMNS}{lines}"));
    assert_eq!(database.ingest(&mut client, &path).rows, [10, 10, 0, 0]);
    let expected = [
        ("1970_01", 1),
        ("2018_05", 1),
        ("2018_06", 2),
        ("2019_02", 1),
        ("2099_12", 1),
        ("before_1970", 2),
        ("from_2100", 2),
    ];
    assert_eq!(partitions(&mut client), named(&expected));
    // Row by row into partitions that are there, beside a new one.
    let more: String = lines.replace("Prague", "Turin") + &at("Turin", "2018-07-01 00:00:00");
    let path = database.file("b.csv", format!("{FIVE_COLUMNS}{lines}{more}"));
    assert_eq!(database.ingest(&mut client, &path).rows, [21, 11, 10, 0]);
    assert_eq!(partitions(&mut client).len(), 8);
    let keys: i64 = client
        .query_one(
            "SELECT count(*) FROM pg_inherits JOIN pg_index ON indrelid = inhrelid
              WHERE inhparent = 'trips.hist_trip_data'::regclass AND indisprimary AND indisvalid",
            &[],
        )
        .unwrap()
        .get(0);
    assert_eq!(keys, 8);
    client.batch_execute("DROP EXTENSION trips_pipeline").unwrap();
}

/// Years of random dates: every partition is filled in one pass, in the order of its index.
#[test]
fn a_file_over_many_months() {
    let database = Database::on_shared();
    let mut client = database.client();
    let mut file = FIVE_COLUMNS.to_owned();
    for i in 0_u32..60_000 {
        let (year, month, day) = (2010 + i * 7 % 12, 1 + i / 12 % 12, 1 + i * 11 % 28);
        writeln!(
            file,
            "r{},,,{year}-{month:02}-{day:02} {:02}:{:02}:{:02},s",
            i % 9,
            i % 24,
            i % 60,
            i % 59
        )
        .unwrap();
    }
    let path = database.file("years.csv", &file);
    client.batch_execute("LOAD 'trips_pipeline'; SET trips.work_mem = '2MB'").unwrap();
    let in_runs = database.ingest(&mut client, &path);
    let distinct: i64 = client
        .query_one("SELECT count(DISTINCT (date_time, region)) FROM trips.hist_trip_data", &[])
        .unwrap()
        .get(0);
    assert_eq!((in_runs.rows[0], in_runs.rows[1]), (60_000, distinct));
    client
        .batch_execute(
            "DROP EXTENSION trips_pipeline; CREATE EXTENSION trips_pipeline; RESET trips.work_mem",
        )
        .unwrap();
    assert_eq!(database.ingest(&mut client, &path).rows, in_runs.rows);
    assert_eq!(partitions(&mut client).len(), 144);
}

#[test]
fn a_detached_partition_is_not_overwritten() {
    let database = Database::on_shared();
    let mut client = database.client();
    let may =
        database.file("may.csv", FIVE_COLUMNS.to_owned() + &at("Prague", "2018-05-01 10:00:00"));
    let more =
        database.file("more.csv", FIVE_COLUMNS.to_owned() + &at("Turin", "2018-05-02 10:00:00"));
    database.ingest(&mut client, &may);
    client
        .batch_execute(
            "ALTER TABLE trips.hist_trip_data DETACH PARTITION trips.hist_trip_data_2018_05",
        )
        .unwrap();
    let error = client.query_one("SELECT trips.ingest($1)", &[&more]).unwrap_err();
    let (code, message, hint) = server_error(&error);
    assert_eq!(code, "42P07");
    assert_eq!(
        message,
        "cannot create partition trips.hist_trip_data_2018_05: a table with this name already exists"
    );
    assert!(hint.contains("Attach the table"), "{hint}");
    client
        .batch_execute(
            "ALTER TABLE trips.hist_trip_data ATTACH PARTITION trips.hist_trip_data_2018_05
               FOR VALUES FROM ('2018-05-01') TO ('2018-06-01')",
        )
        .unwrap();
    assert_eq!(database.ingest(&mut client, &more).rows, [1, 1, 0, 0]);
}

/// Somebody has put a year together, with the columns in another order; and a default partition.
#[test]
fn partitions_of_other_makers() {
    let database = Database::on_shared();
    let mut client = database.client();
    client
        .batch_execute(
            "CREATE TABLE public.archive (load_id bigint NOT NULL, destination_coord point, origin_coord point,
               details jsonb, datasource text, region text NOT NULL, trip_id text, ended_at timestamp, trip_key uuid NOT NULL, date_time timestamp NOT NULL);
             ALTER TABLE trips.hist_trip_data ATTACH PARTITION public.archive
               FOR VALUES FROM ('2018-01-01') TO ('2019-01-01');
             CREATE TABLE public.rest PARTITION OF trips.hist_trip_data DEFAULT;
             ALTER TABLE public.rest ADD PRIMARY KEY (date_time, trip_key)",
        )
        .unwrap();
    let path = database.file("may.csv", rows_as_csv(6000, 1));
    let error = client.query_one("SELECT trips.ingest($1)", &[&path]).unwrap_err();
    assert_eq!(server_error(&error).0, "55000");
    assert!(error.as_db_error().unwrap().message().contains("public.archive"));
    client
        .batch_execute("ALTER TABLE public.archive ADD PRIMARY KEY (date_time, trip_key)")
        .unwrap();
    assert_eq!(database.ingest(&mut client, &path).rows, [6000, 6000, 0, 0]);
    let later =
        database.file("later.csv", FIVE_COLUMNS.to_owned() + &at("Turin", "2019-05-02 10:00:00"));
    database.ingest(&mut client, &later);
    let found = partitions(&mut client);
    assert_eq!(found, [("archive".to_owned(), 6000), ("rest".to_owned(), 1)]);
    let wrong: i64 = client
        .query_one(
            "SELECT count(*) FROM trips.hist_trip_data AS h
              WHERE trip_key <> trips.trip_key(region, origin_coord, destination_coord, date_time, datasource)",
            &[],
        )
        .unwrap()
        .get(0);
    assert_eq!(wrong, 0);
}

/// TRUNCATE leaves the partitions: they are filled and indexed at once again.
#[test]
fn a_truncated_history_is_filled_again() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("may.csv", rows_as_csv(20_000, 1));
    let first = database.ingest(&mut client, &path);
    client.batch_execute("TRUNCATE trips.hist_trip_data, trips.daily_trip_counts").unwrap();
    for rows in [[20_000, first.rows[1], first.rows[2], 0], [20_000, 0, 20_000, 0]] {
        let row =
            client.query_one("SELECT * FROM trips.ingest($1, force => true)", &[&path]).unwrap();
        assert_eq!(Load::from_row(&row).rows, rows);
    }
}

/// A load within a query on the history makes its partition all the same.
#[test]
fn a_load_while_the_history_is_being_read() {
    let database = Database::on_shared();
    let mut client = database.client();
    let [may, june, july] = ["2018-05-01", "2018-06-01", "2018-07-01"].map(|day| {
        database.file(day, FIVE_COLUMNS.to_owned() + &at("Prague", &format!("{day} 10:00:00")))
    });
    database.ingest(&mut client, &may);
    database.ingest(&mut client, &june);
    let loads = "SELECT trips.ingest($1) FROM trips.hist_trip_data";
    assert_eq!(client.query(loads, &[&july]).unwrap().len(), 2);
    assert_eq!(partitions(&mut client).len(), 3);
}

/// Whatever somebody has done to the columns: the rows are right, or the load is refused, or the change was.
#[test]
fn changed_columns() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file = FIVE_COLUMNS.to_owned() + "A,,POINT (1 2),2018-05-01 00:00:00,x\n";
    let path = database.file("a.csv", &file);
    for (change, code) in [
        // Functions depend on these columns.
        ("ALTER COLUMN origin_coord TYPE text", "0A000"),
        ("ALTER COLUMN load_id TYPE int", "0A000"),
        (
            "RENAME load_id TO was; ALTER TABLE trips.hist_trip_data ADD load_id int NOT NULL",
            "42804",
        ),
        ("RENAME COLUMN datasource TO sent_by", "42703"),
        ("ALTER COLUMN origin_coord SET NOT NULL", "23502"),
    ] {
        client
            .batch_execute("DROP EXTENSION trips_pipeline; CREATE EXTENSION trips_pipeline")
            .unwrap();
        let altered = client.batch_execute(&format!("ALTER TABLE trips.hist_trip_data {change}"));
        let load = altered.and_then(|()| client.query_one("SELECT trips.ingest($1)", &[&path]));
        let error = load.expect_err(change);
        assert_eq!(server_error(&error).0, code, "{change}: {error:?}");
    }
}

/// A partition that was detached and renamed keeps the name of its key: the month is loaded all the same. A table that
/// is in the way is no fault of the file: the next run loads it when the table is gone.
#[test]
fn a_month_whose_names_are_taken() {
    let database = Database::on_shared();
    let mut client = database.client();
    let first = database.file("first.csv", rows_as_csv(10, 1));
    assert_eq!(database.ingest(&mut client, &first).summary(), ("loaded", [10, 10, 0, 0]));
    let (name, _) = partitions(&mut client).remove(0);
    client
        .batch_execute(&format!(
            "ALTER TABLE trips.hist_trip_data DETACH PARTITION {name}; ALTER TABLE {name} RENAME TO old;
             CREATE TABLE {name} ()"
        ))
        .unwrap();
    database.file("next_b.csv", rows_as_csv(10, 2));
    let call = format!("CALL trips.ingest_new('{}')", database.path("next_*.csv"));
    let mut run = || {
        let row = client.query_one(&call, &[]).unwrap();
        let counts: [i64; 3] = [0, 1, 2].map(|i| row.get(i));
        let query = "SELECT count(*) FROM trips.loads WHERE error_code = '42P07'";
        let refused: i64 = client.query_one(query, &[]).unwrap().get(0);
        client.batch_execute(&format!("DROP TABLE IF EXISTS {name}")).unwrap();
        (counts, refused)
    };
    assert_eq!(run(), ([0, 0, 1], 1));
    assert_eq!(run().0, [1, 0, 0]);
}
