//! pg_upgrade to another major version of PostgreSQL: `make test-upgrade` builds for both.

use std::path::PathBuf;

use trips_tests::{
    Cluster, FIVE_COLUMNS, Load, database_state, misplaced, month_as_csv, partitions_without_key,
    trip_line,
};

#[test]
#[ignore = "needs two PostgreSQLs: make test-upgrade"]
fn an_upgraded_cluster_is_the_same_and_goes_on() {
    let newer = std::env::var("TRIPS_TEST_BIN_NEW").expect("run it by `make test-upgrade`");
    let mut cluster = Cluster::start_for_any_date();
    let mut client = cluster.client();
    // Partitions by hand: to the microsecond, without an end, and a gap that a load fills.
    client
        .batch_execute(
            "CREATE TABLE public.first_days PARTITION OF trips.hist_trip_data (PRIMARY KEY (date_time, trip_key))
               FOR VALUES FROM ('2018-05-01') TO ('2018-05-08 12:00:00.000001');
             CREATE TABLE public.\"Later on\" PARTITION OF trips.hist_trip_data (PRIMARY KEY (date_time, trip_key))
               FOR VALUES FROM ('2018-05-15') TO ('2018-06-10');
             CREATE TABLE public.never PARTITION OF trips.hist_trip_data (PRIMARY KEY (date_time, trip_key))
               FOR VALUES FROM ('infinity') TO (MAXVALUE)",
        )
        .unwrap();
    let may = cluster.file("may.csv", month_as_csv(25_000, 1, "2018-05-01"));
    cluster.ingest(&mut client, &may);
    let old = cluster.file("old.csv", month_as_csv(300, 2, "1969-12-20"));
    assert!(cluster.ingest(&mut client, &old).rows[1] > 0);
    let bad = cluster.file("bad.csv", format!("{FIVE_COLUMNS}{}bad line\n", trip_line("Cork", 1)));
    assert_eq!(cluster.ingest(&mut client, &bad).rows, [2, 1, 0, 1]);
    let staged = cluster.file("staged.csv", month_as_csv(50, 3, "2018-07-01"));
    client.query_one("SELECT trips.stage($1)", &[&staged]).unwrap();
    let version = "SELECT current_setting('server_version_num')::int / 10000";
    let older: i32 = client.query_one(version, &[]).unwrap().get(0);
    let before = database_state(&mut client);
    drop(client);

    cluster.upgrade_to(&PathBuf::from(newer));
    let mut client = cluster.client();
    assert!(client.query_one(version, &[]).unwrap().get::<_, i32>(0) > older);
    assert_eq!(database_state(&mut client), before);
    assert_eq!(misplaced(&mut client), []);
    assert_eq!(partitions_without_key(&mut client), Vec::<String>::new());

    let again = cluster.ingest(&mut client, &may);
    assert_eq!((again.load_id, again.summary(), again.same_as), (5, ("skipped", [0; 4]), Some(1)));
    let forced = "SELECT * FROM trips.ingest($1, force => true)";
    let row = client.query_one(forced, &[&may]).unwrap();
    assert_eq!(Load::from_row(&row).rows[1], 0, "all are known");
    let row = client.query_one("SELECT * FROM trips.merge_staged(4)", &[]).unwrap();
    assert_eq!(Load::from_row(&row).rows[3], 0);
    let more = cluster.file("more.csv", format!("{FIVE_COLUMNS}{}", trip_line("Cork", 2)));
    assert_eq!(cluster.ingest(&mut client, &more).rows, [1, 1, 0, 0]);
    let june = cluster.file("june.csv", month_as_csv(25_000, 4, "2018-06-01"));
    assert!(cluster.ingest(&mut client, &june).rows[1] > 20_000);
    assert_eq!(partitions_without_key(&mut client), Vec::<String>::new());
    assert_eq!(misplaced(&mut client), []);
    // The extension is a whole one: it can be dropped with all that it has.
    client.batch_execute("DROP EXTENSION trips_pipeline").unwrap();
}
