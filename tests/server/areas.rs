//! Questions about areas, beside plain SQL on the history.

use postgres::Client;
use trips_datagen::Shape;
use trips_tests::{Database, FIVE_COLUMNS, month_as_csv, server_error};

const MATCHES: [&str; 4] = ["origin", "destination", "both", "either"];

/// Plain SQL for the trips by week in a box, from the history. What is inside is said as the documentation
/// says it.
fn plain(corners: [f64; 4], period: [Option<&str>; 2], ends: &str) -> String {
    let [w, s, e, n] = corners;
    let inside = |p: &str| {
        format!(
            "coalesce({p}[1] BETWEEN {s} AND {n} AND ({p}[0] BETWEEN {w} AND {e}
               OR {p}[0] + 360 BETWEEN {w} AND {e} OR {p}[0] - 360 BETWEEN {w} AND {e}), false)"
        )
    };
    let (o, d) = (inside("origin_coord"), inside("destination_coord"));
    let condition = match ends {
        "origin" => o,
        "destination" => d,
        "both" => format!("{o} AND {d}"),
        _ => format!("({o} OR {d})"),
    };
    let day = |i: usize, of: &str| match period[i] {
        Some(date) => format!("date '{date}'"),
        None => format!("(SELECT {of} FROM trip)"),
    };
    let (since, until) = (day(0, "min(week)"), day(1, "max(week) + 6"));
    format!(
        "WITH trip AS MATERIALIZED (
                SELECT day, date_trunc('week', day)::date AS week, count(*) AS trips
                  FROM (SELECT date_time::date AS day FROM trips.hist_trip_data WHERE {condition}) AS t
                 GROUP BY 1),
              period AS (SELECT {since} AS since, {until} AS until),
              week AS (SELECT w::date AS week FROM period, generate_series(
                         date_trunc('week', since), date_trunc('week', until), '7 days') AS w
                        WHERE since <= until),
              found AS (SELECT week, sum(trips)::bigint AS trips FROM trip, period
                         WHERE day BETWEEN since AND until GROUP BY 1)
         SELECT week, coalesce(trips, 0) AS trips FROM week LEFT JOIN found USING (week)"
    )
}

fn texts(client: &mut Client, query: &str) -> Vec<String> {
    let rows = client.query(&format!("SELECT t::text FROM ({query}) AS t ORDER BY 1"), &[]);
    rows.unwrap_or_else(|e| panic!("{query}: {e:?}")).iter().map(|row| row.get(0)).collect()
}

/// Compares counts and the average with plain SQL; returns how many trips there were.
fn check(client: &mut Client, corners: [f64; 4], period: [Option<&str>; 2], ends: &str) -> i64 {
    let [w, s, e, n] = corners;
    let date = |date: Option<&str>| date.map_or("NULL".into(), |date| format!("'{date}'"));
    let arguments = format!(
        "box(point({w}, {s}), point({e}, {n})), {}, {}, '{ends}'",
        date(period[0]),
        date(period[1])
    );
    let plain = plain(corners, period, ends);
    let expected = texts(client, &plain);
    let found = texts(client, &format!("SELECT * FROM trips.weekly_counts({arguments})"));
    assert_eq!(found, expected, "{arguments}");
    let row = client
        .query_one(
            &format!(
                "SELECT trips.weekly_avg({arguments}) IS NOT DISTINCT FROM sum(trips)::numeric / nullif(count(*), 0)::numeric,
                        coalesce(sum(trips), 0)::bigint FROM ({plain}) AS p"
            ),
            &[],
        )
        .unwrap();
    assert!(row.get::<_, bool>(0), "{arguments}");
    row.get(1)
}

fn five_days(rows: u64, seed: u64, first_day: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let first_day = first_day.parse().unwrap();
    let shape = Shape { rows, seed, first_day, days: 5, ..Shape::default() };
    trips_datagen::write(&shape, &mut bytes).unwrap();
    bytes
}

/// How many weeks have all their trips in the directory, and how many have trips.
fn complete_weeks(client: &mut Client) -> [i64; 2] {
    let row = client
        .query_one(
            "WITH d AS (SELECT date_trunc('week', day)::date AS week, sum(trips) AS trips
                          FROM trips.daily_trip_counts GROUP BY 1),
                  a AS (SELECT week, sum(trips) AS trips FROM trips_internal.area_directory GROUP BY 1)
             SELECT (SELECT count(*) FROM d JOIN a USING (week, trips)), (SELECT count(*) FROM d)",
            &[],
        )
        .unwrap();
    [row.get(0), row.get(1)]
}

