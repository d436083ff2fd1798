//! The beginning of a file, or of a member of it: its format, its feed and its columns.

use pgrx::check_for_interrupts;
use trips_core::feed::choice::{FeedChoice, Options};
use trips_core::feed::plan::Plan;
use trips_core::format::ChunkReader;
use trips_core::format::delimited::header::{self, HeaderError};
use trips_core::format::delimited::record::RecordReader;
use trips_core::format::encoding::Decoder;
use trips_core::format::order::{self, OrderError};
use trips_core::model::time_form::DayMonthOrder;

use super::request::Request;
use crate::error::{FileError, FileName, LoadError};
use crate::feeds;
use crate::settings::{self, LoadOptions};
use crate::source::{Content, Contents, Reading, Stream, beside};

/// Reads the chunks of a file or a member.
pub type Reader = ChunkReader<Decoder<Stream>>;

/// A file or a member after its header.
pub struct Opened {
    /// The file, and the member.
    pub file: FileName,
    /// Which columns become what.
    pub plan: Plan,
    /// The records after the header.
    pub reader: Reader,
    /// Bytes of the file before them, if their offsets are offsets in the file.
    pub covered: Option<u64>,
    /// What is read of the stored bytes.
    pub reading: Reading,
}

/// The feeds that a file may be of.
pub fn choice(request: &Request<'_>) -> Result<FeedChoice, LoadError> {
    let LoadOptions { feed, region, datasource, .. } = request.options;
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let options = Options { region: owned(region), datasource: owned(datasource) };
    feeds::choice(feed, options)
}

/// Reads the header, and the order of day and month if the member has its own. `named` gets the name of the feed as soon
/// as it is known.
pub fn open(
    contents: &Contents<'_>,
    index: usize,
    choice: &FeedChoice,
    named: impl FnOnce(&str),
) -> Result<Opened, LoadError> {
    let opened = begin(contents.read(index)?, choice, true)?;
    named(opened.plan.feed_name());
    if !opened.plan.feed().needs_order() {
        return Ok(opened);
    }
    let order = find_order(opened)?;
    let mut opened = begin(contents.read(index)?, choice, true)?;
    opened.plan.set_order(order);
    Ok(opened)
}

/// Reads the header. The rest is unpacked ahead of its reader, if there is one.
pub fn begin(content: Content, choice: &FeedChoice, ahead: bool) -> Result<Opened, LoadError> {
    let (file, reading) = (content.file.clone(), content.reading.clone());
    let max_record = settings::max_record_size();
    let choice = choice.clone();
    let is_plain = content.is_plain;
    let work = move |content: Content| read_header(content, &choice, max_record, ahead);
    let result = content.process(work).unwrap_or_else(|error| Err(error.into()));
    let (plan, reader, covered) = result.map_err(|error| match error {
        HeaderError::Read(error) => LoadError::of_read(&file, error),
        error => FileError::Header { file: file.clone(), error }.into(),
    })?;
    let covered = is_plain.then_some(covered);
    Ok(Opened { file, plan, reader, covered, reading })
}

/// The plan of a header, and the records after it, which begin at this offset.
fn read_header(
    content: Content,
    choice: &FeedChoice,
    max_record: usize,
    ahead: bool,
) -> Result<(Plan, Reader, u64), HeaderError> {
    let content = if ahead { content.ahead()? } else { content };
    let bytes = Decoder::detect(content.into_stream())?;
    let encoding = bytes.encoding();
    let mut reader = RecordReader::new(bytes, max_record).with_encoding(encoding);
    let plan = header::read_header(choice, &mut reader, max_record)?;
    let covered = reader.position();
    Ok((plan, reader.into(), covered))
}

/// Finds the order of day and month of a member whose feed has both.
fn find_order(opened: Opened) -> Result<DayMonthOrder, LoadError> {
    let Opened { file, plan, reader, covered, reading } = opened;
    let max_record = settings::max_record_size();
    let found = match covered {
        Some(_) => order::find_order(&plan, reader, max_record, poll_interrupts),
        None => beside(&reading, move || order::find_order(&plan, reader, max_record, || ()))
            .unwrap_or_else(|error| Err(error.into())),
    };
    found.map_err(|error| match error {
        OrderError::Read(error) => LoadError::of_read(&file, error),
        OrderError::Unproved(unproved) => FileError::Unproved { file, unproved }.into(),
    })
}

/// Raises the error of a query cancel.
pub fn poll_interrupts() {
    check_for_interrupts!();
}
