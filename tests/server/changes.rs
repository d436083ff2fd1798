//! Changes of the history by hand: what is derived from it follows at once.

mod dates;
mod partitions;
mod random;
mod snapshots;
mod within_loads;

use postgres::Client;
use trips_tests::{
    Database, FIVE_COLUMNS, Load, month_as_csv, partitions_without_key, rows_as_csv, server_error,
    trip_line,
};

/// The roll-up, the view and the counts of areas against a count of the history.
fn check(client: &mut Client, what: &str) {
    for (derived, counted) in [
        (
            "SELECT md5(string_agg(d::text, ';' ORDER BY d::text COLLATE \"C\")) FROM (
               SELECT day, region, datasource, trips FROM trips.daily_trip_counts WHERE trips > 0) AS d",
            "SELECT md5(string_agg(d::text, ';' ORDER BY d::text COLLATE \"C\")) FROM (
               SELECT date_time::date, region, datasource, count(*) FROM trips.hist_trip_data GROUP BY 1, 2, 3) AS d",
        ),
        (
            "SELECT md5(string_agg(d::text, ';' ORDER BY d::text COLLATE \"C\")) FROM trips.weekly_avg() AS d",
            "SELECT md5(string_agg(d::text, ';' ORDER BY d::text COLLATE \"C\")) FROM (
               SELECT region, to_char(date_time, 'YYYY-MM-\"0\"W'), count(*) FROM trips.hist_trip_data GROUP BY 1, 2) AS d",
        ),
        (
            "SELECT sum(trips)::text FROM trips.weekly_counts(box '(10,60),(0,40)')",
            "SELECT nullif(count(*), 0)::text FROM trips.hist_trip_data WHERE origin_coord <@ box '(10,60),(0,40)'",
        ),
    ] {
        let one = |client: &mut Client, query: &str| -> Option<String> {
            client.query_one(query, &[]).unwrap_or_else(|e| panic!("{query}: {e:?}")).get(0)
        };
        assert_eq!(one(client, derived), one(client, counted), "{what}: {derived}");
    }
}

/// As `check`, and all that trips.verify() looks at. (The ledger does not know of changes by hand, nor have trips that
/// are made by hand keys of their values.)
fn check_all(client: &mut Client, what: &str) {
    check(client, what);
    let failed = "SELECT string_agg(check_name || ': ' || detail, '; ') FROM trips.verify()
                   WHERE NOT passed AND check_name NOT IN ('ledger', 'keys')";
    let failed: Option<String> = client.query_one(failed, &[]).unwrap().get(0);
    // A partition that is made by hand need not have a key before a load writes into it.
    let lacks_a_key = partitions_without_key(client).len() == 1;
    let is_about_one = |text: &String| {
        text.starts_with("partitions: the primary key") && text.contains("(partitions: 1, ")
    };
    let failed = failed.filter(|text| !(lacks_a_key && is_about_one(text)));
    assert_eq!(failed, None, "{what}");
}

/// How many weeks area questions take from what the loads have kept.
fn kept_weeks(client: &mut Client) -> i64 {
    let query = "SELECT count(DISTINCT week) FROM trips_internal.area_directory";
    client.query_one(query, &[]).unwrap().get(0)
}

/// How many weeks area questions must count from the history.
fn incomplete_weeks(client: &mut Client) -> i64 {
    let query = "SELECT count(*) FROM trips_internal.check_area_index()";
    client.query_one(query, &[]).unwrap().get(0)
}

const NEW_TRIP: &str =
    "('Cork', point(1, 50), NULL, '2018-05-09 12:00:00', 'hand', gen_random_uuid(), 0)";

