//! Changes of the history by hand: what is derived from it follows at once.

use postgres::Client;
use trips_tests::{
    Cluster, FIVE_COLUMNS, Load, month_as_csv, rows_as_csv, server_error, trip_line,
};

/// The roll-up, the view and the answers about areas against a count of the history.
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

/// How many weeks area questions take from what the loads have kept.
fn kept_weeks(client: &mut Client) -> i64 {
    let query = "SELECT count(DISTINCT week) FROM trips.area_directory";
    client.query_one(query, &[]).unwrap().get(0)
}

const NEW_TRIP: &str =
    "('Cork', point(1, 50), NULL, '2018-05-09 12:00:00', 'hand', gen_random_uuid(), 0)";

#[test]
fn changes_by_hand_are_followed() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    for (name, month) in [("may", "2018-05-01"), ("june", "2018-06-04")] {
        let path = cluster.file(name, month_as_csv(3_000, 1, month));
        cluster.ingest(&mut client, &path);
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
        client.batch_execute("BEGIN").unwrap();
        let more = cluster.file("more.csv", rows_as_csv(500, 77));
        let row =
            client.query_one("SELECT * FROM trips.ingest($1, force => true)", &[&more]).unwrap();
        assert_eq!(Load::from_row(&row).rows[0], 500);
        check(&mut client, &format!("a load after {statement}"));
        client.batch_execute("ROLLBACK").unwrap();
    }
    assert!(kept_weeks(&mut client) < all);
    client.batch_execute("SELECT trips.rebuild()").unwrap();
    check(&mut client, "rebuild");
    assert_eq!(kept_weeks(&mut client), all);
    // A dump's way back in, by COPY.
    let path = cluster.path("copy");
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
    let cluster = Cluster::start();
    let (mut loader, mut writer) = (cluster.client(), cluster.client());
    let first = cluster.file("1.csv", rows_as_csv(500, 1));
    cluster.ingest(&mut loader, &first);
    for (level, rows, region) in
        [("READ COMMITTED", 600, "Lyon"), ("REPEATABLE READ", 700, "Ghent")]
    {
        let delete = format!("DELETE FROM trips.hist_trip_data WHERE region = '{region}'");
        let more = cluster.file("more.csv", rows_as_csv(rows, 1));
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
            let third = cluster.file("3.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 3)));
            // The other way round: the load waits for the change.
            writer
                .batch_execute("BEGIN; DELETE FROM trips.hist_trip_data WHERE region = 'Turin'")
                .unwrap();
            loader.batch_execute("SET lock_timeout = '100ms'").unwrap();
            let waits = loader.query("SELECT trips.ingest($1)", &[&third]).unwrap_err();
            assert_eq!(server_error(&waits).0, "55P03");
            loader.batch_execute("SET lock_timeout = 0").unwrap();
            writer.batch_execute("COMMIT").unwrap();
            cluster.ingest(&mut loader, &third);
            check(&mut writer, "a load after a change");
        } else {
            let error = result.unwrap_err();
            assert_eq!(server_error(&error).0, "40001");
            writer.batch_execute("ROLLBACK").unwrap();
        }
    }
    check(&mut writer, "the end");
}

/// A partition that somebody has made and filled is counted by the first load into it.
#[test]
fn partitions_of_others_are_adopted() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    client
        .batch_execute(
            "CREATE TABLE public.archive (LIKE trips.hist_trip_data, PRIMARY KEY (date_time, trip_key));
             INSERT INTO public.archive VALUES ('Old', NULL, NULL, '2017-05-05 10:00:00', 's', gen_random_uuid(), 0);
             ALTER TABLE trips.hist_trip_data ATTACH PARTITION public.archive
               FOR VALUES FROM ('2017-01-01') TO ('2018-01-01')",
        )
        .unwrap();
    let line = "New,,,2017-06-06 10:00:00,s\n";
    let path = cluster.file("a.csv", format!("{FIVE_COLUMNS}{line}"));
    assert_eq!(cluster.ingest(&mut client, &path).rows, [1, 1, 0, 0]);
    check(&mut client, "adopted");
    client.batch_execute("DELETE FROM public.archive WHERE region = 'Old'").unwrap();
    check(&mut client, "followed");
    // Without rights on what is derived, a writer's change is followed all the same.
    client
        .batch_execute(
            "CREATE ROLE writer; GRANT USAGE ON SCHEMA trips TO writer;
             GRANT SELECT, DELETE ON trips.hist_trip_data TO writer; SET ROLE writer;
             DELETE FROM trips.hist_trip_data; RESET ROLE",
        )
        .unwrap();
    check(&mut client, "another role");
}

/// Partitions that are detached, attached and dropped by hand take their trips with them, and are followed, or
/// not, from then on.
#[test]
fn partitions_that_come_and_go_are_followed() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    for (name, month) in [("may", "2018-05-01"), ("june", "2018-06-04"), ("july", "2018-07-02")] {
        let path = cluster.file(name, month_as_csv(3_000, 1, month));
        cluster.ingest(&mut client, &path);
    }
    let bounds = "FOR VALUES FROM ('2018-06-01') TO ('2018-07-01')";
    for statement in [
        "ALTER TABLE trips.hist_trip_data DETACH PARTITION trips.hist_trip_data_2018_06".to_owned(),
        // It is nobody's but the user's now: what happens to it is not counted.
        "DELETE FROM trips.hist_trip_data_2018_06 WHERE region = 'Lyon'".into(),
        "INSERT INTO trips.hist_trip_data_2018_06 SELECT * FROM trips.hist_trip_data_2018_07 LIMIT 0".into(),
        format!("ALTER TABLE trips.hist_trip_data ATTACH PARTITION trips.hist_trip_data_2018_06 {bounds}"),
        "DELETE FROM trips.hist_trip_data_2018_06 WHERE region = 'Turin'".into(),
        "ALTER TABLE trips.hist_trip_data_2018_07 RENAME TO other".into(),
        "DROP TABLE trips.hist_trip_data_2018_05".into(),
        "BEGIN; CREATE TABLE public.old (LIKE trips.hist_trip_data INCLUDING ALL, PRIMARY KEY (date_time, trip_key));
             INSERT INTO public.old VALUES ('Cork', point(1, 50), NULL, '2017-01-09 12:00:00', 'hand', gen_random_uuid(), 0);
             ALTER TABLE trips.hist_trip_data ATTACH PARTITION public.old FOR VALUES FROM ('2017-01-01') TO ('2018-01-01');
             COMMIT"
                .into(),
        "DELETE FROM public.old".into(),
        "ALTER TABLE trips.hist_trip_data DETACH PARTITION public.old CONCURRENTLY".into(),
        "DROP TABLE public.old, trips.other".into(),
    ] {
        client.batch_execute(&statement).unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        check(&mut client, &statement);
        let failed = "SELECT string_agg(check_name || ': ' || detail, '; ') FROM trips.verify()
                       WHERE NOT passed AND check_name <> 'ledger'";
        let failed: Option<String> = client.query_one(failed, &[]).unwrap().get(0);
        // A trip that was made by hand has no key of its values.
        assert!(failed.as_ref().is_none_or(|text| text.starts_with("keys")), "{statement}: {failed:?}");
    }
}
