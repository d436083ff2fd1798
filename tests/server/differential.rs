//! On clean input, every value is the one that PostgreSQL's own COPY and casts give.

use trips_tests::{Database, rows_as_csv};

#[test]
fn values_equal_those_of_copy() {
    let database = Database::on_shared();
    let mut client = database.client();
    client
        .batch_execute("LOAD 'trips_pipeline'; SET trips.earliest_date = '0001-01-01'; SET trips.latest_date = '9999-12-31'")
        .unwrap();
    let mut file = String::from_utf8(rows_as_csv(20_000, 42)).unwrap();
    for line in [
        "\"Comma, town\",POINT (1 2),POINT (3 4),2018-05-01 00:00:00,\"quo\"\"ted\"\n",
        "\"Two\nlines\",POINT (1e1 -2.5E0),POINT (0.1 0.30000000000000004),2018-05-01 00:00:00.123456,x\n",
        "Žďár nad Sázavou,,,1999-12-31 23:59:59.999999,\n",
        "東京,POINT (180 90),POINT (-179.99999999999997 -90),0001-01-01 00:00:00,x\n",
        "A,POINT (4.9e-324 2.2250738585072014e-308),,9999-12-31 23:59:59,x\n",
    ] {
        file.push_str(line);
    }
    let path = database.file("clean.csv", file);
    assert_eq!(database.ingest(&mut client, &path).rows, [20_005, 20_005, 0, 0]);
    client
        .batch_execute(&format!(
            "CREATE TABLE bare (region text, origin text, destination text, date_time text, datasource text);
             COPY bare FROM '{path}' (FORMAT csv, HEADER);
             CREATE FUNCTION as_point(text) RETURNS point LANGUAGE sql AS
               $$ SELECT point(split_part(p, ' ', 1)::float8, split_part(p, ' ', 2)::float8)
                    FROM substring($1 FROM 'POINT \\((.*)\\)') AS p WHERE p IS NOT NULL $$"
        ))
        .unwrap();
    // As text, because points have no order and no exact equality; the text of a double is exact.
    let ours = "SELECT region, origin_coord::text, destination_coord::text, date_time, datasource FROM trips.hist_trip_data";
    let theirs = "SELECT region, as_point(origin)::text, as_point(destination)::text, date_time::timestamp, datasource FROM bare";
    for (left, right) in [(ours, theirs), (theirs, ours)] {
        let differing: i64 = client
            .query_one(&format!("SELECT count(*) FROM ({left} EXCEPT ALL {right}) AS d"), &[])
            .unwrap()
            .get(0);
        assert_eq!(differing, 0, "rows that only {left} has");
    }
}
