//! Nested columns, empty files and row groups, checksums, encryption, and pages that are too large.

use trips_core::format::parquet::ParquetReader;
use trips_core::format::parquet::fault::{FaultKind, ParquetFault};
use trips_testkit::parquet::{Column, Layout, Leaf, Value, write, write_nested};
use trips_testkit::parquet_checksums::with_checksums;
use trips_testkit::parquet_file::found;

use super::damaged::file;

const FIVE: [&str; 5] = ["region", "origin_coord", "destination_coord", "date_time", "datasource"];

/// The values of one of the five columns, as many.
fn texts(name: &str, rows: usize) -> Vec<Value> {
    let text = match name {
        "date_time" => "2018-05-01 00:00:00",
        "region" | "datasource" => "x",
        _ => "POINT (1 2)",
    };
    (0..rows).map(|_| Value::from(text)).collect()
}

fn flat(name: &str, rows: usize) -> Leaf {
    Leaf { values: texts(name, rows), ..Leaf::default() }
}

fn levels(values: Vec<Value>, definition: &[i16], repetition: &[i16]) -> Leaf {
    Leaf { values, definition: definition.to_vec(), repetition: repetition.to_vec() }
}

fn ints(values: &[i64]) -> Vec<Value> {
    values.iter().map(|value| Value::Int(*value)).collect()
}

fn fault(file: Vec<u8>) -> ParquetFault {
    let error = found(file, 1 << 20).expect_err("a fault");
    ParquetFault::of(&error).expect("a fault of the file").clone()
}

/// Lists, maps and groups beside the columns of the feed: NULL, empty and with several values.
#[test]
fn nested_columns_are_passed_over() {
    let schema = "required binary region (STRING);
        optional group tags (LIST) { repeated group list { optional binary element (STRING); } }
        required binary origin_coord (STRING);
        optional group prices (MAP) { repeated group key_value { required binary key (STRING); optional int64 value; } }
        required binary destination_coord (STRING);
        optional group vehicle {
          optional binary make (STRING);
          optional group parts { repeated int32 codes; optional int32 year; }
          repeated int64 stops;
        }
        required binary date_time (STRING);
        required binary datasource (STRING);";
    let leaves = [
        flat("region", 3),
        levels(vec!["a".into(), "b".into()], &[3, 3, 0, 1], &[0, 1, 0, 0]),
        flat("origin_coord", 3),
        levels(vec!["x".into()], &[2, 0, 1], &[0, 0, 0]),
        levels(ints(&[1]), &[3, 0, 1], &[0, 0, 0]),
        flat("destination_coord", 3),
        levels(vec!["m".into()], &[2, 0, 1], &[]),
        levels(ints(&[1, 2]), &[3, 3, 0, 1], &[0, 1, 0, 0]),
        levels(ints(&[7]), &[3, 0, 1], &[]),
        levels(ints(&[5, 6]), &[1, 0, 2, 2], &[0, 0, 0, 1]),
        flat("date_time", 3),
        flat("datasource", 3),
    ];
    for is_v2 in [false, true] {
        let file = write_nested(schema, &leaves, Layout { is_v2, ..Layout::default() });
        let reader = ParquetReader::open(Box::new(file.clone()), 0).expect("a file");
        assert_eq!(
            reader.names(),
            [
                "region",
                "tags",
                "origin_coord",
                "prices",
                "destination_coord",
                "vehicle.make",
                "vehicle",
                "vehicle.parts.year",
                "date_time",
                "datasource"
            ]
        );
        let found = found(file, 1 << 20).expect("trips");
        // They are equal.
        assert_eq!((found.rows, found.rejected.len(), found.keys().len()), (3, 0, 1));
    }
}

/// A column of the feed has one value in a row.
#[test]
fn a_column_of_the_feed_that_is_a_list_is_refused_by_its_name() {
    let list = |inside: &str| format!("optional group date_time (LIST) {{ {inside} }}");
    for (of_time, leaf) in [
        (
            list("repeated group list { optional binary element (STRING); }"),
            levels(texts("date_time", 1), &[3], &[0]),
        ),
        (
            "repeated binary date_time (STRING);".to_owned(),
            levels(texts("date_time", 1), &[1], &[0]),
        ),
    ] {
        let line = |name: &str| match name {
            "date_time" => of_time.clone(),
            name => format!("required binary {name} (STRING);"),
        };
        let schema: String = FIVE.iter().map(|name| line(name)).collect();
        let leaves = FIVE.map(|name| match name {
            "date_time" => leaf.clone(),
            name => flat(name, 1),
        });
        let fault = fault(write_nested(&schema, &leaves, Layout::default()));
        assert_eq!(fault.kind, FaultKind::Unsupported);
        assert_eq!(
            fault.to_string(),
            "column \"date_time\": it has lists of values: expected one value in a row"
        );
    }
}

