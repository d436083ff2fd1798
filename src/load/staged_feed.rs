//! Staged records of a feed, which become trips as their file's records do.

use std::sync::Arc;

use trips_core::check::constraints::Constraints;
use trips_core::check::reject::Rejection;
use trips_core::columns::TripColumn;
use trips_core::feed::choice::{FeedChoice, Options};
use trips_core::feed::day_month::TimeProofs;
use trips_core::feed::definition::{IdentityRule, SameId};
use trips_core::feed::file_feed::FileFeed;
use trips_core::feed::program::{FeedProgram, FeedTrip, Scratch};
use trips_core::feed::staged::{self, FeedRecord, Preceding, RecordForm};
use trips_core::key::TripKey;
use trips_core::model::error::{SqlState, ValueError};
use trips_core::model::position::Position;
use trips_core::model::timestamp::Timestamp;
use trips_core::wire::jsonb::DetailsForm;

use crate::error::LoadError;
use crate::feeds;
use crate::ledger;

/// The feed of a load, for its staged records.
pub struct StagedFeed {
    feed: Arc<FileFeed>,
    /// The form of the last record, and the program for it.
    last: Option<(RecordForm, FeedProgram, Scratch)>,
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

impl StagedFeed {
    /// The feed of a load, or of a member of its archive, with the arguments of the load; None if it has no feed, or the
    /// feed was dropped.
    pub fn of_load(load_id: Option<i64>, member: Option<&str>) -> Result<Option<Self>, LoadError> {
        let used = load_id.map(|load_id| ledger::feed_of(load_id, member)).transpose()?.flatten();
        let Some((load_id, used)) = load_id.zip(used) else { return Ok(None) };
        let options = Options { region: used.region, datasource: used.datasource };
        Self::of_choice(&used.feed, &feeds::choice_of_load(load_id, &used.feed, options)?)
    }

    /// The feed of this name; None if it was dropped.
    pub fn named(name: &str, options: Options) -> Result<Option<Self>, LoadError> {
        Self::of_choice(name, &feeds::choice(Some(name), options)?)
    }

    fn of_choice(name: &str, choice: &FeedChoice) -> Result<Option<Self>, LoadError> {
        let Some(definition) = choice.catalogue.get(name).cloned() else { return Ok(None) };
        let Some(&dialect) = definition.form.dialects.first() else { return Ok(None) };
        let feed = Arc::new(FileFeed::new(definition, dialect, choice));
        Ok(Some(Self { feed, last: None }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.feed.definition.name
    }

    /// The identity of its trips.
    pub fn identity(&self) -> &IdentityRule {
        &self.feed.definition.identity
    }

    /// Whether a record is staged if a trip with its id has another time.
    pub fn stages_same_ids(&self) -> bool {
        matches!(self.identity(), IdentityRule::SourceId { policy: SameId::Stage, .. })
    }

    /// The trip of a record, which is a JSON object. Its position is for messages.
    pub fn trip(
        &mut self,
        json: &str,
        position: Position,
        constraints: &Constraints,
    ) -> Result<StagedTrip<'_>, Rejection> {
        let record = FeedRecord::of_json(&self.feed.definition, json).ok_or_else(|| {
            let reason = "the column record is not an object of the feed's columns and texts";
            Rejection::of_record(SqlState::InvalidTextRepresentation, reason)
        })?;
        let order = record.order().filter(|_| self.feed.needs_order());
        if order.is_none() && self.feed.needs_order() {
            return Err(of_time(
                SqlState::InvalidDatetimeFormat,
                "the column record has no member $order: expected MM/DD or DD/MM".to_owned(),
            ));
        }
        let stages_same_ids = self.stages_same_ids();
        let name = self.feed.definition.name.clone();
        let (program, scratch) = self.prepare(&record);
        scratch.proofs = TimeProofs::default();
        program.trip(&record, position, scratch, constraints)?;
        // A time in another order of day and month would be another time.
        if let Some(found) = scratch.proofs.contradiction(order, &name) {
            return Err(of_time(SqlState::DatetimeFieldOverflow, found.message));
        }
        let id = stages_same_ids.then(|| staged::id_of(program, &record));
        let trip = program.trip(&record, position, scratch, constraints)?;
        Ok(StagedTrip { trip, preceding: record.preceding(), id })
    }

    /// The time and the key of a record, if its identity columns are valid, and whether it says how many equal records
    /// are trips.
    pub fn identity_of(
        &mut self,
        json: &str,
        position: Position,
        constraints: &Constraints,
    ) -> Option<(Timestamp, TripKey, bool)> {
        let record = FeedRecord::of_json(&self.feed.definition, json)?;
        let (program, scratch) = self.prepare(&record);
        let (date_time, base) = program.identity_of(&record, position, scratch, constraints)?;
        let says = record.preceding().is_some_and(|preceding| preceding.base == base);
        Some((date_time, base, says))
    }

    /// The program for a record, and its buffers.
    fn prepare(&mut self, record: &FeedRecord) -> (&FeedProgram, &mut Scratch) {
        let form = record.form();
        let last = self.last.take().filter(|(last, ..)| *last == form);
        let feed = &self.feed;
        let (_, program, scratch) = self.last.insert(last.unwrap_or_else(|| {
            let program = record.program(feed);
            let scratch = program.scratch(DetailsForm::OnDisk);
            (form, program, scratch)
        }));
        (program, scratch)
    }
}

fn of_time(state: SqlState, reason: String) -> Rejection {
    Rejection::of_value(TripColumn::DateTime, ValueError::new(state, reason))
}