/// Corners and dates of places that are easily got wrong.
const EDGES: &str = "A,POINT (-180 10),POINT (179.9 10),2018-12-31 00:00:00,x\n\
    A,POINT (180 10),POINT (-179.9 10),2018-12-30 23:59:59,x\n\
    A,POINT (170.1 -10),,2019-01-06 10:00:00,x\n\
    A,,POINT (-170.123456789012 5),2020-12-31 10:00:00,x\n\
    A,,,2021-01-01 10:00:00,x\n\
    A,POINT (14.42 50.09),POINT (14.42 50.09),2021-01-04 00:00:00,x\n\
    A,POINT (14.4212345678 50.0912345678),POINT (14.42 50.09),2021-01-10 23:59:59.999999,x\n\
    A,POINT (0 0),POINT (0.0000001 90),2016-02-29 12:00:00,x\n\
    A,POINT (1e-300 -1e-300),POINT (-179.99999999 -90),1969-12-31 23:59:59,x\n";

const BOXES: [[f64; 4]; 14] = [
    [-180.0, -90.0, 180.0, 90.0],
    [14.3, 49.95, 14.45, 50.1],
    [14.42, 50.09, 14.42, 50.09],
    [14.421_234_567_8, 50.0, 14.5, 50.091_234_567_8],
    [14.421_234_567_8, 50.091_234_567_8, 14.421_234_567_8, 50.091_234_567_8],
    [-180.0, -90.0, -170.123_456_789_012, 90.0],
    [170.1, -10.0, 190.0, 10.0],
    [170.1, -10.0, 180.1, 10.0],
    [179.9, 0.0, 180.0, 20.0],
    [0.0, 0.0, 0.000_000_1, 90.0],
    [-1e-300, -1e-300, 1e-300, 0.0],
    [60.0, 60.0, 61.0, 61.0],
    [-1000.0, -1000.0, 1000.0, 1000.0],
    [7.6, 44.0, 18.7, 54.35],
];

const PERIODS: [[Option<&str>; 2]; 8] = [
    [None, None],
    [Some("2018-05-09"), None],
    [None, Some("2018-05-09")],
    [Some("2018-05-09"), Some("2018-05-10")],
    [Some("2018-12-31"), Some("2021-01-03")],
    [Some("2030-01-01"), None],
    [None, Some("1900-01-01")],
    [Some("2021-01-08"), None],
];

#[test]
fn areas_are_counted_exactly() {
    let database = Database::for_any_date();
    let mut client = database.client();
    assert_eq!(texts(&mut client, "SELECT * FROM trips.weekly_counts(box '(1,1),(0,0)')"), [""; 0]);
    let none: Option<String> =
        client.query_one("SELECT trips.weekly_avg(box '(1,1),(0,0)')::text", &[]).unwrap().get(0);
    assert_eq!(none, None);
    check(&mut client, BOXES[0], PERIODS[3], "origin");

    let edges = database.file("edges.csv", FIVE_COLUMNS.to_owned() + EDGES);
    let may = database.file("may.csv", month_as_csv(3_000, 1, "2018-05-01"));
    // Over 32 * 1024 of one week: a thread makes the groups.
    let june = database.file("june.csv", five_days(40_000, 2, "2018-06-04"));
    client.batch_execute("LOAD 'trips_pipeline'").unwrap();
    for path in [&edges, &may, &june] {
        database.ingest(&mut client, path);
        let [complete, all] = complete_weeks(&mut client);
        assert_eq!(complete, all);
    }
    let mut trips = 0;
    for (i, corners) in BOXES.into_iter().enumerate() {
        for (j, period) in PERIODS.into_iter().enumerate() {
            trips += check(&mut client, corners, period, MATCHES[(i + j) % 4]);
            trips += check(&mut client, corners, period, MATCHES[(i + j + 2) % 4]);
        }
    }
    assert!(trips > 300_000, "{trips}");
    // Without what the loads have kept: the same, from the history itself.
    client.batch_execute("BEGIN; DELETE FROM trips_internal.area_directory").unwrap();
    for corners in BOXES {
        check(&mut client, corners, PERIODS[0], "both");
        check(&mut client, corners, PERIODS[1], "either");
    }
    client
        .batch_execute("ROLLBACK; BEGIN; UPDATE trips_internal.area_pages SET content = '\\x00'")
        .unwrap();
    check(&mut client, BOXES[1], PERIODS[0], "either");
    client.batch_execute("ROLLBACK; BEGIN; DELETE FROM trips_internal.area_pages").unwrap();
    check(&mut client, BOXES[1], PERIODS[0], "destination");
    client.batch_execute("ROLLBACK").unwrap();
}

