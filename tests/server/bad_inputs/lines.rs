//! Kinds of lines and bytes: quotes, numbers of values, bytes that are no text, sizes, doubles.

use postgres::Client;
use trips_tests::{Cluster, FIVE_COLUMNS as HEADER, trip_line};

use super::case::{Case, ROW, STORED, file, rows, scene};

pub fn cases() -> Vec<Case> {
    [quotes(), unclosed_quotes(), records(), no_text(), sizes(), texts(), doubles()]
        .into_iter()
        .flatten()
        .collect()
}

/// A bad line between two good ones: they go in, it is staged as line 3.
fn bad(kind: u8, name: &str, line: impl AsRef<[u8]>, code: &str, column: Option<&str>) -> Case {
    let (before, behind) = (trip_line("before", 1), trip_line("behind", 2));
    let file = [before.as_bytes(), line.as_ref(), b"\n", behind.as_bytes()].concat();
    rows(kind, name, file).loads([3, 2, 0, 1]).stages(&[(3, code, column)])
}

#[rustfmt::skip]
fn quotes() -> Vec<Case> {
    let tail = "POINT (1 2),POINT (3 4),2018-05-01 00:00:00,x";
    let region = |kind, name: &str, cell: &str, stored: &str| {
        let stored = format!("{stored}|{}", STORED.strip_prefix("A|").unwrap_or_default());
        rows(kind, name, format!("{cell},{tail}\n")).loads([1, 1, 0, 0]).stores(&[&stored])
    };
    // There is one reading of a quote, that of RFC 4180: what it forbids is never repaired.
    let fault = |name, cell: &str| bad(5, name, format!("{cell},{tail}"), "22P04", None);
    vec![
        region(3, "newline in quotes", "\"New\nYork\"", "New\nYork"),
        rows(3, "lines are counted inside quotes", format!("\"A\n\n\r\nB\",{tail}\nbad\n"))
            .loads([2, 1, 0, 1]).stages(&[(6, "22P04", None)]),
        region(5, "doubled quotes", "\"A \"\"B\"\" \"\"\"", "A \"B\" \""),
        region(5, "only doubled quotes", "\"\"\"\"", "\""),
        region(5, "comma in quotes", "\"A,B\"", "A,B"),
        fault("text after a closing quote", "\"A\"B"),
        fault("blank after a closing quote", "\"A\" "),
        fault("blank before a quote", " \"A\""),
        fault("quote in a bare value", "A\"B"),
        fault("quote at the end of a bare value", "A\""),
        fault("doubled quotes in a bare value", "\"\"A\"\""),
        fault("backslash before a quote", "\"A\\\"B\""),
        region(5, "other quotes", "'A'", "'A'"),
    ]
}

#[rustfmt::skip]
fn unclosed_quotes() -> Vec<Case> {
    let good = |count| (0..count).map(|second| trip_line("good", second)).collect::<String>();
    let open = format!("\"open{}", trip_line("A", 1));
    let far = "SET trips.max_record_size = '1kB'";
    vec![
        // One quote costs one line, wherever the next quote is and whether there is one.
        bad(4, "no other quote", open.trim_end(), "22P04", None),
        rows(4, "another quote in the next line", format!("{open}\"A\",,,2018-05-01 00:00:00,x\n"))
            .loads([2, 1, 0, 1]).stages(&[(2, "22P04", None)]),
        rows(4, "a megabyte of rows behind it", format!("{open}{}", good(20_000)))
            .loads([20_001, 20_000, 0, 1]).stages(&[(2, "22P04", None)]),
        rows(4, "two", format!("{open}{}{open}{}", good(100), good(100))).after(far)
            .loads([202, 100, 100, 2]).stages(&[(2, "22P04", None), (103, "22P04", None)]),
        rows(4, "three", format!("{open}{}", good(100)).repeat(3)).after(far)
            .refuses("22P04", "3 quoted fields are not closed", "Close the quotes"),
        rows(4, "a quote that swallows two rows and is closed", "\"A,B\nC,D\n\",1,2,3\n")
            .loads([1, 0, 0, 1]).stages(&[(2, "22P04", None)]),
    ]
}