#[test]
fn files_without_row_groups_and_row_groups_without_rows_have_no_trips() {
    let columns = FIVE.map(|name| Column::new(&format!("required binary {name}"), Vec::new()));
    let schema: String = FIVE.iter().map(|name| format!("required binary {name};")).collect();
    let leaves = FIVE.map(|name| flat(name, 0));
    for (file, groups) in [
        (write(&columns, Layout::default()), 0),
        (write_nested(&schema, &leaves, Layout::default()), 1),
    ] {
        let reader = ParquetReader::open(Box::new(file.clone()), 0).expect("a file");
        assert_eq!(reader.row_groups().collect::<Vec<_>>(), vec![0; groups]);
        let found = found(file, 1 << 20).expect("no error");
        assert_eq!((found.rows, found.trips.len(), found.rejected.len()), (0, 0, 0));
    }
}

/// Each bit of a page is covered by its checksum, whatever the values are.
#[test]
fn a_page_with_another_checksum_is_damaged() {
    for is_v2 in [false, true] {
        let plain = file(Layout { is_v2, ..Layout::uncompressed() });
        let good = with_checksums(&plain);
        let expected = found(plain, 1 << 20).expect("a good file");
        let same = found(good.clone(), 1 << 20).expect("a good file with checksums");
        assert_eq!(same.trips, expected.trips);
        // Text of a dictionary, and a number of a page.
        let texts = good.windows(5).position(|bytes| bytes == b"B0251").expect("a text");
        let number = 40.1_f64.to_le_bytes();
        let numbers = good.windows(8).position(|bytes| bytes == number).expect("a number");
        for (at, column) in [(texts, "Base"), (numbers, "Lat")] {
            let mut flipped = good.clone();
            flipped[at] ^= 1;
            let fault = fault(flipped);
            assert_eq!(fault.kind, FaultKind::Damaged);
            assert_eq!((fault.row_group, fault.column.as_deref()), (Some(0), Some(column)));
            assert!(fault.reason.starts_with("a page has the checksum "), "{fault}");
            assert!(fault.byte.is_some_and(|byte| byte < at as u64), "{fault}");
        }
    }
}

/// The footer, or columns behind a footer that can be read.
#[test]
fn encrypted_files_are_refused_by_name() {
    let good = file(Layout::default());
    let mut footer = good.clone();
    let end = footer.len();
    footer[..4].copy_from_slice(b"PARE");
    footer[end - 4..].copy_from_slice(b"PARE");
    let mut columns = good.clone();
    let length = u32::from_le_bytes(good[end - 8..end - 4].try_into().expect("four bytes"));
    columns.truncate(end - 9);
    // Field 8 of the footer: AES_GCM_V1.
    columns.extend([0x0c, 16, 0x1c, 0, 0, 0]);
    columns.extend((length + 5).to_le_bytes());
    columns.extend(b"PAR1");
    for (file, reason) in [
        (footer, "the footer of the file is encrypted"),
        (columns, "columns of the file are encrypted"),
    ] {
        let error = ParquetReader::open(Box::new(file), 0).expect_err("it is encrypted");
        let fault = ParquetFault::of(&error).expect("a fault");
        assert_eq!((fault.kind, fault.reason.as_str()), (FaultKind::Unsupported, reason));
    }
}

/// A page, or a dictionary, that does not fit the memory is an error with both sizes.
#[test]
fn pages_and_dictionaries_have_the_limit_of_the_memory() {
    let rows = 70;
    let long = |row: usize| Some(Value::Bytes(format!("{row:060000}").repeat(18).into()));
    let columns = FIVE.map(|name| {
        let values = match name {
            "datasource" => (0..rows).map(long).collect(),
            name => texts(name, rows).into_iter().map(Some).collect(),
        };
        Column::new(&format!("required binary {name}"), values)
    });
    for has_dictionary in [false, true] {
        let (page_bytes, dictionary_bytes) = (usize::MAX, usize::MAX);
        let layout = Layout { has_dictionary, page_bytes, dictionary_bytes, ..Layout::default() };
        let fault = fault(write(&columns, layout));
        assert_eq!(fault.kind, FaultKind::Memory, "{fault}");
        assert_eq!((fault.row_group, fault.column.as_deref()), (Some(0), Some("datasource")));
        let needed = fault.reason.strip_prefix("its pages need ").expect("a size");
        let (needed, limit) =
            needed.split_once(" bytes of memory at a time; the limit is ").expect("a limit");
        assert!(needed.parse::<u64>().expect("a number") > 70 << 20, "{fault}");
        assert_eq!(limit, "67108864 bytes");
    }
}
