//! Looks for the causes of one staged record: the rules under which it is a trip.

use std::sync::Arc;

use super::cause::{Cause, RuleTable};
use super::facts;
use crate::check::constraints::Constraints;
use crate::check::reject::Rejection;
use crate::check::trip_text::TripText;
use crate::columns::{KEY_COUNT, TripColumn};
use crate::feed::choice::FeedChoice;
use crate::feed::definition::Definition;
use crate::feed::fields::Fields;
use crate::feed::file_feed::FileFeed;
use crate::feed::staged::{FeedRecord, names_of};
use crate::mend::{StagedReader, mended_texts};
use crate::model::position::Position;

/// Sets of columns for which feeds are looked for.
const COLUMN_SETS: usize = 4;
/// The longest value of an example, characters.
const SHOWN: usize = 120;

/// A staged record.
#[derive(Debug, Clone, Copy, Default)]
pub struct StagedText<'a> {
    /// Its line, or its number.
    pub line: Option<u64>,
    /// The row group of a Parquet file.
    pub row_group: Option<u64>,
    /// The column that was rejected.
    pub column: Option<&'a str>,
    /// The SQLSTATE; None if it has not been checked, or was valid.
    pub code: Option<&'a str>,
    /// The reason.
    pub reason: Option<&'a str>,
    /// The five columns, if one is there.
    pub texts: Option<[&'a [u8]; KEY_COUNT]>,
    /// The record of a feed, if the five columns are not filled in.
    pub record: Option<&'a str>,
    /// The record as text or bytes, if it is kept.
    pub raw: Option<&'a [u8]>,
}

