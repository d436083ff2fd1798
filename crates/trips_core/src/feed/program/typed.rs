//! Times that a file has as numbers of a type of times, not as texts.

use super::FeedProgram;
use crate::feed::definition::ColumnId;
use crate::feed::fields::{FieldTime, Fields};
use crate::model::error::ValueError;
use crate::model::time_form::{ParsedTime, TimeKind};
use crate::model::timestamp::{MICROS_PER_DAY, Timestamp};
use crate::model::zone::ZoneClock;

impl FeedProgram {
    /// The time in one column or two; None if it is NULL or a text. `clock` is that of the feed's zone.
    #[inline]
    pub(super) fn typed_time(
        &self,
        columns: &[ColumnId],
        fields: &impl Fields,
        clock: Option<&mut ZoneClock>,
    ) -> Option<Result<ParsedTime, ValueError>> {
        let found = match columns {
            [one] => fields.time(*one)?,
            [date, time] => joined(fields.time(*date)?, fields.time(*time)?)?,
            _ => return None,
        };
        Some(found.and_then(|found| self.as_text_would_be(found, clock)))
    }

    /// The time as the text of the same moment would be read, so that the keys are the same.
    fn as_text_would_be(
        &self,
        found: FieldTime,
        clock: Option<&mut ZoneClock>,
    ) -> Result<ParsedTime, ValueError> {
        let FieldTime { time, is_instant } = found;
        match self.feed.definition.time.kind {
            // Without a zone, the wall clock is that of UTC.
            TimeKind::Local if is_instant => {
                let mut own = None;
                let clock = match clock {
                    Some(clock) => Some(clock),
                    None => {
                        let zone = self.feed.rules.clocks.first().copied().flatten();
                        own.insert(zone.map(ZoneClock::new)).as_mut()
                    }
                };
                let wall = clock.map_or(Ok(time), |clock| clock.local(time).map(|it| it.wall))?;
                Ok(ParsedTime { time: wall, is_instant: false, proof: None })
            }
            TimeKind::Local => Ok(ParsedTime { time, is_instant: false, proof: None }),
            TimeKind::Utc => Ok(ParsedTime { time, is_instant: true, proof: None }),
            TimeKind::Offset => Ok(ParsedTime { time, is_instant, proof: None }),
        }
    }
}

/// A date and a time of day; None if they are something else.
fn joined(
    date: Result<FieldTime, ValueError>,
    time: Result<FieldTime, ValueError>,
) -> Option<Result<FieldTime, ValueError>> {
    let (date, time) = match (date, time) {
        (Ok(date), Ok(time)) => (date, time),
        (Err(error), _) | (_, Err(error)) => return Some(Err(error)),
    };
    let is_date = date.time.0.rem_euclid(MICROS_PER_DAY) == 0;
    let is_time = (0..MICROS_PER_DAY).contains(&time.time.0);
    let sum = date.time.0.checked_add(time.time.0).filter(|_| is_date && is_time)?;
    Some(Ok(FieldTime { time: Timestamp(sum), is_instant: date.is_instant }))
}