/// A thousand loads of few trips leave few groups, and each costs only its own trips.
#[test]
fn a_thousand_tiny_loads() {
    let database = Database::on_shared();
    let mut client = database.client();
    client
        .batch_execute(
            "INSERT INTO trips.stg_trip_data (region, origin_coord, destination_coord, date_time, datasource)
             SELECT 'A', format('POINT (%s 50)', 14 + i / 1000.0), 'POINT (14.5 50.123456789)',
                    timestamp '2018-05-01' + i * interval '1 minute', 's' FROM generate_series(1, 500) AS i",
        )
        .unwrap();
    client.query("SELECT trips.merge_staged()", &[]).unwrap();
    for i in 0..1000 {
        client
            .execute(
                "INSERT INTO trips.stg_trip_data (region, origin_coord, destination_coord, date_time, datasource)
                 SELECT 'B', format('POINT (%s 50)', 14 + $1::int / 1000.0), 'POINT (14.5 50.2)',
                        (timestamp '2018-05-01' + $1::int * interval '3 minutes')::text, 's'",
                &[&i],
            )
            .unwrap();
        client.query("SELECT trips.merge_staged()", &[]).unwrap();
    }
    let row = client
        .query_one(
            "SELECT (SELECT count(*) FROM trips_internal.area_directory), (SELECT count(*) FROM trips_internal.area_pages),
                    (SELECT sum(trips)::bigint FROM trips_internal.area_directory)",
            &[],
        )
        .unwrap();
    let [groups, blocks, trips] = [0, 1, 2].map(|i| row.get::<_, i64>(i));
    assert_eq!(trips, 1500);
    assert!(groups <= 12 && blocks <= 30, "{groups} groups, {blocks} blocks");
    assert_eq!(complete_weeks(&mut client), [1, 1]);
    assert_eq!(check(&mut client, [14.1, 50.0, 14.2, 50.0], [None, None], "origin"), 202);
}

#[test]
fn a_load_that_keeps_no_areas_is_counted_all_the_same() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("first.csv", month_as_csv(3000, 1, "2018-05-01"));
    client.batch_execute("LOAD 'trips_pipeline'; SET trips.maintain_area_index = off").unwrap();
    database.ingest(&mut client, &path);
    let groups = "SELECT count(*) FROM trips_internal.area_directory";
    assert_eq!(client.query_one(groups, &[]).unwrap().get::<_, i64>(0), 0);
    let world = [-180.0, -90.0, 180.0, 90.0];
    let all = check(&mut client, world, [None, None], "origin");
    // A load that keeps them does not make the weeks complete; rebuild does.
    client.batch_execute("RESET trips.maintain_area_index").unwrap();
    let more = month_as_csv(500, 9, "2018-05-01");
    database.ingest(&mut client, &database.file("second.csv", more));
    assert!(complete_weeks(&mut client)[0] < complete_weeks(&mut client)[1]);
    let more = check(&mut client, world, [None, None], "origin");
    assert!(all > 2000 && more > all, "{all}, {more}");
    client.batch_execute("SELECT trips.rebuild()").unwrap();
    let [complete, weeks] = complete_weeks(&mut client);
    assert_eq!(complete, weeks);
    assert_eq!(check(&mut client, world, [None, None], "origin"), more);
}

