//! Personal columns, and columns that the feed does not know, are stored nowhere.

use postgres::{Client, NoTls};
use trips_testkit::feed_fixtures::fixtures;
use trips_tests::Database;

use super::fixtures::RESET;

/// No part of a key, a digest or a name is like it.
const SECRET: &str = "Zyxwvutsrqponm 17 Secret Lane";

/// The tables of the extension with rows that have the secret, as text or as bytes.
fn tables_with_secret(client: &mut Client) -> Vec<String> {
    let tables = "SELECT c.oid::regclass::text FROM pg_class AS c
                   WHERE c.relnamespace IN ('trips'::regnamespace, 'trips_internal'::regnamespace)
                     AND c.relkind IN ('r', 'm') ORDER BY 1";
    let tables: Vec<String> =
        client.query(tables, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    assert!(tables.len() > 12, "{tables:?}");
    let bytes: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    let has_secret = |table: &String| {
        let query = format!(
            "SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%{SECRET}%' OR t::text LIKE '%{bytes}%'"
        );
        client.query_one(&query, &[]).unwrap().get::<_, i64>(0) > 0
    };
    tables.into_iter().filter(has_secret).collect()
}

#[test]
fn personal_columns_are_stored_nowhere() {
    let database = Database::for_any_date();
    let notices = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let received = notices.clone();
    let mut config = database.config();
    config.notice_callback(move |notice| {
        let text = format!("{} {}", notice.message(), notice.detail().unwrap_or_default());
        received.lock().unwrap().push_str(&text);
    });
    let mut client = config.connect(NoTls).unwrap();
    let (mut faults, mut staged) = (Vec::new(), 0);
    // The five-column file has no personal columns, and keeps the text of its rejected records.
    for fixture in fixtures().into_iter().filter(|fixture| fixture.feed != "trips") {
        client.batch_execute(RESET).unwrap();
        let name = fixture.name();
        let path = database.file(&format!("{name}.csv"), fixture.with_secret(SECRET));
        let row = client.query_one("SELECT rows_staged FROM trips.ingest($1)", &[&path]);
        staged += row.unwrap_or_else(|error| panic!("{name}: {error:?}")).get::<_, i64>(0);
        faults
            .extend(tables_with_secret(&mut client).iter().map(|table| format!("{name}: {table}")));
        client.query_one("SELECT trips.stage($1)", &[&path]).unwrap();
        faults.extend(
            tables_with_secret(&mut client).iter().map(|table| format!("{name}, staged: {table}")),
        );
        // An error and its copy in the ledger say which record is wrong, and not what is in those columns.
        let error = client
            .query_one("SELECT trips.ingest($1, on_error => 'abort', force => true)", &[&path])
            .unwrap_err();
        let error = format!("{:?}", error.as_db_error().unwrap());
        if error.contains(SECRET) {
            faults.push(format!("{name}: {error}"));
        }
        faults.extend(
            tables_with_secret(&mut client).iter().map(|table| format!("{name}, failed: {table}")),
        );
        if std::mem::take(&mut *notices.lock().unwrap()).contains(SECRET) {
            faults.push(format!("{name}: notices"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(staged > 200, "{staged} rejected records");
}

/// The search finds what it looks for.
#[test]
fn the_search_finds_a_secret() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file =
        format!("{}{SECRET},,,2018-05-01 00:00:00,x\nbad,{SECRET}\n", trips_tests::FIVE_COLUMNS);
    let path = database.file("a.csv", file);
    client.query_one("SELECT trips.ingest($1)", &[&path]).unwrap();
    let found = tables_with_secret(&mut client);
    for table in ["trips.stg_trip_data", "trips.daily_trip_counts", "trips.hist_trip_data_2018_05"]
    {
        assert!(found.iter().any(|name| name == table), "{found:?}");
    }
}
