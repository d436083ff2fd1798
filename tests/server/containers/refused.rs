//! Files that are no container that loads read, and containers over a limit: SQLSTATE, message, hint.

use trips_testkit::containers::pack;
use trips_tests::{Database, trip_line};

use super::{csv, refused, zip_of};

/// Other archives and formats, by their first bytes.
#[test]
fn other_formats_are_refused_by_name() {
    let database = Database::on_shared();
    let mut client = database.client();
    let mut tar = vec![0_u8; 1024];
    tar[..5].copy_from_slice(b"a.csv");
    tar[257..263].copy_from_slice(b"ustar\0");
    let sum: u32 = tar[..512].iter().map(|&byte| u32::from(byte)).sum::<u32>() + 8 * 32;
    tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let workbook = zip_of(&[("[Content_Types].xml", "<x/>"), ("xl/workbook.xml", "<x/>")]);
    let mut encrypted = zip_of(&[("a.csv", csv(&[]))]);
    let central = encrypted.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    encrypted[6] |= 1;
    encrypted[central + 8] |= 1;
    for (name, bytes, expected) in [
        ("a.rar", b"Rar!\x1a\x07\x01\0".to_vec(), "RAR archive"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c\0\x04".to_vec(), "7z archive"),
        ("a.lz4", b"\x04\x22\x4d\x18\x64\x40\xa7".to_vec(), "LZ4 frame"),
        ("a.tar", tar.clone(), "tar archive"),
        ("a.tar.gz", pack::gzip(&tar), "tar archive"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(), "Excel workbook"),
        ("a.xlsx", workbook, "Excel workbook"),
        ("a.zip", encrypted, "encrypted"),
        ("b.zip", zip_of(&[("a.rar", b"Rar!\x1a\x07\x01\0".to_vec())]), "RAR archive"),
    ] {
        let path = database.file(name, bytes);
        let (code, message, hint) = refused(&mut client, &path);
        assert_eq!(code, "0A000", "{name}: {message}");
        assert!(message.contains(expected) && message.contains(&path), "{name}: {message}");
        assert!(!hint.is_empty(), "{name}: {message}");
    }
}

/// Bombs end with the figure and the setting; with a larger setting, the same file loads.
#[test]
fn limits_are_settings() {
    let database = Database::on_shared();
    let mut client = database.client();
    // 4 MB of empty lines become 4 kB.
    let long = |region| [csv(&[&trip_line(region, 1)]), "\n".repeat(4 << 20)].concat();
    let many: Vec<(String, String)> =
        (0..9).map(|i| (format!("{i}.csv"), csv(&[&trip_line("A", 1)]))).collect();
    let deep = zip_of(&[("b.zip", zip_of(&[("c.zip", zip_of(&[("d.csv", csv(&[]))]))]))]);
    for (name, bytes, small, large, setting, figure) in [
        (
            "long.csv.gz",
            pack::gzip(long("A").as_bytes()),
            "2MB",
            "64MB",
            "trips.max_unpacked_size",
            "2097152",
        ),
        (
            "ratio.csv.gz",
            pack::gzip(long("B").as_bytes()),
            "100",
            "100000",
            "trips.max_compression_ratio",
            "100",
        ),
        (
            "ratio.zip",
            zip_of(&[("a.csv.gz", pack::gzip(long("C").as_bytes()))]),
            "100",
            "100000",
            "trips.max_compression_ratio",
            "100",
        ),
        ("many.zip", zip_of(&many), "8", "9", "trips.max_archive_members", "8"),
        ("deep.zip", deep, "2", "3", "trips.max_archive_depth", "2"),
    ] {
        let path = database.file(name, bytes);
        client
            .batch_execute(&format!(
                "SET trips.max_compression_ratio = 100000; SET {setting} = '{small}'"
            ))
            .unwrap();
        let error = client.query("SELECT trips.ingest($1)", &[&path]).expect_err(name);
        let error = error.as_db_error().unwrap();
        assert_eq!(error.code().code(), "54000", "{name}: {}", error.message());
        let shown = format!("{} {}", error.message(), error.detail().unwrap_or_default());
        assert!(shown.contains(figure), "{name}: {shown}");
        assert!(error.hint().unwrap().contains(setting), "{name}: {:?}", error.hint());
        client.batch_execute(&format!("SET {setting} = '{large}'")).unwrap();
        assert_eq!(database.ingest(&mut client, &path).state, "loaded", "{name}");
        client.batch_execute(&format!("RESET {setting}")).unwrap();
    }
}

/// The ledger, and callers that may not read files, see no bytes of them.
#[test]
fn errors_of_containers_have_no_contents_for_others() {
    let database = Database::on_shared();
    let mut client = database.client();
    let packed = pack::gzip(csv(&[&trip_line("A", 1)]).as_bytes());
    let path = database.file("padded.csv.gz", [packed.as_slice(), b"hunter2!"].concat());
    let error = client.query("SELECT trips.ingest($1)", &[&path]).unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code().code(), "22P04");
    let found = error.detail().expect("bytes that were found").to_owned();
    let public = client.query_one("SELECT error FROM trips.loads", &[]).unwrap();
    let public: &str = public.get(0);
    assert!(public.contains("after the gzip data") && !public.contains(&found), "{public}");
}
