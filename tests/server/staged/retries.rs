//! Second readings: their arguments, their totals, and what stays.

use postgres::Client;
use trips_tests::{Database, FIVE_COLUMNS, rows_as_csv, server_error, text_of};

use super::{balances, explain, explain_and_prove, load, rows_of};

fn call(client: &mut Client, arguments: &str) -> Result<[i64; 4], String> {
    let sql = format!(
        "SELECT rows_read, rows_inserted, rows_duplicate, rows_staged FROM trips.retry_staged({arguments})"
    );
    match client.query_one(sql.as_str(), &[]) {
        Ok(row) => Ok([0, 1, 2, 3].map(|column| row.get(column))),
        Err(error) => Err(server_error(&error).0),
    }
}

const SWAPPED: &str = "A,POINT (37.5 126.9),,2024-02-03 08:05:00,s\nA,,,now,s\n";

#[test]
fn arguments() {
    let database = Database::on_shared();
    let mut client = database.client();
    let load_id = load(&database, &mut client, "1.csv", format!("{FIVE_COLUMNS}{SWAPPED}"));
    client.query("SELECT trips.ingest('/nowhere.csv')", &[]).unwrap_err();
    let failed: i64 = text_of(&mut client, "SELECT max(load_id) FROM trips.loads").parse().unwrap();
    for (arguments, code) in [
        ("NULL", "22004"),
        ("1, swap_coordinates => NULL", "22004"),
        ("1, decimal_comma => NULL", "22004"),
        ("1, date_order => 'YMD'", "22023"),
        ("1, date_order => 'dmy'", "22023"),
        ("1, time_form => 'YYYY'", "22023"),
        ("1, time_form => ''", "22023"),
        ("1, time_form => 'epoch'", "22023"),
        ("1, date_order => 'DMY', time_form => 'YYYY/MM/DD HH24:MI'", "22023"),
        ("1, region => ' '", "22023"),
        ("1, feed => 'nothing'", "42704"),
        ("1, member => 'a.csv'", "42704"),
        ("99", "42704"),
        (&format!("{failed}"), "55000"),
    ] {
        assert_eq!(call(&mut client, arguments), Err(code.to_owned()), "{arguments}");
    }
    for (arguments, code) in [
        ("NULL", "22004"),
        ("1, NULL", "22004"),
        ("1, -1", "22023"),
        ("1, 21", "22023"),
        ("99", "42704"),
        (&format!("{failed}"), "55000"),
    ] {
        let sql = format!("SELECT * FROM trips.explain_staged({arguments})");
        assert_eq!(
            server_error(&client.query(sql.as_str(), &[]).unwrap_err()).0,
            code,
            "{arguments}"
        );
    }
    assert_eq!(rows_of(&mut client, load_id), [2, 0, 0, 2]);
    balances(&mut client);
}

/// What the rules do not mend stays as it is, and a second call changes nothing.
#[test]
fn records_that_stay() {
    let database = Database::on_shared();
    let mut client = database.client();
    load(&database, &mut client, "1.csv", format!("{FIVE_COLUMNS}{SWAPPED}"));
    let state = "SELECT s.ctid, s.* FROM trips.stg_trip_data AS s ORDER BY line_no";
    let before = text_of(&mut client, state);
    for nothing in ["1", "1, date_order => 'DMY'", "1, decimal_comma => true"] {
        assert_eq!(call(&mut client, nothing), Ok([2, 0, 0, 2]), "{nothing}");
        assert_eq!(text_of(&mut client, state), before, "{nothing}");
    }
    for _ in 0..2 {
        assert_eq!(call(&mut client, "1, swap_coordinates => true"), Ok([2, 1, 0, 1]));
        balances(&mut client);
    }
    // The region of the other record, and a form that it has.
    client
        .batch_execute("UPDATE trips.stg_trip_data SET region = NULL, date_time = '3.2.24 8:05'")
        .unwrap();
    let mended = "1, time_form => 'DD.MM.YY HH24:MI', region => 'R', datasource => 't'";
    assert_eq!(call(&mut client, mended), Ok([2, 2, 0, 0]));
    let trip = "SELECT region, date_time, datasource FROM trips.hist_trip_data WHERE region = 'R'";
    assert_eq!(text_of(&mut client, trip), "R|2024-02-03 08:05:00|t");
    assert_eq!(call(&mut client, "1, swap_coordinates => true"), Ok([2, 2, 0, 0]));
    assert_eq!(explain(&mut client, 1).len(), 0);
    balances(&mut client);
}

