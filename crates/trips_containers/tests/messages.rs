//! Errors say the member, the byte, what was found and what was expected.

use trips_containers::{Archive, Budget, ContainerError, Kind, Limit, Limits};
use trips_testkit::containers::check::{TemporaryFiles, content_of};
use trips_testkit::containers::pack;
use trips_testkit::containers::zip::{Entry, Zip};

const TRIPS: &[u8] = b"region,origin_coord\nPrague,POINT (1 2)\n";

fn error(file: &[u8]) -> ContainerError {
    content_of(file, Limits::default()).expect_err("an error")
}

/// Asserts the whole text of an error, `member "a": message: DETAIL`, and its HINT.
fn check(file: &[u8], text: &str, hint: Option<&str>) {
    let error = error(file);
    assert_eq!(error.to_string(), text);
    assert_eq!(error.hint(), hint, "{text}");
}

const AGAIN: Option<&str> = Some("Get the file again from where it was published.");

#[test]
fn of_streams() {
    let gz = pack::gzip(TRIPS);
    let two = [gz.as_slice(), &gz].concat();
    let (one, end) = (gz.len(), two.len());
    check(
        &two[..end - 20],
        &format!(
            "gzip data is cut off at byte {}: Found the end of the file, expected the rest of the stream that begins \
             at byte {one}.",
            end - 20
        ),
        AGAIN,
    );
    check(
        &two[..end - 3],
        &format!(
            "gzip data is cut off at byte {}: Found the end of the file, expected the checksum and the size of the \
             member.",
            end - 3
        ),
        AGAIN,
    );
    let mut wrong = two.clone();
    wrong[end - 8..end - 4].fill(0);
    let crc = crc32fast::hash(TRIPS);
    check(
        &wrong,
        &format!(
            "gzip checksum is wrong at byte {}: Found CRC 0x00000000, expected 0x{crc:08x} as of the data.",
            end - 8
        ),
        AGAIN,
    );
    check(
        &[two.as_slice(), b"\n1,2"].concat(),
        &format!(
            "unexpected bytes after the gzip data at byte {end}: Found 0x0a312c32, expected the end of the file or \
             another gzip stream."
        ),
        AGAIN,
    );
    check(
        &pack::gzip(&pack::gzip(&gz)),
        "file has too many containers inside each other: Found container of level 3, expected at most 2.",
        None,
    );
    check(
        &pack::zstd(b"Rar!\x1a\x07\x01\0"),
        "RAR archive cannot be loaded: Found 0x526172211a070100, expected CSV, JSON or Parquet.",
        Some("Unpack the file, or pack it as gzip, zstd, bzip2, xz or zip."),
    );
}

#[test]
fn of_archives() {
    let inner = Zip::new(&[Entry::new("b.csv", TRIPS).method(0)]);
    let wrong = inner.set(inner.data[0].start, b"R");
    let outer = Zip::new(&[Entry::new("a.csv", TRIPS), Entry::new("i.zip", wrong)]);
    let (crc, found) = (crc32fast::hash(TRIPS), {
        let mut changed = TRIPS.to_vec();
        changed[0] = b'R';
        crc32fast::hash(&changed)
    });
    check(
        &outer.bytes,
        &format!(
            "member \"i.zip/b.csv\": zip member has a wrong checksum at byte {}: Found data with CRC 0x{found:08x}, \
             expected 0x{crc:08x} as of the directory.",
            inner.data[0].end
        ),
        AGAIN,
    );
    let zip = Zip::new(&[Entry::new("a.csv", TRIPS), Entry::new("b.csv", TRIPS)]);
    check(
        &zip.set(zip.entries[1] + 42, &[0; 4]),
        &format!(
            "member \"a.csv\": zip members overlap at byte 0: Found the next member or the directory, expected it \
             after {} bytes of data.",
            zip.data[0].len()
        ),
        AGAIN,
    );
    check(
        &zip.bytes[..zip.end],
        &format!(
            "zip archive is cut off at byte {}: Found the end of the file, expected the directory of the archive.",
            zip.end
        ),
        AGAIN,
    );
}

