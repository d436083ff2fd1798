//! Trips that are like each other, beside plain SQL and by hand.

use postgres::Client;
use trips_datagen::Shape;
use trips_tests::{Database, FIVE_COLUMNS, server_error};

fn texts(client: &mut Client, query: &str) -> Vec<String> {
    let rows = client.query(&format!("SELECT t::text FROM ({query}) AS t"), &[]);
    let rows = rows.unwrap_or_else(|error| panic!("{query}: {error}"));
    rows.iter().map(|row| row.get(0)).collect()
}

fn database_with_trips() -> (Database, Client) {
    let database = Database::on_shared();
    let mut client = database.client();
    let mut bytes = Vec::new();
    let first_day = "2020-12-10".parse().expect("a date");
    let shape = Shape { rows: 4000, seed: 3, regions: 2, days: 45, first_day };
    trips_datagen::write(&shape, &mut bytes).expect("memory");
    bytes.extend_from_slice(
        b"Prague,,POINT (14.4 50.1),2020-12-24 12:00:00,\nPrague,POINT (14.4 50.1),,2020-12-24 12:00:00,\n",
    );
    let path = database.file("trips.csv", bytes);
    database.ingest(&mut client, &path);
    (database, client)
}

/// The groups, by plain SQL.
fn plain(filter: &str, resolution: i32, minutes: i32, at_least: i64) -> String {
    format!(
        "SELECT o, d, time '00:00' + b * interval '{minutes} minutes' AS part, count(*) AS trips, trips.h3_center(o),
                trips.h3_center(d), min(date_time)::date, max(date_time)::date
           FROM (SELECT trips.h3_cell(origin_coord, {resolution}) AS o,
                        trips.h3_cell(destination_coord, {resolution}) AS d,
                        floor((extract(hour FROM date_time) * 60 + extract(minute FROM date_time)) / {minutes}) AS b,
                        date_time
                   FROM trips.hist_trip_data WHERE {filter}) AS c
          WHERE o IS NOT NULL AND d IS NOT NULL
          GROUP BY o, d, b HAVING count(*) >= {at_least}
          ORDER BY trips DESC, o, d, part"
    )
}

#[test]
fn groups_equal_plain_sql() {
    let (_cluster, mut client) = database_with_trips();
    let everything = ("true", "");
    let region = ("region = 'Turin'", ", region => 'Turin'");
    let days = (
        "date_time >= '2020-12-31' AND date_time < '2021-01-09'",
        ", since => '2020-12-31', until => '2021-01-08'",
    );
    let from = ("origin_coord <@ box '(14.4,50),(14.6,50.2)'", ", area => '(14.4,50),(14.6,50.2)'");
    let both = (
        "origin_coord <@ box '(14.4,50),(14.6,50.2)' AND destination_coord <@ box '(14.4,50),(14.6,50.2)'",
        ", area => '(14.4,50),(14.6,50.2)', match => 'both'",
    );
    let either = (
        "(origin_coord <@ box '(14.4,50),(14.6,50.2)' OR destination_coord <@ box '(14.4,50),(14.6,50.2)')",
        ", area => '(14.4,50),(14.6,50.2)', match => 'either'",
    );
    let to = (
        "destination_coord <@ box '(14.4,50),(14.6,50.2)'",
        ", area => '(14.4,50),(14.6,50.2)', match => 'destination'",
    );
    for (filter, arguments) in [everything, region, days, from, both, either, to] {
        for (resolution, minutes, at_least) in [(5, 1440, 1), (7, 60, 2), (6, 20, 2), (15, 60, 1)] {
            let call = format!(
                "SELECT * FROM trips.similar_trips(resolution => {resolution},
                   bucket => '{minutes} minutes', at_least => {at_least}{arguments})"
            );
            let found = texts(&mut client, &call);
            assert!(at_least > 1 || !found.is_empty(), "{call}");
            assert_eq!(
                found,
                texts(&mut client, &plain(filter, resolution, minutes, at_least)),
                "{call}"
            );
        }
    }
    // The defaults: resolution 9, one hour, groups of two.
    assert_eq!(
        texts(&mut client, "SELECT * FROM trips.similar_trips()"),
        texts(&mut client, &plain("true", 9, 60, 2))
    );
}

