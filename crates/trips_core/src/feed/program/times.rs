//! The start and the end of a trip.

use super::scratch::column;
use super::{FeedProgram, Scratch};
use crate::check::constraints::Constraints;
use crate::check::reject::{RejectedColumn, Rejection};
use crate::columns::TripColumn;
use crate::feed::definition::{ColumnId, EndedAt};
use crate::feed::fields::Fields;
use crate::feed::place::geojson;
use crate::model::error::{SqlState, ValueError};
use crate::model::position::Position;
use crate::model::time_form::{JoinedTime, ParsedTime};
use crate::model::timestamp::Timestamp;

/// Microseconds in a second.
const SECOND: f64 = 1e6;
/// The last year of a time.
const LAST_YEAR: i32 = 9999;

impl FeedProgram {
    /// Calls `take` with the text of the time in one column or two, which are joined by a blank; None if it is NULL.
    pub(crate) fn with_time_text<T>(
        &self,
        columns: &[ColumnId],
        fields: &impl Fields,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Option<T> {
        let nulls = &self.feed.rules.nulls;
        let first = fields.text(*columns.first()?)?;
        let first = nulls.trimmed(&first)?;
        let Some(second) = columns.get(1) else { return Some(take(first)) };
        let second = fields.text(*second)?;
        Some(take(JoinedTime::of(first, nulls.trimmed(&second)?).text()))
    }

    /// The time in one column or two; None if it is NULL. `position` is for what it proves.
    pub(super) fn time(
        &self,
        columns: &[ColumnId],
        fields: &impl Fields,
        scratch: &mut Scratch,
        position: Position,
    ) -> Result<Option<ParsedTime>, ValueError> {
        let rules = &self.feed.rules;
        let clock = scratch.clocks.first_mut().and_then(Option::as_mut);
        if let Some(typed) = self.typed_time(columns, fields, clock) {
            return typed.map(Some);
        }
        let Some(forms) = &rules.forms else { return Ok(None) };
        let parsed = self.with_time_text(columns, fields, |text| {
            let parsed = forms.parse(text, rules.order)?;
            if let Some(proof) = parsed.and_then(|parsed| parsed.proof) {
                scratch.proofs.note(proof, position, text);
            }
            Ok(parsed)
        });
        parsed.transpose().map(Option::flatten)
    }

    /// The start of the trip.
    pub(super) fn start(
        &self,
        fields: &impl Fields,
        scratch: &mut Scratch,
        position: Position,
    ) -> Result<ParsedTime, Rejection> {
        let of_start = |error| Rejection::of_value(TripColumn::DateTime, error);
        let columns = &self.feed.definition.time.columns;
        self.time(columns, fields, scratch, position).map_err(of_start)?.ok_or_else(|| {
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
        start: ParsedTime,
        scratch: &mut Scratch,
        position: Position,
    ) -> Result<Option<ParsedTime>, Rejection> {
        let of_end = |error| Rejection::of_value(column("ended_at"), error);
        match &self.ended_at {
            None => Ok(None),
            Some(EndedAt::Columns(columns)) => {
                self.time(columns, fields, scratch, position).map_err(of_end)
            }
            Some(EndedAt::Points { points, seconds }) => {
                let text = fields.text(*points).unwrap_or_default();
                let Some(text) = self.feed.rules.nulls.trimmed(&text) else { return Ok(None) };
                let count = geojson::positions(text).map_err(of_end)?.count;
                let Some(steps) = count.checked_sub(1) else { return Ok(None) };
                let end = start.time.0.checked_add(micros(steps, *seconds)).map(Timestamp);
                let end = end.filter(|end| end.year() <= LAST_YEAR).ok_or_else(|| {
                    let reason = format!("the end of the trip is after the year {LAST_YEAR}");
                    of_end(ValueError::new(SqlState::DatetimeFieldOverflow, reason))
                })?;
                Ok(Some(ParsedTime { time: end, proof: None, ..start }))
            }
        }
    }

    /// The wall clock of the end, which has the dates of the start.
    pub(super) fn wall_of_end(
        &self,
        end: ParsedTime,
        area: Option<usize>,
        fields: &impl Fields,
        scratch: &mut Scratch,
        constraints: &Constraints,
    ) -> Result<Timestamp, Rejection> {
        let (wall, _) = Self::wall(end, area, scratch, column("ended_at"))?;
        let columns = match &self.ended_at {
            Some(EndedAt::Columns(columns)) => columns.as_slice(),
            _ => &[],
        };
        self.check_time(wall, columns, fields, constraints)
            .map_err(|e| Rejection::of_value(column("ended_at"), e))?;
        Ok(wall)
    }

    /// Rejects a time outside the dates. The text of its columns, if it has some, is for the message.
    pub(super) fn check_time(
        &self,
        time: Timestamp,
        columns: &[ColumnId],
        fields: &impl Fields,
        constraints: &Constraints,
    ) -> Result<(), ValueError> {
        if constraints.check_time(time, b"").is_ok() {
            return Ok(());
        }
        let text = self.with_time_text(columns, fields, <[u8]>::to_vec);
        let text = text.unwrap_or_else(|| time.full_text().into_bytes());
        constraints.check_time(time, &text).map(|_| ())
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
