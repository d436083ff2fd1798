//! Delimiters and encodings: what a file says does not depend on them.

use std::io::Read;
use std::sync::Arc;

use proptest::prelude::*;
use trips_core::feed::builtin;
use trips_core::feed::choice::{FeedChoice, Options};
use trips_core::feed::definition::Definition;
use trips_core::feed::detect::Catalogue;
use trips_core::feed::plan::Plan;
use trips_core::format::delimited::header::{HeaderError, read_header};
use trips_core::format::delimited::record::{FramingError, RecordReader};
use trips_core::format::encoding::Decoder;
use trips_core::model::decimal::DecimalMark;

const MAX_RECORD: usize = 1000;

/// A record: line, raw bytes, and its values or its error.
type Row = (u64, Vec<u8>, Result<Vec<Vec<u8>>, FramingError>);

fn rows(file: &[u8], delimiter: u8, max_record: usize) -> Vec<Row> {
    let mut reader = RecordReader::new(file, max_record);
    reader.set_delimiter(delimiter);
    let mut rows = Vec::new();
    loop {
        let peeked = match reader.peek_record().unwrap() {
            None => return rows,
            // The reader has skipped it.
            Some(record) if record.error == Some(FramingError::TooLong) => continue,
            Some(record) => (record.line, record.raw.to_vec(), record.len()),
        };
        let record = reader.next_record().unwrap().expect("the record that was peeked");
        assert_eq!(peeked, (record.line, record.raw.to_vec(), record.len()));
        assert_eq!(record.delimiter, delimiter);
        let values = record.fields().map(|value| value.into_owned()).collect();
        rows.push((record.line, record.raw.to_vec(), record.error.map_or(Ok(values), Err)));
    }
}

fn swapped(bytes: &[u8], delimiter: u8) -> Vec<u8> {
    let swap = |byte: &u8| match *byte {
        b',' => delimiter,
        byte if byte == delimiter => b',',
        byte => byte,
    };
    bytes.iter().map(swap).collect()
}

proptest! {
    /// A comma and another delimiter, exchanged in the file and for the reader, give the same records.
    #[test]
    fn any_delimiter_frames_as_the_comma_does(
        file in proptest::collection::vec(
            prop_oneof![
                3 => Just(b'"'), 3 => Just(b','), 2 => Just(b';'), 2 => Just(b'|'), 2 => Just(b'\n'),
                1 => Just(b'\r'), 4 => Just(b'a'), 1 => any::<u8>(),
            ], 0..200),
        is_pipe: bool,
        max_record in 1_usize..80,
    ) {
        let delimiter = if is_pipe { b'|' } else { b';' };
        let of = |row: Row| {
            let swap = |value: Vec<u8>| swapped(&value, delimiter);
            let values = row.2.map(|values| values.into_iter().map(swap).collect());
            (row.0, swapped(&row.1, delimiter), values)
        };
        let by_commas: Vec<Row> = rows(&file, b',', max_record).into_iter().map(of).collect();
        prop_assert_eq!(rows(&swapped(&file, delimiter), delimiter, max_record), by_commas);
    }
}

#[test]
fn a_tab_may_be_a_delimiter_and_then_is_no_whitespace() {
    let file = b"a\tb\n\n \n\t\n\"c\td\"\t\"e\"\n";
    let values: Vec<_> =
        rows(file, b'\t', MAX_RECORD).into_iter().map(|row| row.2.unwrap()).collect();
    let expected: Vec<Vec<&[u8]>> = vec![vec![b"a", b"b"], vec![b"", b""], vec![b"c\td", b"e"]];
    assert_eq!(values, expected);
    assert_eq!(rows(file, b',', MAX_RECORD).len(), 2, "else a line of tabs is blank");
}

/// Reads a header and the values of the record after it.
fn read(choice: &FeedChoice, file: &[u8]) -> Result<(Plan, Vec<String>), HeaderError> {
    let source = Decoder::detect(file).unwrap();
    let encoding = source.encoding();
    let mut reader = RecordReader::new(source, MAX_RECORD).with_encoding(encoding);
    let plan = read_header(choice, &mut reader, MAX_RECORD)?;
    let record = reader.next_record().unwrap().expect("a record");
    assert_eq!(record.line, 2, "the header is used");
    let text = |value: std::borrow::Cow<'_, [u8]>| String::from_utf8_lossy(&value).into_owned();
    let values = record.fields().map(text).collect();
    Ok((plan, values))
}

