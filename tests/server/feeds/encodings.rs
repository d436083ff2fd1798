//! Files with other delimiters and in other encodings, on a server.

use postgres::Client;
use trips_tests::{Database, server_error, text_of};

use super::fixtures::ingest;

/// Tabs, decimal commas and UTF-16.
const SHEETS: &str = r#"{
    "title": "Sheets",
    "columns": { "číslo": { "type": "id" }, "start": { "type": "time" }, "lon": {}, "lat": {}, "kde": {} },
    "versions": { "1": ["číslo", "start", "lon", "lat"] },
    "form": { "dialects": [{ "delimiter": "\t", "decimal": "," }], "encodings": ["utf-16le"] },
    "time": { "columns": ["start"], "forms": ["YYYY-MM-DD HH24:MI:SS"] },
    "origin": [{ "longitude": "lon", "latitude": "lat" }],
    "region": [{ "constant": "Brno" }],
    "identity": { "scheme": "source_id", "columns": ["číslo"] },
    "details": ["kde"]
}"#;

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn create_sheets(client: &mut Client) {
    let create = "SELECT trips.create_feed('sheets', $1::text::jsonb)";
    client.execute(create, &[&SHEETS]).unwrap();
}

const TRIPS: &str = "SELECT date_time, origin_coord, details FROM trips.hist_trip_data ORDER BY 1";

#[test]
fn utf_16_with_tabs_and_decimal_commas() {
    let database = Database::on_shared();
    let mut client = database.client();
    create_sheets(&mut client);
    let text = "\u{feff}číslo\tstart\tlon\tlat\tkde\r\n\
        1\t2024-05-01 10:00:00\t16,6\t49,2\t\"Žabovřesky\t🚲\"\r\n\
        2\t2024-05-01 11:00:00\t16,6\t49,2\t\r\n";
    let mut bytes = utf16(text);
    // A surrogate alone, in the third record.
    bytes.extend(utf16("3\t2024-05-01 12:00:00\t16,6\t49,2\t"));
    bytes.extend([0, 0xd8]);
    bytes.extend(utf16("\r\n"));
    let path = database.file("a.csv", &bytes);
    assert_eq!(ingest(&mut client, &path).0, [3, 2, 0, 1]);
    let expected = "2024-05-01 10:00:00|(16.6,49.2)|{\"kde\": \"Žabovřesky\\t🚲\"}\n\
        2024-05-01 11:00:00|(16.6,49.2)|";
    assert_eq!(text_of(&mut client, TRIPS), expected);
    let staged = "SELECT line_no, error_code FROM trips.stg_trip_data";
    assert_eq!(text_of(&mut client, staged), "4|22021");
    // The same trips in UTF-8.
    let path = database.file("b.csv", text);
    assert_eq!(ingest(&mut client, &path).0, [2, 0, 2, 0]);
}

#[test]
fn utf_16_of_a_feed_without_it() {
    let database = Database::on_shared();
    let mut client = database.client();
    create_sheets(&mut client);
    let five =
        "region,origin_coord,destination_coord,date_time,datasource\nA,,,2018-05-01 00:00:00,b\n";
    let path = database.file("a.csv", utf16(&format!("\u{feff}{five}")));
    let call = format!("SELECT trips.ingest('{path}')");
    let (code, message, hint) = server_error(&client.query_one(&call, &[]).unwrap_err());
    assert_eq!(code, "22P04", "{message}");
    assert!(message.contains("is encoded in UTF-16"), "{message}");
    assert!(hint.contains("iconv"), "{hint}");
}

#[test]
fn a_record_that_is_in_no_encoding_of_the_feed() {
    let database = Database::on_shared();
    let mut client = database.client();
    let header = b"Viaje_Id,Usuario_Id,Genero,A\xf1o_de_nacimiento,Inicio_del_viaje,Fin_del_viaje,Origen_Id,Destino_Id\n";
    let row = |id: &str, origin: &[u8]| {
        let begin = format!("{id},7,M,1988,2021-06-01 00:01:10,2021-06-01 00:09:40,");
        [begin.as_bytes(), origin, b",51\n"].concat()
    };
    let rows = [row("1", b"Ni\xf1os"), row("2", "Niños".as_bytes()), row("3", b"Ni\x81os")];
    let path = database.file("a.csv", [&header[..], &rows.concat()].concat());
    assert_eq!(ingest(&mut client, &path).0, [3, 2, 0, 1]);
    let names =
        "SELECT DISTINCT details OPERATOR(pg_catalog.->>) 'Origen_Id' FROM trips.hist_trip_data";
    assert_eq!(text_of(&mut client, names), "Niños");
    let staged = "SELECT line_no, error_code FROM trips.stg_trip_data";
    assert_eq!(text_of(&mut client, staged), "4|22021");
}
