//! `trips.detect_feed` and `trips.ingest` have one answer for each file.

use postgres::Client;
use postgres::error::DbError;
use trips_testkit::feed_fixtures::fixtures;
use trips_tests::{Database, FIVE_COLUMNS, server_error};

const LYFT: &str = "ride_id,rideable_type,started_at,ended_at,start_station_name,start_station_id,end_station_name,\
    end_station_id,start_lat,start_lng,end_lat,end_lng,member_casual\n";

/// The feed of a file, or the SQLSTATE and the message.
type Answer = Result<String, (String, String)>;

fn error_of(error: &postgres::Error) -> (String, String) {
    let (code, message, _) = server_error(error);
    (code, message)
}

fn loaded(client: &mut Client, path: &str) -> Answer {
    let row = client.query_one("SELECT feed FROM trips.ingest($1)", &[&path]);
    row.map(|row| row.get(0)).map_err(|error| error_of(&error))
}

/// The chosen feed; none if there is no such row.
fn detected(client: &mut Client, path: &str) -> Result<Option<String>, (String, String)> {
    let rows = client.query("SELECT feed, is_chosen FROM trips.detect_feed($1)", &[&path]);
    let rows = rows.map_err(|error| error_of(&error))?;
    let mut chosen = rows.iter().filter(|row| row.get("is_chosen")).map(|row| row.get("feed"));
    let first = chosen.next();
    assert_eq!(chosen.next(), None::<String>, "one feed is chosen");
    Ok(first)
}

fn utf16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Names and contents of files that are not of a feed, or nearly.
fn others() -> Vec<(&'static str, Vec<u8>)> {
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("empty", vec![]),
        ("line_end", text("\n")),
        ("utf16", utf16(LYFT)),
        ("utf16_five", utf16(FIVE_COLUMNS)),
        ("semicolons", text(&LYFT.replace(',', ";"))),
        ("tabs", text(&LYFT.replace(',', "\t"))),
        ("bars", text(&LYFT.replace(',', "|"))),
        ("html", text("<!DOCTYPE html>\n<html><body>404</body></html>\n")),
        ("gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x2b\x4a\x4d\xcf\xcc\xcf\xd3\xc9\x2f\xca".to_vec()),
        ("zip", b"PK\x03\x04\x14\0\0\0\0\0".to_vec()),
        ("parquet", b"PAR1\x15\x04\x15\x10".to_vec()),
        ("json", text("{\"ride_id\": 1}\n")),
        ("binary", vec![0, 1, 2, 3, 0, 0, 255]),
        ("garbage", (0..=255_u8).cycle().map(|b| b.wrapping_mul(167)).take(9_000).collect()),
        ("quote", text("a,\"b\n")),
        ("no_header", text("Brno,POINT (1 2),POINT (3 4),2018-05-01 00:00:00,x\n")),
        ("unknown", text("a,b,c\n")),
        ("near", text(&LYFT.replace("ride_id,", ""))),
        ("twice", text(&LYFT.replace("ride_id,", "ride_id,ride_id,"))),
        ("stations", text("id,name,latitude,longitude\n1,a,41,-87\n")),
        ("endless", vec![b'x'; 3_000_000]),
        ("surplus", text(&LYFT.replace('\n', ",colour\n"))),
    ]
}

#[test]
fn every_file_of_a_directory_has_one_answer() {
    let database = Database::for_any_date();
    let mut client = database.client();
    let files = others().into_iter().map(|(name, bytes)| (name.to_owned(), bytes));
    let files = files.chain(fixtures().into_iter().map(|fixture| {
        let name = format!("{}-{}", fixture.feed, fixture.version.replace(['/', ' '], "_"));
        (name, fixture.bytes.clone())
    }));
    let (mut count, mut faults) = (0, Vec::new());
    for (name, bytes) in files {
        let path = database.file(&format!("{name}.csv"), bytes);
        let (load, detect) = (loaded(&mut client, &path), detected(&mut client, &path));
        let agree = match (&load, &detect) {
            (Ok(feed), Ok(Some(chosen))) => feed == chosen,
            // The header is of no feed, of several, or of stations: the rows say so.
            (Err((code, _)), Ok(None)) => {
                ["42703", "42701", "42725", "42809"].contains(&code.as_str())
            }
            (Err(load), Err(detect)) => load == detect,
            _ => false,
        };
        if !agree {
            faults.push(format!("{name}: {load:?} {detect:?}"));
        }
        count += 1;
    }
    assert!(
        faults.is_empty() && count > 100,
        "{} of {count}:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[test]
fn the_nearest_feed_of_another_delimiter() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("lyft.csv", LYFT.replace(',', ";"));
    let row = client
        .query_one(
            "SELECT feed, is_chosen, matched, missing, note FROM trips.detect_feed($1)",
            &[&path],
        )
        .unwrap();
    assert_eq!(
        (row.get::<_, &str>(0), row.get::<_, bool>(1), row.get::<_, i32>(2)),
        ("lyft", false, 13)
    );
    assert_eq!(row.get::<_, Vec<String>>(3), Vec::<String>::new());
    assert_eq!(row.get::<_, &str>(4), "the nearest feed: its files have another delimiter");
    let error = client.query_one("SELECT trips.ingest($1)", &[&path]).unwrap_err();
    let (code, message, hint) = server_error(&error);
    let detail = error.as_db_error().and_then(DbError::detail).unwrap_or_default();
    assert_eq!(code, "42703", "{message}");
    assert!(detail.contains("of feed \"lyft\"") && hint.contains("semicolons"), "{detail} {hint}");
}

#[test]
fn a_given_feed_that_is_not_that_of_the_header() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("lyft.csv", LYFT);
    let error = client.query_one("SELECT trips.ingest($1, feed => 'divvy')", &[&path]).unwrap_err();
    let (code, message, hint) = server_error(&error);
    let detail = error.as_db_error().and_then(DbError::detail).unwrap_or_default();
    assert_eq!(code, "42703", "{message}");
    assert!(!message.contains("01 - rental details"), "{message}");
    assert!(detail.ends_with("are of feed \"divvy\". The header is of feed \"lyft\"."), "{detail}");
    assert_eq!(hint, "Omit the argument feed, or set it to \"lyft\".");
}

#[test]
fn a_station_file_shows_its_columns() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("s.csv", "ID,Name,latitude,longitude,docks\n1,a,41,-87,15\n");
    let row = client
        .query_one(
            "SELECT matched, missing, not_stored, mapping = '{\"stations\": {\"id\": [\"ID\"], \"name\": [\"Name\"],
                    \"longitude\": [\"longitude\"], \"latitude\": [\"latitude\"]}}'
               FROM trips.detect_feed($1) WHERE feed = 'divvy'",
            &[&path],
        )
        .unwrap();
    assert_eq!(row.get::<_, i32>(0), 4);
    assert_eq!(row.get::<_, Vec<String>>(1), Vec::<String>::new());
    assert_eq!(row.get::<_, Vec<String>>(2), ["docks"]);
    assert!(row.get::<_, bool>(3));
}