/// What a record is that can be read again.
enum Subject<'a> {
    Five([&'a [u8]; KEY_COUNT]),
    Record(FeedRecord),
    /// It is no record of the feed, or the feed does not exist.
    Unread,
}

/// Reads staged records under all rules.
#[derive(Debug)]
pub struct Checker {
    feed: Option<StagedReader>,
    others: Vec<(String, StagedReader)>,
    column_sets: Vec<Vec<String>>,
    choice: FeedChoice,
    constraints: Constraints,
    rules: RuleTable,
}

impl Checker {
    /// A checker of records of this feed; None if it was dropped, or the load has none.
    #[must_use]
    pub fn new(
        feed: Option<&Arc<Definition>>,
        choice: FeedChoice,
        constraints: Constraints,
    ) -> Self {
        let feed = feed.and_then(|feed| reader(feed, &choice));
        let (others, column_sets, rules) = (Vec::new(), Vec::new(), RuleTable::new());
        Self { feed, others, column_sets, choice, constraints, rules }
    }

    /// The names of the feeds that were tried, in the order of their bits.
    pub(super) fn feeds(&self) -> Vec<&str> {
        self.others.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The causes and the facts of a record, as bits.
    pub(super) fn outcome(&mut self, row: &StagedText<'_>) -> u64 {
        let subject = self.subject(row);
        // Another trip has the id: no other reading changes that. A rounded id may be that of any trip.
        if row.code == Some("23505") {
            return match facts::of_id(&self.id(&subject).unwrap_or_default()) {
                0 => self.of_known_id(&subject),
                rounded => rounded,
            };
        }
        let found = match self.read(&subject, Cause::NONE) {
            Some(Err(rejection)) => self.search(&subject, rejection),
            Some(Ok(())) => Cause::NONE.bit(),
            None => 0,
        };
        match found {
            0 => self.of_other_feeds(row) | self.facts(row, &subject),
            found => found,
        }
    }

    /// Whether the record is valid: then it can correct the trip with its id.
    fn of_known_id(&mut self, subject: &Subject<'_>) -> u64 {
        let has_ids = matches!(subject, Subject::Record(_));
        let is_valid = has_ids && matches!(self.read(subject, Cause::NONE), Some(Ok(())));
        if is_valid { facts::KNOWN_ID } else { 0 }
    }

    /// The rules under which a record is a trip, as few as possible.
    fn search(&mut self, subject: &Subject<'_>, rejection: Rejection) -> u64 {
        let (mut found, mut waiting) = (0, vec![(Cause::NONE, rejection)]);
        while let Some((cause, rejection)) = waiting.pop() {
            for next in cause.next(&rejection) {
                match self.read(subject, next) {
                    Some(Ok(())) => found |= next.bit(),
                    Some(Err(rejection)) => waiting.push((next, rejection)),
                    None => {}
                }
            }
        }
        found
    }

    /// Reads a record by the rules of a cause; None if these change nothing.
    fn read(&mut self, subject: &Subject<'_>, cause: Cause) -> Option<Result<(), Rejection>> {
        let (rules, position) = (self.rules.of(cause), Position::line(0));
        match subject {
            Subject::Five(texts) => {
                let texts = match cause {
                    Cause::NONE => texts.map(Into::into),
                    _ => mended_texts(*texts, rules, &self.constraints)?,
                };
                Some(TripText::of(texts).validate(&self.constraints).map(|_| ()))
            }
            Subject::Record(record) => {
                let reader = self.feed.as_mut()?;
                if cause == Cause::NONE {
                    return Some(reader.check(record, position, &self.constraints));
                }
                let mended = reader.mended(record, rules, position, &self.constraints)?;
                Some(reader.check(&mended, position, &self.constraints))
            }
            Subject::Unread => None,
        }
    }

    fn subject<'a>(&self, row: &StagedText<'a>) -> Subject<'a> {
        match (row.texts, row.record, &self.feed) {
            (Some(texts), ..) => Subject::Five(texts),
            (None, Some(json), Some(feed)) => FeedRecord::of_json(feed.definition(), json)
                .map_or(Subject::Unread, Subject::Record),
            _ => Subject::Unread,
        }
    }

    /// The other feeds under which it is a trip, as bits.
    fn of_other_feeds(&mut self, row: &StagedText<'_>) -> u64 {
        let names = match (row.texts, row.record) {
            (Some(_), _) => TripColumn::ALL.map(|column| column.name().to_owned()).to_vec(),
            (None, Some(json)) => names_of(json).unwrap_or_default(),
            (None, None) => return 0,
        };
        if !self.column_sets.contains(&names) && self.column_sets.len() < COLUMN_SETS {
            self.column_sets.push(names);
            self.find_feeds(row);
        }
        let from = self.feed.as_ref().map(|feed| feed.definition().clone());
        let (mut found, position) = (0, Position::line(0));
        for (number, (_, reader)) in self.others.iter_mut().enumerate() {
            let record = of_feed(row, from.as_deref(), reader.definition());
            let is_trip = record
                .is_some_and(|record| reader.check(&record, position, &self.constraints).is_ok());
            if is_trip {
                found |= facts::of_feed(number);
            }
        }
        found
    }

    /// Adds the other feeds whose columns a record has: those that know most of them first.
    fn find_feeds(&mut self, row: &StagedText<'_>) {
        let from = self.feed.as_ref().map(|feed| feed.definition().clone());
        let own = from.as_ref().map(|feed| feed.name.as_str());
        let mut found = Vec::new();
        for feed in self.choice.catalogue.feeds() {
            let is_known = self.others.iter().any(|(name, _)| *name == feed.name);
            if is_known || own == Some(&*feed.name) {
                continue;
            }
            if let Some(record) = of_feed(row, from.as_deref(), feed) {
                found.push((record.column_count(), feed.clone()));
            }
        }
        found.sort_by_key(|(columns, _)| std::cmp::Reverse(*columns));
        let free = usize::from(facts::FEEDS) - self.others.len();
        for (_, feed) in found.into_iter().take(free) {
            let reader = reader(&feed, &self.choice);
            self.others.extend(reader.map(|reader| (feed.name.clone(), reader)));
        }
    }

    fn facts(&mut self, row: &StagedText<'_>, subject: &Subject<'_>) -> u64 {
        match (row.code, row.raw) {
            (Some("22P04"), Some(raw)) => facts::of_fields(raw, row.reason.unwrap_or_default()),
            (Some("22021"), Some(raw)) => facts::of_bytes(raw),
            (Some("22007" | "22008"), _) => {
                facts::of_time(&self.text_of(subject, row.column).unwrap_or_default())
            }
            _ => 0,
        }
    }

    /// The value of the column that was rejected, cut.
    pub(super) fn value(&mut self, row: &StagedText<'_>) -> Option<String> {
        let subject = self.subject(row);
        let text = self.text_of(&subject, row.column);
        let raw = || row.raw.map(|raw| String::from_utf8_lossy(raw).into_owned());
        let value = text.or_else(raw)?;
        let mut shown: String = value.chars().take(SHOWN).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        // JSON in PostgreSQL has no NUL.
        Some(shown.replace('\0', "\\x00"))
    }

    fn text_of(&mut self, subject: &Subject<'_>, column: Option<&str>) -> Option<String> {
        let column = column?;
        match subject {
            Subject::Five(texts) => {
                let at = TripColumn::ALL.into_iter().find(|it| it.name() == column)?;
                Some(String::from_utf8_lossy(texts[at as usize]).into_owned())
            }
            Subject::Record(record) => {
                let feed = self.feed.as_ref()?;
                match column {
                    "date_time" => feed.time_text(record),
                    "trip_id" => self.id(subject),
                    "origin_coord" => feed.place_texts(record, true),
                    "destination_coord" => feed.place_texts(record, false),
                    _ => feed
                        .definition()
                        .column(column)
                        .and_then(|id| record.text(id))
                        .map(|text| String::from_utf8_lossy(&text).into_owned()),
                }
            }
            Subject::Unread => None,
        }
    }

    fn id(&mut self, subject: &Subject<'_>) -> Option<String> {
        match (subject, self.feed.as_mut()) {
            (Subject::Record(record), Some(feed)) => Some(feed.id_of(record)),
            _ => None,
        }
    }
}

fn reader(feed: &Arc<Definition>, choice: &FeedChoice) -> Option<StagedReader> {
    let dialect = *feed.form.dialects.first()?;
    Some(StagedReader::new(Arc::new(FileFeed::new(feed.clone(), dialect, choice))))
}

/// The record of another feed.
fn of_feed(
    row: &StagedText<'_>,
    from: Option<&Definition>,
    feed: &Definition,
) -> Option<FeedRecord> {
    match (row.texts, row.record) {
        (Some(texts), _) => FeedRecord::of_trip_columns(feed, texts),
        (None, Some(json)) => FeedRecord::of_other_feed(from, feed, json),
        (None, None) => None,
    }
}
