//! Trips that are deleted on request: they are gone from all tables, and all that is derived from them follows.

mod beside;
mod memory;
mod partitions;
mod versions;

use postgres::Client;
use trips_tests::{Database, FIVE_COLUMNS, month_as_csv, server_error};

const CALL: &str =
    "SELECT trips, staged, errors, cardinality(partitions)::bigint FROM trips.delete_trips";

/// The numbers that a call returns: trips, staged rows, errors, dropped partitions.
fn delete(client: &mut Client, arguments: &str) -> [i64; 4] {
    let row = client.query_one(&format!("{CALL}({arguments})"), &[]);
    let row = row.unwrap_or_else(|error| panic!("{arguments}: {error:?}"));
    [0, 1, 2, 3].map(|at| row.get(at))
}

fn count(client: &mut Client, query: &str) -> i64 {
    client.query_one(query, &[]).unwrap_or_else(|error| panic!("{query}: {error:?}")).get(0)
}

fn failed(client: &mut Client) -> Vec<String> {
    let query =
        "SELECT check_name || ': ' || detail FROM trips.verify() WHERE NOT passed ORDER BY 1";
    client.query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

fn trips(client: &mut Client, condition: &str) -> i64 {
    count(client, &format!("SELECT count(*) FROM trips.hist_trip_data WHERE {condition}"))
}

/// The error of a statement.
fn error(client: &mut Client, statement: &str) -> (String, String) {
    let error = client.batch_execute(statement).expect_err(statement);
    let (code, message, _) = server_error(&error);
    (code, message)
}

/// Loads three months.
fn three_months(database: &Database, client: &mut Client) -> Vec<String> {
    let months = ["2018-04-01", "2018-05-01", "2018-06-01"];
    let load = |(seed, first): (u64, &&str)| {
        let path = database.file(first, month_as_csv(3_000, seed, first));
        database.ingest(client, &path);
        path
    };
    (1..).zip(&months).map(load).collect()
}

#[test]
fn a_region_is_deleted_everywhere() {
    let database = Database::on_shared();
    let mut client = database.client();
    let paths = three_months(&database, &mut client);
    let bad = format!(
        "{FIVE_COLUMNS}Turin,x,,2018-05-01 10:00:00,a\nPrague,x,,2018-05-01 10:00:00,a\n\
         Turin,,,2018-13-01 10:00:00,a\n\"Turin\"x,,\n\"Prague\"x,,\n,,,2018-05-01 10:00:00,a\n"
    );
    let bad = database.file("bad.csv", bad);
    assert_eq!(database.ingest(&mut client, &bad).rows, [6, 0, 0, 6]);
    client
        .batch_execute("INSERT INTO trips.stg_trip_data (region, date_time) VALUES ('Turin', 'x'), ('Prague', 'x')")
        .unwrap();
    let of_turin = trips(&mut client, "region = 'Turin'");
    let others = trips(&mut client, "region <> 'Turin'");
    assert!(of_turin > 100 && others > 100, "{of_turin} {others}");
    assert_eq!(delete(&mut client, "region => 'Turin'"), [of_turin, 4, 0, 0]);
    assert_eq!(trips(&mut client, "region = 'Turin'"), 0);
    assert_eq!(trips(&mut client, "true"), others);
    assert_eq!(failed(&mut client), [""; 0]);
    let staged = "SELECT count(*) FROM trips.stg_trip_data AS s WHERE s::text LIKE '%Turin%'";
    assert_eq!(count(&mut client, staged), 0);
    let ledger = "SELECT sum(rows_deleted)::bigint FROM trips.loads";
    assert_eq!(count(&mut client, ledger), of_turin);
    let ledger = "SELECT staged_deleted FROM trips.loads WHERE rows_staged = 6";
    assert_eq!(count(&mut client, ledger), 3);
    let derived =
        "SELECT (SELECT count(*) FROM trips.daily_trip_counts WHERE region = 'Turin' AND trips > 0)
                        + (SELECT count(*) FROM trips.summarized_trip_data WHERE region = 'Turin')";
    assert_eq!(count(&mut client, derived), 0);
    let incomplete = "SELECT count(*) FROM trips_internal.check_area_index()";
    assert_eq!(count(&mut client, incomplete), 0, "all weeks of the area index are complete");
    // The same bytes do not bring them back; a merge of what is left works.
    for path in paths {
        assert_eq!(database.ingest(&mut client, &path).state, "skipped");
    }
    client.batch_execute("SELECT trips.merge_staged()").unwrap();
    assert_eq!(failed(&mut client), [""; 0]);
    assert_eq!(delete(&mut client, "region => ' Turin '"), [0, 0, 0, 0]);
}

#[test]
fn old_trips_leave_with_their_partitions() {
    let database = Database::on_shared();
    let mut client = database.client();
    three_months(&database, &mut client);
    let old = trips(&mut client, "date_time < '2018-05-10'");
    let left = trips(&mut client, "date_time >= '2018-05-10'");
    assert_eq!(delete(&mut client, "before => '2018-05-10'"), [old, 0, 0, 1]);
    assert_eq!(trips(&mut client, "true"), left);
    let april = "SELECT count(*) FROM pg_class WHERE relname = 'hist_trip_data_2018_04'";
    assert_eq!(count(&mut client, april), 0);
    assert_eq!(failed(&mut client), [""; 0]);
    let incomplete = "SELECT count(*) FROM trips_internal.check_area_index()";
    assert_eq!(count(&mut client, incomplete), 0);
    // Both ends, and a second condition: no partition is dropped.
    let middle = "since => '2018-06-01', before => '2018-07-01'";
    let june = trips(&mut client, "date_time >= '2018-06-01' AND region = 'Turin'");
    assert_eq!(delete(&mut client, &format!("{middle}, region => 'Turin'")), [june, 0, 0, 0]);
    let june = trips(&mut client, "date_time >= '2018-06-01'");
    assert_eq!(delete(&mut client, middle), [june, 0, 0, 1]);
    assert_eq!(failed(&mut client), [""; 0]);
    let rest = trips(&mut client, "true");
    assert_eq!(delete(&mut client, "since => '0001-01-01'"), [rest, 0, 0, 1]);
    assert_eq!(failed(&mut client), [""; 0]);
    assert_eq!(count(&mut client, "SELECT count(*) FROM trips.summarized_trip_data"), 0);
}

/// Whether the partition of April exists after it was deleted, next to another session or object.
fn april_stays(before: &str, held: &str) -> bool {
    let database = Database::on_shared();
    let (mut client, mut other) = (database.client(), database.client());
    three_months(&database, &mut client);
    client.batch_execute(before).unwrap();
    other.batch_execute(held).unwrap();
    let old = trips(&mut client, "date_time < '2018-05-01'");
    let [deleted, _, _, dropped] = delete(&mut client, "before => '2018-05-01'");
    assert_eq!(
        (deleted, trips(&mut client, "date_time < '2018-05-01'")),
        (old, 0),
        "{before}{held}"
    );
    other.batch_execute("ROLLBACK").unwrap();
    assert_eq!(failed(&mut client), [""; 0], "{before}{held}");
    let april = "SELECT count(*) FROM pg_class WHERE relname = 'hist_trip_data_2018_04'";
    let stays = count(&mut client, april) == 1;
    assert_eq!(stays, dropped == 0, "{before}{held}");
    stays
}

#[test]
fn readers_and_objects_of_users_keep_a_partition() {
    let april = "trips.hist_trip_data_2018_04";
    assert!(!april_stays("SELECT 1", "SELECT 1"));
    // A reader of the history, or of the partition: no one waits.
    assert!(april_stays(
        "SELECT 1",
        "BEGIN; LOCK TABLE ONLY trips.hist_trip_data IN ACCESS SHARE MODE"
    ));
    let reader = format!("BEGIN; SELECT count(*) FROM {april}");
    assert!(april_stays("SELECT 1", &reader));
    let key = format!(
        "CREATE TABLE notes (at timestamp, key uuid, FOREIGN KEY (at, key) REFERENCES {april})"
    );
    for object in [
        format!("CREATE VIEW of_april AS SELECT * FROM {april}"),
        format!("CREATE TABLE typed (t {april})"),
        key,
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
         CREATE TRIGGER note BEFORE DELETE ON trips.hist_trip_data FOR EACH ROW EXECUTE FUNCTION note()"
            .into(),
    ] {
        assert!(april_stays(&object, "SELECT 1"), "{object}");
    }
    for object in [
        format!("ALTER TABLE {april} ADD CHECK (region <> '')"),
        format!(
            "CREATE INDEX ON {april} (lower(region)); CREATE STATISTICS april ON region, datasource FROM {april}"
        ),
    ] {
        assert!(!april_stays(&object, "SELECT 1"), "{object}");
    }
}

#[test]
fn trips_in_a_default_partition_and_outside_of_bounds_are_found() {
    let database = Database::on_shared();
    let mut client = database.client();
    client
        .batch_execute(
            "CREATE TABLE trips.others (LIKE trips.hist_trip_data INCLUDING ALL, PRIMARY KEY (date_time, trip_key));
             ALTER TABLE trips.hist_trip_data ATTACH PARTITION trips.others DEFAULT",
        )
        .unwrap();
    three_months(&database, &mut client);
    let old = trips(&mut client, "date_time < '2018-05-01'");
    assert_eq!(delete(&mut client, "before => '2018-05-01'"), [old, 0, 0, 0]);
    assert_eq!(failed(&mut client), [""; 0]);
}

#[test]
fn a_trigger_that_keeps_trips_is_an_error() {
    let database = Database::on_shared();
    let mut client = database.client();
    three_months(&database, &mut client);
    client
        .batch_execute(
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
             CREATE TRIGGER keep BEFORE DELETE ON trips.hist_trip_data_2018_04 FOR EACH ROW
               WHEN (OLD.region = 'Turin') EXECUTE FUNCTION keep()",
        )
        .unwrap();
    let all = trips(&mut client, "true");
    let (code, message) = error(&mut client, "SELECT trips.delete_trips(before => '2018-06-01')");
    assert_eq!(code, "09000", "{message}");
    assert!(message.ends_with("from partition trips.hist_trip_data_2018_04"), "{message}");
    assert_eq!(trips(&mut client, "true"), all);
    assert_eq!(failed(&mut client), [""; 0]);
}

#[test]
fn records_of_feeds_and_errors_go_too() {
    let database = Database::on_shared();
    let mut client = database.client();
    client
        .batch_execute(
            r#"SELECT trips.create_feed('rides', '{
                 "title": "Rides", "columns": {"Number": {"type": "id"}, "When": {"type": "time"}, "Town": {}},
                 "versions": {"1": ["Number", "When", "Town"]},
                 "time": {"columns": ["When"], "forms": ["YYYY-MM-DD HH24:MI:SS"]}, "region": [{"column": "Town"}],
                 "identity": {"scheme": "source_id", "columns": ["Number"], "window_days": 10, "policy": "keep"},
                 "trip_id": "Number"}')"#,
        )
        .unwrap();
    let rides = "Number,When,Town\n7,2024-01-01 08:00:00,Cork\n8,2024-01-01 09:00:00,Cork\n\
                 7,x,Cork\n8,x,Cork\n9,2024-02-01 08:00:00,\n";
    let path = database.file("rides.csv", rides);
    assert_eq!(database.ingest(&mut client, &path).rows, [5, 2, 0, 3]);
    let failing = database.file("failing.csv", "Number,When,Town\n7,7 o'clock,Cork\n");
    let call = format!("SELECT trips.ingest('{failing}', on_error => 'abort')");
    assert_eq!(error(&mut client, &call).0, "22007");
    let errors = "SELECT count(*) FROM trips.load_errors";
    assert_eq!(count(&mut client, errors), 1);
    assert_eq!(delete(&mut client, "trip_id => '7'"), [1, 1, 1, 0]);
    assert_eq!(count(&mut client, errors), 0);
    let texts = "SELECT count(*) FROM trips.stg_trip_data AS s WHERE s.record ->> 'Number' = '7'";
    assert_eq!(count(&mut client, texts), 0);
    assert_eq!(failed(&mut client), [""; 0]);
    // A record without a readable time goes when it arrived before the limit. It has just arrived.
    assert_eq!(delete(&mut client, "before => '2024-01-15'"), [1, 0, 0, 0]);
    assert_eq!(delete(&mut client, "before => '2024-03-01'"), [0, 1, 0, 1]);
    assert_eq!(
        delete(&mut client, "before => (now() + interval '2 days')::timestamp"),
        [0, 1, 0, 0]
    );
    assert_eq!(count(&mut client, "SELECT count(*) FROM trips.stg_trip_data"), 0);
    assert_eq!(failed(&mut client), [""; 0]);
}