#[test]
fn wrong_queries_are_refused() {
    let database = Database::on_shared();
    let mut client = database.client();
    for (query, code, hint) in [
        ("SELECT trips.area(0, 10, 1, 9)", "22023", "west, south, east, north"),
        ("SELECT trips.area(0, 0, 181, 1)", "22003", "west, south, east, north"),
        ("SELECT trips.area(0, 'NaN', 1, 1)", "22003", "trips.area("),
        ("SELECT trips.area(0, 0, '-Infinity', 1)", "22003", "trips.area("),
        ("SELECT trips.area(NULL, 0, 1, 1)", "22004", "trips.area("),
        ("SELECT trips.weekly_avg(box '(1,1),(0,0)', match => 'begin')", "22023", "destination"),
        ("SELECT trips.weekly_avg(box '(1,1),(0,0)', match => NULL)", "22004", "Omit the argument"),
        ("SELECT trips.weekly_avg(NULL::box)", "22004", "trips.area("),
        ("SELECT trips.weekly_avg(box '(1,1),(NaN,0)')", "22003", "trips.area("),
        (
            "SELECT trips.weekly_avg(box '(1,1),(0,0)', '2018-05-02', '2018-05-01')",
            "22023",
            "Use a since date",
        ),
        ("SELECT trips.weekly_avg(box '(1,1),(0,0)', '-infinity')", "22023", "Omit the date"),
        // It would have 306 million weeks.
        (
            "SELECT count(*) FROM trips.weekly_counts(box '(1,1),(0,0)', '4713-01-01 BC', '5874897-12-31')",
            "22023",
            "Omit the date",
        ),
        (
            "SELECT trips.weekly_avg(box '(1,1),(0,0)', '0001-01-01', '10000-01-01')",
            "22023",
            "Omit the date",
        ),
    ] {
        let error = client.query(query, &[]).expect_err(query);
        let (found, message, said) = server_error(&error);
        assert_eq!(found, code, "{query}: {message}");
        assert!(said.contains(hint), "{query}: {said}");
    }
    for (query, expected) in [
        ("SELECT trips.area(170, -10, -170, 10)::text", "(190,10),(170,-10)"),
        ("SELECT trips.area(-180, -90, 180, 90)::text", "(180,90),(-180,-90)"),
        (
            "SELECT trips.weekly_avg(box '(1,1),(0,0)', '2018-05-01', '2018-05-31')::text",
            "0.00000000000000000000",
        ),
        (
            "SELECT count(*)::text FROM trips.weekly_counts(box '(1,1),(0,0)', '2018-05-01', '2018-05-31')",
            "5",
        ),
        (
            "SELECT count(*)::text FROM trips.weekly_counts(box '(1,1),(0,0)', '0001-01-01', '9999-12-31')",
            "521723",
        ),
    ] {
        let found: String = client.query_one(query, &[]).unwrap().get(0);
        assert_eq!(found, expected, "{query}");
    }
}

/// A directory with another number of trips than its own row is not used.
#[test]
fn a_changed_count_is_no_answer() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("may.csv", month_as_csv(2000, 1, "2018-05-01"));
    database.ingest(&mut client, &path);
    client
        .batch_execute(
            "UPDATE trips_internal.area_directory
                SET directory = set_byte(directory, 4, get_byte(directory, 4) # 1)",
        )
        .unwrap();
    for (ends, corners) in
        [("origin", [-180.0, -90.0, 180.0, 90.0]), ("either", [5.0, 45.0, 9.0, 50.0])]
    {
        assert!(check(&mut client, corners, [None, None], ends) > 0);
    }
}

/// Trips within a meter of an edge are looked up by their minutes. The planner's estimate would let it read a large history
/// and compare each trip with each minute: so neither that nor the settings of the caller decide.
#[test]
fn trips_on_an_edge_are_looked_up_by_the_index() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("may.csv", month_as_csv(20_000, 1, "2018-05-01"));
    database.ingest(&mut client, &path);
    let point = "SELECT origin_coord[0], origin_coord[1] FROM trips.hist_trip_data ORDER BY date_time LIMIT 1";
    let point = client.query_one(point, &[]).unwrap();
    let [x, y]: [f64; 2] = [point.get(0), point.get(1)];
    let corners = [x - 0.05, y - 0.05, x, y];
    assert!(check(&mut client, corners, [None, None], "origin") > 0);
    let scans = "SELECT sum(seq_scan)::bigint, sum(idx_scan)::bigint FROM pg_stat_xact_user_tables
                  WHERE schemaname = 'trips' AND relname LIKE 'hist\\_trip\\_data\\_%'";
    for settings in ["", "SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off"] {
        // Counts of a session before wait for some time to be reported.
        let mut client = database.client();
        let mut transaction = client.transaction().unwrap();
        transaction.batch_execute(settings).unwrap();
        let [w, s, e, n] = corners;
        let query = format!("SELECT trips.weekly_avg(trips.area({w}, {s}, {e}, {n}))::text");
        transaction.query_one(&query, &[]).unwrap();
        let row = transaction.query_one(scans, &[]).unwrap();
        let [by_table, by_index]: [i64; 2] = [row.get(0), row.get(1)];
        assert!(by_table == 0 && by_index > 0, "{settings}: {by_table}, {by_index}");
    }
}
