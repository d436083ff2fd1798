//! Staged records of a feed, which become trips as their file's records do.

use std::sync::Arc;

use trips_core::check::conditions::FoundValues;
use trips_core::check::constraints::Constraints;
use trips_core::check::reject::Rejection;
use trips_core::columns::KEY_COUNT;
use trips_core::feed::choice::{FeedChoice, Options};
use trips_core::feed::definition::{Definition, IdentityRule, SameId};
use trips_core::feed::file_feed::FileFeed;
use trips_core::feed::program::FeedTrip;
use trips_core::feed::staged::{FeedRecord, Preceding};
use trips_core::key::TripKey;
use trips_core::mend::StagedReader;
use trips_core::mend::rules::{Rules, Times};
use trips_core::model::error::SqlState;
use trips_core::model::position::Position;
use trips_core::model::timestamp::Timestamp;

use super::retry::Retry;
use crate::error::LoadError;
use crate::feeds;
use crate::ledger;
use crate::staging::StagedRow;

/// The feed of a load, for its staged records.
pub struct StagedFeed {
    reader: StagedReader,
    rules: Rules,
    /// Present if the records are read as those of another feed than that of the load.
    other: Option<OtherFeed>,
}

/// The feed of a load whose records are read as those of another feed.
struct OtherFeed {
    /// None if it was dropped, or the load has none.
    from: Option<Arc<Definition>>,
    /// Whether a record has the columns of the other feed.
    fits: bool,
}

/// The texts of a staged row.
#[derive(Clone, Copy)]
pub enum StagedTexts<'a> {
    /// The JSON object of a record.
    Record(&'a str),
    /// The five columns.
    Columns([&'a [u8]; KEY_COUNT]),
}

/// A trip of a staged record.
pub struct StagedTrip<'s> {
    /// The trip.
    pub trip: FeedTrip<'s>,
    /// The equal records of its file that are trips, as the record says.
    pub preceding: Option<Preceding>,
    /// Its id for a message, if it is staged again when a trip with its id has another time.
    pub id: Option<String>,
}

/// What a staged row is.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum Found<'s> {
    /// A row of the five columns.
    Columns,
    /// A record without the columns of the feed that the caller names. It stays as it is.
    Nothing,
    /// A record of a feed: a trip, or the reason why it is none.
    Trip(Result<StagedTrip<'s>, Rejection>),
}

/// What a staged row is by the feed of its load, or by the feed that the caller names. Its line is for messages.
pub fn read<'s>(
    feed: &'s mut Option<StagedFeed>,
    row: &StagedRow,
    max_record: usize,
    constraints: &Constraints,
) -> Found<'s> {
    let texts = match (&row.record, &feed, row.values(max_record)) {
        (Some(json), ..) => StagedTexts::Record(json),
        (None, Some(feed), Ok(values)) if feed.is_other() && !row.is_raw => {
            StagedTexts::Columns(values)
        }
        (None, ..) => return Found::Columns,
    };
    match feed {
        Some(feed) => {
            let trip = feed.trip(texts, Position::line(row.line), constraints);
            trip.map_or(Found::Nothing, Found::Trip)
        }
        None => {
            let reason = "the feed of the load does not exist";
            Found::Trip(Err(Rejection::of_record(SqlState::UndefinedObject, reason)))
        }
    }
}

impl StagedFeed {
    /// The feed of a load, or of a member of its archive, with the arguments of the load and of the call; None if it has no
    /// feed, or the feed was dropped.
    pub fn of_load(
        load_id: Option<i64>,
        member: Option<&str>,
        retry: &Retry,
    ) -> Result<Option<Self>, LoadError> {
        let used = load_id.map(|load_id| ledger::feed_of(load_id, member)).transpose()?.flatten();
        let (own, of_load) = match used {
            Some(used) => (Some(used.feed), used.options),
            None => (None, Options::default()),
        };
        let other = retry.feed.as_ref().filter(|feed| own.as_ref() != Some(*feed));
        let Some(name) = other.or(own.as_ref()) else { return Ok(None) };
        let given = retry.options.clone();
        let options = Options {
            region: given.region.or(of_load.region),
            datasource: given.datasource.or(of_load.datasource),
            on_change: given.on_change.or(of_load.on_change),
        };
        let choice = match load_id {
            Some(load_id) => feeds::choice_of_load(load_id, name, options)?,
            None => feeds::choice(Some(name), options)?,
        };
        let Some(feed) = Self::of_choice(name, &choice)? else { return Ok(None) };
        let other = match (other, &own) {
            (None, _) => None,
            (Some(_), None) => Some(OtherFeed { from: None, fits: false }),
            (Some(_), Some(own)) => {
                let choice = feeds::choice(None, Options::default())?;
                Some(OtherFeed { from: choice.catalogue.get(own).cloned(), fits: false })
            }
        };
        Ok(Some(Self { rules: retry.rules.clone(), other, ..feed }))
    }

