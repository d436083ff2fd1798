//! The members of an archive: which have trips, which have stations, and which loads pass over.

use pgrx::check_for_interrupts;
use trips_core::feed::choice::FeedChoice;
use trips_core::format::delimited::header::HeaderError;

use super::open;
use crate::error::{FileError, FileName, LoadError};
use crate::feeds::{stations, zones};
use crate::source::Contents;

/// What a load reads of a file.
pub struct Members {
    /// The members that have trips, by their numbers in the archive.
    pub trips: Vec<usize>,
    /// The feeds, with the stations of the archive among the zones.
    pub choice: FeedChoice,
    /// The names of the members with stations.
    pub stations: Vec<String>,
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
    let (mut trips, mut stations) = (Vec::new(), Vec::new());
    let mut first: Option<(String, String)> = None;
    for index in 0..contents.len() {
        check_for_interrupts!();
        let name = contents.member(index).unwrap_or_default();
        let opened = open::begin(contents.read(index)?, &choice, false);
        let (file, feed) = match opened {
            Ok(opened) => {
                trips.push(index);
                (opened.file, opened.plan.feed_name().to_owned())
            }
            Err(error) => {
                let feeds = station_feeds(error, contents, index, &choice)?;
                stations.push((index, name.to_owned(), feeds));
                continue;
            }
        };
        match &first {
            None => first = Some((name.to_owned(), feed)),
            Some((_, of_first)) if *of_first == feed => {}
            Some(first) => {
                return Err(FileError::OtherFeed { file, feed, first: first.clone() }.into());
            }
        }
    }
    let Some((_, feed)) = first else {
        let file = FileName::of(contents.path(), None);
        return Err(FileError::NoTrips { file }.into());
    };
    with_stations(contents, (choice, shows_content), &feed, trips, stations)
}

/// The feeds whose station files have the header of this member; otherwise its error.
fn station_feeds(
    error: LoadError,
    contents: &Contents<'_>,
    index: usize,
    choice: &FeedChoice,
) -> Result<Vec<String>, LoadError> {
    let is_header = matches!(&error, LoadError::File(FileError::Header { error, .. })
        if matches!(error, HeaderError::Stations(_) | HeaderError::Columns(_)));
    if !is_header {
        return Err(error);
    }
    // With a given feed, the header was compared with that of its trips only.
    let any = FeedChoice { feed: None, ..choice.clone() };
    let error = match choice.feed {
        None => error,
        Some(_) => match open::begin(contents.read(index)?, &any, false) {
            Err(again @ LoadError::File(FileError::Header { .. })) if is_of_stations(&again) => {
                again
            }
            _ => error,
        },
    };
    match error {
        LoadError::File(FileError::Header { error: HeaderError::Stations(feeds), .. }) => Ok(feeds),
        error => Err(error),
    }
}

fn is_of_stations(error: &LoadError) -> bool {
    matches!(error, LoadError::File(FileError::Header { error: HeaderError::Stations(_), .. }))
}

/// Adds the stations to the zones of this load. Stations of other feeds are members of another feed.
fn with_stations(
    contents: &Contents<'_>,
    (choice, shows_content): (FeedChoice, bool),
    feed: &str,
    trips: Vec<usize>,
    stations: Vec<(usize, String, Vec<String>)>,
) -> Result<Members, LoadError> {
    let mut names = Vec::new();
    let mut rows = Vec::new();
    for (index, name, feeds) in stations {
        check_for_interrupts!();
        let content = contents.read(index)?;
        if !feeds.iter().any(|name| name == feed) {
            let file = content.file;
            let error = HeaderError::Stations(feeds);
            return Err(FileError::Header { file, error }.into());
        }
        let Some(definition) = choice.catalogue.get(feed) else { continue };
        rows.push(stations::of_content(definition, content, None, shows_content)?);
        names.push(name);
    }
    let choice = match rows.is_empty() {
        true => choice,
        false => FeedChoice { zones: zones::snapshot_with(&rows)?, ..choice },
    };
    Ok(Members { trips, choice, stations: names })
}