/// A mended record may be a trip that is known, of its file or of another load.
#[test]
fn duplicates() {
    let database = Database::on_shared();
    let mut client = database.client();
    let right = "A,POINT (126.9 37.5),,2024-02-03 08:05:00,s\n";
    load(&database, &mut client, "1.csv", format!("{FIVE_COLUMNS}{right}"));
    let text = format!("{FIVE_COLUMNS}{SWAPPED}{SWAPPED}");
    let load_id = load(&database, &mut client, "2.csv", text);
    explain_and_prove(&mut client, load_id);
    assert_eq!(call(&mut client, "2, swap_coordinates => true"), Ok([4, 0, 2, 2]));
    balances(&mut client);
}

/// The n-th equal record has number n, also if it is read again.
#[test]
fn equal_records() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(crate::feeds::merges::HIRES).unwrap();
    let row = |time: &str, place: &str| format!("{time},7,{place}\n");
    let (iso, place) = ("2024-01-17 08:00:00", "126.9,37.5");
    let right = format!("at,bike,lon,lat\n{}", row(iso, place).repeat(4));
    let text = format!(
        "at,bike,lon,lat\n{}{}{}{}",
        row(iso, place),
        row(iso, "37.5,126.9"),
        row("17/01/2024 08:00", place),
        row("17/01/2024 08:00:00", "37.5,126.9")
    );
    let load_id = load(&database, &mut client, "1.csv", text);
    assert_eq!(rows_of(&mut client, load_id), [4, 1, 0, 3]);
    explain_and_prove(&mut client, load_id);
    assert_eq!(call(&mut client, "1, swap_coordinates => true"), Ok([4, 2, 0, 2]));
    assert_eq!(call(&mut client, "1, date_order => 'DMY'"), Ok([4, 3, 0, 1]));
    let last = "1, date_order => 'DMY', swap_coordinates => true";
    assert_eq!(call(&mut client, last), Ok([4, 4, 0, 0]));
    let load_id = load(&database, &mut client, "2.csv", right);
    assert_eq!(rows_of(&mut client, load_id), [4, 0, 4, 0]);
    balances(&mut client);
}

/// Rows of other writers, corrected values, staged files, settings that have changed.
#[test]
fn rows_of_all_kinds() {
    let database = Database::on_shared();
    let mut client = database.client();
    client
        .batch_execute(
            "INSERT INTO trips.stg_trip_data (region, origin_coord, date_time)
             VALUES ('w', 'POINT (37.5 126.9)', '2024-02-03 08:05:00'), ('w', NULL, '2024-02-03 08:05:00')",
        )
        .unwrap();
    client.query("SELECT trips.merge_staged()", &[]).unwrap();
    let found = explain_and_prove(&mut client, 1);
    assert!(found[0].examples.contains("\"line_no\": null"), "{found:?}");
    assert_eq!(call(&mut client, "1, swap_coordinates => true"), Ok([2, 2, 0, 0]));
    // A staged file waits for a merge; a corrected row, too.
    let path = database.file("2.csv", rows_as_csv(5, 1));
    let stage = "SELECT load_id FROM trips.stage($1)";
    let load_id: i64 = client.query_one(stage, &[&path]).unwrap().get(0);
    let found = explain_and_prove(&mut client, load_id);
    assert!(found[0].proposal.contains("5 of 5 records wait for a merge"), "{found:?}");
    let load_id = load(&database, &mut client, "3.csv", format!("{FIVE_COLUMNS}{SWAPPED}"));
    client
        .batch_execute("UPDATE trips.stg_trip_data SET date_time = '2024-02-03 08:05:00' WHERE date_time = 'now'")
        .unwrap();
    let found = explain_and_prove(&mut client, load_id);
    assert!(found.iter().any(|found| found.proposal.contains("are valid now")), "{found:?}");
    // What is out of the dates is valid under other settings.
    let old = format!("{FIVE_COLUMNS}A,,,1960-02-03 08:05:00,s\n");
    let load_id = load(&database, &mut client, "4.csv", old);
    assert!(explain_and_prove(&mut client, load_id)[0].retry.is_none());
    client.batch_execute("SET trips.earliest_date = '1900-01-01'").unwrap();
    assert!(explain_and_prove(&mut client, load_id)[0].retry.is_some());
}
