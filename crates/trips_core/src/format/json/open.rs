//! The beginning of a JSON file: its feed, and the fields of its records.

use std::collections::HashSet;
use std::io::Read;
use std::sync::Arc;

use crate::feed::choice::FeedChoice;
use crate::feed::definition::{ColumnId, Definition, Place, fold};
use crate::feed::plan::Plan;
use crate::format::delimited::header::{FirstRecord, HeaderError, first_names, plan_of_names};
use crate::format::delimited::resolve::{DEFAULT_FEED, feed_of_names};
use crate::format::json::layout::{FEATURES, Layout};
use crate::format::json::names::Names;
use crate::format::json::reader::JsonReader;
use crate::format::json::record::fault_of_first;

impl<R: Read> JsonReader<R> {
    /// Opens a file: finds its feed by the names of the members of its first records, and the fields of its records. The
    /// names are those of the fields, and the outermost ones of other members.
    ///
    /// A file without records is of the given feed; otherwise of one that has the path of its list, or of the first feed.
    ///
    /// # Errors
    /// When no record can be read; errors of the source.
    pub fn open(
        source: R,
        choice: &FeedChoice,
        max_record: usize,
    ) -> Result<(Self, FirstRecord), HeaderError> {
        Self::open_begun((Vec::new(), source), choice, max_record)
    }

    /// The same for a file of which these bytes have been read.
    pub(crate) fn open_begun(
        source: (Vec<u8>, R),
        choice: &FeedChoice,
        max_record: usize,
    ) -> Result<(Self, FirstRecord), HeaderError> {
        let given = choice.feed.as_ref().and_then(|name| choice.catalogue.get(name));
        let feeds = given.map_or(choice.catalogue.feeds(), std::slice::from_ref);
        let paths = feeds.iter().flat_map(|feed| &feed.form.records).map(String::as_str);
        let paths: Vec<&str> = paths.filter(|path| !path.is_empty()).chain([FEATURES]).collect();
        let mut reader = Self::new(source, max_record, &paths)?;
        let Some(chunk) = reader.peek_chunk()? else {
            let first = of_none(choice, reader.layout())?;
            return Ok((reader, first));
        };
        let names = Names::of(chunk, max_record);
        if names.is_empty()
            && let Some(fault) = fault_of_first(chunk, max_record)
        {
            return Err(HeaderError::Record(fault));
        }
        reader.set_features(names.are_features());
        Ok((reader, first_of(choice, &names)))
    }
}

/// The names of the first records, and the plan for all records.
fn first_of(choice: &FeedChoice, names: &Names) -> FirstRecord {
    let all = names.for_detection(&choice.catalogue);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let feed = match feed_of_names(choice, &all) {
        Ok(feed) => feed,
        Err(_) => return first_names(choice, &all),
    };
    let own = names.of_feed(feed);
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let mut first = first_names(choice, &own);
    first.plan = plan_of(choice, feed, &own);
    first
}

/// The plan for records with these names. Later records may have members that the first ones do not have.
fn plan_of(choice: &FeedChoice, feed: &Definition, names: &[&str]) -> Result<Plan, HeaderError> {
    let choice = FeedChoice { feed: Some(feed.name.clone()), ..choice.clone() };
    let mut fields: Vec<String> = Vec::new();
    for name in names {
        let is_it = |other: &String| fold(other) == fold(name);
        let column = feed.column_of_folded(&fold(name));
        // A record with two spellings of one column is rejected, not the file.
        let is_same =
            |other: &String| column.is_some() && feed.column_of_folded(&fold(other)) == column;
        let is_one = column.is_some_and(|column| !feed.get(column).coalesce);
        let is_there = fields.iter().any(|other| is_it(other) || (is_one && is_same(other)));
        if !is_there {
            fields.push((*name).to_owned());
        }
    }
    let found = plan_of_fields(&choice, &fields)?;
    let later = later_fields(feed, &found, &fields);
    fields.extend(later);
    plan_of_fields(&choice, &fields)
}

fn plan_of_fields(choice: &FeedChoice, fields: &[String]) -> Result<Plan, HeaderError> {
    let names: Vec<&str> = fields.iter().map(String::as_str).collect();
    plan_of_names(choice, &names)
}

/// The names of fields that later records may have. They are not those that would change how places are found.
fn later_fields(feed: &Definition, found: &Plan, fields: &[String]) -> Vec<String> {
    let has = |column: ColumnId| found.columns().has(column);
    let mut reserved: Vec<ColumnId> = Vec::new();
    for places in [&feed.origin, &feed.destination] {
        let chosen = places.iter().position(|place| place.columns().all(has));
        let before = &places[..chosen.unwrap_or(0)];
        reserved.extend(before.iter().flat_map(Place::columns));
    }
    let folded: HashSet<String> = fields.iter().map(|name| fold(name)).collect();
    let mut later = Vec::new();
    for (id, column) in (0..).map(ColumnId).zip(&feed.columns) {
        // Each spelling of a column that is made of several has a field.
        let count = match column.coalesce {
            true => column.spellings.len(),
            false => usize::from(!has(id)),
        };
        if reserved.contains(&id) && !has(id) {
            continue;
        }
        let names = column.spellings.iter().zip(&column.folded).take(count);
        later.extend(
            names.filter(|(_, name)| !folded.contains(*name)).map(|(name, _)| name.clone()),
        );
    }
    later
}

/// The columns of a file that has no record.
fn of_none(choice: &FeedChoice, layout: &Layout) -> Result<FirstRecord, HeaderError> {
    let Layout::Lists(path) = layout else { return Err(HeaderError::Empty) };
    let path = path.join(".");
    if let Some(name) = choice.feed.as_ref().filter(|name| choice.catalogue.get(name).is_none()) {
        return Err(HeaderError::UnknownFeed(name.clone()));
    }
    let has_path = |feed: &&Arc<Definition>| feed.form.records.contains(&path);
    let given = choice.feed.as_ref().and_then(|name| choice.catalogue.get(name));
    let by_path = choice.catalogue.feeds().iter().find(has_path).filter(|_| !path.is_empty());
    let feed = given.or(by_path).or(choice.catalogue.get(DEFAULT_FEED));
    let feed = feed.or(choice.catalogue.feeds().first()).ok_or(HeaderError::NoFeeds)?;
    let choice = FeedChoice { feed: Some(feed.name.clone()), ..choice.clone() };
    let names: Vec<&str> = feed.columns.iter().map(|column| column.name.as_str()).collect();
    Ok(first_names(&choice, &names))
}
