//! What a merge does with staged rows: trips are deleted from staging, the other rows get the reason why they stay.

use trips_core::check::constraints::Constraints;
use trips_core::check::reject::Rejection;
use trips_core::check::trip_text::TripText;
use trips_core::feed::staged::Preceding;
use trips_core::sort::occurrences::EqualRecords;
use trips_core::sort::record_texts::RecordText;

use super::retry::Retry;
use super::runs::{Loader, RunBuilder};
use super::staged_feed::StagedTrip;
use crate::error::LoadError;
use crate::history::NewPartitions;
use crate::staging::{self, StagedRow};

/// Rows of one statement.
const ROWS_AT_ONCE: usize = 1000;

/// What a merge does with some staged rows, by their ctid.
#[derive(Debug, Default)]
pub struct MergedRows {
    promoted: Vec<String>,
    rejected: Vec<(String, Rejection)>,
    raw: Vec<String>,
    /// Trips that may stay because of their ids, by their numbers.
    undecided: Vec<(u64, String)>,
}

impl MergedRows {
    /// Checks a row. A trip goes to the run unless it needs one new partition too many.
    pub fn add(
        &mut self,
        row: &StagedRow,
        (max_record, constraints, retry): (usize, &Constraints, &Retry),
        new_partitions: &mut NewPartitions,
        run: &mut RunBuilder,
    ) -> Result<(), LoadError> {
        let ctid = row.ctid.clone();
        if row.is_raw {
            self.raw.push(ctid);
            return Ok(());
        }
        let texts =
            row.values(max_record).map(|values| TripText::of(retry.texts(values, constraints)));
        match texts.as_ref().map_err(Clone::clone).and_then(|texts| texts.validate(constraints)) {
            Ok(trip) => match new_partitions.refuse(trip.date_time)? {
                None => {
                    run.push(&trip, &[])?;
                    self.promoted.push(ctid);
                }
                Some(rejection) => self.rejected.push((ctid, rejection)),
            },
            Err(rejection) => self.rejected.push((ctid, rejection)),
        }
        Ok(())
    }

    /// The same for a record of a feed.
    pub fn add_of_feed(
        &mut self,
        (row, order): (&StagedRow, u64),
        trip: Result<StagedTrip<'_>, Rejection>,
        new_partitions: &mut NewPartitions,
        (run, loader): (&mut RunBuilder, &mut Loader<'_>),
    ) -> Result<(), LoadError> {
        let ctid = row.ctid.clone();
        let refused = match &trip {
            Ok(StagedTrip { trip, .. }) => new_partitions.refuse(trip.trip.date_time)?,
            Err(rejection) => Some(rejection.clone()),
        };
        match (trip, refused) {
            (Ok(StagedTrip { trip, preceding, id }), None) => {
                let base = trip.identity.key_of_message();
                if let Some(Preceding { base, records }) =
                    preceding.filter(|preceding| Some(preceding.base) == base)
                {
                    let date_time = trip.trip.date_time;
                    loader.continue_after(EqualRecords { date_time, base, records })?;
                }
                if let Some(id) = &id {
                    run.keep_text(
                        order,
                        &RecordText { line: row.line, id, ..RecordText::default() },
                    )?;
                }
                run.push_feed(&trip.trip, trip.tail, trip.identity, order)?;
                match id {
                    Some(_) => self.undecided.push((order, ctid)),
                    None => self.promoted.push(ctid),
                }
            }
            (_, Some(rejection)) => self.rejected.push((ctid, rejection)),
            (Err(rejection), None) => self.rejected.push((ctid, rejection)),
        }
        Ok(())
    }

    /// Number of the rows that are trips so far.
    pub fn trips(&self) -> usize {
        self.promoted.len() + self.undecided.len()
    }

    /// Deletes the trips from staging; the other rows get the reason why they stay. Trips that may stay go to `undecided`.
    pub fn apply(
        mut self,
        load_id: i64,
        undecided: &mut Vec<(u64, String)>,
    ) -> Result<(), LoadError> {
        undecided.try_reserve(self.undecided.len())?;
        undecided.append(&mut self.undecided);
        staging::delete(&self.promoted)?;
        staging::reject(load_id, &self.rejected)?;
        staging::adopt(load_id, &self.raw)
    }
}

/// Deletes the trips of a run from staging, but for those that were refused. Both are in the order of their numbers.
pub fn decide(
    load_id: i64,
    undecided: Vec<(u64, String)>,
    refused: Vec<(u64, Rejection)>,
) -> Result<(), LoadError> {
    let (mut refused, mut merged) = (refused.into_iter().peekable(), MergedRows::default());
    for (order, ctid) in undecided {
        match refused.next_if(|(refused, _)| *refused == order) {
            Some((_, rejection)) => merged.rejected.push((ctid, rejection)),
            None => merged.promoted.push(ctid),
        }
        if merged.promoted.len() + merged.rejected.len() >= ROWS_AT_ONCE {
            std::mem::take(&mut merged).apply(load_id, &mut Vec::new())?;
        }
    }
    merged.apply(load_id, &mut Vec::new())
}
