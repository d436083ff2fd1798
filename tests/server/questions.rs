//! The questions about regions, beside plain SQL over the history.

use postgres::Client;
use trips_datagen::Shape;
use trips_tests::{Cluster, Database, FIVE_COLUMNS, server_error};

fn texts(client: &mut Client, query: &str) -> Vec<String> {
    let rows = client.query(&format!("SELECT t::text FROM ({query}) AS t"), &[]);
    let rows = rows.unwrap_or_else(|error| panic!("{query}: {error}"));
    rows.iter().map(|row| row.get(0)).collect()
}

/// Trips of three regions around the turn of a year of 53 ISO weeks (2020), with a gap in between.
fn two_winters(database: &Database, client: &mut Client) {
    for (i, (day, days)) in [("2019-12-20", 40), ("2020-12-15", 35)].into_iter().enumerate() {
        let shape = Shape {
            rows: 800,
            seed: 7 + i as u64,
            regions: 3,
            days,
            first_day: day.parse().expect("a date"),
        };
        let mut bytes = Vec::new();
        trips_datagen::write(&shape, &mut bytes).expect("memory");
        let path = database.file(&format!("{i}.csv"), bytes);
        database.ingest(client, &path);
    }
}

/// The weeks of a period and the trips in it, day by day.
fn plain_counts(region: &str, since: &str, until: &str) -> String {
    let bound = |given: &str, own: &str| match given {
        "NULL" => format!(
            "(SELECT {own} FROM trips.hist_trip_data WHERE region = '{region}' HAVING count(*) > 0)"
        ),
        given => format!("timestamp {given}"),
    };
    format!(
        "SELECT date_trunc('week', d.day)::date AS week, count(h.date_time) AS trips
           FROM generate_series({}, {}, interval '1 day') AS d (day)
           LEFT JOIN trips.hist_trip_data AS h
             ON h.region = '{region}' AND h.date_time >= d.day AND h.date_time < d.day + interval '1 day'
          GROUP BY 1 ORDER BY 1",
        bound(since, "date_trunc('week', min(date_time))"),
        bound(until, "date_trunc('week', max(date_time)) + interval '6 days'"),
    )
}

#[test]
fn regions_equal_plain_sql() {
    let database = Database::on_shared();
    let mut client = database.client();
    two_winters(&database, &mut client);
    let dates = [
        "NULL",
        "'2019-12-30'", // the Monday of the first week of 2020
        "'2020-01-05'", // its Sunday
        "'2020-06-17'", // in the gap
        "'2020-12-28'", // the Monday of week 53
        "'2021-01-03'", // its Sunday
        "'2022-02-02'",
    ];
    let mut calls = 0;
    for region in ["Prague", "Turin", "nowhere"] {
        for (i, since) in dates.iter().enumerate() {
            for until in dates[i..].iter().chain(&["NULL"]) {
                let plain = plain_counts(region, since, until);
                let arguments = format!("'{region}', {since}, {until}");
                assert_eq!(
                    texts(&mut client, &format!("SELECT * FROM trips.weekly_counts({arguments})")),
                    texts(&mut client, &plain),
                    "{arguments}"
                );
                assert_eq!(
                    texts(&mut client, &format!("SELECT trips.weekly_avg({arguments})")),
                    texts(
                        &mut client,
                        &format!(
                            "SELECT sum(p.trips)::numeric / nullif(count(*), 0)::numeric FROM ({plain}) AS p"
                        )
                    ),
                    "{arguments}"
                );
                calls += 1;
            }
        }
    }
    assert_eq!(calls, 3 * 35);
    // The years have 52, 53 and 52 weeks: none is lost or doubled at their ends.
    let weeks: i64 = client
        .query_one("SELECT count(DISTINCT week) FROM trips.weekly_counts('Prague', '2019-01-01', '2021-12-31')", &[])
        .unwrap()
        .get(0);
    assert_eq!(weeks, 157);
}

