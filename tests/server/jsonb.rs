//! The bytes of `details` on disk are those of PostgreSQL's own input of the same text.

use postgres::Client;
use trips_tests::{Database, text_of};

use super::feeds::fixtures::ingest;

/// A feed with a column of each type, and more columns than one stride of entries has.
fn definition() -> String {
    let mut columns = vec![
        r#""id": {"type": "id"}, "when": {"type": "time"}, "fare": {"type": "number"}"#.to_owned(),
        r#""text": {}, "shape": {"type": "json"}, "later": {"type": "time"}"#.to_owned(),
    ];
    columns.extend((0..40).map(|i| format!(r#""n{i}": {{"type": "number"}}"#)));
    let names = (0..40).map(|i| format!(r#", "n{i}""#)).collect::<String>();
    format!(
        r#"{{ "title": "Ours", "columns": {{ {} }}, "versions": {{"1": ["id", "when"]}},
              "time": {{"columns": ["when"], "forms": ["YYYY-MM-DD HH24:MI:SS[.FF]"]}},
              "region": [{{"constant": "Here"}}], "identity": {{"scheme": "source_id", "columns": ["id"]}},
              "details": ["id", "later", "fare", "text", "shape"{names}] }}"#,
        columns.join(", ")
    )
}

/// Values of a column, from one that is missing to all that its type can be.
fn value<'v>(values: &[&'v str], seed: usize) -> &'v str {
    values[seed % values.len()]
}

const NUMBERS: &[&str] = &[
    "",
    "0",
    "-0.0",
    "1",
    "151.0",
    "1.50",
    "-12345.678",
    "0.00012",
    "1e-70",
    "9999.9999",
    "10000",
    "123456789012",
    "\"$1,234.50\"",
    "1e300",
    "-1e20",
    "7%",
    "not a number",
    "0.1",
    "99999999.99999999",
    "-0.5",
];
const TEXTS: &[&str] = &[
    "",
    "B7",
    "\"a, \"\"quoted\"\" text\"",
    "línea",
    "back\\slash",
    "\"two\nlines\"",
    "\t tab",
    "😀",
];
const SHAPES: &[&str] = &[
    "",
    "[]",
    "{}",
    "\"[1,2.50,-0]\"",
    "\"{\"\"b\"\": [1], \"\"a\"\": {\"\"b\"\": null}, \"\"b\"\": true}\"",
    "\"[[-8.6,41.1]\"",
    "\"[[-8.618643,41.141412],[-8.618499,41.141376]]\"",
    "\"\"\"\\u00e9\\ud83d\\ude00\"\"\"",
    "1e5",
    "\"\"\"\\u0000\"\"\"",
];
const TIMES: &[&str] = &["", "2024-05-01 10:00:00", "2024-05-01 10:00:00.250", "never"];

fn file(first: usize, count: usize) -> String {
    let names = (0..40).map(|i| format!(",n{i}")).collect::<String>();
    let mut file = format!("id,when,fare,text,shape,later{names}\n");
    for row in first..first + count {
        let at = |values, step: usize| value(values, row * step);
        file += &format!(
            "{row},2024-05-{:02} 10:00:{:02},{},{},{},{}",
            1 + row % 28,
            row % 60,
            at(NUMBERS, 7),
            at(TEXTS, 5),
            at(SHAPES, 3),
            at(TIMES, 1)
        );
        for i in 0..40 {
            // A third of the rows has all columns.
            file += ",";
            file += if row % 3 == 0 || i % 7 == row % 7 { value(NUMBERS, row + i) } else { "" };
        }
        file += "\n";
    }
    file
}

/// Rows whose details differ in a byte from what `jsonb_in` makes of their text.
fn different(client: &mut Client) -> String {
    text_of(
        client,
        "SELECT count(*), count(*) FILTER (WHERE NOT record_image_eq(ROW(details), ROW(details::text::jsonb)))
           FROM trips.hist_trip_data",
    )
}

/// Of a new partition, where rows are appended to the heap, and of one with rows, where COPY reads the text.
#[test]
fn details_have_the_bytes_of_postgresql() {
    let database = Database::on_shared();
    let mut client = database.client();
    let create = "SELECT trips.create_feed('ours', $1::text::jsonb)";
    client.execute(create, &[&definition()]).unwrap();
    let count = 2_000;
    for (number, first) in [(1, 0), (2, count)] {
        let path = database.file(&format!("{number}.csv"), file(first, count));
        let ([read, inserted, ..], feed) = ingest(&mut client, &path);
        assert_eq!((read, inserted, feed.as_deref()), (2_000, 2_000, Some("ours")));
        assert_eq!(different(&mut client), format!("{}|0", number * 2_000));
    }
    // What the values have become.
    let types = "SELECT string_agg(DISTINCT key || ' ' || jsonb_typeof(value), ', ' ORDER BY key || ' ' || jsonb_typeof(value))
                   FROM trips.hist_trip_data, jsonb_each(details) WHERE key IN ('id', 'later', 'fare', 'text', 'shape')";
    assert_eq!(
        text_of(&mut client, types),
        "fare number, fare string, id string, later string, shape array, shape number, shape object, shape string, text string"
    );
    let keys = "SELECT max((SELECT count(*) FROM jsonb_object_keys(details))) > 32 FROM trips.hist_trip_data";
    assert_eq!(text_of(&mut client, keys), "t");
    // Keys are found: they are in PostgreSQL's order.
    let found =
        "SELECT count(*) FROM trips.hist_trip_data WHERE NOT details ? 'id' OR NOT details @> '{}'";
    assert_eq!(text_of(&mut client, found), "0");
}

/// A record whose details are too long is staged.
#[test]
fn long_details_are_staged() {
    let database = Database::on_shared();
    let mut client = database.client();
    let create = "SELECT trips.create_feed('ours', $1::text::jsonb)";
    client.execute(create, &[&definition()]).unwrap();
    let row =
        |id: usize, length: usize| format!("{id},2024-05-01 10:00:00,{}\n", "x".repeat(length));
    // Short ones stay in the row, long ones are compressed or moved to the TOAST table.
    let file = format!("id,when,text\n{}{}{}", row(1, 10), row(2, 10_000), row(3, 17_000));
    let ([_, inserted, _, staged], _) = ingest(&mut client, &database.file("long.csv", file));
    assert_eq!((inserted, staged), (2, 1));
    assert_eq!(
        text_of(&mut client, "SELECT line_no, error_code FROM trips.stg_trip_data"),
        "4|54000"
    );
    let lengths = "SELECT string_agg(length(details ->> 'text')::text, ' ' ORDER BY details ->> 'id') FROM trips.hist_trip_data";
    assert_eq!(text_of(&mut client, lengths), "10 10000");
    assert_eq!(different(&mut client), "2|0");
}
