//! Sessions keep the plans of the statements of a load.

use trips_tests::{Cluster, Database, FIVE_COLUMNS, trip_line};

/// More than the executions after which a plan is made anew.
#[test]
fn a_session_loads_more_often_than_it_keeps_a_plan() {
    let database = Database::on_shared();
    let mut client = database.client();
    for number in 0..450 {
        let path = database.file("one.csv", [FIVE_COLUMNS, &trip_line("r", number)].concat());
        assert_eq!(database.ingest(&mut client, &path).rows, [1, 1, 0, 0], "load {number}");
    }
    let counts = "SELECT (SELECT sum(trips)::bigint FROM trips.daily_trip_counts),
                         (SELECT count(DISTINCT load_id) FROM trips.hist_trip_data),
                         (SELECT count(*) FROM trips.events WHERE state = 'loaded')";
    let row = client.query_one(counts, &[]).unwrap();
    assert_eq!([0, 1, 2].map(|column| row.get::<_, i64>(column)), [450; 3]);
}

/// A plan names its tables by numbers, which are others when the extension is created again.
#[test]
fn kept_plans_are_of_the_tables_that_are_there() {
    let database = Database::on_shared();
    let mut client = database.client();
    for number in 0..8 {
        let path = database.file("one.csv", [FIVE_COLUMNS, &trip_line("r", number)].concat());
        assert_eq!(database.ingest(&mut client, &path).rows, [1, 1, 0, 0], "load {number}");
        match number % 4 {
            0 => "ANALYZE trips.loads",
            1 => "DROP EXTENSION trips_pipeline CASCADE; CREATE EXTENSION trips_pipeline",
            2 => "ALTER TABLE trips.loads ADD note text",
            _ => "ALTER TABLE trips.loads DROP note; TRUNCATE trips.hist_trip_data",
        }
        .split_inclusive(';')
        .for_each(|statement| client.batch_execute(statement).unwrap());
    }
}

/// Loads do not compile their statements, whatever the session has set.
#[test]
fn statements_of_loads_are_not_compiled() {
    let cluster = Cluster::start_with("jit = on\njit_above_cost = 1");
    let mut client = cluster.client();
    let path = cluster.file("one.csv", [FIVE_COLUMNS, &trip_line("r", 1)].concat());
    assert_eq!(cluster.ingest(&mut client, &path).rows, [1, 1, 0, 0]);
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let libraries = || std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    assert!(libraries().contains("trips_pipeline.so"));
    assert!(!libraries().contains("llvmjit"), "a statement was compiled");
    // Where the server can compile at all, the user's own statements are.
    let query = "SELECT pg_jit_available(), (SELECT count(*) FROM generate_series(1, 100000) AS g WHERE g % 3 = 1)";
    if client.query_one(query, &[]).unwrap().get(0) {
        assert!(libraries().contains("llvmjit"));
    }
}