#[test]
fn what_is_not_there_has_no_average() {
    let database = Database::on_shared();
    let mut client = database.client();
    let mut one = |query: &str| -> Option<String> {
        client.query_one(&format!("SELECT ({query})::text"), &[]).unwrap().get(0)
    };
    for history in ["empty", "with trips"] {
        if history == "with trips" {
            // A Wednesday.
            let path = database.file("1.csv", format!("{FIVE_COLUMNS}A,,,2020-07-01 10:00:00,\n"));
            one(&format!("SELECT rows_inserted FROM trips.ingest('{path}')"));
        }
        assert_eq!(one("SELECT trips.weekly_avg('nowhere')"), None, "{history}");
        assert_eq!(one("SELECT trips.weekly_avg('nowhere', since => '2020-01-01')"), None);
        assert_eq!(one("SELECT trips.weekly_avg(NULL::text, '2020-01-01', '2020-01-05')"), None);
        // With both dates, there are weeks, and no trips in them.
        let none = one("SELECT trips.weekly_avg('nowhere', '2020-01-01', '2020-01-31')");
        assert_eq!(none.and_then(|zero| zero.parse::<f64>().ok()), Some(0.0));
        let weeks =
            "SELECT count(*) FROM trips.weekly_counts('nowhere', '2020-01-01', '2020-01-31')";
        assert_eq!(one(weeks).as_deref(), Some("5"));
    }
    // The only trip is in the week of 29 June to 5 July 2020, and each date is on one side of it.
    for (arguments, average, weeks) in [
        ("'A'", Some(1.0), 1),
        ("'A', since => '2020-07-02'", Some(0.0), 1),
        ("'A', since => '2020-07-05'", Some(0.0), 1),
        ("'A', since => '2020-07-06'", None, 0),
        ("'A', until => '2020-06-29'", Some(0.0), 1),
        ("'A', until => '2020-06-28'", None, 0),
        ("'A', until => '2020-07-12'", Some(0.5), 2),
        ("'A', '2020-07-05', '2020-07-06'", Some(0.0), 2),
    ] {
        let found = one(&format!("SELECT trips.weekly_avg({arguments})"));
        assert_eq!(found.map(|n| n.parse::<f64>().unwrap()), average, "{arguments}");
        let count = one(&format!("SELECT count(*) FROM trips.weekly_counts({arguments})"));
        assert_eq!(count, Some(weeks.to_string()), "{arguments}");
    }
}

#[test]
fn a_period_must_be_one() {
    let database = Database::on_shared();
    let mut client = database.client();
    for function in ["weekly_avg", "weekly_counts"] {
        for (period, message) in [
            ("'2020-02-01', '2020-01-31'", "since 2020-02-01 is after until 2020-01-31"),
            ("since => '-infinity'", "since must be a finite date"),
            ("until => 'infinity'", "until must be a finite date"),
            ("'4713-01-01 BC', '5874897-12-31'", "since 4713-01-01 BC is not in"),
            ("'0001-01-01', '10000-01-01'", "until 10000-01-01 is not in"),
        ] {
            let call = format!("SELECT * FROM trips.{function}('A', {period})");
            let (code, found, hint) = server_error(&client.query(&call, &[]).unwrap_err());
            assert_eq!(code, "22023", "{call}");
            assert!(found.contains(message), "{found}");
            assert!(!hint.is_empty());
        }
    }
}

/// Readers may call all functions, other roles none.
#[test]
fn readers_may_query() {
    let cluster = Cluster::start();
    let mut admin = cluster.client();
    admin.batch_execute("CREATE ROLE analyst LOGIN; CREATE ROLE other LOGIN").unwrap();
    admin
        .batch_execute("SELECT trips.grant_reader('analyst'); GRANT USAGE ON SCHEMA trips TO other")
        .unwrap();
    let (mut analyst, mut other) = (cluster.client_as("analyst"), cluster.client_as("other"));
    for question in [
        "trips.weekly_avg('A')",
        "trips.weekly_counts('A')",
        "trips.similar_trips()",
        "trips.similar_to('187d065f-f5fa-c1ce-e39b-c3c1dc37f80a')",
    ] {
        let query = format!("SELECT * FROM {question}");
        analyst.query(&query, &[]).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(server_error(&other.query(&query, &[]).unwrap_err()).0, "42501", "{query}");
    }
}