#[test]
fn changes_by_hand_are_followed() {
    let database = Database::on_shared();
    let mut client = database.client();
    for (name, month) in [("may", "2018-05-01"), ("june", "2018-06-04")] {
        let path = database.file(name, month_as_csv(3_000, 1, month));
        database.ingest(&mut client, &path);
    }
    check(&mut client, "loads");
    let all = kept_weeks(&mut client);
    client.batch_execute("CREATE TABLE kept AS SELECT * FROM trips.hist_trip_data").unwrap();
    for statement in [
        format!("INSERT INTO trips.hist_trip_data VALUES {NEW_TRIP}"),
        format!("INSERT INTO trips.hist_trip_data_2018_05 VALUES {NEW_TRIP}"),
        "DELETE FROM trips.hist_trip_data WHERE region = 'Cork'".into(),
        "DELETE FROM trips.hist_trip_data WHERE date_time::date = '2018-05-10'".into(),
        "DELETE FROM trips.hist_trip_data_2018_06 WHERE region = 'Lyon'".into(),
        "UPDATE trips.hist_trip_data SET region = 'Turin' WHERE region = 'Porto'".into(),
        "UPDATE trips.hist_trip_data SET origin_coord = point(5, 50) WHERE region = 'Ghent'".into(),
        // From one partition into another.
        "UPDATE trips.hist_trip_data SET date_time = date_time + interval '28 days'
          WHERE date_time < '2018-05-08'"
            .into(),
        "UPDATE trips.hist_trip_data_2018_06 SET datasource = NULL".into(),
        "UPDATE trips.hist_trip_data SET region = region WHERE false".into(),
        "TRUNCATE trips.hist_trip_data_2018_05".into(),
        "TRUNCATE trips.hist_trip_data".into(),
        "INSERT INTO trips.hist_trip_data SELECT * FROM kept".into(),
        "MERGE INTO trips.hist_trip_data AS h USING kept AS k
            ON h.date_time = k.date_time AND h.trip_key = k.trip_key
          WHEN MATCHED AND k.region = 'Graz' THEN DELETE
          WHEN MATCHED AND k.region = 'Malmo' THEN UPDATE SET region = 'Malmö'"
            .into(),
    ] {
        client.batch_execute(&statement).unwrap_or_else(|e| panic!("{statement}: {e:?}"));
        check(&mut client, &statement);
        assert_eq!(incomplete_weeks(&mut client), 0, "{statement}");
        client.batch_execute("BEGIN").unwrap();
        let more = database.file("more.csv", rows_as_csv(500, 77));
        let row =
            client.query_one("SELECT * FROM trips.ingest($1, force => true)", &[&more]).unwrap();
        assert_eq!(Load::from_row(&row).rows[0], 500);
        check(&mut client, &format!("a load after {statement}"));
        client.batch_execute("ROLLBACK").unwrap();
    }
    client.batch_execute("SELECT trips.rebuild()").unwrap();
    check(&mut client, "rebuild");
    assert_eq!(kept_weeks(&mut client), all);
    // A dump's way back in, by COPY.
    let path = database.path("copy");
    client
        .batch_execute(&format!(
            "COPY (SELECT * FROM trips.hist_trip_data WHERE region = 'Lyon') TO '{path}';
             DELETE FROM trips.hist_trip_data WHERE region = 'Lyon'; COPY trips.hist_trip_data FROM '{path}'"
        ))
        .unwrap();
    check(&mut client, "COPY");
}

/// A change by hand waits for a load, and a load for a change: each sees what the other has done.
#[test]
fn changes_and_loads_take_turns() {
    let database = Database::on_shared();
    let (mut loader, mut writer) = (database.client(), database.client());
    let first = database.file("1.csv", rows_as_csv(500, 1));
    database.ingest(&mut loader, &first);
    for (level, rows, region) in
        [("READ COMMITTED", 600, "Lyon"), ("REPEATABLE READ", 700, "Ghent")]
    {
        let delete = format!("DELETE FROM trips.hist_trip_data WHERE region = '{region}'");
        let more = database.file("more.csv", rows_as_csv(rows, 1));
        loader.batch_execute("BEGIN").unwrap();
        loader.query_one("SELECT trips.ingest($1)", &[&more]).unwrap();
        writer
            .batch_execute(&format!(
                "BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM trips.hist_trip_data"
            ))
            .unwrap();
        let waits = writer
            .batch_execute(&format!("SAVEPOINT s; SET LOCAL lock_timeout = '100ms'; {delete}"))
            .unwrap_err();
        assert_eq!(server_error(&waits).0, "55P03");
        writer.batch_execute("ROLLBACK TO s; SET lock_timeout = 0").unwrap();
        loader.batch_execute("COMMIT").unwrap();
        let result = writer.batch_execute(&format!("{delete}; COMMIT"));
        if level == "READ COMMITTED" {
            result.unwrap();
            check(&mut writer, level);
            let third = database.file("3.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 3)));
            // The other way round: the load waits for the change.
            writer
                .batch_execute("BEGIN; DELETE FROM trips.hist_trip_data WHERE region = 'Turin'")
                .unwrap();
            loader.batch_execute("SET lock_timeout = '100ms'").unwrap();
            let waits = loader.query("SELECT trips.ingest($1)", &[&third]).unwrap_err();
            assert_eq!(server_error(&waits).0, "55P03");
            loader.batch_execute("SET lock_timeout = 0").unwrap();
            writer.batch_execute("COMMIT").unwrap();
            database.ingest(&mut loader, &third);
            check(&mut writer, "a load after a change");
        } else {
            let error = result.unwrap_err();
            assert_eq!(server_error(&error).0, "40001");
            writer.batch_execute("ROLLBACK").unwrap();
        }
    }
    check(&mut writer, "the end");
}