#[test]
fn arguments_and_privileges_are_checked() {
    let database = Database::on_shared();
    let mut client = database.client();
    for (arguments, code) in [
        ("", "22023"),
        ("region => NULL, before => NULL", "22023"),
        ("region => ''", "22023"),
        ("datasource => '  '", "22023"),
        ("trip_id => ''", "22023"),
        ("before => 'infinity'", "22023"),
        ("since => '-infinity'", "22023"),
        ("since => '2018-05-01', before => '2018-05-01'", "22023"),
    ] {
        let call = format!("SELECT trips.delete_trips({arguments})");
        assert_eq!(error(&mut client, &call).0, code, "{arguments}");
    }
    let call = "SELECT trips.delete_trips(region => 'Turin')";
    assert_eq!(error(&mut client, &format!("BEGIN READ ONLY; {call}")).0, "25006");
    client.batch_execute("ROLLBACK").unwrap();
    let role = format!("deletes_{}", std::process::id());
    client
        .batch_execute(&format!(
            "CREATE ROLE {role}; SELECT trips.grant_loader('{role}'); SELECT trips.grant_reader('{role}')"
        ))
        .unwrap();
    assert_eq!(error(&mut client, &format!("SET ROLE {role}; {call}")).0, "42501");
    let grant =
        "GRANT EXECUTE ON FUNCTION trips.delete_trips(text, timestamp, timestamp, text, text) TO";
    client
        .batch_execute(&format!("RESET ROLE; {grant} {role}; SET ROLE {role}; {call}; RESET ROLE"))
        .unwrap();
    client.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).unwrap();
}

