//! The weekly summary and the questions, beside the historical SQL and a plain recount.

use postgres::Client;
use trips_tests::{Database, FIVE_COLUMNS, historical, real_trips, rows_as_csv, trip_line};

fn texts(client: &mut Client, query: &str) -> Vec<String> {
    let rows = client.query(&format!("SELECT t::text FROM ({query}) AS t"), &[]);
    rows.unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn averages_equal_the_historical_sql() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(historical::CREATE).unwrap();
    for (i, file) in [real_trips(), rows_as_csv(3000, 11), rows_as_csv(3000, 12)].iter().enumerate()
    {
        let path = database.file(&format!("{i}.csv"), file);
        historical::load(&mut client, &path).unwrap();
        database.ingest(&mut client, &path);
        let columns = "region, week_of_month, weekly_avg, pg_typeof(weekly_avg)";
        let historical = texts(
            &mut client,
            &format!("SELECT {columns} FROM public.summarized_trip_data ORDER BY 1, 2"),
        );
        assert!(historical.len() >= 3);
        let view = texts(
            &mut client,
            &format!("SELECT {columns} FROM trips.summarized_trip_data ORDER BY 1, 2"),
        );
        assert_eq!(view, historical);
        let function = texts(&mut client, &format!("SELECT {columns} FROM trips.weekly_avg()"));
        assert_eq!(function, historical);
    }
}

/// Roll-up and view against a count of the history, after loads that overlap in every way.
#[test]
fn the_roll_up_is_a_count_of_the_history() {
    let database = Database::on_shared();
    let mut client = database.client();
    let edges = "A,,,2020-02-29 23:59:59.999999,\nA,,,2020-03-01 00:00:00,x\nA,,,1999-12-31 23:59:59,\n\
                 A,,,0001-01-01 00:00:00,x\nA,,,9999-12-31 23:59:59,x\n";
    for (i, file) in
        [rows_as_csv(2000, 1), format!("{FIVE_COLUMNS}{edges}").into_bytes(), rows_as_csv(2500, 1)]
            .iter()
            .enumerate()
    {
        let path = database.file(&format!("{i}.csv"), file);
        database.ingest(&mut client, &path);
        let rolled_up = texts(
            &mut client,
            "SELECT day, region, datasource, trips FROM trips.daily_trip_counts ORDER BY 1, 2, 3",
        );
        let counted = texts(
            &mut client,
            "SELECT date_time::date, region, datasource, count(*) FROM trips.hist_trip_data
              GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        );
        assert_eq!(rolled_up, counted);
        let view = texts(&mut client, "SELECT * FROM trips.summarized_trip_data ORDER BY 1, 2");
        let weeks = texts(
            &mut client,
            "SELECT region, to_char(date_time, 'YYYY-MM-') || '0' || to_char(date_time, 'W') AS week, count(*)
               FROM trips.hist_trip_data GROUP BY 1, 2 ORDER BY 1, 2",
        );
        assert_eq!(view, weeks);
    }
}

/// A reader in the middle of a transaction does not hold up a load, nor the load the reader.
#[test]
fn the_view_is_readable_while_it_is_refreshed() {
    let database = Database::on_shared();
    let (mut loader, mut reader) = (database.client(), database.client());
    let first = database.file("1.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    let second = database.file("2.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 2)));
    database.ingest(&mut loader, &first);
    let average = |client: &mut postgres::Transaction<'_>| -> String {
        client
            .query_one("SELECT weekly_avg::text FROM trips.summarized_trip_data", &[])
            .unwrap()
            .get(0)
    };
    let mut reading = reader.transaction().unwrap();
    assert_eq!(average(&mut reading), "1");
    loader.batch_execute("SET lock_timeout = '5s'").unwrap();
    let mut loading = loader.transaction().unwrap();
    loading.query_one("SELECT trips.ingest($1)", &[&second]).unwrap();
    reading.batch_execute("SET LOCAL lock_timeout = '5s'").unwrap();
    assert_eq!(average(&mut reading), "1");
    loading.commit().unwrap();
    assert_eq!(average(&mut reading), "2");
}

