//! Which feed the names of a header are of, and which of its columns they are.

use std::borrow::Cow;
use std::sync::Arc;

use crate::feed::Unresolved;
use crate::feed::choice::FeedChoice;
use crate::feed::definition::{Definition, Dialect};
use crate::feed::detect::Detection;
use crate::feed::file_feed::FileFeed;
use crate::feed::plan::Plan;
use crate::format::delimited::header::{ColumnError, Guess, HeaderError};
use crate::format::delimited::record::Record;
use crate::model::decimal::DecimalMark;
use crate::model::{point, timestamp};
use crate::text::escape::quoted;

/// The feed of a header that has no name of any feed.
pub(crate) const DEFAULT_FEED: &str = "trips";
/// The distance of a record without a name of any feed.
const NO_NAME: usize = usize::MAX;

/// The names at the beginning of a file.
#[derive(Debug)]
pub struct FirstRecord {
    /// The names.
    pub names: Vec<Cow<'static, [u8]>>,
    /// The byte between them; None for a format without delimiters.
    pub delimiter: Option<u8>,
    /// The plan of the file, or why these are not the names of one feed.
    pub plan: Result<Plan, HeaderError>,
    /// How far the names are from those of a feed: of several delimiters, the nearest one counts.
    pub(super) distance: usize,
}

/// Finds the feed of a header, and its columns: in any order and case, with or without whitespace around them.
///
/// # Errors
/// When the header is of no feed or of several, or when a column appears twice.
pub fn resolve(choice: &FeedChoice, header: &Record<'_>) -> Result<Plan, HeaderError> {
    first_record(choice, header).plan
}

/// The same for a format whose columns have names in UTF-8 and no delimiter. Numbers have a decimal point.
///
/// # Errors
/// When the names are of no feed or of several, or when a column appears twice.
///
/// ```
/// use trips_core::{feed::choice::FeedChoice, format::delimited::header::plan_of_names};
/// let plan = plan_of_names(&FeedChoice::builtin(), &["Base", "lat", "lon", "Date/Time"]).unwrap();
/// assert_eq!(plan.feed_name(), "uber_2014");
/// ```
pub fn plan_of_names(choice: &FeedChoice, names: &[&str]) -> Result<Plan, HeaderError> {
    first_names(choice, names).plan
}

/// The names of such a format, with the plan.
#[must_use]
pub fn first_names(choice: &FeedChoice, names: &[&str]) -> FirstRecord {
    let found = || (quoted(names.join(", ").as_bytes()), None);
    let names = names.iter().map(|name| Cow::Owned(name.as_bytes().to_vec())).collect();
    of_names(choice, names, None, found)
}

/// The feed of such a format.
///
/// # Errors
/// When the names are of several feeds, or the given feed does not exist.
pub(crate) fn feed_of_names<'c>(
    choice: &'c FeedChoice,
    names: &[&str],
) -> Result<&'c Arc<Definition>, HeaderError> {
    let names: Vec<Cow<'_, [u8]>> = names.iter().map(|name| name.as_bytes().into()).collect();
    feed_of(choice, &names, None).map(|(feed, _)| feed)
}

/// The record as a header.
pub(super) fn first_record(choice: &FeedChoice, header: &Record<'_>) -> FirstRecord {
    let found = || (quoted(header.raw), guess(header));
    let names = header.fields().map(|name| Cow::Owned(name.into_owned())).collect();
    of_names(choice, names, Some(header.delimiter), found)
}

/// `found` is what a message shows of the names.
fn of_names(
    choice: &FeedChoice,
    names: Vec<Cow<'static, [u8]>>,
    delimiter: Option<u8>,
    found: impl Fn() -> (String, Option<Guess>),
) -> FirstRecord {
    let (plan, distance) = match feed_of(choice, &names, delimiter) {
        Err(error) => (Err(error), 0),
        Ok((feed, distance)) => match plan_of(choice, feed, &names, delimiter) {
            Ok(plan) => (Ok(plan), 0),
            Err(misfit) => {
                let near = distance.unwrap_or(misfit.distance());
                let fits = others(choice, &names, delimiter);
                let error = misfit.error(feed, delimiter, fits, found);
                (Err(HeaderError::Columns(error)), near)
            }
        },
    };
    FirstRecord { names, delimiter, plan, distance }
}

