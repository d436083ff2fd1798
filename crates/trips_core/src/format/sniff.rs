//! The kind of a file without a header, by its first bytes.
//!
//! It is called only for files that are refused anyway, so a wrong guess does not lose a good file.

use crate::text::encoding::Encoding;

/// Bytes at the beginning of a file that are checked.
pub const SNIFF_BYTES: usize = 4096;

/// What Parquet files begin with; the second one if their footer is encrypted.
pub const PARQUET: [&[u8; 4]; 2] = [b"PAR1", b"PARE"];

/// Whether a file with these first bytes is Parquet.
///
/// ```
/// use trips_core::format::sniff::is_parquet;
/// assert!(is_parquet(b"PAR1\x15") && is_parquet(b"PARE\x15") && !is_parquet(b"PARIS"));
/// ```
#[must_use]
pub fn is_parquet(first: &[u8]) -> bool {
    PARQUET.iter().any(|magic| first.starts_with(&magic[..]))
}

/// A kind that is not CSV in UTF-8.
#[derive(Debug, PartialEq, Eq)]
pub struct FileKind {
    /// Its files begin with these bytes.
    magic: &'static [u8],
    /// The kind of the file, in words that follow "the file is".
    pub name: &'static str,
    /// The hint.
    pub advice: &'static str,
}

const fn kind(magic: &'static [u8], name: &'static str, advice: &'static str) -> FileKind {
    FileKind { magic, name, advice }
}

#[rustfmt::skip]
static KINDS: [FileKind; 20] = [
    // UTF-32 before UTF-16: the mark of UTF-32 begins with that of UTF-16.
    kind(b"\xff\xfe\0\0", "encoded in UTF-32", "Convert it with iconv -f UTF-32 -t UTF-8."),
    kind(b"\0\0\xfe\xff", "encoded in UTF-32", "Convert it with iconv -f UTF-32 -t UTF-8."),
    kind(b"\xff\xfe", "encoded in UTF-16", "Convert it with iconv -f UTF-16 -t UTF-8."),
    kind(b"\xfe\xff", "encoded in UTF-16", "Convert it with iconv -f UTF-16 -t UTF-8."),
    kind(b"\x1f\x8b", "compressed by gzip", "Uncompress it with gunzip."),
    kind(b"\x28\xb5\x2f\xfd", "compressed by zstd", "Uncompress it with zstd -d."),
    kind(b"BZh", "compressed by bzip2", "Uncompress it with bunzip2."),
    kind(b"\xfd7zXZ\0", "compressed by xz", "Uncompress it with unxz."),
    kind(b"\x04\x22\x4d\x18", "compressed by lz4", "Uncompress it with lz4 -d."),
    kind(b"PK\x03\x04", "a zip archive or an Excel workbook", "Unpack it first, or save the workbook as CSV UTF-8."),
    kind(b"PK\x05\x06", "an empty zip archive", "Check the program that wrote it."),
    kind(b"7z\xbc\xaf", "a 7z archive", "Unpack it first."),
    kind(b"\xd0\xcf\x11\xe0", "an old Excel workbook", "Save it as CSV UTF-8."),
    kind(b"PAR1", "a Parquet file", "Convert it to CSV."),
    kind(b"ARROW1", "an Arrow file", "Convert it to CSV."),
    kind(b"Obj\x01", "an Avro file", "Convert it to CSV."),
    kind(b"SQLite format 3\0", "an SQLite database", "Export the table as CSV."),
    kind(b"PGCOPY\n\xff\r\n\0", "in the binary format of COPY", "Write it with COPY … (FORMAT csv, HEADER)."),
    kind(b"%PDF-", "a PDF document", "Ask its sender for CSV."),
    kind(b"<", "HTML or XML", "Check its first lines: it may be the error page of a download."),
];

static UTF_32: FileKind =
    kind(b"", "encoded in UTF-32", "Convert it with iconv -f UTF-32LE (or UTF-32BE) -t UTF-8.");
