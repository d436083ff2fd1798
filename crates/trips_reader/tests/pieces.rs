//! Files in pieces of their content: together, their parts have the trips and the rejected records of the plain file.

mod splits;

use std::ffi::OsString;
use std::fs::{File, FileTimes};
use std::path::PathBuf;

use serde_json::Value;
use trips_core::check::constraints::Constraints;
use trips_core::feed::definition::IdentityRule;
use trips_core::model::position::PositionKind;
use trips_core::upload::part::Part;
use trips_testkit::containers::pack;
use trips_testkit::containers::zip::{Entry, Zip};

const HEADER: &str = "region,origin_coord,destination_coord,date_time,datasource\n";

fn run(command: &str, path: &PathBuf, options: Vec<String>) -> Result<Vec<u8>, u8> {
    let mut arguments: Vec<OsString> = vec![command.into(), path.into()];
    arguments.extend(options.into_iter().map(OsString::from));
    let mut out = Vec::new();
    trips_reader::run(&arguments, &mut out).map(|()| out).map_err(|failed| failed.status)
}

fn split(path: &PathBuf) -> Value {
    let found = run("split", path, vec!["split_bytes=1".into()]).unwrap();
    serde_json::from_slice(&found).unwrap()
}

fn read(path: &PathBuf, file: &Value, split: &Value) -> Result<Vec<Part>, u8> {
    let printed = run("read", path, splits::arguments(file, split))?;
    let (mut rest, mut parts) = (&printed[..], Vec::new());
    while let Some((length, behind)) = rest.split_first_chunk() {
        let (part, behind) = behind.split_at(usize::try_from(u64::from_be_bytes(*length)).unwrap());
        parts.push(Part::decode(part, &Constraints::default(), &IdentityRule::Content).unwrap());
        rest = behind;
    }
    Ok(parts)
}

fn write(name: &str, bytes: &[u8]) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn csv(region: &str, rows: u32) -> String {
    let row = |i: u32| {
        let (minute, second) = (i / 60 % 60, i % 60);
        format!("{region} {i},POINT (1 2),POINT (3 4),2018-05-01 10:{minute:02}:{second:02},car\n")
    };
    let rows: String = (0..rows).map(row).collect();
    [HEADER, &rows, "ragged\n"].concat()
}

/// The parts of all pieces, which cover the content.
fn parts(path: &PathBuf) -> Vec<Part> {
    let found = split(path);
    let splits = found["splits"].as_array().unwrap_or_else(|| panic!("{found}"));
    let all: Vec<Part> =
        splits.iter().flat_map(|split| read(path, &found, split).unwrap()).collect();
    let mut end = 0;
    for part in &all {
        assert_eq!(part.first_byte, end);
        end += part.bytes;
        assert_eq!(part.piece.content, all[0].piece.content);
    }
    assert_eq!(end, all[0].piece.content);
    all
}

fn counts(parts: &[Part]) -> (usize, usize) {
    let trips = parts.iter().map(|part| part.block.len()).sum();
    (trips, parts.iter().map(|part| part.staged.len()).sum())
}

