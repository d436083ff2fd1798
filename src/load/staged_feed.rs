//! Staged records of a feed, which become trips as their file's records do.

use std::sync::Arc;

use trips_core::check::constraints::Constraints;
use trips_core::check::reject::Rejection;
use trips_core::columns::TripColumn;
use trips_core::feed::choice::Options;
use trips_core::feed::day_month::TimeProofs;
use trips_core::feed::definition::IdentityRule;
use trips_core::feed::file_feed::FileFeed;
use trips_core::feed::program::{FeedProgram, FeedTrip, Scratch};
use trips_core::feed::staged::{FeedRecord, RecordForm};
use trips_core::model::error::{SqlState, ValueError};
use trips_core::model::position::Position;
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

impl StagedFeed {
    /// The feed of a load, with the arguments of the load; None if the load has no feed, or the feed was dropped.
    pub fn of_load(load_id: Option<i64>) -> Result<Option<Self>, LoadError> {
        let Some(used) = load_id.map(ledger::feed_of).transpose()?.flatten() else {
            return Ok(None);
        };
        let options = Options { region: used.region, datasource: used.datasource };
        let choice = feeds::choice(Some(&used.feed), options)?;
        let Some(definition) = choice.catalogue.get(&used.feed).cloned() else { return Ok(None) };
        let Some(&dialect) = definition.form.dialects.first() else { return Ok(None) };
        let feed = Arc::new(FileFeed::new(definition, dialect, &choice));
        Ok(Some(Self { feed, last: None }))
    }

    /// The identity of its trips.
    pub fn identity(&self) -> &IdentityRule {
        &self.feed.definition.identity
    }

    /// The trip of a record, which is a JSON object. Its position is for messages.
    pub fn trip(
        &mut self,
        json: &str,
        position: Position,
        constraints: &Constraints,
    ) -> Result<FeedTrip<'_>, Rejection> {
        let definition = &self.feed.definition;
        let record = FeedRecord::of_json(definition, json).ok_or_else(|| {
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
        let form = record.form();
        let last = self.last.take().filter(|(last, ..)| *last == form);
        let feed = &self.feed;
        let (_, program, scratch) = self.last.insert(last.unwrap_or_else(|| {
            let program = record.program(feed);
            let scratch = program.scratch(DetailsForm::OnDisk);
            (form, program, scratch)
        }));
        scratch.proofs = TimeProofs::default();
        program.trip(&record, position, scratch, constraints)?;
        // A time in another order of day and month would be another time.
        if let Some(found) = scratch.proofs.contradiction(order, &definition.name) {
            return Err(of_time(SqlState::DatetimeFieldOverflow, found.message));
        }
        program.trip(&record, position, scratch, constraints)
    }
}

fn of_time(state: SqlState, reason: String) -> Rejection {
    Rejection::of_value(TripColumn::DateTime, ValueError::new(state, reason))
}