/// Every trip is in its own group, and the group is what similar_trips() counts.
#[test]
fn a_trip_finds_its_group() {
    let (_cluster, mut client) = database_with_trips();
    let differences = texts(
        &mut client,
        "SELECT h.trip_key, n.found, g.trips
           FROM (SELECT * FROM trips.hist_trip_data ORDER BY trip_key LIMIT 40) AS h
          CROSS JOIN LATERAL (
                SELECT count(*) AS found, count(*) FILTER (WHERE s.trip_key = h.trip_key) AS itself
                  FROM trips.similar_to(h.trip_key, 6, '2 hours', began => h.date_time) AS s) AS n
           LEFT JOIN trips.similar_trips(resolution => 6, bucket => '2 hours', at_least => 1) AS g
             ON g.origin_cell = trips.h3_cell(h.origin_coord, 6)
            AND g.destination_cell = trips.h3_cell(h.destination_coord, 6)
            AND g.time_of_day = date_bin('2 hours', h.date_time, '2000-01-01')::time
          WHERE (n.found, n.itself) IS DISTINCT FROM (g.trips, 1)",
    );
    assert_eq!(differences, Vec::<String>::new());
    // Found without its time; in a part of the history; with an end missing; not there at all.
    let largest =
        "(SELECT trip_key FROM trips.hist_trip_data, trips.similar_trips(resolution => 6) AS g
                     WHERE trips.h3_cell(origin_coord, 6) = origin_cell
                       AND trips.h3_cell(destination_coord, 6) = destination_cell
                       AND date_bin('1 hour', date_time, '2000-01-01')::time = time_of_day
                     ORDER BY trips DESC, trip_key LIMIT 1)";
    let mut count = |arguments: &str| -> i64 {
        let query = format!("SELECT count(*) FROM trips.similar_to({arguments})");
        client.query_one(&query, &[]).unwrap().get(0)
    };
    let all = count(&format!("{largest}, 6"));
    assert!(all >= 2, "{all}");
    let until = count(&format!("{largest}, 6, until => '2020-12-31'"));
    let since = count(&format!("{largest}, 6, since => '2021-01-01'"));
    assert_eq!(until + since, all);
    assert_eq!(count(&format!("{largest}, 6, began => '1999-01-01'")), 0);
    assert_eq!(count("(SELECT trip_key FROM trips.hist_trip_data WHERE origin_coord IS NULL)"), 0);
    assert_eq!(count("'187d065f-f5fa-c1ce-e39b-c3c1dc37f80a'"), 0);
}

/// Edges of the coordinate range: the meridian of 180 degrees and the poles.
#[test]
fn edges_of_the_coordinate_range() {
    let database = Database::on_shared();
    let mut client = database.client();
    let ends = [
        "POINT (179.9999 -16.8),POINT (0 90)",
        "POINT (180 -16.8),POINT (50 90)",
        "POINT (-180 -16.8),POINT (100 90)",
        "POINT (-179.9999 -16.8),POINT (-100 90)",
    ];
    let lines: String =
        (0..4).map(|i| format!("Fiji,{},2020-07-01 10:00:0{i},\n", ends[i])).collect();
    let path = database.file("fiji.csv", format!("{FIVE_COLUMNS}{lines}"));
    database.ingest(&mut client, &path);
    assert_eq!(
        texts(&mut client, "SELECT trips FROM trips.similar_trips(resolution => 7)"),
        ["(4)"]
    );
    assert_eq!(
        texts(
            &mut client,
            "SELECT DISTINCT (SELECT count(*) FROM trips.similar_to(trip_key, 7)) FROM trips.hist_trip_data"
        ),
        ["(4)"]
    );
    // East of 180 degrees goes on; the meridian itself lies in boxes on both of its sides.
    for (area, inside) in [
        ("(179.99995,-17),(180.00005,-16)", 2),
        ("(179.9,-17),(180.1,-16)", 4),
        ("(179.9,-17),(180,-16)", 3),
        ("(-180,-17),(-179,-16)", 3),
        ("(-180,-16.7),(180,90)", 0),
        ("(-180,-90),(180,90)", 4),
    ] {
        let count: i64 = client
            .query_one(
                &format!("SELECT count(*) FROM trips.hist_trip_data WHERE trips.is_inside(origin_coord, '{area}')"),
                &[],
            )
            .unwrap()
            .get(0);
        assert_eq!(count, inside, "{area}");
    }
}

