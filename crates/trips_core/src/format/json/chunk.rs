//! Chunks: whole records of a JSON file, which a thread parses by itself.

use memchr::memchr;

use crate::check::reject::Rejection;
use crate::format::position::Position;
use crate::model::error::SqlState;

/// The character before each record of a JSON text sequence, RFC 7464.
pub(super) const RECORD_SEPARATOR: u8 = 0x1e;

/// The bytes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'c> {
    /// Its line if each line is a record; otherwise its number.
    pub position: Position,
    /// Its bytes as in the file, cut at the longest record.
    pub bytes: &'c [u8],
    /// Why they are not a whole record.
    pub fault: Option<TextFault>,
}

/// Why some bytes are not a whole record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFault {
    /// It is longer than the longest record.
    TooLong,
    /// The file ends inside it.
    Cut,
    /// The file ends inside a list or a page: there may have been more records.
    CutList,
    /// A string does not end, or a bracket is closed by one of the other kind; the record ends with its line.
    Broken,
}

impl TextFault {
    /// The rejection of a record with these bytes.
    #[must_use]
    pub fn rejection(self, raw: &[u8]) -> Rejection {
        let reason = match self {
            Self::TooLong => {
                let length = raw.len();
                return Rejection::of_record(
                    SqlState::ProgramLimitExceeded,
                    format!("the record is longer than {length} bytes and was truncated"),
                );
            }
            Self::Cut => "the file ends inside the record",
            Self::CutList => {
                "the file ends before the list of records is closed: it may have had more"
            }
            Self::Broken => "the record does not end in its line",
        };
        Rejection::of_record(SqlState::BadCopyFileFormat, reason)
    }
}

/// Where a record of a chunk ends, after the one before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Framed {
    pub(super) end: usize,
    pub(super) fault: Option<TextFault>,
}

/// Whole records, with the bytes of the file.
#[derive(Debug, Default)]
pub struct JsonChunk {
    /// The number of the chunk, from 0.
    pub(super) number: u64,
    /// Number of bytes of the file that it covers.
    pub(super) covers: u64,
    /// Whether its records are GeoJSON features.
    pub(super) are_features: bool,
    pub(super) bytes: Vec<u8>,
    /// The position of its first record, or of its first line.
    pub(super) first: Position,
    /// The ends of its records; None if each line is a record.
    pub(super) framed: Option<Vec<Framed>>,
    /// The members of its records that the feed does not know, after they were read.
    pub(super) not_stored: Vec<String>,
}

impl JsonChunk {
    /// Approximate bytes of memory.
    #[must_use]
    pub fn memory(&self) -> usize {
        let framed = self.framed.as_ref().map_or(0, Vec::capacity);
        self.bytes.capacity() + framed * size_of::<Framed>()
    }

    /// Its records in order. A line with more than `max_record` bytes is too long.
    pub fn texts(&self, max_record: usize) -> impl Iterator<Item = Text<'_>> {
        let framed = self.framed.as_ref().map(|framed| self.framed_texts(framed));
        let lines = self.framed.is_none().then(|| self.lines(max_record));
        framed.into_iter().flatten().chain(lines.into_iter().flatten())
    }

    fn framed_texts<'c>(&'c self, framed: &'c [Framed]) -> impl Iterator<Item = Text<'c>> {
        let mut start = 0;
        (self.first.value..).zip(framed).map(move |(value, &Framed { end, fault })| {
            let bytes = &self.bytes[start..end];
            start = end;
            Text { position: Position { value, ..self.first }, bytes, fault }
        })
    }

    fn lines(&self, max_record: usize) -> impl Iterator<Item = Text<'_>> {
        let (mut rest, mut next) = (&self.bytes[..], self.first.value);
        std::iter::from_fn(move || {
            while !rest.is_empty() {
                let end = memchr(b'\n', rest).unwrap_or(rest.len());
                let line = &rest[..end];
                rest = rest.get(end + 1..).unwrap_or_default();
                let position = Position::line(next);
                next += 1;
                let bytes = line.strip_suffix(b"\r").unwrap_or(line);
                if bytes.len() > max_record {
                    let fault = Some(TextFault::TooLong);
                    return Some(Text { position, bytes: &bytes[..max_record], fault });
                }
                let bytes = trim_line(bytes);
                if !bytes.is_empty() {
                    return Some(Text { position, bytes, fault: None });
                }
            }
            None
        })
    }
}

/// A line without what may be around a record: whitespace, a byte order mark and a record separator before it.
pub(super) fn trim_line(line: &[u8]) -> &[u8] {
    let mut rest = line;
    while let [b' ' | b'\t' | b'\r' | RECORD_SEPARATOR, inner @ ..]
    | [0xef, 0xbb, 0xbf, inner @ ..]
    | [inner @ .., b' ' | b'\t' | b'\r'] = rest
    {
        rest = inner;
    }
    rest
}
