//! A second header in a file, and byte order marks in it: no row is loaded under columns that are not its own.

use postgres::Client;
use trips_tests::{Database, FIVE_COLUMNS, trip_line};

const SWAPPED: &str = "datasource,destination_coord,origin_coord,date_time,region";

/// The row of `trip_line`, in the order of `SWAPPED`.
fn swapped_line(region: &str, second: u32) -> String {
    format!("source,POINT (3 4),POINT (1 2),2018-05-01 00:00:{second:02},{region}\n")
}

/// Regions, datasources and points of the history, and line, code and reason of what is staged.
fn found(client: &mut Client) -> (Vec<String>, Vec<(i64, String, String)>) {
    let trips = client
        .query(
            "SELECT concat_ws('|', region, datasource, origin_coord, destination_coord)
               FROM trips.hist_trip_data ORDER BY date_time",
            &[],
        )
        .unwrap();
    let staged = client
        .query("SELECT line_no, error_code, error FROM trips.stg_trip_data ORDER BY line_no", &[])
        .unwrap();
    let of_staged = |row: &postgres::Row| (row.get(0), row.get(1), row.get(2));
    (trips.iter().map(|row| row.get(0)).collect(), staged.iter().map(of_staged).collect())
}

fn trip(region: &str) -> String {
    format!("{region}|source|(1,2)|(3,4)")
}

/// A file in an empty history: what is loaded and staged, and the counts.
fn load(
    database: &Database,
    client: &mut Client,
    name: &str,
    file: &str,
) -> (Vec<String>, Vec<(i64, String, String)>) {
    client.batch_execute("TRUNCATE trips.hist_trip_data, trips.stg_trip_data").unwrap();
    let load = database.ingest(client, &database.file(&format!("{name}.csv"), file));
    let (trips, staged) = found(client);
    let count = |list: usize| i64::try_from(list).unwrap();
    assert_eq!(load.rows[1..], [count(trips.len()), 0, count(staged.len())], "{name}");
    (trips, staged)
}

/// Headers behind which the order is certain: one bad line each, and the rows behind it are right.
#[test]
fn rows_behind_a_second_header_are_read_by_it() {
    let database = Database::on_shared();
    let mut client = database.client();
    let quoted = SWAPPED.split(',').map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",");
    let a = trip_line("A", 1);
    let bare = a.trim_end();
    let cases = [
        ("other order", format!("{a}{SWAPPED}\n"), 3),
        ("a byte order mark", format!("{a}\u{feff}{SWAPPED}\n"), 3),
        ("a mark and quotes", format!("{a}\u{feff}{quoted}\r\n"), 3),
        (
            "case and blanks",
            format!("{a}  {}\n", SWAPPED.to_uppercase().replace(',', "\t,\u{a0}")),
            3,
        ),
        ("an alias", format!("{a}{}\n", SWAPPED.replace("date_time", "DateTime")), 3),
        ("joined to a row", format!("{bare}{SWAPPED}\n"), 2),
        ("joined, with a mark between", format!("{bare}\u{feff}{SWAPPED}\n"), 2),
        ("joined, quoted", format!("{bare}{quoted}\n"), 2),
        (
            "joined to a quoted value",
            format!("{}\"source\"{SWAPPED}\n", bare.trim_end_matches("source")),
            2,
        ),
        ("both quoted", format!("{}\"source\"{quoted}\n", bare.trim_end_matches("source")), 2),
        (
            "both quoted, a mark between",
            format!("{}\"source\"\u{feff}{quoted}\n", bare.trim_end_matches("source")),
            2,
        ),
    ];
    for (name, middle, line) in cases {
        let file = format!("{FIVE_COLUMNS}{middle}{}", swapped_line("B", 2));
        let (trips, staged) = load(&database, &mut client, name, &file);
        let expected = if line == 3 { vec![trip("A"), trip("B")] } else { vec![trip("B")] };
        assert_eq!(trips, expected, "{name}: {staged:?}");
        let codes: Vec<(i64, &str)> = staged.iter().map(|s| (s.0, s.1.as_str())).collect();
        assert_eq!(codes, [(line, "22P04")], "{name}");
        assert!(staged[0].2.contains("header"), "{name}: {}", staged[0].2);
    }
}

/// Surplus columns: the number of values is the second header's from then on.
#[test]
fn surplus_columns_of_a_second_header() {
    let database = Database::on_shared();
    let mut client = database.client();
    let first = "region,origin_coord,destination_coord,date_time,datasource,x\n";
    let second = "datasource,origin_coord,destination_coord,date_time,y,region\n";
    let row = "A,POINT (1 2),POINT (3 4),2018-05-01 00:00:01,source,9\n";
    let other = "source,POINT (1 2),POINT (3 4),2018-05-01 00:00:02,9,B\n";
    let (trips, staged) = load(
        &database,
        &mut client,
        "surplus",
        &format!("{first}{row}{second}{other}{FIVE_COLUMNS}{}", trip_line("C", 3)),
    );
    assert_eq!(trips, [trip("A"), trip("B"), trip("C")]);
    assert_eq!(staged.iter().map(|s| s.0).collect::<Vec<_>>(), [3, 5]);
    // A name that is joined may be that of any column: the rows are the header's, or wait.
    let joined = format!("{first}{}id,{SWAPPED}\n7,{}", row.trim_end(), swapped_line("B", 2));
    let (trips, staged) = load(&database, &mut client, "joined surplus", &joined);
    assert_eq!((trips, staged.len()), (vec![trip("B")], 1));
}