static UTF_16_LE: FileKind =
    kind(b"", "encoded in UTF-16", "Convert it with iconv -f UTF-16LE -t UTF-8.");
static UTF_16_BE: FileKind =
    kind(b"", "encoded in UTF-16", "Convert it with iconv -f UTF-16BE -t UTF-8.");
static BINARY: FileKind = kind(
    b"",
    "binary",
    "Export it again as CSV in UTF-8. It contains NUL bytes, for example after a crash of its machine.",
);

/// The kind of a file that was decoded from this encoding; none of UTF-8.
#[must_use]
pub fn kind_of_encoding(encoding: Encoding) -> Option<&'static FileKind> {
    match encoding {
        Encoding::Utf16Le => Some(&UTF_16_LE),
        Encoding::Utf16Be => Some(&UTF_16_BE),
        _ => None,
    }
}

/// The kind of a file that begins with these bytes; none when it may be text in UTF-8.
///
/// ```
/// assert_eq!(trips_core::format::sniff::kind_of(b"\x1f\x8b\x08").unwrap().name, "compressed by gzip");
/// assert_eq!(trips_core::format::sniff::kind_of(b"region,origin_coord"), None);
/// ```
#[must_use]
pub fn kind_of(first: &[u8]) -> Option<&'static FileKind> {
    if let Some(kind) = KINDS.iter().find(|kind| first.starts_with(kind.magic)) {
        return Some(kind);
    }
    // UTF-16 and UTF-32 without a mark: the letters of the header are ASCII in all of them.
    let letter = |byte: u8| byte.is_ascii_graphic();
    match *first {
        [a, 0, 0, 0, ..] | [0, 0, 0, a, ..] if letter(a) => Some(&UTF_32),
        [a, 0, b, 0, ..] if letter(a) && letter(b) => Some(&UTF_16_LE),
        [0, a, 0, b, ..] if letter(a) && letter(b) => Some(&UTF_16_BE),
        _ => first.contains(&0).then_some(&BINARY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_by_their_first_bytes() {
        for (first, name) in [
            (&b"\xff\xfer\0e\0"[..], "encoded in UTF-16"),
            (b"\xff\xfe\0\0r\0\0\0", "encoded in UTF-32"),
            (b"\0\0\xfe\xff\0\0\0r", "encoded in UTF-32"),
            (b"r\0e\0g\0", "encoded in UTF-16"),
            (b"\0r\0e\0g", "encoded in UTF-16"),
            (b"r\0\0\0e\0\0\0", "encoded in UTF-32"),
            (b"\0\0\0r\0\0\0e", "encoded in UTF-32"),
            (b"PK\x03\x04\x14", "a zip archive or an Excel workbook"),
            (b"PAR1\x15\x04", "a Parquet file"),
            (b"<!DOCTYPE html>", "HTML or XML"),
        ] {
            assert_eq!(kind_of(first).map(|kind| kind.name), Some(name), "{first:?}");
        }
        for binary in [&b"\0"[..], b"\0\0\0\0\0", b"\x01\0\0\0", b"region\0,"] {
            assert!(std::ptr::eq(kind_of(binary).unwrap(), &raw const BINARY), "{binary:?}");
        }
    }

    #[test]
    fn text_has_no_form() {
        for text in
            ["", "A", "region", "A,POINT (1 2)", "\u{feff}region", "BZ", "P", "[region],[x]"]
        {
            assert_eq!(kind_of(text.as_bytes()), None, "{text}");
        }
    }

    /// If two kinds match, the more specific one is found.
    #[test]
    fn longer_marks_come_first() {
        for (i, kind) in KINDS.iter().enumerate() {
            let before = KINDS[..i].iter().find(|earlier| kind.magic.starts_with(earlier.magic));
            assert_eq!(before, None, "{} hides {}", before.map_or("", |b| b.name), kind.name);
        }
    }
}
