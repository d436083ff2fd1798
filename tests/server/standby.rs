//! A streaming standby has what its primary has, runs queries, refuses loads, and goes on when
//! it is promoted.

use postgres::Client;
use trips_tests::{
    Cluster, FIVE_COLUMNS, Load, database_state, month_as_csv, partitions_without_key,
    server_error, trip_line,
};

/// Loads of every kind: a new month in bulk, row by row into it, lines that wait, a merge, a failure.
fn fill(cluster: &Cluster, client: &mut Client) {
    let may = cluster.file("may.csv", month_as_csv(25_000, 1, "2018-05-01"));
    let loaded = cluster.ingest(client, &may);
    assert!(loaded.rows[1] > 20_000, "{loaded:?}");
    let rows = format!("{FIVE_COLUMNS}{}bad line\n", trip_line("Cork", 1));
    let rows = cluster.file("rows.csv", rows);
    assert_eq!(cluster.ingest(client, &rows).rows, [2, 1, 0, 1]);
    let staged = cluster.file("staged.csv", month_as_csv(300, 2, "1969-12-10"));
    let row = client.query_one("SELECT * FROM trips.stage($1)", &[&staged]).unwrap();
    let row = client
        .query_one("SELECT * FROM trips.merge_staged($1)", &[&Load::from_row(&row).load_id])
        .unwrap();
    assert_eq!(Load::from_row(&row).rows[3], 0);
    client.query_one("SELECT trips.ingest('/nowhere.csv')", &[]).unwrap_err();
}

#[test]
fn a_standby_has_everything_and_goes_on_when_promoted() {
    let primary = Cluster::start_for_any_date();
    let standby = primary.start_standby();
    let mut client = primary.client();
    fill(&primary, &mut client);
    standby.catch_up_with(&primary);

    let mut on_standby = standby.client();
    let before = database_state(&mut client);
    assert_eq!(database_state(&mut on_standby), before);
    let may = primary.path("may.csv");
    for (call, function) in [
        (format!("trips.ingest('{may}')"), "trips.ingest()"),
        (format!("trips.stage('{may}')"), "trips.stage()"),
        ("trips.merge_staged()".into(), "trips.merge_staged()"),
        ("trips.retry_staged(1)".into(), "trips.retry_staged()"),
    ] {
        let error = on_standby.query(&format!("SELECT {call}"), &[]).unwrap_err();
        let (code, message, _) = server_error(&error);
        assert_eq!(code, "25006");
        assert_eq!(message, format!("cannot execute {function} during recovery"));
    }
    on_standby.query("SELECT * FROM trips.explain_staged(1)", &[]).unwrap();
    assert!(on_standby.query("SELECT * FROM trips.load_progress", &[]).unwrap().is_empty());

    // The directory of the file must outlive its server.
    let may = standby.file("may.csv", std::fs::read(&may).unwrap());
    drop((client, primary));
    on_standby.query_one("SELECT pg_promote()", &[]).unwrap();
    assert_eq!(database_state(&mut on_standby), before);
    let again = standby.ingest(&mut on_standby, &may);
    assert_eq!((again.summary(), again.same_as), (("skipped", [0; 4]), Some(1)));
    let forced = "SELECT * FROM trips.ingest($1, force => true)";
    let row = on_standby.query_one(forced, &[&may]).unwrap();
    assert_eq!(Load::from_row(&row).rows[1], 0, "all are known");
    let june = standby.file("june.csv", month_as_csv(25_000, 3, "2018-06-01"));
    assert!(standby.ingest(&mut on_standby, &june).rows[1] > 20_000);
    let more = format!("{FIVE_COLUMNS}{}", trip_line("Cork", 2));
    let more = standby.file("more.csv", more);
    assert_eq!(standby.ingest(&mut on_standby, &more).rows, [1, 1, 0, 0]);
    assert_eq!(partitions_without_key(&mut on_standby), Vec::<String>::new());
}

/// A standby that is made of a loaded primary, not beside it; and a load while it is away.
#[test]
fn a_standby_that_comes_later_has_everything() {
    let primary = Cluster::start_for_any_date();
    let mut client = primary.client();
    fill(&primary, &mut client);
    let mut standby = primary.start_standby();
    standby.restart(|_| {
        let june = primary.file("june.csv", month_as_csv(25_000, 3, "2018-06-01"));
        primary.ingest(&mut client, &june);
    });
    standby.catch_up_with(&primary);
    assert_eq!(database_state(&mut standby.client()), database_state(&mut client));
}