#[test]
fn of_archives_that_cannot_be_loaded() {
    check(
        &Zip::new(&[Entry::new("a.csv", TRIPS).method(98)]).bytes,
        "member \"a.csv\": zip compression method 98 (PPMd) is not supported at byte 0: Found method 98 (PPMd), \
         expected stored, deflate, deflate64, bzip2, LZMA, zstd or xz.",
        Some(
            "Unpack the archive with the program that made it, and pack it again with the method deflate.",
        ),
    );
    check(
        &Zip::new(&[Entry::new("a.csv", TRIPS).method(99)]).bytes,
        "member \"a.csv\": zip member is encrypted at byte 74: Found flags 0x0000 and method 99, expected a member \
         without encryption.",
        Some("Decrypt the archive before the load."),
    );
    check(
        &Zip::new(&[Entry::new("README", TRIPS)]).bytes,
        "archive has no file of trips: Found only the member \"README\", expected CSV, JSON or Parquet.",
        Some("Load an archive that has a file of trips."),
    );
    check(
        &Zip::new(&[Entry::new("[Content_Types].xml", "x"), Entry::new("xl/workbook.xml", "x")])
            .bytes,
        "Excel workbook cannot be loaded",
        Some("Save the sheet as CSV."),
    );
    let name = "a\u{1b}[2J\n\".csv";
    let text = error(&Zip::new(&[Entry::new(name, TRIPS).method(98)]).bytes).to_string();
    assert!(text.starts_with("member \"a\\u{1b}[2J\\n\\\".csv\": "), "{text}");
}

#[test]
fn of_limits() {
    let file = pack::gzip(&vec![b'a'; 3_000_000]);
    let of = |limits: Limits| content_of(&file, limits).expect_err("an error");
    let error = of(Limits { ratio: 10, ..Limits::default() });
    assert_eq!(error.kind(), Kind::Limit(Limit::Ratio, 10));
    let size = file.len();
    let start = "compression ratio of the file is too high: Found ";
    let end = format!(
        " bytes in a file of {size} bytes, expected at most 10 times the size of the file."
    );
    assert!(error.to_string().starts_with(start) && error.to_string().ends_with(&end), "{error}");
    let error = of(Limits { unpacked: 2_000_000, ..Limits::default() });
    assert_eq!(error.kind(), Kind::Limit(Limit::Unpacked, 2_000_000));
    assert_eq!(
        error.to_string(),
        "file unpacks to too many bytes: Found more than 2000000 bytes, expected at most 2000000."
    );
    // The first MiB may have any ratio.
    let small = pack::gzip(&vec![b'a'; 1_000_000]);
    assert!(content_of(&small, Limits { ratio: 1, ..Limits::default() }).is_ok());
    let zip = Zip::new(&[Entry::new("a.csv", TRIPS), Entry::new("README", TRIPS)]).bytes;
    let error = content_of(&zip, Limits { members: 1, ..Limits::default() }).expect_err("an error");
    assert_eq!(
        error.to_string(),
        "archive has too many members: Found 2 members, expected at most 1."
    );
    assert_eq!(error.kind(), Kind::Limit(Limit::Members, 1));
}

/// A source that fails is not a damaged file.
#[test]
fn an_error_of_the_source_is_left_as_it_is() {
    struct Broken;
    impl trips_containers::Ranges for Broken {
        fn size(&self) -> u64 {
            1000
        }
        fn read_at(&self, _offset: u64, _buffer: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StaleNetworkFileHandle.into())
        }
    }
    let budget = Budget::new(Limits::default(), 1000);
    let error = Archive::open(std::sync::Arc::new(Broken), &budget, &TemporaryFiles)
        .err()
        .expect("an error");
    assert_eq!(error.kind(), std::io::ErrorKind::StaleNetworkFileHandle);
    assert!(ContainerError::of(&error).is_none());
}
