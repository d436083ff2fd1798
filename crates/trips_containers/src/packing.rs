//! What the first bytes of a file say.

/// So many bytes say what a file is.
pub const FIRST_BYTES: usize = 512;

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Packing {
    /// Not packed: a file of some format, such as CSV or Parquet.
    Plain,
    /// RFC 1952, with any number of members.
    Gzip,
    /// RFC 8878, with any number of frames.
    Zstd,
    /// With any number of streams.
    Bzip2,
    /// With any number of streams.
    Xz,
    /// An archive, also an empty one.
    Zip,
}

impl Packing {
    /// The word for messages: `gzip`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Zip => "zip",
        }
    }
}

/// How a file with these first bytes is packed. [`FIRST_BYTES`] are enough.
///
/// ```
/// use trips_containers::{Packing, packing_of};
/// assert_eq!(packing_of(b"PK\x03\x04"), Packing::Zip);
/// assert_eq!(packing_of(b"region,origin_coord"), Packing::Plain);
/// ```
pub fn packing_of(first: &[u8]) -> Packing {
    match first {
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
        // A skippable frame may be the first one.
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Packing::Zstd,
        // The magic of a block, or of the end of a stream without blocks: "BZh1" alone may begin a text.
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..] => Packing::Bzip2,
        [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, ..] => Packing::Bzip2,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Packing::Xz,
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, ..] => Packing::Zip,
        _ => Packing::Plain,
    }
}

const LZ4: &str = "LZ4 frame";
const SEVEN_ZIP: &str = "7z archive";
const RAR: &str = "RAR archive";
const TAR: &str = "tar archive";
const OLD_OFFICE: &str = "Excel workbook or other Office document";
pub(crate) const WORKBOOK: &str = "Excel workbook";
pub(crate) const OFFICE: &str = "Office document";
pub(crate) const OPEN_DOCUMENT: &str = "OpenDocument file";
pub(crate) const SPLIT: &str = "part of a split zip archive";
/// Named by builds without the format.
pub(crate) const PARQUET: &str = "Parquet file";
pub(crate) const METHOD: &str = "compression method";
pub(crate) const ZIP_IN_STREAM: &str = "zip archive inside a compressed stream";
pub(crate) const DICTIONARY: &str = "zstd dictionary";
pub(crate) const CHECK: &str = "xz integrity check";

/// What a file with these first bytes is, if no load reads such a file: `tar archive`.
///
/// ```
/// use trips_containers::unsupported_kind_of;
/// assert_eq!(unsupported_kind_of(b"Rar!\x1a\x07\x01\x00"), Some("RAR archive"));
/// assert_eq!(unsupported_kind_of(b"region,origin_coord"), None);
/// ```
pub fn unsupported_kind_of(first: &[u8]) -> Option<&'static str> {
    let kind = match first {
        [0x04, 0x22, 0x4d, 0x18, ..] | [0x02, 0x21, 0x4c, 0x18, ..] => LZ4,
        [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => SEVEN_ZIP,
        [b'R', b'a', b'r', b'!', 0x1a, 0x07, ..] => RAR,
        [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ..] => OLD_OFFICE,
        [0x1f, 0x9d, ..] => "file of compress (.Z)",
        [0x1f, 0xa0, ..] => "file of pack or LZH",
        [b'L', b'Z', b'I', b'P', 0 | 1, ..] => "lzip file",
        [0x89, b'L', b'Z', b'O', 0, ..] => "lzop file",
        [0x5d, 0, 0, _, _, 0xff, 0xff, 0xff, 0xff, ..] => "LZMA file",
        [0xff, 0x06, 0x00, 0x00, b's', b'N', b'a', b'P', b'p', b'Y', ..] => "Snappy file",
        [b'M', b'S', b'C', b'F', 0, 0, 0, 0, ..] => "cabinet archive",
        [b'!', b'<', b'a', b'r', b'c', b'h', b'>', b'\n', ..] => "ar archive",
        [b'O', b'b', b'j', 1, ..] => "Avro file",
        [b'O', b'R', b'C', 0..=0x7f, ..] if first.len() > 3 && !first[3].is_ascii_graphic() => {
            "ORC file"
        }
        [b'A', b'R', b'R', b'O', b'W', b'1', 0, 0, ..] => "Arrow file",
        [b'F', b'E', b'A', b'1', 0, ..] => "Feather file",
        [b'%', b'P', b'D', b'F', b'-', ..] => "PDF document",
        [
            b'S',
            b'Q',
            b'L',
            b'i',
            b't',
            b'e',
            b' ',
            b'f',
            b'o',
            b'r',
            b'm',
            b'a',
            b't',
            b' ',
            b'3',
            0,
            ..,
        ] => "SQLite database",
        [0x89, b'H', b'D', b'F', 0x0d, 0x0a, 0x1a, 0x0a, ..] => "HDF5 file",
        [0x7f, b'E', b'L', b'F', ..] => "program",
        [b'M', b'Z', _, 0..=3, ..] if is_program(first) => "program or self-extracting archive",
        _ if is_tar(first) => TAR,
        _ => return None,
    };
    Some(kind)
}

/// A DOS header says where the header of a Windows program is: after itself.
fn is_program(first: &[u8]) -> bool {
    matches!(first.get(0x3c..0x40), Some(&[a, b, 0, 0]) if u16::from_le_bytes([a, b]) >= 0x40)
}

/// Whether this is the header of a tar archive. Its checksum excludes any text that happens to hold the magic.
fn is_tar(first: &[u8]) -> bool {
    let Some(header) = first.first_chunk::<512>() else { return false };
    if &header[257..262] != b"ustar" {
        return false;
    }
    let digits = header[148..156]
        .iter()
        .skip_while(|&&byte| byte == b' ')
        .take_while(|byte| byte.is_ascii_digit());
    let stated =
        digits.fold(0_u32, |sum, &digit| sum.wrapping_mul(8).wrapping_add(u32::from(digit - b'0')));
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>();
    stated == sum(&header[..148]) + 8 * u32::from(b' ') + sum(&header[156..])
}

/// What to do with a file of such a kind.
pub(crate) fn hint_for(name: &'static str) -> &'static str {
    match name {
        WORKBOOK | OLD_OFFICE | OPEN_DOCUMENT => "Save the sheet as CSV.",
        OFFICE | "PDF document" | "program" => "Load a file of trips: CSV, JSON or Parquet.",
        METHOD => {
            "Unpack the archive with the program that made it, and pack it again with the method deflate."
        }
        PARQUET => {
            "Convert the file to CSV, or build the extension with the Cargo feature parquet."
        }
        SPLIT => "Join the parts to one archive.",
        ZIP_IN_STREAM => "Unpack the outer stream and load the zip archive.",
        DICTIONARY => "Compress the file without a dictionary.",
        CHECK => "Compress the file with the check crc64.",
        "SQLite database" => "Export the table as CSV.",
        "Avro file" | "ORC file" | "Arrow file" | "Feather file" | "HDF5 file" => {
            "Convert the file to CSV or Parquet."
        }
        _ => "Unpack the file, or pack it as gzip, zstd, bzip2, xz or zip.",
    }
}
