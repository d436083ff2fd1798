//! The beginning of a file or a member: its format, its feed and its columns.

use trips_core::feed::choice::FeedChoice;
use trips_core::format::ChunkReader;
use trips_core::format::delimited::header::{FirstRecord, HeaderError};
use trips_core::format::encoding::Decoder;
use trips_core::format::sniff::{PARQUET, is_parquet};
use trips_core::format::text;

use crate::settings;
use crate::source::{Content, Contents, Stream};

#[cfg(feature = "parquet")]
mod parquet;

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

/// Limits of what a thread reads.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Bytes of the longest record.
    max_record: usize,
    /// Memory of a run, bytes.
    #[cfg_attr(not(feature = "parquet"), expect(dead_code, reason = "Parquet is read at offsets"))]
    work_mem: usize,
}

impl Sizes {
    /// Those of the settings.
    pub fn of_settings() -> Self {
        Self { max_record: settings::max_record_size(), work_mem: settings::work_mem() }
    }
}

/// Whether the records of a file are read at offsets of its stored bytes.
pub fn is_read_at_offsets(contents: &Contents<'_>) -> bool {
    contents.is_archive() || (contents.is_plain() && is_parquet(contents.first()))
}

/// Reads the beginning. The rest is unpacked ahead of its reader, if `is_ahead`. It calls nothing of PostgreSQL.
///
/// # Errors
/// Why the columns are not known.
pub fn begin(
    mut content: Content,
    choice: &FeedChoice,
    sizes: Sizes,
    is_ahead: bool,
) -> Result<Begun, HeaderError> {
    if is_parquet(&content.peek(PARQUET[0].len())?) {
        return of_parquet(content, choice, sizes);
    }
    let content = if is_ahead { content.ahead()? } else { content };
    let bytes = Decoder::detect(content.into_stream())?;
    let text::Text { first, reader, covered } = text::open(bytes, choice, sizes.max_record)?;
    Ok(Begun { first, reader, position: Some(covered) })
}

#[cfg(feature = "parquet")]
use self::parquet::begin as of_parquet;

/// A library that was built without the format.
#[cfg(not(feature = "parquet"))]
fn of_parquet(_: Content, _: &FeedChoice, _: Sizes) -> Result<Begun, HeaderError> {
    Err(HeaderError::Read(trips_containers::ContainerError::no_parquet().into()))
}