#[rustfmt::skip]
fn records() -> Vec<Case> {
    let record = |kind, name, line: &str| bad(kind, name, line, "22P04", None);
    vec![
        record(6, "\\. alone in its line", "\\."),
        rows(6, "\\. as the last line", format!("{ROW}\n\\.\n")).loads([2, 1, 0, 1])
            .stages(&[(3, "22P04", None)]),
        rows(6, "\\. as a region", "\\.,,,2018-05-01 00:00:00,\n").loads([1, 1, 0, 0])
            .stores(&["\\.|-|-|2018-05-01 00:00:00|-"]),
        record(12, "a value too few", "A,POINT (1 2),POINT (3 4),2018-05-01 00:00:00"),
        record(12, "a value too many", &format!("{ROW},y")),
        record(12, "one value", "A"),
        // A comma at the end is a value more, as everywhere in RFC 4180: it could be a torn one.
        record(12, "a comma at the end", &format!("{ROW},")),
        record(12, "three commas at the end", &format!("{ROW},,,")),
        record(12, "a comma in front", &format!(",{ROW}")),
        bad(12, "only commas", ",,,,", "23502", Some("region")),
    ]
}

#[rustfmt::skip]
fn no_text() -> Vec<Case> {
    let text = |kind, name, line: &[u8], column| bad(kind, name, line, "22021", Some(column));
    let point = b"A,POINT (1\0 2),,2018-05-01 00:00:00,x";
    vec![
        text(7, "NUL in a region", b"A\0B,,,2018-05-01 00:00:00,x", "region"),
        text(7, "NUL alone as a datasource", b"A,,,2018-05-01 00:00:00,\0", "datasource"),
        // A point and a time have a fixed form: NUL is one of many bytes that do not fit.
        bad(7, "NUL in a point", point, "22P02", Some("origin_coord")),
        bad(7, "NUL in a time", b"A,,,2018-05-01\x0000:00:00,x", "22007", Some("date_time")),
        bad(7, "a line of NUL", [0; 5000], "22P04", None),
        text(8, "a byte of no encoding", b"A\xff,,,2018-05-01 00:00:00,x", "region"),
        text(8, "overlong NUL", b"A\xc0\x80,,,2018-05-01 00:00:00,x", "region"),
        text(8, "overlong slash", b"A\xe0\x80\xaf,,,2018-05-01 00:00:00,x", "region"),
        text(8, "surrogate", b"A\xed\xa0\x80,,,2018-05-01 00:00:00,x", "region"),
        text(8, "behind the last character", b"A\xf4\x90\x80\x80,,,2018-05-01 00:00:00,x", "region"),
        text(8, "a character cut", b"A,,,2018-05-01 00:00:00,\xe2\x82", "datasource"),
        bad(8, "in a point", b"A,POINT (1 2\xff),,2018-05-01 00:00:00,x", "22P02", Some("origin_coord")),
        // What is not read is not judged.
        file(8, "in a column that is not read", [
            b"region,origin_coord,destination_coord,date_time,datasource,note\n".as_slice(),
            ROW.as_bytes(), b",\xff\n",
        ].concat()).loads([1, 1, 0, 0]).stores(&[STORED]),
    ]
}

#[rustfmt::skip]
fn sizes() -> Vec<Case> {
    let long = |length| format!("{},,,2018-05-01 00:00:00,x", "x".repeat(length));
    // Records over a gigabyte are cut as these are: no more than trips.max_record_size is held.
    let with = |extra: &str| format!("{}{extra}\n{ROW}{extra}\n", HEADER.trim_end());
    vec![
        bad(11, "a region of 1001 bytes", long(1001), "22001", Some("region")),
        rows(11, "a region of 1000 bytes", long(1000)).loads([1, 1, 0, 0]),
        bad(11, "a record of 3 MB", long(3_000_000), "54000", None),
        bad(11, "a million columns", ",".repeat(1_000_000), "22P04", None),
        bad(11, "a quoted value of 3 MB", format!("\"{}\",,,,", "x\n\"\"".repeat(800_000)).replace('\n', " "),
            "54000", None),
        file(11, "a header of 200,005 columns", with(&",x".repeat(200_000))).loads([1, 1, 0, 0])
            .stores(&[STORED]).says("and 199980 more"),
        file(11, "half a megabyte that is not read", format!("note,{HEADER}{},{ROW}\n", "x".repeat(500_000)))
            .loads([1, 1, 0, 0]).stores(&[STORED]),
        file(11, "a header of 3 MB", with(&",x".repeat(1_500_000)))
            .refuses("22P04", "the line is too long", "with the columns"),
        file(11, "3 MB without a line end", "x".repeat(3_000_000))
            .refuses("22P04", "the line is too long", "with the columns"),
    ]
}