/// A view that somebody has emptied is filled again by the next load.
#[test]
fn an_unpopulated_view_is_filled() {
    let database = Database::on_shared();
    let mut client = database.client();
    client
        .batch_execute("REFRESH MATERIALIZED VIEW trips.summarized_trip_data WITH NO DATA")
        .unwrap();
    let path = database.file("trips.csv", real_trips());
    database.ingest(&mut client, &path);
    let sum: String = client
        .query_one("SELECT sum(weekly_avg)::text FROM trips.summarized_trip_data", &[])
        .unwrap()
        .get(0);
    assert_eq!(sum, "100");
}

#[test]
fn datasources() {
    let database = Database::on_shared();
    let mut client = database.client();
    let one = |client: &mut Client, query: &str| -> Option<String> {
        client.query_opt(query, &[]).unwrap().and_then(|row| row.get(0))
    };
    assert_eq!(one(&mut client, "SELECT datasource FROM trips.latest_datasource()"), None);
    // Two regions with three trips, one with the last trip of all but only two.
    let file = format!(
        "{FIVE_COLUMNS}A,,,2018-05-01 00:00:00,old\nA,,,2018-05-02 00:00:00,cheap_mobile\nA,,,2018-05-09 10:00:00,\n\
         B,,,2018-05-01 00:00:00,old\nB,,,2018-05-02 00:00:01,latest\nB,,,2018-05-02 00:00:00,cheap_mobile\n\
         C,,,2018-05-09 00:00:00,cheap_mobile\nC,,,2018-05-30 00:00:00,too_late\n"
    );
    let path = database.file("trips.csv", file);
    database.ingest(&mut client, &path);
    assert_eq!(
        texts(&mut client, "SELECT * FROM trips.latest_datasource()"),
        ["(latest,B,\"2018-05-02 00:00:01\")"]
    );
    assert_eq!(
        texts(&mut client, "SELECT * FROM trips.latest_datasource(3)"),
        ["(too_late,C,\"2018-05-30 00:00:00\")"]
    );
    assert_eq!(
        texts(&mut client, "SELECT * FROM trips.datasource_regions('cheap_mobile')"),
        ["(A)", "(B)", "(C)"]
    );
    assert_eq!(texts(&mut client, "SELECT * FROM trips.datasource_regions('old')"), ["(A)", "(B)"]);
    assert_eq!(
        texts(&mut client, "SELECT * FROM trips.datasource_regions('none')"),
        Vec::<String>::new()
    );
}

/// On the real file: the same results as queries of the history itself.
#[test]
fn questions_equal_plain_sql() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("trips.csv", real_trips());
    database.ingest(&mut client, &path);
    assert_eq!(
        texts(&mut client, "SELECT * FROM trips.datasource_regions('cheap_mobile')"),
        texts(
            &mut client,
            "SELECT region FROM trips.hist_trip_data WHERE datasource = 'cheap_mobile' GROUP BY region ORDER BY region"
        )
    );
    assert_eq!(
        texts(&mut client, "SELECT datasource FROM trips.latest_datasource()"),
        texts(
            &mut client,
            "SELECT datasource FROM trips.hist_trip_data
              WHERE region IN (SELECT region FROM trips.hist_trip_data GROUP BY region
                                ORDER BY count(*) DESC, region LIMIT 2)
              ORDER BY date_time DESC LIMIT 1"
        )
    );
}

/// As many groups as rows: the roll-up stays linear, and a load can be cancelled.
#[test]
fn many_regions_on_one_day() {
    let database = Database::on_shared();
    let mut client = database.client();
    let lines: String = (0..60_000).map(|i| trip_line(format!("region {i}"), i)).collect();
    let path = database.file("regions.csv", format!("{FIVE_COLUMNS}{lines}"));
    client.batch_execute("SET statement_timeout = '60s'").unwrap();
    assert_eq!(database.ingest(&mut client, &path).rows[1], 60_000);
    let groups: i64 =
        client.query_one("SELECT count(*) FROM trips.daily_trip_counts", &[]).unwrap().get(0);
    assert_eq!(groups, 60_000);
}
