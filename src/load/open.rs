//! The beginning of a file, or of a member of it: its format, its feed and its columns.

use trips_core::feed::choice::{FeedChoice, Options};
use trips_core::feed::plan::Plan;
use trips_core::format::delimited::header::HeaderError;
use trips_core::format::order::{self, OrderError};
use trips_core::model::time_form::DayMonthOrder;

use super::request::Request;
use crate::error::{FileError, FileName, LoadError};
use crate::feeds::{self, Reader, Sizes};
use crate::pg::interrupts;
use crate::settings::{self, LoadOptions};
use crate::source::{Content, Contents, Reading, beside};

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
    let LoadOptions { feed, region, datasource, on_change, .. } = request.options;
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let options = Options { region: owned(region), datasource: owned(datasource), on_change };
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
pub fn begin(content: Content, choice: &FeedChoice, is_ahead: bool) -> Result<Opened, LoadError> {
    let (file, reading) = (content.file.clone(), content.reading.clone());
    let (is_plain, sizes) = (content.is_plain, Sizes::of_settings());
    let choice = choice.clone();
    let work = move |content: Content| feeds::begin(content, &choice, sizes, is_ahead);
    let begun = content.process(work).unwrap_or_else(|error| Err(error.into()));
    let begun = begun.and_then(|begun| Ok((begun.first.plan?, begun.reader, begun.position)));
    let (plan, reader, position) = begun.map_err(|error| match error {
        HeaderError::Read(error) => LoadError::of_read(&file, error),
        error => FileError::Header { file: file.clone(), error }.into(),
    })?;
    let covered = position.filter(|_| is_plain);
    Ok(Opened { file, plan, reader, covered, reading })
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
    interrupts::check();
}