/// Behind what names columns and is no complete header, rows wait in staging until the next certain one.
#[test]
fn rows_behind_an_unclear_header_are_staged() {
    let database = Database::on_shared();
    let mut client = database.client();
    let a = trip_line("A", 1);
    for (name, second) in [
        ("a column is missing", "datasource,origin_coord,destination_coord,region"),
        ("a column has another name", "datasource,origin_coord,destination_coord,started,region"),
        ("only two names", "datasource,from,to,started,region"),
        ("only one name", "sender,from,to,started,region"),
        (
            "a name is there twice",
            "datasource,origin_coord,destination_coord,date_time,region,Region",
        ),
        (
            "a row, a header and a row",
            "region,origin_coord,destination_coord,date_time,datasourceA,POINT (1 2),,2018-05-01 00:00:00,sregion,origin_coord",
        ),
        (
            "a quote that goes on behind it",
            "Q,,,2018-05-01 00:00:09,\"sourceregion,origin_coord,destination_coord,date_time,datasource\nQ,,,2018-05-01 00:00:08,\"",
        ),
    ] {
        let rest = format!("{}{}", swapped_line("B", 2), trip_line("C", 3));
        let again = format!("{FIVE_COLUMNS}{}", trip_line("D", 4));
        let file = format!("{FIVE_COLUMNS}{a}{second}\n{rest}{again}");
        let (trips, staged) = load(&database, &mut client, name, &file);
        assert_eq!(trips, [trip("A"), trip("D")], "{name}: {staged:?}");
        assert!(staged.iter().all(|s| s.1 == "22P04"), "{name}: {staged:?}");
        assert_eq!(staged.len(), 4, "{name}: {staged:?}");
        assert!(staged[1].2.contains("line 3 is an incomplete header"), "{name}: {}", staged[1].2);
    }
}

/// The rest of a line that is too long is not kept, but a header at its end is seen.
#[test]
fn a_header_behind_what_is_too_long() {
    let database = Database::on_shared();
    let mut client = database.client();
    for nothing in ["\0".repeat(3_000_000), format!("\"{}", "x,".repeat(600_000))] {
        let a = trip_line("A", 1);
        let file = format!(
            "{FIVE_COLUMNS}{a}{nothing}{SWAPPED}\n{}{FIVE_COLUMNS}{}",
            swapped_line("B", 2),
            trip_line("C", 3)
        );
        let (trips, staged) = load(&database, &mut client, "too long", &file);
        assert_eq!(trips, [trip("A"), trip("C")]);
        assert_eq!(staged.iter().map(|s| s.1.as_str()).collect::<Vec<_>>(), ["22P04"; 3]);
    }
}

/// What only looks like a header is a row, or a bad line and nothing more.
#[test]
fn rows_that_name_columns_are_rows() {
    let database = Database::on_shared();
    let mut client = database.client();
    let a = trip_line("A", 9);
    let lines = [
        ("region,POINT (1 2),,2018-05-01 00:00:01,datasource", true),
        ("\"region,datasource\",,,2018-05-01 00:00:02,region", true),
        ("region,,,,datasource_1", false),
        ("region,POINT (1 99),,2018-05-01 00:00:03,datasource", false),
        ("region", false),
        ("region of Prague,a,b,c,d", false),
    ];
    for (line, is_trip) in lines {
        let (trips, staged) =
            load(&database, &mut client, "rows", &format!("{FIVE_COLUMNS}{line}\n{a}"));
        assert_eq!(trips.len(), 1 + usize::from(is_trip), "{line}: {staged:?}");
        assert_eq!(staged.len(), usize::from(!is_trip), "{line}: {staged:?}");
        assert!(staged.iter().all(|s| !s.2.contains("header")), "{line}: {staged:?}");
    }
}

/// Byte order marks and whitespace around a value are no part of it; other characters are.
#[test]
fn marks_and_whitespace_make_no_other_region() {
    let database = Database::on_shared();
    let mut client = database.client();
    for around in ["\u{feff}", "\u{feff}\u{feff}", "\u{b}", "\u{c}", " \u{feff}\t"] {
        let file = format!(
            "{FIVE_COLUMNS}{}{around}{}",
            trip_line("Prague", 1),
            trip_line(format!("Prague{around}"), 2)
        );
        let (trips, staged) = load(&database, &mut client, "around", &file);
        assert_eq!((trips, staged.len()), (vec![trip("Prague"); 2], 0), "{around:?}");
    }
    // A mark before a quote is before the value.
    let file = format!("{FIVE_COLUMNS}\u{feff}\"Prague\"{}\u{feff}\n", trip_line("", 1));
    assert_eq!(load(&database, &mut client, "quoted", &file).0, [trip("Prague")]);
    for other in ["Prague\u{a0}", "\u{200b}Prague", "Pra\u{feff}gue", "Prague\u{1}"] {
        let file = format!("{FIVE_COLUMNS}{}", trip_line(other, 1));
        assert_eq!(load(&database, &mut client, "other", &file).0, [trip(other)]);
    }
    let names = format!(
        "\u{a0}region\u{200b},origin_coord,destination_coord\u{b},date_time,datasource\n{}",
        trip_line("A", 1)
    );
    assert_eq!(load(&database, &mut client, "names", &names).0, [trip("A")]);
}

/// trips.stage keeps them apart, too: what is merged from staging has its own columns.
#[test]
fn staging_knows_the_columns() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file = format!("{FIVE_COLUMNS}{}{SWAPPED}\n{}", trip_line("A", 1), swapped_line("B", 2));
    let path = database.file("staged.csv", file);
    client.query_one("SELECT * FROM trips.stage($1)", &[&path]).unwrap();
    client.query_one("SELECT * FROM trips.merge_staged()", &[]).unwrap();
    let (trips, staged) = found(&mut client);
    assert_eq!((trips, staged.len()), (vec![trip("A"), trip("B")], 1));
}
