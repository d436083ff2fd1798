//! The beginning of a file of text: its format by its first bytes, its feed, and its columns.

use std::io::Read;

use crate::feed::choice::FeedChoice;
use crate::format::ChunkReader;
use crate::format::delimited::header::{FirstRecord, HeaderError, read_first_record};
use crate::format::delimited::record::RecordReader;
use crate::format::encoding::Decoder;
use crate::format::json::JsonReader;
use crate::format::json::layout::is_json;
use crate::format::sniff::SNIFF_BYTES;

/// A file of text.
#[derive(Debug)]
pub struct Text<R> {
    /// Its first names, and the plan for its records, or why it has none.
    pub first: FirstRecord,
    /// The records after a header.
    pub reader: ChunkReader<Decoder<R>>,
    /// Bytes before them, after they were decoded.
    pub covered: u64,
}

/// Opens a file of text: JSON by its first bytes, otherwise delimited text.
///
/// # Errors
/// When it has no first record; errors of the source.
///
/// ```
/// use trips_core::feed::choice::FeedChoice;
/// use trips_core::format::{encoding::Decoder, text};
/// let file = &br#"[{"Base": "B02512", "Lat": 40.7, "Lon": -73.9, "Date/Time": "4/1/2014 0:11:00"}]"#[..];
/// let opened = text::open(Decoder::detect(file).unwrap(), &FeedChoice::builtin(), 1000).unwrap();
/// assert_eq!(opened.first.plan.unwrap().feed_name(), "uber_2014");
/// ```
pub fn open<R: Read>(
    source: Decoder<R>,
    choice: &FeedChoice,
    max_record: usize,
) -> Result<Text<R>, HeaderError> {
    let encoding = source.encoding();
    let mut reader = RecordReader::new(source, max_record).with_encoding(encoding);
    if is_json(reader.peek(SNIFF_BYTES)?) {
        let (reader, first) = JsonReader::open_begun(reader.into_unread(), choice, max_record)?;
        let covered = reader.position();
        return Ok(Text { first, reader: reader.into(), covered });
    }
    let first = read_first_record(choice, &mut reader, max_record)?;
    let covered = reader.position();
    Ok(Text { first, reader: reader.into(), covered })
}