    /// The feed of this name; None if it was dropped.
    pub fn named(name: &str, options: Options) -> Result<Option<Self>, LoadError> {
        Self::of_choice(name, &feeds::choice(Some(name), options)?)
    }

    fn of_choice(name: &str, choice: &FeedChoice) -> Result<Option<Self>, LoadError> {
        let Some(definition) = choice.catalogue.get(name).cloned() else { return Ok(None) };
        let Some(&dialect) = definition.form.dialects.first() else { return Ok(None) };
        let reader = StagedReader::new(Arc::new(FileFeed::new(definition, dialect, choice)));
        Ok(Some(Self { reader, rules: Rules::default(), other: None }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.reader.definition().name
    }

    /// The identity of its trips.
    pub fn identity(&self) -> &IdentityRule {
        &self.reader.definition().identity
    }

    /// Whether it has a time zone.
    pub fn has_zone(&self) -> bool {
        self.reader.has_zone()
    }

    /// Whether records are read as those of another feed than that of the load.
    pub fn is_other(&self) -> bool {
        self.other.is_some()
    }

    /// Whether a record had the columns of that feed so far.
    pub fn fits(&self) -> bool {
        self.other.as_ref().is_none_or(|other| other.fits)
    }

    /// Whether a record is staged if a trip with its id has another time.
    pub fn stages_same_ids(&self) -> bool {
        matches!(self.identity(), IdentityRule::SourceId { policy: SameId::Stage, .. })
    }

    /// The trip of a record. Its position is for messages. None if it has not the columns of the feed that the caller names.
    pub fn trip(
        &mut self,
        texts: StagedTexts<'_>,
        position: Position,
        constraints: &Constraints,
    ) -> Option<Result<StagedTrip<'_>, Rejection>> {
        let Some(mut record) = self.record(texts) else {
            let reason = "the column record is not an object of the feed's columns and texts";
            let is_own = self.other.is_none();
            return is_own
                .then(|| Err(Rejection::of_record(SqlState::InvalidTextRepresentation, reason)));
        };
        if let Some(other) = &mut self.other {
            other.fits = true;
        }
        if !self.rules.is_empty()
            && let Some(mended) = self.reader.mended(&record, &self.rules, position, constraints)
        {
            record = mended;
        }
        let id = self.stages_same_ids().then(|| self.reader.id_of(&record));
        let preceding = record.preceding();
        let trip = self.reader.trip(&record, position, constraints);
        Some(trip.map(|trip| StagedTrip { trip, preceding, id }))
    }

    /// Whether a time of a record is a date in the other order of day and month only.
    pub fn contradicts(&self, json: &str, times: &Times) -> bool {
        let record = self.record(StagedTexts::Record(json));
        record.is_some_and(|record| self.reader.contradicts(&record, times))
    }

    fn record(&self, texts: StagedTexts<'_>) -> Option<FeedRecord> {
        let feed = self.reader.definition();
        match (texts, &self.other) {
            (StagedTexts::Record(json), None) => FeedRecord::of_json(feed, json),
            (StagedTexts::Record(json), Some(other)) => {
                FeedRecord::of_other_feed(other.from.as_deref(), feed, json)
            }
            (StagedTexts::Columns(texts), _) => FeedRecord::of_trip_columns(feed, texts),
        }
    }

    /// The time and the key of a record, if its identity columns are valid, and whether it says how many equal records
    /// are trips.
    pub fn identity_of(
        &mut self,
        json: &str,
        position: Position,
        constraints: &Constraints,
    ) -> Option<(Timestamp, TripKey, bool)> {
        let record = FeedRecord::of_json(self.reader.definition(), json)?;
        let (date_time, base) = self.reader.identity_of(&record, position, constraints)?;
        let says = record.preceding().is_some_and(|preceding| preceding.base == base);
        Some((date_time, base, says))
    }

    /// What a record says of its values, each by itself.
    pub fn found_values(
        &mut self,
        json: &str,
        position: Position,
        constraints: &Constraints,
    ) -> FoundValues {
        match FeedRecord::of_json(self.reader.definition(), json) {
            Some(record) => self.reader.found_values(&record, position, constraints),
            None => FoundValues::UNKNOWN,
        }
    }
}
