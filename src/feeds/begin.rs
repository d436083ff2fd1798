//! The beginning of a file or a member: its format, its feed and its columns.

use trips_core::feed::choice::FeedChoice;
use trips_core::format::ChunkReader;
use trips_core::format::delimited::header::{FirstRecord, HeaderError, read_first_record};
use trips_core::format::delimited::record::RecordReader;
use trips_core::format::encoding::Decoder;

use crate::source::{Content, Stream};

/// Reads the chunks of a file or a member.
pub type Reader = ChunkReader<Decoder<Stream>>;

/// A file or a member whose columns are known.
pub struct Begun {
    /// The names of its columns, and the plan for them.
    pub first: FirstRecord,
    /// The records.
    pub reader: Reader,
    /// Bytes before them, if the format has its records in the order of its bytes.
    pub position: Option<u64>,
}

/// Reads the beginning. The rest is unpacked ahead of its reader, if `is_ahead`. It calls nothing of PostgreSQL.
///
/// # Errors
/// Why the columns are not known.
pub fn begin(
    content: Content,
    choice: &FeedChoice,
    max_record: usize,
    is_ahead: bool,
) -> Result<Begun, HeaderError> {
    let content = if is_ahead { content.ahead()? } else { content };
    let bytes = Decoder::detect(content.into_stream())?;
    let encoding = bytes.encoding();
    let mut reader = RecordReader::new(bytes, max_record).with_encoding(encoding);
    let first = read_first_record(choice, &mut reader, max_record)?;
    let position = Some(reader.position());
    Ok(Begun { first, reader: reader.into(), position })
}
