//! How files may be written, and what is kept of lines that are no trips.

use trips_tests::{Database, FIVE_COLUMNS, trip_line};

/// The same trip in files of every form that is accepted.
#[test]
fn forms_of_a_file() {
    let database = Database::on_shared();
    let mut client = database.client();
    let body = "A,POINT (1 2),POINT (3 4),2018-05-01 00:00:01,source";
    let files = [
        ("plain", format!("{FIVE_COLUMNS}{body}\n")),
        ("no line end", format!("{FIVE_COLUMNS}{body}")),
        ("crlf", format!("{FIVE_COLUMNS}{body}\n").replace('\n', "\r\n")),
        ("cr", format!("{FIVE_COLUMNS}{body}\n").replace('\n', "\r")),
        ("byte order mark", format!("\u{feff}{FIVE_COLUMNS}{body}\n")),
        ("byte order mark, quoted name", format!("\u{feff}\"region\",origin_coord,destination_coord,date_time,datasource\n{body}\n")),
        ("blank lines", format!("\n\n{FIVE_COLUMNS}\n  \n{body}\n\n\n")),
        ("datetime", format!("region,origin_coord,destination_coord,datetime,datasource\n{body}\n")),
        ("case and blanks", format!(" Region , ORIGIN_COORD,destination_coord\t,Date_Time,datasource\n{body}\n")),
        ("quoted", format!("{FIVE_COLUMNS}\"A\",\"POINT (1 2)\",\"POINT (3 4)\",\"2018-05-01 00:00:01\",\"source\"\n")),
        ("order", "datasource,date_time,destination_coord,origin_coord,region\nsource,2018-05-01 00:00:01,POINT (3 4),POINT (1 2),A\n".to_owned()),
        ("more columns", "id,region,origin_coord,destination_coord,date_time,datasource,fare\n7,A,POINT (1 2),POINT (3 4),2018-05-01 00:00:01,source,9.5\n".to_owned()),
        ("time with T", format!("{FIVE_COLUMNS}{body}\n").replace("01 00", "01T00")),
        ("fraction", format!("{FIVE_COLUMNS}{body}\n").replace(":01,", ":01.000000999,")),
        ("points", format!("{FIVE_COLUMNS}{body}\n").replace("POINT (1 2)", "point(1.0\t2.0)")),
    ];
    for (i, (name, bytes)) in files.iter().enumerate() {
        let path = database.file(&format!("{i}.csv"), bytes);
        let expected = if i == 0 { [1, 1, 0, 0] } else { [1, 0, 1, 0] };
        assert_eq!(database.ingest(&mut client, &path).rows, expected, "{name}");
    }
}

#[test]
fn newlines_inside_quotes() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file = format!(
        "{FIVE_COLUMNS}\"New\nYork, \"\"NY\"\"\",,,2018-05-01 00:00:00,x\nbad\n{}",
        trip_line("B", 1)
    );
    let path = database.file("quotes.csv", file);
    assert_eq!(database.ingest(&mut client, &path).rows, [3, 2, 0, 1]);
    let region: String = client
        .query_one("SELECT min(region) FROM trips.hist_trip_data WHERE region <> 'B'", &[])
        .unwrap()
        .get(0);
    assert_eq!(region, "New\nYork, \"NY\"");
    // The bad line is the fourth of the file: the record before it has two lines.
    let line: i64 =
        client.query_one("SELECT line_no FROM trips.stg_trip_data", &[]).unwrap().get(0);
    assert_eq!(line, 4);
}

#[test]
fn empty_values() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file = format!(
        "{FIVE_COLUMNS}A,,,2018-05-01 00:00:00,\nA,\"\", ,2018-05-01 00:00:01,\"\"\n\
         ,POINT (1 2),,2018-05-01 00:00:00,x\nA,POINT (1 2),,,x\n  ,,,2018-05-01 00:00:00,x\n"
    );
    let path = database.file("empty.csv", file);
    assert_eq!(database.ingest(&mut client, &path).rows, [5, 2, 0, 3]);
    let all_null: bool = client
        .query_one(
            "SELECT bool_and(origin_coord IS NULL AND destination_coord IS NULL AND datasource IS NULL)
               FROM trips.hist_trip_data",
            &[],
        )
        .unwrap()
        .get(0);
    assert!(all_null);
    let staged = client
        .query("SELECT column_name, error_code FROM trips.stg_trip_data ORDER BY line_no", &[])
        .unwrap();
    let staged: Vec<(String, String)> = staged.iter().map(|row| (row.get(0), row.get(1))).collect();
    let expected = ["region", "date_time", "region"].map(|c| (c.to_owned(), "23502".to_owned()));
    assert_eq!(staged, expected);
}

/// A line, the SQLSTATE with which it is staged, and the column at fault.
type BadLine = (Vec<u8>, &'static str, Option<&'static str>);

#[rustfmt::skip]
const BAD_DATES: [(&str, &str); 7] = [
    ("now", "22007"), ("infinity", "22007"), ("05/06/2018", "22007"), ("2018-05-01 00:00:00Z", "22007"),
    ("2018-05-01 00:00:00+02", "22007"), ("2018-02-30 00:00:00", "22008"), ("2016-12-31 23:59:60", "22008"),
];
const BAD_ORIGINS: [(&str, &str); 4] = [
    ("POINT (181 2)", "22003"),
    ("POINT (1 94)", "22003"),
    ("POINT (NaN 2)", "22P02"),
    ("1 2", "22P02"),
];

