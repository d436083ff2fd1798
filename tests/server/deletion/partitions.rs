//! Partitions whose trips are all deleted, and that others use: subscribers, or the one who has attached them.

use postgres::Client;
use trips_tests::{Cluster, Database, month_as_csv, server_error};

use super::{count, delete, failed, three_months, trips};

const APRIL: &str = "before => '2018-05-01'";

/// Deleted rows of a table that the subscribers of publication `p` have not got yet.
fn unread(client: &mut Client, table: &str) -> i64 {
    // A byte for the kind, and the OID of the table.
    let query = format!(
        "SELECT count(*) FROM pg_logical_slot_peek_binary_changes('s', NULL, NULL, 'proto_version', '1',
                'publication_names', 'p') AS c
          WHERE get_byte(c.data, 0) = ascii('D')
            AND ('x' || encode(substring(c.data FROM 2 FOR 4), 'hex'))::bit(32)::int8
                = 'trips.{table}'::regclass::oid::int8"
    );
    count(client, &query)
}

/// Subscribers get each deleted trip: DROP TABLE is not replicated.
#[test]
fn subscribers_follow() {
    let cluster = Cluster::start_with("wal_level = logical\n");
    let mut client = cluster.client();
    let of_root = "TABLE trips.hist_trip_data WITH (publish_via_partition_root = true)";
    let of_partitions = "TABLE trips.hist_trip_data WITH (publish_via_partition_root = false)";
    let mut publications = vec![
        (of_root, "hist_trip_data"),
        (of_partitions, "hist_trip_data_2018_04"),
        ("TABLE trips.hist_trip_data_2018_04", "hist_trip_data_2018_04"),
        ("ALL TABLES", "hist_trip_data_2018_04"),
        ("ALL TABLES WITH (publish_via_partition_root = true)", "hist_trip_data"),
    ];
    if count(&mut client, "SELECT current_setting('server_version_num')::bigint") >= 150_000 {
        publications.push(("TABLES IN SCHEMA trips", "hist_trip_data_2018_04"));
    }
    for (seed, (publication, table)) in (1..).zip(publications) {
        let path = cluster.file("april.csv", month_as_csv(1_000, seed, "2018-04-01"));
        cluster.ingest(&mut client, &path);
        let old = trips(&mut client, "true");
        let create = format!("CREATE PUBLICATION p FOR {publication}");
        for statement in [&*create, "SELECT pg_create_logical_replication_slot('s', 'pgoutput')"] {
            let done = client.batch_execute(statement);
            done.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        }
        assert_eq!(delete(&mut client, APRIL), [old, 0, 0, 0], "{publication}");
        assert_eq!(unread(&mut client, table), old, "{publication}");
        assert_eq!(trips(&mut client, "true"), 0, "{publication}");
        assert_eq!(failed(&mut client), [""; 0], "{publication}");
        client.batch_execute("DROP PUBLICATION p; SELECT pg_drop_replication_slot('s')").unwrap();
        // Nobody follows any more: the empty partition goes, and its trips may come again.
        assert_eq!(delete(&mut client, APRIL), [0, 0, 0, 1], "{publication}");
    }
}

