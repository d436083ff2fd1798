//! Why a file is of its feed, or of none: the feeds that its first record fits, or the nearest one.

use std::sync::Arc;

use crate::feed::choice::FeedChoice;
use crate::feed::definition::Definition;
use crate::feed::detect::{Candidate, Near};
use crate::format::delimited::header::{ColumnError, FirstRecord, HeaderError};

/// What a feed is for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// The feed of the file.
    Chosen,
    /// One of several feeds that know the same number of names.
    Tie,
    /// A feed that fits; another one knows more names, or is given.
    Fewer,
    /// It would be the feed of the file, but the header has one of its columns twice.
    Duplicate,
    /// A feed whose station files have this header.
    Stations,
    /// The nearest feed, which lacks columns.
    Nearest,
    /// The nearest feed, whose files have another delimiter.
    OtherDelimiter,
}

/// A feed that a file fits or nearly fits.
#[derive(Debug, Clone)]
pub struct Explanation<'c> {
    /// The feed.
    pub feed: &'c Arc<Definition>,
    /// The name of its version; None for a station file.
    pub version: Option<String>,
    /// The number of different names of the header that the feed knows.
    pub matched: usize,
    /// The names that the header lacks, as the feed writes them.
    pub missing: Vec<String>,
    /// What the feed is for the file.
    pub fit: Fit,
}

/// The feeds that the first record of a file fits, the best first. If there is none, the nearest feed, if any feed knows
/// a name of it.
///
/// At most one feed is [`Fit::Chosen`]: the one of the plan.
#[must_use]
pub fn explain<'c>(choice: &'c FeedChoice, first: &FirstRecord) -> Vec<Explanation<'c>> {
    let (names, delimiter) = (&first.names, first.delimiter);
    let candidates = || choice.catalogue.candidates(names, delimiter).into_iter();
    match &first.plan {
        Ok(plan) => {
            let is_it = |candidate: &Candidate<'_>| candidate.feed.name == plan.feed_name();
            let fit = |found: &Candidate<'_>| if is_it(found) { Fit::Chosen } else { Fit::Fewer };
            let mut found: Vec<_> = candidates().map(|found| fits(fit(&found), &found)).collect();
            // A given feed comes first, also if others know more names.
            found.sort_by_key(|found| found.fit != Fit::Chosen);
            if choice.feed.is_some() {
                found.truncate(1);
            }
            found
        }
        Err(HeaderError::Tie(ties)) => {
            let is_tie = |candidate: &Candidate<'_>| ties.contains(&candidate.feed.name);
            let fit = |found: &Candidate<'_>| if is_tie(found) { Fit::Tie } else { Fit::Fewer };
            candidates().map(|found| fits(fit(&found), &found)).collect()
        }
        Err(HeaderError::Columns(ColumnError::Duplicate { .. })) => {
            let fit = |at| if at == 0 { Fit::Duplicate } else { Fit::Fewer };
            candidates().enumerate().map(|(at, found)| fits(fit(at), &found)).collect()
        }
        Err(HeaderError::Stations(feeds)) => {
            let feeds = feeds.iter().filter_map(|name| choice.catalogue.get(name));
            feeds.map(|feed| of_stations(feed, first)).collect()
        }
        Err(_) => {
            let near = choice.catalogue.nearest(names);
            let feed = near.and_then(|near| Some((choice.catalogue.get(&near.feed)?, near)));
            feed.map(|(feed, near)| of_near(feed, near, first.delimiter)).into_iter().collect()
        }
    }
}

fn fits<'c>(fit: Fit, found: &Candidate<'c>) -> Explanation<'c> {
    let Candidate { feed, version, matched } = *found;
    Explanation { feed, version: Some(version.to_owned()), matched, missing: Vec::new(), fit }
}

fn of_stations<'c>(feed: &'c Arc<Definition>, first: &FirstRecord) -> Explanation<'c> {
    let columns = feed.stations.as_ref();
    let is_known = |name: &[u8]| columns.is_some_and(|it| it.member(&feed.folded(name)).is_some());
    let matched = first.names.iter().filter(|name| is_known(name)).count();
    Explanation { feed, version: None, matched, missing: Vec::new(), fit: Fit::Stations }
}

fn of_near(feed: &Arc<Definition>, near: Near, delimiter: Option<u8>) -> Explanation<'_> {
    let Near { version, matched, missing, .. } = near;
    let is_allowed = delimiter.is_none_or(|delimiter| feed.allows(delimiter));
    let fit = if is_allowed { Fit::Nearest } else { Fit::OtherDelimiter };
    Explanation { feed, version: Some(version), matched, missing, fit }
}
