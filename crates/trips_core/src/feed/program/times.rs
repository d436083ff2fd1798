//! The start and the end of a trip.

use super::scratch::column;
use super::{FeedProgram, Scratch};
use crate::check::reject::{RejectedColumn, Rejection};
use crate::columns::TripColumn;
use crate::feed::definition::{ColumnId, EndedAt};
use crate::feed::fields::Fields;
use crate::feed::place::geojson;
use crate::model::error::{SqlState, ValueError};
use crate::model::time_form::{JoinedTime, ParsedTime};
use crate::model::timestamp::Timestamp;

/// Microseconds in a second.
const SECOND: f64 = 1e6;

/// The end of a trip.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    /// As the file has it.
    Parsed(ParsedTime),
    /// So many microseconds after the start.
    After(i64),
}

impl FeedProgram {
    /// The time in one column or two; None if it is NULL. `line` is for what it proves.
    pub(super) fn time(
        &self,
        columns: &[ColumnId],
        fields: &impl Fields,
        scratch: &mut Scratch,
        line: u64,
    ) -> Result<Option<ParsedTime>, ValueError> {
        let rules = &self.feed.rules;
        let (Some(forms), Some(text)) = (&rules.forms, columns.first()) else { return Ok(None) };
        let Some(first) = fields.text(*text) else { return Ok(None) };
        let Some(trimmed) = rules.nulls.trimmed(&first) else { return Ok(None) };
        let second = columns.get(1).map(|time| fields.text(*time).unwrap_or_default());
        let joined = match &second {
            None => None,
            Some(time) => match rules.nulls.trimmed(time) {
                Some(time) => Some(JoinedTime::of(trimmed, time)),
                None => return Ok(None),
            },
        };
        let text = joined.as_ref().map_or(trimmed, JoinedTime::text);
        let parsed = forms.parse(text, rules.order)?;
        if let Some(proof) = parsed.and_then(|parsed| parsed.proof) {
            scratch.proofs.note(proof, line, text);
        }
        Ok(parsed)
    }

    /// The start of the trip.
    pub(super) fn start(
        &self,
        fields: &impl Fields,
        scratch: &mut Scratch,
        line: u64,
    ) -> Result<ParsedTime, Rejection> {
        let of_start = |error| Rejection::of_value(TripColumn::DateTime, error);
        let columns = &self.feed.definition.time.columns;
        self.time(columns, fields, scratch, line).map_err(of_start)?.ok_or_else(|| {
            let names: Vec<&str> =
                columns.iter().map(|column| &*self.feed.definition.get(*column).name).collect();
            let reason = format!("{} is empty", names.join(" or "));
            of_start(ValueError::new(SqlState::NotNullViolation, reason))
        })
    }

    /// The end of the trip; None if the record does not have it.
    pub(super) fn end(
        &self,
        fields: &impl Fields,
        scratch: &mut Scratch,
        line: u64,
    ) -> Result<Option<End>, Rejection> {
        let of_end = |error| Rejection::of_value(column("ended_at"), error);
        match &self.ended_at {
            None => Ok(None),
            Some(EndedAt::Columns(columns)) => {
                let parsed = self.time(columns, fields, scratch, line).map_err(of_end)?;
                Ok(parsed.map(End::Parsed))
            }
            Some(EndedAt::Points { points, seconds }) => {
                let text = fields.text(*points).unwrap_or_default();
                let Some(text) = self.feed.rules.nulls.trimmed(&text) else { return Ok(None) };
                let count = geojson::positions(text).map_err(of_end)?.count;
                Ok(count.checked_sub(1).map(|steps| End::After(micros(steps, *seconds))))
            }
        }
    }

    /// The wall clock of a time, in the zone of the feed or of an area; and the offset from UTC of an instant, in
    /// minutes.
    pub(super) fn wall(
        parsed: ParsedTime,
        area: Option<usize>,
        scratch: &mut Scratch,
        of: impl Into<RejectedColumn>,
    ) -> Result<(Timestamp, Option<i32>), Rejection> {
        let clock = area.map_or(0, |area| area + 1);
        let clock = scratch.clocks.get_mut(clock).and_then(Option::as_mut);
        match clock.filter(|_| parsed.is_instant) {
            None => Ok((parsed.time, None)),
            Some(clock) => match clock.local(parsed.time) {
                Ok(local) => Ok((local.wall, Some(local.offset_minutes()))),
                Err(error) => Err(Rejection::of_value(of, error)),
            },
        }
    }
}

/// The duration of so many steps of so many seconds, in microseconds.
#[expect(clippy::cast_possible_truncation, reason = "it ends at the greatest number")]
#[expect(clippy::cast_precision_loss, reason = "a record has under 2^53 points")]
fn micros(steps: u64, seconds: f64) -> i64 {
    (steps as f64 * seconds * SECOND).round() as i64
}
