//! pg_dump and restore: the same data, the same answers, and the next load works.

use postgres::Client;
use trips_tests::{Cluster, Load, rows_as_csv};

const QUESTIONS: [&str; 6] = [
    "SELECT string_agg(h::text, ';' ORDER BY date_time, trip_key) FROM trips.hist_trip_data AS h",
    "SELECT string_agg(s::text, ';' ORDER BY load_id, line_no) FROM trips.stg_trip_data AS s",
    "SELECT string_agg(l::text, ';' ORDER BY load_id) FROM trips.loads AS l",
    "SELECT string_agg(d::text, ';' ORDER BY d::text) FROM trips.daily_trip_counts AS d",
    "SELECT string_agg(w::text, ';') FROM trips.weekly_avg() AS w",
    "SELECT last_value::text FROM trips.loads_load_id_seq",
];

fn answers(client: &mut Client) -> Vec<String> {
    QUESTIONS.map(|question| client.query_one(question, &[]).unwrap().get(0)).into()
}

#[test]
fn a_restored_database_is_the_same_and_goes_on() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let sample = cluster.file("sample.csv", include_bytes!("../../samples/trips_sample.csv"));
    cluster.ingest(&mut client, &sample);
    cluster.ingest(&mut client, &sample);
    let staged = cluster.file("staged.csv", rows_as_csv(50, 99));
    client.query_one("SELECT trips.stage($1)", &[&staged]).unwrap();
    client.query_one("SELECT trips.ingest('/nowhere.csv')", &[]).unwrap_err();
    let before = answers(&mut client);

    let plain = cluster.path("dump.sql");
    cluster.tool("pg_dump", &["-d", "trips", "-f", &plain]);
    let custom = cluster.path("dump.custom");
    let output = cluster.tool("pg_dump", &["-d", "trips", "-Fc", "-f", &custom]);
    let warnings = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(warnings, "", "pg_dump has nothing to complain about");
    for (database, restore) in [
        ("plain", vec!["psql", "-X", "-v", "ON_ERROR_STOP=1", "-d", "plain", "-f", plain.as_str()]),
        ("custom", vec!["pg_restore", "--exit-on-error", "-d", "custom", custom.as_str()]),
    ] {
        client.batch_execute(&format!("CREATE DATABASE {database}")).unwrap();
        cluster.tool(restore[0], &restore[1..]);
        let mut restored = cluster.client_of(database);
        assert_eq!(answers(&mut restored), before, "{database}");

        goes_on(&cluster, &mut restored, &sample);
    }
}

/// Known bytes are known, known trips are known, new ones go in under the next number.
fn goes_on(cluster: &Cluster, restored: &mut Client, sample: &str) {
    let again = cluster.ingest(restored, sample);
    assert_eq!((again.load_id, again.summary(), again.same_as), (5, ("skipped", [0; 4]), Some(1)));
    let row =
        restored.query_one("SELECT * FROM trips.ingest($1, force => true)", &[&sample]).unwrap();
    assert_eq!(Load::from_row(&row).rows, [3014, 0, 3006, 8]);
    let merged = restored.query_one("SELECT * FROM trips.merge_staged(3)", &[]).unwrap();
    assert_eq!(Load::from_row(&merged).rows, [50, 50, 0, 0]);
    let sum =
        restored.query_one("SELECT sum(weekly_avg)::text FROM trips.weekly_avg()", &[]).unwrap();
    assert_eq!(sum.get::<_, String>(0), "3050");
}
