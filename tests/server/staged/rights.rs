//! Who sees values of staged records, and who may read them again; locks, snapshots, standbys and many rows.

use trips_tests::{Cluster, Database, FIVE_COLUMNS, peak_memory, server_error, text_of};

use super::{balances, load};

const TEXT: &str =
    "Secret,POINT (37.5 126.9),,2024-02-03 08:05:00,s\nSecret,,,Hidden,s\nSecret,too,few\n";

/// A loader sees counts and lines, and no value. A role that may read staging sees all.
#[test]
fn values_are_shown_to_who_may_read_staging() {
    let cluster = Cluster::start();
    let mut admin = cluster.client();
    let setup = "CREATE ROLE loader LOGIN; CREATE ROLE reader LOGIN; CREATE ROLE nobody LOGIN; CREATE ROLE seer LOGIN;
                 SELECT trips.grant_loader('loader'), trips.grant_loader('seer'), trips.grant_reader('reader');
                 GRANT SELECT ON trips.stg_trip_data TO seer";
    admin.batch_execute(setup).unwrap();
    let path = cluster.file("1.csv", format!("{FIVE_COLUMNS}{TEXT}"));
    admin.query("SELECT trips.ingest($1)", &[&path]).unwrap();
    let all = "SELECT e::text FROM trips.explain_staged(1, 20) AS e ORDER BY 1";
    let retry =
        "SELECT rows_inserted, rows_staged FROM trips.retry_staged(1, swap_coordinates => true)";
    for role in ["reader", "nobody"] {
        let mut client = cluster.client_as(role);
        for sql in [all, retry] {
            assert_eq!(
                server_error(&client.query(sql, &[]).unwrap_err()).0,
                "42501",
                "{role} {sql}"
            );
        }
    }
    let (shown, hidden) = (
        text_of(&mut cluster.client_as("seer"), all),
        text_of(&mut cluster.client_as("loader"), all),
    );
    for value in ["Secret", "Hidden", "126.9"] {
        assert!(shown.contains(value), "{value}: {shown}");
        assert!(!hidden.contains(value), "{value}: {hidden}");
    }
    assert!(hidden.contains("swap_coordinates => true"), "{hidden}");
    // With row security for the role, it does not see all rows of staging.
    admin.batch_execute("ALTER TABLE trips.stg_trip_data ENABLE ROW LEVEL SECURITY").unwrap();
    assert_eq!(text_of(&mut cluster.client_as("seer"), all), hidden);
    admin.batch_execute("ALTER TABLE trips.stg_trip_data DISABLE ROW LEVEL SECURITY").unwrap();
    assert_eq!(text_of(&mut cluster.client_as("loader"), retry), "1|2");
    balances(&mut admin);
}

/// An explanation writes nothing and waits for nobody; a second reading is refused where nothing may be written.
#[test]
fn read_only_and_beside_others() {
    let database = Database::on_shared();
    let (mut client, mut other) = (database.client(), database.client());
    load(&database, &mut client, "1.csv", format!("{FIVE_COLUMNS}{TEXT}"));
    let all = "SELECT e::text FROM trips.explain_staged(1) AS e ORDER BY 1";
    let expected = text_of(&mut client, all);
    client.batch_execute("BEGIN READ ONLY").unwrap();
    assert_eq!(text_of(&mut client, all), expected);
    let error = client.query("SELECT trips.retry_staged(1)", &[]).unwrap_err();
    assert_eq!(server_error(&error).0, "25006");
    client.batch_execute("ROLLBACK").unwrap();
    // A load holds the history lock and the rows.
    other
        .batch_execute(
            "BEGIN; SELECT trips.retry_staged(1, swap_coordinates => true);
                        SELECT FROM trips.stg_trip_data FOR UPDATE",
        )
        .unwrap();
    assert_eq!(text_of(&mut client, all), expected);
    client.batch_execute("SET lock_timeout = '100ms'").unwrap();
    let error = client.query("SELECT trips.retry_staged(1)", &[]).unwrap_err();
    assert_eq!(server_error(&error).0, "55P03");
    other.batch_execute("ROLLBACK").unwrap();
    assert_eq!(text_of(&mut client, all), expected);
    // Rows that another session has locked stay.
    other
        .batch_execute("BEGIN; SELECT FROM trips.stg_trip_data WHERE line_no = 2 FOR UPDATE")
        .unwrap();
    let retry =
        "SELECT rows_inserted, rows_staged FROM trips.retry_staged(1, swap_coordinates => true)";
    assert_eq!(text_of(&mut client, retry), "0|3");
    other.batch_execute("ROLLBACK").unwrap();
    assert_eq!(text_of(&mut client, retry), "1|2");
    balances(&mut client);
}

/// Memory does not grow with the rows, and both calls can be cancelled.
#[test]
fn many_rows() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let insert = "INSERT INTO trips.loads (source, state, rows_read, rows_staged, requested_by, requested_at)
                  VALUES ('x', 'loaded', 200000, 200000, 'postgres', now());
                  INSERT INTO trips.stg_trip_data (load_id, line_no, region, origin_coord, date_time, error_code, column_name, error)
                  SELECT 1, i, 'region ' || i, 'POINT (37.5 126.9)', (i % 28 + 1) || '/02/2024 08:05:' || lpad((i % 60)::text, 2, '0'),
                         '22007', 'date_time', '\"' || i || '\" is not ' || i || ' a \"' || md5(i::text) || '\" date ' || (i % 500)
                    FROM generate_series(1, 200000) AS i";
    client.batch_execute(insert).unwrap();
    client.query("SELECT * FROM trips.explain_staged(1) LIMIT 1", &[]).unwrap();
    let found = "SELECT sum(records) FROM trips.explain_staged(1, 20)";
    let (sum, peak) = peak_memory(&mut client, |client| text_of(client, found));
    assert_eq!(sum, "200000");
    assert!(peak < 256 * 1024 * 1024, "{peak} bytes");
    for call in
        ["explain_staged(1)", "retry_staged(1, date_order => 'DMY', swap_coordinates => true)"]
    {
        client.batch_execute("SET statement_timeout = '20ms'").unwrap();
        let sql = format!("SELECT * FROM trips.{call}");
        let error = client.query(sql.as_str(), &[]).unwrap_err();
        assert_eq!(server_error(&error).0, "57014", "{call}");
        client.batch_execute("RESET statement_timeout").unwrap();
    }
    let retry = "SELECT rows_inserted, rows_staged FROM trips.retry_staged(1, date_order => 'DMY', swap_coordinates => true)";
    assert_eq!(text_of(&mut client, retry), "200000|0");
    balances(&mut client);
}