#[test]
fn an_older_snapshot_does_not_delete() {
    let database = Database::on_shared();
    let (mut client, mut other) = (database.client(), database.client());
    let path = database.file("a.csv", month_as_csv(100, 1, "2018-04-01"));
    for bytes in
        [month_as_csv(100, 2, "2018-04-01"), format!("{FIVE_COLUMNS}Turin,x,,,\n").into_bytes()]
    {
        client
            .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM trips.loads")
            .unwrap();
        let later = database.file("later.csv", bytes);
        database.ingest(&mut other, &later);
        let (code, message) = error(&mut client, "SELECT trips.delete_trips(region => 'Turin')");
        assert_eq!(code, "40001", "{message}");
        client.batch_execute("ROLLBACK").unwrap();
    }
    client.batch_execute("BEGIN; SAVEPOINT a").unwrap();
    database.ingest(&mut client, &path);
    let all = trips(&mut client, "true");
    assert!(delete(&mut client, "before => '2018-05-01'")[0] > 0);
    client.batch_execute("ROLLBACK TO a; COMMIT").unwrap();
    assert!(all > trips(&mut client, "true"));
    assert_eq!(failed(&mut client), [""; 0]);
    // A row of staging that another transaction has locked would be left.
    other.batch_execute("BEGIN; SELECT FROM trips.stg_trip_data FOR UPDATE").unwrap();
    let (code, message) = error(&mut client, "SELECT trips.delete_trips(region => 'Turin')");
    assert_eq!(code, "55P03", "{message}");
}

