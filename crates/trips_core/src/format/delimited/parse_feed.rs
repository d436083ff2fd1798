//! Parses the records of a feed that has more than the five columns.

use std::collections::TryReserveError;

use crate::check::reject::Rejection;
use crate::feed::plan::Plan;
use crate::feed::program::{FeedProgram, Scratch};
use crate::feed::staged;
use crate::format::delimited::feed_record::{RecordFields, has_fields, kept_text};
use crate::format::delimited::header_state::HeaderState;
use crate::format::delimited::later_header;
use crate::format::delimited::parse::fault_of;
use crate::format::delimited::record::Record;
use crate::format::parser::{Parsed, Parser};
use crate::format::position::Position;

/// What a record of a feed is.
enum Checked {
    /// A trip, which is in the block or in staging.
    Taken,
    /// A trip, which may contain a header.
    MayHideHeader,
    /// No trip.
    Rejected(Rejection),
}

impl Parser {
    /// Processes a record of this header. If it is or contains a header, that one applies after it.
    pub(super) fn take_of_feed(
        &self,
        record: &Record<'_>,
        header: &mut HeaderState,
        has_quotes: bool,
        scratch: &mut Scratch,
        parsed: &mut Parsed,
    ) -> Result<(), TryReserveError> {
        parsed.rows += 1;
        let checked = match &*header {
            HeaderState::Unknown { line } => Checked::Rejected(later_header::not_known(*line)),
            HeaderState::Known(plan) => {
                self.check_of_feed(plan, record, Some(has_quotes), scratch, parsed)?
            }
        };
        if matches!(checked, Checked::Taken) {
            return Ok(());
        }
        if let Some(later) = later_header::find(&self.plan, record, header) {
            let rejection = later.rejection(header);
            self.stage_of_feed(record, header, &rejection, parsed)?;
            self.count_rejected(record, rejection, parsed);
            *header = later.state_after(record.line);
            return Ok(());
        }
        match checked {
            Checked::Taken => {}
            Checked::Rejected(rejection) => {
                self.stage_of_feed(record, header, &rejection, parsed)?;
                self.count_rejected(record, rejection, parsed);
            }
            Checked::MayHideHeader => {
                if let HeaderState::Known(plan) = &*header {
                    self.check_of_feed(plan, record, None, scratch, parsed)?;
                }
            }
        }
        Ok(())
    }

    /// Checks a record. A trip that may contain a header is not taken, unless its chunk's quotes are None.
    fn check_of_feed(
        &self,
        plan: &Plan,
        record: &Record<'_>,
        has_quotes: Option<bool>,
        scratch: &mut Scratch,
        parsed: &mut Parsed,
    ) -> Result<Checked, TryReserveError> {
        let Some(program) = plan.program() else {
            return Ok(Checked::Rejected(later_header::not_known(record.line)));
        };
        if !has_fields(record, plan) {
            return Ok(Checked::Rejected(fault_of(plan, record)));
        }
        let fields = RecordFields::of(record, plan);
        let position = Position::line(record.line);
        let trip = match program.trip(&fields, position, scratch, &self.constraints) {
            Ok(trip) => trip,
            Err(rejection) => return Ok(Checked::Rejected(rejection)),
        };
        let may_hide = |has_quotes: bool| {
            let is_plain = !has_quotes && plan.unused_fields().is_empty();
            !is_plain && later_header::may_hide_in_row(plan, record, has_quotes)
        };
        if has_quotes.is_some_and(may_hide) {
            return Ok(Checked::MayHideHeader);
        }
        let raw = || kept_text(record, plan, program);
        self.take_trip((program, &fields), &trip, position, raw, parsed)?;
        Ok(Checked::Taken)
    }

    /// Stages a rejected record, without the fields that may not be kept.
    fn stage_of_feed(
        &self,
        record: &Record<'_>,
        header: &HeaderState,
        rejection: &Rejection,
        parsed: &mut Parsed,
    ) -> Result<(), TryReserveError> {
        let (raw, json) = match header {
            HeaderState::Known(plan) => match plan.program() {
                Some(program) => kept(record, plan, program),
                None => (None, None),
            },
            // Its fields are unknown.
            HeaderState::Unknown { .. } => (None, None),
        };
        let raw = raw.as_deref();
        parsed.staged.push_rejected_record(
            self.load_id,
            (record.line, raw),
            json.as_deref(),
            rejection,
        )
    }
}

/// The text of a rejected record, and the fields of its columns as JSON.
fn kept<'r>(
    record: &Record<'r>,
    plan: &Plan,
    program: &FeedProgram,
) -> (Option<std::borrow::Cow<'r, [u8]>>, Option<String>) {
    let raw = kept_text(record, plan, program);
    let json = has_fields(record, plan)
        .then(|| staged::json_of(program, &RecordFields::of(record, plan)))
        .flatten();
    (raw, json)
}
