//! Trips that an older version has put into the wrong partition: found, and moved.

use postgres::Client;
use trips_tests::{
    Cluster, Database, FIVE_COLUMNS, database_state, misplaced, month_as_csv, server_error,
};

fn failed(client: &mut Client) -> Vec<String> {
    let query = "SELECT check_name FROM trips.verify() WHERE NOT passed ORDER BY 1";
    client.query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

fn count(client: &mut Client, query: &str) -> i64 {
    client.query_one(query, &[]).unwrap_or_else(|error| panic!("{query}: {error:?}")).get(0)
}

/// Attaches tables with these bounds without a look at their rows, after commands: PostgreSQL trusts a CHECK that
/// is marked valid. While a dump is restored, nothing is counted again.
fn damage(
    client: &mut Client,
    commands: &str,
    constraints: &[(&str, &str)],
    bounds: &[(&str, &str)],
) {
    let mut script = format!("BEGIN; SET LOCAL check_function_bodies = off; {commands};");
    for (table, rule) in constraints {
        script += &format!(
            "ALTER TABLE {table} ADD CONSTRAINT unchecked CHECK (date_time IS NOT NULL AND ({rule})) NOT VALID;
             UPDATE pg_constraint SET convalidated = true
              WHERE conname = 'unchecked' AND conrelid = '{table}'::regclass;"
        );
    }
    for (table, bounds) in bounds {
        script += &format!("ALTER TABLE trips.hist_trip_data ATTACH PARTITION {table} {bounds};");
    }
    for (table, _) in constraints {
        script += &format!("ALTER TABLE {table} DROP CONSTRAINT unchecked;");
    }
    script += "COMMIT";
    client.batch_execute(&script).unwrap_or_else(|error| panic!("{script}: {error:?}"));
}

/// May in a partition for its first days, as the first edition filled it.
fn damage_may(client: &mut Client) {
    let may = "trips.hist_trip_data_2018_05";
    damage(
        client,
        &format!("ALTER TABLE trips.hist_trip_data DETACH PARTITION {may}"),
        &[(may, "date_time >= '2018-05-01' AND date_time < '2018-05-11'")],
        &[(may, "FOR VALUES FROM ('2018-05-01') TO ('2018-05-11')")],
    );
}

/// What repair_partitions() returns, in the order of the names.
fn repair(client: &mut Client) -> Vec<(String, String, i64, i64)> {
    let query = "SELECT replace(moved_from::text, 'trips.hist_trip_data_', ''),
                        replace(moved_to::text, 'trips.hist_trip_data_', ''), trips, duplicates
                   FROM trips.repair_partitions() ORDER BY 1, 2";
    let rows = client.query(query, &[]).unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect()
}

/// Warnings that the statement gives.
fn rebuild(client: &mut Client) -> i64 {
    client.batch_execute("SELECT trips.rebuild()").unwrap();
    count(client, "SELECT count(*) FROM trips.verify() WHERE NOT passed")
}

#[test]
fn a_damaged_history_is_found_and_repaired() {
    let database = Database::on_shared();
    let mut client = database.client();
    let may = database.file("may.csv", month_as_csv(6_000, 1, "2018-05-01"));
    let loaded = database.ingest(&mut client, &may);
    let before = database_state(&mut client);
    damage_may(&mut client);
    let outside = "SELECT count(*) FROM trips.hist_trip_data WHERE date_time::date >= '2018-05-11'";
    let wrong = count(&mut client, outside);
    assert!(wrong > 3_000 && wrong < 6_000, "{wrong}");
    assert_eq!(misplaced(&mut client), [("trips.hist_trip_data_2018_05".to_owned(), wrong)]);
    assert_eq!(
        count(
            &mut client,
            "SELECT count(*) FROM trips.hist_trip_data WHERE date_time >= '2018-05-11'"
        ),
        0,
        "queries do not find them"
    );
    assert!(failed(&mut client).contains(&"bounds".to_owned()));
    // To make all that is derived anew does not hide it.
    assert!(rebuild(&mut client) > 0);
    assert!(failed(&mut client).contains(&"bounds".to_owned()));
    let detail: String = client
        .query_one("SELECT detail FROM trips.verify() WHERE check_name = 'bounds'", &[])
        .unwrap()
        .get(0);
    assert!(detail.contains(&format!("(trips: {wrong},")), "{detail}");
    assert!(detail.contains("trips.repair_partitions()"), "{detail}");

    // Some of them come again, and go where they belong: there they are twice, until one is dropped.
    let again = "SELECT * FROM trips.ingest($1, force => true)";
    let again = trips_tests::Load::from_row(&client.query_one(again, &[&may]).unwrap());
    assert_eq!(again.rows[1], wrong);
    let new = FIVE_COLUMNS.to_owned() + "Cork,,,2018-05-20 10:00:00,new\n";
    let new = database.file("new.csv", new);
    assert_eq!(database.ingest(&mut client, &new).rows, [1, 1, 0, 0]);
    let moved = repair(&mut client);
    let name = |name: &str| name.to_owned();
    assert_eq!(moved, [(name("2018_05"), name("20180511_20180601"), 0, wrong)]);
    assert_eq!((misplaced(&mut client), failed(&mut client)), (vec![], vec![]));
    let now = database_state(&mut client);
    assert_eq!(count(&mut client, "SELECT count(*) FROM trips.hist_trip_data"), loaded.rows[1] + 1);
    assert_ne!(now[0], before[0], "the trip from Cork");
    let [inserted, duplicate]: [i64; 2] = {
        let query = "SELECT rows_inserted, rows_duplicate FROM trips.loads WHERE load_id = $1";
        let row = client.query_one(query, &[&loaded.load_id]).unwrap();
        [row.get(0), row.get(1)]
    };
    assert_eq!(inserted, loaded.rows[1] - wrong);
    assert_eq!(duplicate, loaded.rows[2] + wrong);
    assert_eq!(repair(&mut client), []);
}

#[test]
fn all_that_is_misplaced_goes_home() {
    let database = Database::on_shared();
    let mut client = database.client();
    for (name, first) in [("may", "2018-05-01"), ("june", "2018-06-01"), ("july", "2018-07-01")] {
        let path = database.file(name, month_as_csv(2_000, 1, first));
        database.ingest(&mut client, &path);
    }
    // A column that somebody has added, and one that is computed, go with them.
    client
        .batch_execute(
            "ALTER TABLE trips.hist_trip_data ADD note text, ADD hour int GENERATED ALWAYS AS (extract(hour FROM date_time)) STORED;
             UPDATE trips.hist_trip_data SET note = region || load_id",
        )
        .unwrap();
    let sums = "SELECT md5(string_agg(h::text, ';' ORDER BY h.date_time, h.trip_key)) FROM trips.hist_trip_data AS h";
    let sums = |client: &mut Client| -> String { client.query_one(sums, &[]).unwrap().get(0) };
    let before = sums(&mut client);
    // All of May lies in ten days of July, those in the default partition, and June in a week of May and June.
    let [may, june, july] =
        ["05", "06", "07"].map(|month| format!("trips.hist_trip_data_2018_{month}"));
    let detach = [&may, &june, &july]
        .map(|table| format!("ALTER TABLE trips.hist_trip_data DETACH PARTITION {table}"));
    damage(
        &mut client,
        &detach.join("; "),
        &[
            (&may, "date_time >= '2018-07-10' AND date_time < '2018-07-20'"),
            (&june, "date_time >= '2018-05-28' AND date_time < '2018-06-04 12:00:00.000001'"),
            (&july, "date_time < '2018-07-10' OR date_time >= '2018-07-20'"),
        ],
        &[
            (&july, "DEFAULT"),
            (&may, "FOR VALUES FROM ('2018-07-10') TO ('2018-07-20')"),
            (&june, "FOR VALUES FROM ('2018-05-28') TO ('2018-06-04 12:00:00.000001')"),
        ],
    );
    assert_eq!(misplaced(&mut client).len(), 3);
    client.batch_execute("SELECT trips.rebuild()").unwrap();
    assert!(failed(&mut client).contains(&"bounds".to_owned()));
    let moved = repair(&mut client);
    let ways: Vec<(&str, &str)> =
        moved.iter().map(|(from, to, ..)| (from.as_str(), to.as_str())).collect();
    assert_eq!(
        ways,
        [
            ("2018_05", "2018_06"),
            ("2018_05", "2018_07"),
            ("2018_06", "2018_07"),
            ("2018_07", "2018_05")
        ]
    );
    assert_eq!((misplaced(&mut client), failed(&mut client)), (vec![], vec![]));
    assert_eq!(sums(&mut client), before, "{moved:?}");
}

/// Only the owner may call it. It reports what it cannot do, and then changes nothing.
#[test]
fn a_repair_that_is_not_possible() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let may = cluster.file("may.csv", month_as_csv(300, 1, "2018-05-01"));
    cluster.ingest(&mut client, &may);
    damage_may(&mut client);
    let wrong = misplaced(&mut client);
    client
        .batch_execute("CREATE ROLE analyst LOGIN; SELECT trips.grant_reader('analyst')")
        .unwrap();
    let mut reader = cluster.client_as("analyst");
    assert!(failed(&mut reader).contains(&"bounds".to_owned()));
    for query in
        ["SELECT * FROM trips.repair_partitions()", "SELECT * FROM trips.partition_bounds()"]
    {
        assert_eq!(server_error(&reader.query(query, &[]).unwrap_err()).0, "42501");
    }
    // A trigger that swallows rows, and a table that has the name of the new partition.
    for (hindrance, code, end) in [
        (
            "CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
             CREATE TRIGGER no BEFORE INSERT ON trips.hist_trip_data FOR EACH ROW EXECUTE FUNCTION public.no()",
            "09000",
            "DROP TRIGGER no ON trips.hist_trip_data",
        ),
        (
            "CREATE TABLE trips.hist_trip_data_20180511_20180601 ()",
            "42P07",
            "DROP TABLE trips.hist_trip_data_20180511_20180601",
        ),
        ("SET default_transaction_read_only = on", "25006", "SET default_transaction_read_only = off"),
    ] {
        client.batch_execute(hindrance).unwrap();
        let error = client.query("SELECT * FROM trips.repair_partitions()", &[]).unwrap_err();
        assert_eq!(server_error(&error).0, code, "{hindrance}");
        assert_eq!(misplaced(&mut client), wrong, "{hindrance}");
        client.batch_execute(end).unwrap();
    }
    assert_eq!(repair(&mut client).len(), 1);
    assert_eq!((misplaced(&mut client), failed(&mut client)), (vec![], vec![]));
}