#[test]
fn bad_arguments_are_refused() {
    let database = Database::on_shared();
    let mut client = database.client();
    let similar = |arguments: &str| format!("SELECT * FROM trips.similar_trips({arguments})");
    let calls = [
        (similar("resolution => 16"), "22023", "resolution 16 is out of range: expected 0 to 15"),
        (similar("resolution => -1"), "22023", "resolution -1 is out of range"),
        (similar("bucket => '7 hours'"), "22023", "invalid value for argument bucket: 07:00:00"),
        (similar("bucket => '0'"), "22023", "invalid value for argument bucket: 00:00:00"),
        (similar("bucket => '-1 hour'"), "22023", "invalid value for argument bucket"),
        (similar("bucket => '2 days'"), "22023", "argument bucket: 2 days"),
        (similar("bucket => '1 month'"), "22023", "argument bucket: 1 mon"),
        (similar("match => 'start'"), "22023", "invalid value for argument match: \"start\""),
        (similar("at_least => 0"), "22023", "invalid value for argument at_least: 0"),
        (similar("since => '2020-02-01', until => '2020-01-01'"), "22023", "since 2020-02-01 is after until"),
        (similar("resolution => NULL"), "22004", "resolution must not be null"),
        ("SELECT trips.h3_cell('(1,2)', 99)".into(), "22023", "resolution 99 is out of range"),
        ("SELECT trips.h3_center('no cell')".into(), "22P02", "invalid name of an H3 cell"),
        ("SELECT trips.h3_corners('+91e35')".into(), "22P02", "invalid name of an H3 cell"),
        (
            "SELECT * FROM trips.similar_to('187d065f-f5fa-c1ce-e39b-c3c1dc37f80a', bucket => '7 hours')"
                .into(),
            "22023",
            "invalid value for argument bucket",
        ),
    ];
    for (call, code, message) in calls {
        let Err(error) = client.query(&call, &[]) else { panic!("{call} is allowed") };
        let (found_code, found, hint) = server_error(&error);
        assert_eq!(found_code, code, "{call}: {found}");
        assert!(found.contains(message), "{call}: {found}");
        assert!(!hint.is_empty(), "{call}");
    }
}

/// A cell by its name, its middle, its corners and its box; places that are not on the earth.
/// A point is inside of an area for all functions, or for none.
#[test]
fn areas_mean_the_same_everywhere() {
    let database = Database::on_shared();
    let mut client = database.client();
    let longitudes = ["-180", "-179.5", "-175", "-170", "0", "170", "175", "180"];
    let lines: String = longitudes
        .iter()
        .enumerate()
        .map(|(i, longitude)| {
            format!("R,POINT ({longitude} 1),POINT (5 5),2020-01-01 12:00:0{i},s\n")
        })
        .collect();
    let path = database.file("edge.csv", format!("{FIVE_COLUMNS}{lines}"));
    database.ingest(&mut client, &path);
    for area in [
        "box '((-190,-90),(-170,90))'",
        "box '((-180,-90),(-180,90))'",
        "box '((-540,0),(-535,2))'",
        "box '((180,0),(185,2))'",
        "box '((170,-90),(190,90))'",
        "box '((535,0),(545,2))'",
        "box '((-400,0),(400,2))'",
        "box '((170,-90),(-170,90))'",
        "trips.area(170, -90, -170, 90)",
        "trips.area(-180, 1, -175, 1)",
    ] {
        let [weekly, similar, inside]: [i64; 3] = [
            format!("SELECT coalesce(sum(trips), 0)::bigint FROM trips.weekly_counts({area})"),
            format!("SELECT coalesce(sum(trips), 0)::bigint FROM trips.similar_trips(area => {area}, at_least => 1)"),
            format!("SELECT count(*) FROM trips.hist_trip_data WHERE trips.is_inside(origin_coord, {area})"),
        ]
        .map(|query| client.query_one(&query, &[]).unwrap().get(0));
        assert_eq!([similar, inside], [weekly; 2], "{area}");
    }
    for area in ["box '((NaN,0),(1,1))'", "box '((-infinity,0),(1,1))'"] {
        for query in [
            format!("SELECT * FROM trips.weekly_counts({area})"),
            format!("SELECT * FROM trips.similar_trips(area => {area})"),
            format!("SELECT * FROM trips.similar_trips(area => {area}, since => '2030-01-01')"),
            format!("SELECT trips.is_inside(point(0, 0), {area})"),
        ] {
            let error = client.query(&query, &[]).unwrap_err();
            assert_eq!(server_error(&error).0, "22003", "{query}");
        }
    }
}