/// A partition that somebody has attached is a partition like the others: it is dropped, wherever it is.
#[test]
fn attached_tables_are_dropped() {
    let database = Database::on_shared();
    let mut client = database.client();
    three_months(&database, &mut client);
    let path = database.file("old.csv", month_as_csv(3_000, 4, "2017-04-01"));
    database.ingest(&mut client, &path);
    let attach = "ALTER TABLE trips.hist_trip_data DETACH PARTITION trips.hist_trip_data_2017_04;
         CREATE SCHEMA archive; ALTER TABLE trips.hist_trip_data_2017_04 SET SCHEMA archive;
         ALTER TABLE archive.hist_trip_data_2017_04 RENAME TO old;
         ALTER TABLE trips.hist_trip_data ATTACH PARTITION archive.old
           FOR VALUES FROM ('2017-01-01') TO ('2018-01-01')";
    client.batch_execute(attach).unwrap();
    let attached = trips(&mut client, "date_time < '2018-01-01'");
    assert!(attached > 2_000, "{attached}");
    let there = "SELECT count(*) FROM pg_class WHERE relname = 'old'";
    // A partition of another role is not deleted from with the privileges of the owner.
    let role = format!("archives_{}", std::process::id());
    client
        .batch_execute(&format!("CREATE ROLE {role}; ALTER TABLE archive.old OWNER TO {role}"))
        .unwrap();
    let error = client.execute("SELECT trips.delete_trips(before => '2018-01-01')", &[]);
    let (code, message, _) = server_error(&error.unwrap_err());
    assert!(code == "55000" && message.contains("archive.old"), "{code} {message}");
    client
        .batch_execute(&format!("ALTER TABLE archive.old OWNER TO CURRENT_USER; DROP ROLE {role}"))
        .unwrap();
    // Only some of its trips: the table stays.
    let some = trips(&mut client, "date_time < '2017-04-10'");
    assert_eq!(delete(&mut client, "before => '2017-04-10'"), [some, 0, 0, 0]);
    assert_eq!(failed(&mut client), [""; 0]);
    let dropped = "SELECT partitions FROM trips.delete_trips(before => '2018-01-01')";
    let names: Vec<String> = client.query_one(dropped, &[]).unwrap().get(0);
    assert_eq!((names, count(&mut client, there)), (vec!["archive.old".to_owned()], 0));
    assert_eq!(failed(&mut client), [""; 0]);
    let ledger = "SELECT sum(rows_deleted)::bigint FROM trips.loads";
    assert_eq!(count(&mut client, ledger), attached);
    // A detached table is the user's again.
    client
        .batch_execute(
            "ALTER TABLE trips.hist_trip_data DETACH PARTITION trips.hist_trip_data_2018_04",
        )
        .unwrap();
    assert_eq!(delete(&mut client, APRIL), [0, 0, 0, 0]);
    let kept = "SELECT count(*) FROM trips.hist_trip_data_2018_04";
    assert!(count(&mut client, kept) > 2_000);
}

/// Where the extension cannot delete, it says so, and deletes nothing: event triggers do not see all that is attached.
#[test]
fn partitions_that_are_no_plain_tables_are_refused() {
    let december = "FOR VALUES FROM ('2017-12-01') TO ('2018-01-01')";
    let foreign =
        "CREATE FOREIGN DATA WRAPPER none; CREATE SERVER other FOREIGN DATA WRAPPER none;";
    for (create, name) in [
        (
            format!(
                "{foreign} CREATE FOREIGN TABLE public.f PARTITION OF trips.hist_trip_data {december} SERVER other"
            ),
            "public.f",
        ),
        (
            format!(
                "CREATE TABLE public.p PARTITION OF trips.hist_trip_data {december} PARTITION BY RANGE (date_time)"
            ),
            "public.p",
        ),
    ] {
        let database = Database::on_shared();
        let mut client = database.client();
        three_months(&database, &mut client);
        let before = trips(&mut client, "true");
        client
            .batch_execute(&format!(
                "SET session_replication_role = replica; {create}; RESET session_replication_role"
            ))
            .unwrap();
        for conditions in [APRIL, "region => 'Turin'"] {
            let call = format!("SELECT trips.delete_trips({conditions})");
            let error = client.execute(&call, &[]).expect_err(name);
            let (code, message, hint) = server_error(&error);
            assert_eq!(
                (&*code, message),
                ("42809", format!("partition {name} of the history is not a plain table"))
            );
            assert!(hint.contains("plain tables only"), "{hint}");
        }
        client
            .batch_execute(&format!("ALTER TABLE trips.hist_trip_data DETACH PARTITION {name}"))
            .unwrap();
        assert_eq!(trips(&mut client, "true"), before, "{name}");
        assert_eq!(delete(&mut client, APRIL)[3], 1, "{name}");
        assert_eq!(failed(&mut client), [""; 0], "{name}");
    }
}