/// The feed whose columns are looked for: the given one, the one that knows most of the names, or the nearest one. The
/// distance, if it knows none of them.
fn feed_of<'c>(
    choice: &'c FeedChoice,
    names: &[Cow<'_, [u8]>],
    delimiter: Option<u8>,
) -> Result<(&'c Arc<Definition>, Option<usize>), HeaderError> {
    if let Some(name) = &choice.feed {
        let feed = choice.catalogue.get(name);
        let feed = feed.ok_or_else(|| HeaderError::UnknownFeed(name.clone()))?;
        let knows_any = names.iter().any(|name| feed.column_of_header(name).is_some());
        return Ok((feed, (!knows_any).then_some(NO_NAME)));
    }
    match choice.catalogue.detect(names, delimiter) {
        Detection::Feed(found) => Ok((found.feed, None)),
        Detection::Tie(candidates) => {
            let names = candidates.iter().map(|candidate| candidate.feed.name.clone());
            Err(HeaderError::Tie(names.collect()))
        }
        Detection::Stations(feeds) => {
            Err(HeaderError::Stations(feeds.iter().map(|feed| feed.name.clone()).collect()))
        }
        Detection::None(near) => {
            let near = near.and_then(|near| choice.catalogue.get(&near.feed));
            let distance = near.is_none().then_some(NO_NAME);
            let feed = near.or_else(|| choice.catalogue.get(DEFAULT_FEED));
            feed.map(|feed| (feed, distance)).ok_or(HeaderError::NoFeeds)
        }
    }
}

/// Why names are not those of a feed.
enum Misfit {
    Columns(Unresolved),
    /// They are, but the files of the feed have another delimiter.
    Delimiter,
}

impl Misfit {
    fn distance(&self) -> usize {
        match self {
            Self::Columns(Unresolved::Missing(missing)) => missing.len(),
            Self::Columns(Unresolved::Duplicate { .. } | Unresolved::Excluded(_))
            | Self::Delimiter => 0,
        }
    }

    fn error(
        self,
        feed: &Definition,
        delimiter: Option<u8>,
        fits: Vec<String>,
        found: impl Fn() -> (String, Option<Guess>),
    ) -> ColumnError {
        let feed_name = feed.name.clone();
        let own = delimiter.filter(|delimiter| feed.allows(*delimiter)).map(char::from);
        match self {
            Self::Columns(Unresolved::Missing(missing)) => {
                let (found, guess) = found();
                // The delimiter of the feed is no reason.
                let is_reason =
                    |guess: &Guess| own.is_none_or(|own| *guess != Guess::Delimiter(own));
                let guess = guess.filter(is_reason);
                ColumnError::Missing { missing, found, guess, feed: feed_name, fits }
            }
            Self::Columns(Unresolved::Duplicate { name, first, second }) => {
                ColumnError::Duplicate { name, first, second }
            }
            Self::Columns(Unresolved::Excluded(name)) => {
                ColumnError::Excluded { name, feed: feed_name, fits }
            }
            // For the feed they are one name, so all of its names are missing.
            Self::Delimiter => {
                let guess = delimiter.map(|delimiter| Guess::Delimiter(char::from(delimiter)));
                let required = feed.versions.iter().take(1).flat_map(|version| &version.required);
                let missing = required.map(|required| feed.written(required)).collect();
                ColumnError::Missing { missing, found: found().0, guess, feed: feed_name, fits }
            }
        }
    }
}

fn plan_of(
    choice: &FeedChoice,
    definition: &Arc<Definition>,
    names: &[Cow<'_, [u8]>],
    delimiter: Option<u8>,
) -> Result<Plan, Misfit> {
    let plain = Dialect { delimiter: delimiter.unwrap_or(b','), decimal: DecimalMark::Point };
    let allowed = delimiter.map_or(Some(plain), |delimiter| {
        definition.form.dialects.iter().copied().find(|dialect| dialect.delimiter == delimiter)
    });
    let feed = Arc::new(FileFeed::new(definition.clone(), allowed.unwrap_or(plain), choice));
    let plan = match delimiter {
        Some(_) => Plan::of_header(&feed, names),
        None => Plan::of_names(&feed, names),
    };
    match (plan, allowed) {
        (Ok(plan), Some(_)) => Ok(plan),
        (Ok(_) | Err(Unresolved::Duplicate { .. }), None) => Err(Misfit::Delimiter),
        (Err(unresolved), _) => Err(Misfit::Columns(unresolved)),
    }
}

/// The feeds that the header is of, when the caller gives another one.
fn others(choice: &FeedChoice, names: &[Cow<'_, [u8]>], delimiter: Option<u8>) -> Vec<String> {
    if choice.feed.is_none() {
        return Vec::new();
    }
    match choice.catalogue.detect(names, delimiter) {
        Detection::Feed(found) => vec![found.feed.name.clone()],
        Detection::Tie(found) => found.iter().map(|found| found.feed.name.clone()).collect(),
        Detection::None(_) | Detection::Stations(_) => Vec::new(),
    }
}

/// What a line without the names of columns seems to be.
fn guess(line: &Record<'_>) -> Option<Guess> {
    let is_data = |value: Cow<'_, [u8]>| {
        matches!(point::parse(&value), Ok(Some(_)))
            || matches!(timestamp::parse(&value), Ok(Some(_)))
    };
    if line.raw.to_ascii_lowercase().starts_with(b"sep=") {
        Some(Guess::Separator)
    } else if line.fields().any(is_data) {
        Some(Guess::Data)
    } else if line.raw.contains(&b',') {
        None
    } else {
        let is_there = |c: &char| line.raw.contains(&(*c as u8));
        [';', '\t', '|'].into_iter().find(is_there).map(Guess::Delimiter)
    }
}