#[rustfmt::skip]
fn texts() -> Vec<Case> {
    let two = |kind, name, a: &str, b: &str, stored: &[&str]| {
        let line = |region: &str| format!("{region},,,2018-05-01 00:00:00,-\n");
        rows(kind, name, format!("{}{}", line(a), line(b))).loads([2, 2, 0, 0]).stores_as("region", stored)
    };
    vec![
        // No folding: names that look alike are two names, stored as they came.
        two(36, "NFC and NFD", "Z\u{fc}rich", "Zu\u{308}rich", &["Zu\u{308}rich", "Z\u{fc}rich"]),
        two(36, "case", "Prague", "PRAGUE", &["PRAGUE", "Prague"]),
        two(36, "a blank of Unicode at the end", "A", "A\u{a0}", &["A", "A\u{a0}"]),
        two(36, "no width", "A", "A\u{200b}", &["A", "A\u{200b}"]),
        two(36, "from right to left, and a mark", "\u{202e}A", "\u{feff}A", &["A", "\u{202e}A"]),
        two(36, "emoji", "\u{1f6b2}", "\u{1f468}\u{200d}\u{1f469}", &["\u{1f468}\u{200d}\u{1f469}", "\u{1f6b2}"]),
        // The same text if the values were joined, but other trips.
        rows(37, "values that run into each other",
            "AB,,,2018-05-01 00:00:00,C\nA,,,2018-05-01 00:00:00,BC\nABC,,,2018-05-01 00:00:00,\n\
             A,POINT (1 2),,2018-05-01 00:00:00,BC\nA,,POINT (1 2),2018-05-01 00:00:00,BC\n")
            .loads([5, 5, 0, 0]),
        rows(37, "bytes that separate elsewhere",
            "A\x1f,,,2018-05-01 00:00:00,B\nA,,,2018-05-01 00:00:00,\x1fB\nA|,,,2018-05-01 00:00:00,B\n")
            .loads([3, 3, 0, 0]),
    ]
}

fn doubles() -> Vec<Case> {
    let source = |name: &str| format!("A,POINT (1 2),POINT (3 4),2018-05-01 00:00:00,{name}\n");
    vec![
        rows(39, "inside one file", format!("{ROW}\n{ROW}\n{ROW}\n"))
            .loads([3, 1, 2, 0])
            .stores(&[STORED]),
        rows(
            39,
            "in other spellings",
            format!("{ROW}\n\"A\",point(1.0 2),POINT (3 4),2018-05-01T00:00:00.0,x\n"),
        )
        .loads([2, 1, 1, 0]),
        // Who sent it is a part of the trip: two senders, two trips.
        rows(39, "from two sources", source("x") + &source("y")).loads([2, 2, 0, 0]),
        scene(39, "in two files", doubles_in_two_files),
        scene(40, "numbers of lines and rows have 64 bits", numbers_have_64_bits),
    ]
}

fn doubles_in_two_files(cluster: &Cluster, client: &mut Client) {
    let first = cluster.file("first.csv", format!("{HEADER}{ROW}\n"));
    let second = cluster.file("second.csv", format!("{HEADER}{}{ROW}\n", trip_line("B", 1)));
    assert_eq!(cluster.ingest(client, &first).rows, [1, 1, 0, 0]);
    assert_eq!(cluster.ingest(client, &second).rows, [2, 1, 1, 0]);
    let again = cluster.file("third.csv", format!("{HEADER}{ROW}\n"));
    assert_eq!(cluster.ingest(client, &again).summary(), ("skipped", [0; 4]));
}

/// A file of more than 2^31 rows takes an hour: here are its columns. That lines are counted in 64
/// bits is a test of the reader (record_tests.rs), and `make bench-100m` loads a file of 12 GB.
fn numbers_have_64_bits(_: &Cluster, client: &mut Client) {
    let query = "SELECT count(*) FROM pg_attribute
                  WHERE attrelid IN ('trips.loads'::regclass, 'trips.stg_trip_data'::regclass,
                                     'trips.hist_trip_data'::regclass, 'trips.daily_trip_counts'::regclass)
                    AND attnum > 0 AND atttypid = 'bigint'::regtype";
    let wide: i64 = client.query_one(query, &[]).unwrap().get(0);
    let narrow = query.replace("bigint", "integer");
    let narrow: i64 = client.query_one(&narrow, &[]).unwrap().get(0);
    assert_eq!((wide, narrow), (16, 0));
}