/// The files of this feed are UTF-16 with tabs.
fn choice_with_utf16() -> FeedChoice {
    let feed = Definition::parse(
        r#"{ "name": "brno", "title": "Brno",
             "columns": { "číslo": { "type": "id" }, "start": { "type": "time" }, "lon": {}, "lat": {} },
             "versions": { "1": ["číslo", "start", "lon", "lat"] },
             "form": { "dialects": [{ "delimiter": "\t", "decimal": "," }], "encodings": ["utf-16le"] },
             "time": { "columns": ["start"], "forms": ["YYYY-MM-DD HH24:MI:SS"] },
             "origin": [{ "longitude": "lon", "latitude": "lat" }],
             "region": [{ "constant": "Brno" }],
             "identity": { "scheme": "source_id", "columns": ["číslo"] } }"#,
    )
    .expect("a valid definition");
    let mut feeds = builtin::all().to_vec();
    feeds.push(Arc::new(feed));
    let catalogue = Arc::new(Catalogue::new(feeds));
    FeedChoice { catalogue, ..FeedChoice::builtin() }
}

const BAY_WHEELS: &str = "duration_sec,start_time,end_time,start_station_id,start_station_name,\
    start_station_latitude,start_station_longitude,end_station_id,end_station_name,\
    end_station_latitude,end_station_longitude,bike_id,user_type,bike_share_for_all_trip,";

#[test]
fn the_header_says_the_delimiter() {
    let choice = FeedChoice::builtin();
    for (delimiter, decimal) in [(b',', DecimalMark::Point), (b';', DecimalMark::Comma)] {
        for quote in ["", "\""] {
            let separator = char::from(delimiter).to_string();
            let names: Vec<String> =
                BAY_WHEELS.split(',').map(|name| format!("{quote}{name}{quote}")).collect();
            let header = names.join(&separator);
            let row = ["1"; 15].join(&separator);
            let (plan, values) = read(&choice, format!("{header}\n{row}\n").as_bytes()).unwrap();
            let feed = plan.feed();
            assert_eq!(feed.definition.name, "baywheels", "{header}");
            assert_eq!((feed.dialect.delimiter, feed.dialect.decimal), (delimiter, decimal));
            assert_eq!(values.len(), 15);
        }
    }
}

#[test]
fn a_delimiter_that_the_feed_does_not_have_is_an_error() {
    let choice = FeedChoice::builtin();
    let five =
        "region;origin_coord;destination_coord;date_time;datasource\nA;;;2018-05-01 00:00:00;b\n";
    let error = read(&choice, five.as_bytes()).unwrap_err().to_string();
    assert!(error.starts_with("invalid header: columns region, "), "{error}");
    let header = BAY_WHEELS.replace(',', "|");
    let error = read(&choice, format!("{header}\n").as_bytes()).unwrap_err();
    assert!(matches!(error, HeaderError::Columns(_)), "{error}");
    // A header of semicolons that lacks a name is compared with the feed that has semicolons.
    let header = BAY_WHEELS.replace("bike_id,", "").replace(',', ";");
    let error = read(&choice, format!("{header}\n").as_bytes()).unwrap_err().to_string();
    assert_eq!(error, "invalid header: column bike_id is missing");
    let given = FeedChoice { feed: Some("rpc".into()), options: Options::default(), ..choice };
    let error = read(&given, format!("{header}\n").as_bytes()).unwrap_err().to_string();
    assert!(error.contains("journey_id"), "{error}");
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn utf_16_is_read_where_a_feed_says_so() {
    let choice = choice_with_utf16();
    let text = "číslo\tstart\tlon\tlat\n7\t2024-05-01 00:00:00\t16,6\t49,2\n";
    for mark in ["", "\u{feff}"] {
        let bytes = utf16(&format!("{mark}{text}"));
        if mark.is_empty() {
            // The first name is not ASCII: without a mark, nothing tells UTF-16.
            assert!(read(&choice, &bytes).is_err());
            continue;
        }
        let (plan, values) = read(&choice, &bytes).unwrap();
        assert_eq!(plan.feed().definition.name, "brno");
        assert_eq!(values, ["7", "2024-05-01 00:00:00", "16,6", "49,2"]);
    }
    let (_, values) = read(&choice, text.as_bytes()).expect("the same file in UTF-8");
    assert_eq!(values[0], "7");
    let five =
        "region,origin_coord,destination_coord,date_time,datasource\nA,,,2018-05-01 00:00:00,b\n";
    for mark in ["", "\u{feff}"] {
        let error = read(&choice, &utf16(&format!("{mark}{five}"))).unwrap_err();
        assert!(error.to_string().starts_with("the file is encoded in UTF-16"), "{error}");
    }
}

#[test]
fn a_surrogate_alone_is_an_error_of_its_record() {
    let mut bytes = utf16("\u{feff}a,b\n");
    bytes.extend_from_slice(&[0, 0xd8]);
    bytes.extend(utf16(",c\nd,e\n"));
    let mut decoded = Vec::new();
    Decoder::detect(bytes.as_slice()).unwrap().read_to_end(&mut decoded).unwrap();
    assert_eq!(decoded, b"a,b\n\xff,c\nd,e\n");
}