#[test]
fn claims_of_deleted_trips_go() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file = |regions: &[&str]| {
        let line = |region: &&str| format!("{region},,,2018-05-01 10:00:00,a\n");
        FIVE_COLUMNS.to_owned() + &regions.iter().map(line).collect::<String>()
    };
    let [a, b] = [file(&["Cork", "Turin"]), file(&["Turin", "Cork", "Lyon"])];
    let (a, b) = (database.file("a.csv", a), database.file("b.csv", b));
    let first = database.ingest(&mut client, &a).load_id;
    assert_eq!(database.ingest(&mut client, &b).rows, [3, 1, 2, 0]);
    let claimed = "SELECT sum(trips)::bigint FROM trips_internal.claims";
    assert_eq!(count(&mut client, claimed), 2);
    assert_eq!(delete(&mut client, "region => 'Turin'"), [1, 0, 0, 0]);
    assert_eq!(count(&mut client, claimed), 1);
    client.execute("SELECT trips.retract($1)", &[&first]).unwrap();
    assert_eq!(trips(&mut client, "region = 'Cork'"), 1);
    assert_eq!(trips(&mut client, "true"), 2);
    assert_eq!(failed(&mut client), [""; 0]);
    assert_eq!(delete(&mut client, "before => '2019-01-01'"), [2, 0, 0, 1]);
    assert_eq!(failed(&mut client), [""; 0]);
}
