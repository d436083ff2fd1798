//! The members of an archive: which have trips, which have stations, and which loads pass over.

use std::sync::Arc;

use trips_core::feed::choice::FeedChoice;
use trips_core::feed::definition::Definition;
use trips_core::format::delimited::header::HeaderError;
use trips_core::format::members::{self, MembersError};

use super::open;
use crate::error::{FileError, FileName, LoadError};
use crate::feeds::{stations, zones};
use crate::pg::interrupts;
use crate::source::Contents;

/// What a load reads of a file.
pub struct Members {
    /// The members that have trips, by their numbers in the archive.
    pub trips: Vec<usize>,
    /// The feeds, with the stations of the archive among the zones.
    pub choice: FeedChoice,
    /// The members that have stations.
    pub stations: Vec<usize>,
}

/// Sorts the members of a file. A file that is no archive is one member with trips.
///
/// # Errors
/// When a member is of no feed, or of another feed than the first one; errors of the archive and of its stations.
pub fn sort(
    contents: &Contents<'_>,
    choice: FeedChoice,
    shows_content: bool,
) -> Result<Members, LoadError> {
    if !contents.is_archive() {
        return Ok(Members { trips: vec![0], choice, stations: Vec::new() });
    }
    let feed_of = |index: usize, choice: &FeedChoice| {
        interrupts::check();
        let opened = open::begin(contents.read(index)?, choice, false)?;
        Ok::<_, LoadError>(opened.plan.feed_name().to_owned())
    };
    let sorted = members::sort(contents.len(), &choice, feed_of, header_error);
    let sorted = sorted.map_err(|error| refused(contents, error))?;
    with_stations(contents, (choice, shows_content), sorted)
}

/// The error of a header that this is, if it is one.
fn header_error(error: &LoadError) -> Option<&HeaderError> {
    match error {
        LoadError::File(FileError::Header { error, .. }) => Some(error),
        _ => None,
    }
}

/// The error of an archive.
fn refused(contents: &Contents<'_>, error: MembersError<LoadError>) -> LoadError {
    let name = |index: usize| contents.member(index).map(str::to_owned);
    let file = |index: Option<usize>| FileName::of(contents.path(), index.and_then(name));
    let error = match error {
        MembersError::Member(error) => return error,
        MembersError::OtherFeed { index, feed, first: (first, of_first) } => {
            let first = (name(first).unwrap_or_default(), of_first);
            FileError::OtherFeed { file: file(Some(index)), feed, first }
        }
        MembersError::OtherStations { index, feeds } => {
            FileError::Header { file: file(Some(index)), error: HeaderError::Stations(feeds) }
        }
        MembersError::NoTrips => FileError::NoTrips { file: file(None) },
    };
    error.into()
}

/// Adds the stations to the zones of this load.
fn with_stations(
    contents: &Contents<'_>,
    (choice, shows_content): (FeedChoice, bool),
    sorted: members::Members,
) -> Result<Members, LoadError> {
    let members::Members { feed, trips, stations } = sorted;
    let mut rows = Vec::new();
    for &index in &stations {
        interrupts::check();
        let Some(definition) = choice.catalogue.get(&feed) else { continue };
        rows.push(stations::of_member(definition, contents.read(index)?, shows_content)?);
    }
    let choice = match rows.is_empty() {
        true => choice,
        false => FeedChoice { zones: zones::snapshot_with(&rows)?, ..choice },
    };
    Ok(Members { trips, choice, stations })
}

/// Keeps the stations of these members for later merges of the staged records of a load.
///
/// # Errors
/// Those of the archive.
pub fn keep_stations(
    contents: &Contents<'_>,
    stations: &[usize],
    load_id: i64,
    (definition, shows_content): (&Arc<Definition>, bool),
) -> Result<(), LoadError> {
    stations.iter().try_for_each(|&index| {
        interrupts::check();
        stations::keep(load_id, definition, contents.read(index)?, shows_content)
    })
}