/// Lines whose fault is the line's, or a byte's.
#[rustfmt::skip]
const BAD_RECORDS: [(&[u8], &str, Option<&str>); 9] = [
    (b"A,POINT (1 2),POINT (3 4),2018-05-01 00:00:00", "22P04", None),
    (b"A,POINT (1 2),POINT (3 4),2018-05-01 00:00:00,x,", "22P04", None),
    (b"\\.", "22P04", None),
    (b"region,origin_coord,destination_coord,date_time,datasource", "22P04", None),
    (b"A\"B,POINT (1 2),POINT (3 4),2018-05-01 00:00:00,x", "22P04", None),
    (b"\"A\"B,POINT (1 2),POINT (3 4),2018-05-01 00:00:00,x", "22P04", None),
    (b"A\xff,POINT (1 2),POINT (3 4),2018-05-01 00:00:00,x", "22021", Some("region")),
    (b"A,POINT (1 2),POINT (3 4),2018-05-01 00:00:00,x\0y", "22021", Some("datasource")),
    // Last, because its quote is looked for in what follows.
    (b"\"A,POINT (1 2),POINT (3 4),2018-05-01 00:00:00,x", "22P04", None),
];

fn bad_lines() -> Vec<BadLine> {
    let mut lines: Vec<BadLine> = Vec::new();
    for (date, code) in BAD_DATES {
        lines.push((format!("A,POINT (1 2),POINT (3 4),{date},x").into(), code, Some("date_time")));
    }
    for (point, code) in BAD_ORIGINS {
        let at =
            |origin, destination| format!("A,{origin},{destination},2018-05-01 00:00:00,x").into();
        lines.push((at(point, ""), code, Some("origin_coord")));
        lines.push((at("", point), code, Some("destination_coord")));
    }
    let long = |length| format!("{},,,2018-05-01 00:00:00,x", "x".repeat(length)).into();
    lines.push((long(1001), "22001", Some("region")));
    lines.push((long(2_000_000), "54000", None));
    lines.extend(BAD_RECORDS.map(|(line, code, column)| (line.to_vec(), code, column)));
    lines
}

/// Each bad line, alone among good ones: its code, its column, and its text; the good ones go in.
#[test]
fn bad_lines_are_staged_with_reason_and_text() {
    let cases = bad_lines();
    let database = Database::on_shared();
    let mut client = database.client();
    let mut file = FIVE_COLUMNS.as_bytes().to_vec();
    for (i, (line, _, _)) in cases.iter().enumerate() {
        file.extend_from_slice(trip_line("good", u32::try_from(i).unwrap()).as_bytes());
        file.extend_from_slice(line);
        file.push(b'\n');
    }
    file.extend_from_slice(trip_line("good", 1000).as_bytes());
    let path = database.file("bad.csv", file);
    let bad = i64::try_from(cases.len()).unwrap();
    assert_eq!(database.ingest(&mut client, &path).rows, [2 * bad + 1, bad + 1, 0, bad]);

    let columns = "line_no, error_code, column_name, raw_line, raw_bytes, error, load_id";
    let staged = client
        .query(&format!("SELECT {columns} FROM trips.stg_trip_data ORDER BY line_no"), &[])
        .unwrap();
    for (i, (row, (line, code, column))) in staged.iter().zip(&cases).enumerate() {
        let shown = String::from_utf8_lossy(&line[..line.len().min(60)]).into_owned();
        assert_eq!(row.get::<_, i64>(0), i64::try_from(2 * i + 3).unwrap(), "{shown}");
        assert_eq!(row.get::<_, String>(1), *code, "{shown}");
        assert_eq!(row.get::<_, Option<String>>(2).as_deref(), *column, "{shown}");
        let kept = &line[..line.len().min(1024 * 1024)];
        match row.get::<_, Option<Vec<u8>>>(4) {
            Some(bytes) => assert_eq!(bytes, kept, "{shown}"),
            None => assert_eq!(row.get::<_, String>(3).as_bytes(), kept, "{shown}"),
        }
        assert!(row.get::<_, String>(5).chars().count() < 250, "{shown}");
        assert_eq!(row.get::<_, i64>(6), 1);
    }
}

/// After the third quote that is never closed, it is no CSV file.
#[test]
fn three_unclosed_quotes_refuse_the_file() {
    let database = Database::on_shared();
    let mut client = database.client();
    let open = format!("\"open{}", trip_line("A", 1));
    let good: String = (0..100).map(|i| trip_line("A", i)).collect();
    client.batch_execute("SET trips.max_record_size = '1kB'").unwrap();
    let two = database.file("two.csv", format!("{FIVE_COLUMNS}{good}{open}{good}{open}"));
    let rows = database.ingest(&mut client, &two).rows;
    assert_eq!((rows[0], rows[3]), (202, 2));
    let three =
        database.file("three.csv", format!("{FIVE_COLUMNS}{open}{good}{open}{good}{open}{good}"));
    let error = client.query_one("SELECT trips.ingest($1)", &[&three]).unwrap_err();
    let (code, message, _) = trips_tests::server_error(&error);
    assert_eq!(code, "22P04");
    assert!(message.contains("3 quoted fields are not closed"), "{message}");
}