#[test]
fn a_stream_is_one_piece_of_many_parts() {
    let content = csv("Turin", 150_000);
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(content.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    for (name, bytes) in [
        ("trips.gz", pack::in_two(content.as_bytes(), pack::gzip)),
        ("trips.zst", pack::zstd(content.as_bytes())),
        ("trips.bz2", pack::bzip2(content.as_bytes())),
        ("trips.xz", pack::xz(content.as_bytes())),
    ] {
        let path = write(name, &bytes);
        let found = split(&path);
        assert_eq!(found["splits"].as_array().unwrap().len(), 1, "{name}");
        assert_eq!(found["digest"], blake3::hash(&bytes).to_hex().as_str(), "{name}");
        let parts = parts(&path);
        assert!(parts.len() > 1 && parts[0].piece.member_no == 0, "{name}");
        assert_eq!(parts[0].piece.content, content.len() as u64, "{name}");
        assert_eq!(counts(&parts), (150_000, 1), "{name}");
        std::fs::remove_file(path).unwrap();
    }
    // The feed `trips` is not in UTF-16: as trips.ingest, it is refused.
    let path = write("trips.utf16", &utf16);
    let found = split(&path);
    assert_eq!(found["refused"]["code"], "22P04", "{found}");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn json_is_one_piece_whose_positions_count_records() {
    let record = |i: u32| {
        format!(
            "{{\"region\": \"T{i}\", \"origin_coord\": null, \"destination_coord\": null, \"date_time\": \"2018-05-01 00:00:00\", \"datasource\": null}}"
        )
    };
    let records: Vec<String> = (0..1_000).map(record).collect();
    for (name, text, kind) in [
        ("list.json", format!(" [{}]\n", records.join(",\n")), PositionKind::Record),
        ("lines.json", records.join("\n"), PositionKind::Line),
    ] {
        let path = write(name, text.as_bytes());
        let parts = parts(&path);
        assert_eq!((counts(&parts), parts[0].piece.kind), ((1_000, 0), kind), "{name}");
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn members_are_pieces_that_can_be_read_alone() {
    let inner = Zip::new(&[Entry::new("c.csv", csv("C", 10))]).bytes;
    let entries = [
        Entry::new("a.csv", csv("A", 20_000)),
        Entry::new("README.txt", "no trips"),
        Entry::new("b.csv.gz", pack::gzip(csv("B", 10).as_bytes())),
        Entry::new("inner.zip", inner),
    ];
    let path = write("members.zip", &Zip::new(&entries).bytes);
    let found = split(&path);
    let splits = found["splits"].as_array().unwrap();
    assert_eq!(splits.len(), 3, "{found}");
    for (number, (split, name)) in
        splits.iter().zip(["a.csv", "b.csv.gz", "inner.zip/c.csv"]).enumerate()
    {
        let parts = read(&path, &found, split).unwrap();
        let piece = &parts[0].piece;
        assert_eq!((piece.member_no, piece.member.as_str()), (number as u64 + 1, name));
        assert_eq!(parts.iter().map(|part| part.staged.len()).sum::<usize>(), 1, "{name}");
    }
    assert_eq!(counts(&parts(&path)), (20_020, 3));
    std::fs::remove_file(path).unwrap();
}

/// The file changes after it was split, and has its time again: no part of the changed blocks is printed.
#[test]
fn a_changed_file_is_not_read() {
    // Members of more than a block, which do not compress.
    let noise = |seed: u64| -> String {
        let mut state = seed;
        (0..1_800_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                char::from(b'a' + u8::try_from(state >> 59).unwrap() % 26)
            })
            .collect()
    };
    let member = |seed| {
        let text = noise(seed);
        let rows = text.as_bytes().chunks(60).map(|name| {
            format!("{},,,2018-05-01 00:00:00,x\n", std::str::from_utf8(name).unwrap())
        });
        [HEADER, &rows.collect::<String>()].concat()
    };
    let members = [Entry::new("a.csv", member(1)), Entry::new("b.csv", member(2))];
    let bytes = Zip::new(&members).bytes;
    let path = write("changed.zip", &bytes);
    let found = split(&path);
    let splits = found["splits"].as_array().unwrap();
    let modified = path.metadata().unwrap().modified().unwrap();
    let rewrite = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let file = File::options().append(true).open(&path).unwrap();
        file.set_times(FileTimes::new().set_modified(modified)).unwrap();
    };
    // A byte of the second block, which only the first member needs.
    let mut other = bytes.clone();
    other[400_000] ^= 1;
    rewrite(&other);
    assert_eq!(read(&path, &found, &splits[0]).unwrap_err(), 3);
    assert_eq!(counts(&read(&path, &found, &splits[1]).unwrap()), (30_000, 0));
    rewrite(&bytes);
    for split in splits {
        assert_eq!(counts(&read(&path, &found, split).unwrap()), (30_000, 0));
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn limits_and_damage_refuse_a_file() {
    let content = csv("A", 100_000);
    let gzip = pack::gzip(content.as_bytes());
    let path = write("limits.gz", &gzip);
    for limit in ["max_unpacked_size=1000000", "max_compression_ratio=2", "max_archive_depth=0"] {
        let found = run("split", &path, vec![limit.into()]).unwrap();
        let found: Value = serde_json::from_slice(&found).unwrap();
        assert_eq!(found["refused"]["code"], "54000", "{limit}: {found}");
    }
    std::fs::write(&path, &gzip[..gzip.len() / 2]).unwrap();
    let found = split(&path);
    assert_eq!(found["refused"]["code"], "22P04", "{found}");
    std::fs::remove_file(path).unwrap();
}

/// A file of Parquet with these numbers of rows in its row groups.
#[cfg(feature = "parquet")]
fn parquet(rows: usize, group_rows: usize) -> Vec<u8> {
    use trips_testkit::parquet::{Column, Layout, Value, write};
    let text = |of: &dyn Fn(usize) -> String| {
        (0..rows).map(|row| Some(Value::Bytes(of(row).into_bytes()))).collect::<Vec<_>>()
    };
    // One row has no point.
    let point = |row: usize| if row == 7 { "nowhere".to_owned() } else { "POINT (1 2)".to_owned() };
    let time = |row: usize| format!("2018-05-01 10:{:02}:{:02}", row / 60 % 60, row % 60);
    let columns = [
        Column::new("optional binary region (UTF8)", text(&|row| format!("T{row}"))),
        Column::new("optional binary origin_coord (UTF8)", text(&point)),
        Column::new("optional binary destination_coord (UTF8)", vec![None; rows]),
        Column::new("optional binary date_time (UTF8)", text(&time)),
        Column::new("optional binary datasource (UTF8)", vec![None; rows]),
    ];
    write(&columns, Layout { group_rows, ..Layout::default() })
}

#[test]
#[cfg(feature = "parquet")]
fn row_groups_are_pieces() {
    let bytes = parquet(20_000, 3_000);
    let path = write("trips.parquet", &bytes);
    let found = split(&path);
    assert_eq!(found["splits"].as_array().unwrap().len(), 7, "{found}");
    let all = parts(&path);
    // A unit for the footer, and one for each row.
    assert_eq!((all[0].piece.kind, all[0].piece.content), (PositionKind::Row, 20_001));
    assert_eq!(counts(&all), (19_999, 1));
    // By default, row groups are together in a piece.
    let whole = run("split", &path, Vec::new()).unwrap();
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(whole["splits"].as_array().unwrap().len(), 1, "{whole}");
    std::fs::remove_file(path).unwrap();
    let members = [Entry::new("a.parquet", &bytes), Entry::new("b.csv", csv("B", 5))];
    let path = write("parquet.zip", &Zip::new(&members).bytes);
    assert_eq!(counts(&parts(&path)), (20_004, 2));
    std::fs::remove_file(path).unwrap();
}

#[test]
#[cfg(feature = "parquet")]
fn parquet_without_rows_is_a_piece() {
    let path = write("empty.parquet", &parquet(0, 10));
    let all = parts(&path);
    assert_eq!((all.len(), all[0].bytes, counts(&all)), (1, 1, (0, 0)));
    std::fs::remove_file(path).unwrap();
}