/// Arguments are checked whatever plan is made, also when no partition is left to be read.
#[test]
fn prepared_questions_check_their_arguments() {
    let (_cluster, mut client) = database_with_trips();
    client
        .batch_execute(
            "SET plan_cache_mode = force_generic_plan;
             PREPARE alike (date, date, int, text, bigint) AS
               SELECT * FROM trips.similar_trips(since => $1, until => $2, resolution => $3, match => $4, at_least => $5);
             PREPARE like_this (uuid, int, date, date, timestamp) AS
               SELECT * FROM trips.similar_to($1, $2, since => $3, until => $4, began => $5)",
        )
        .unwrap();
    for (execute, expected) in [
        ("alike('2021-02-01', '2021-01-01', 9, 'origin', 2)", "22023"),
        ("alike('infinity', NULL, 9, 'origin', 2)", "22023"),
        ("alike('2030-01-01', '2030-02-01', 16, 'origin', 2)", "22023"),
        ("alike('2030-01-01', '2030-02-01', 9, 'begin', 2)", "22023"),
        ("alike('2030-01-01', '2030-02-01', 9, 'origin', 0)", "22023"),
        ("alike('2030-01-01', '2030-02-01', 9, 'origin', NULL)", "22004"),
        ("like_this(gen_random_uuid(), 16, NULL, NULL, '2030-01-01')", "22023"),
        ("like_this(gen_random_uuid(), 9, '2021-02-01', '2021-01-01', NULL)", "22023"),
    ] {
        let error = client.batch_execute(&format!("EXECUTE {execute}")).unwrap_err();
        assert_eq!(server_error(&error).0, expected, "{execute}");
    }
    client
        .batch_execute(
            "EXECUTE alike('4713-01-01 BC', '294276-12-31', 9, 'origin', 2);
             EXECUTE alike('5874897-12-31', '5874897-12-31', 9, 'origin', 2);
             EXECUTE like_this(gen_random_uuid(), 9, '4713-01-01 BC', '5874897-12-31', NULL)",
        )
        .unwrap();
    let all = "SELECT sum(trips)::bigint FROM trips.similar_trips(at_least => 1";
    let until = format!("{all}, since => '4713-01-01 BC', until => '294276-12-31')");
    let [all, until] = [format!("{all})"), until].map(|query| texts(&mut client, &query));
    assert_eq!(all, until);
}

#[test]
fn cells() {
    let database = Database::on_shared();
    let mut client = database.client();
    // The example of H3's documentation.
    let row = texts(
        &mut client,
        "SELECT c, to_hex(trips.h3_number('(40,45)', 2)) = c, trips.h3_cell(trips.h3_center(c), 2) = c,
                cardinality(trips.h3_corners(c)), trips.h3_center(c) <@ trips.h3_bounds(c),
                (SELECT bool_and(corner <@ trips.h3_bounds(c)) FROM unnest(trips.h3_corners(c)) AS corner)
           FROM trips.h3_cell('(40,45)', 2) AS c",
    );
    assert_eq!(row, ["(822d57fffffffff,t,t,6,t,t)"]);
    assert_eq!(
        texts(
            &mut client,
            "SELECT trips.h3_cell('(181,0)', 9), trips.h3_cell('(0,-91)', 9), trips.h3_cell('(NaN,0)', 9),
                    trips.h3_cell(NULL, 9)"
        ),
        ["(,,,)"]
    );
}
