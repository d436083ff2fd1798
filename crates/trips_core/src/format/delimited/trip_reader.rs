//! Reads single records as trips, for previews.

use std::sync::Arc;

use crate::check::constraints::Constraints;
use crate::check::reject::Rejection;
use crate::feed::plan::Plan;
use crate::feed::program::{FeedProgram, FeedTrip, Scratch};
use crate::format::delimited::feed_record::{RecordFields, has_fields};
use crate::format::delimited::parse::fault_of;
use crate::format::delimited::record::Record;
use crate::format::fields_record::RecordOrFault;
use crate::format::position::Position;
use crate::wire::jsonb::DetailsForm;

/// Reads the records after one header, one at a time. A load reads them as the same trips.
#[derive(Debug)]
pub struct TripReader {
    plan: Plan,
    program: Arc<FeedProgram>,
    scratch: Scratch,
}

impl TripReader {
    /// A reader of records of this plan. `form` is that of the details in the tail of a trip.
    #[must_use]
    pub fn new(plan: Plan, form: DetailsForm) -> Self {
        let program = plan.any_program();
        let scratch = program.scratch(form);
        Self { plan, program, scratch }
    }

    /// The trip of a record.
    ///
    /// # Errors
    /// Why the record is not a trip.
    pub fn read(
        &mut self,
        record: &Record<'_>,
        constraints: &Constraints,
    ) -> Result<FeedTrip<'_>, Rejection> {
        if !has_fields(record, &self.plan) {
            return Err(fault_of(&self.plan, record));
        }
        let fields = RecordFields::of(record, &self.plan);
        let position = Position::line(record.line);
        self.program.trip(&fields, position, &mut self.scratch, constraints)
    }

    /// The trip of a record of any format.
    ///
    /// # Errors
    /// Why the record is not a trip.
    pub fn read_fields(
        &mut self,
        record: RecordOrFault<'_>,
        constraints: &Constraints,
    ) -> Result<FeedTrip<'_>, Rejection> {
        let RecordOrFault { position, fields } = record;
        self.program.trip(&fields?, position, &mut self.scratch, constraints)
    }

    /// The buffers, with what the times of the records prove.
    #[must_use]
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }
}
