//! What identifies a record: the message of its key.

use super::scratch::column;
use super::trip::Times;
use super::{FeedProgram, IdentityValue, PlaceSource, Scratch};
use crate::check::constraints::Constraints;
use crate::check::reject::Rejection;
use crate::columns::TripColumn;
use crate::feed::definition::{ColumnId, ColumnKind};
use crate::feed::fields::Fields;
use crate::key::message::KeyMessage;
use crate::key::{Identity, Scheme, TripKey};
use crate::model::canonical::Canonical;
use crate::model::error::{SqlState, ValueError};
use crate::model::position::Position;
use crate::model::time_form::ParsedTime;
use crate::model::timestamp::Timestamp;

impl FeedProgram {
    /// The time and the key of a record by its identity columns, also if other columns are invalid. None if they are, too,
    /// or if the key is over the five values.
    pub fn identity_of(
        &self,
        fields: &impl Fields,
        position: Position,
        scratch: &mut Scratch,
        constraints: &Constraints,
    ) -> Option<(Timestamp, TripKey)> {
        let start = self.start(fields, scratch, position).ok()?;
        let area_of = |source: Option<&PlaceSource>| {
            self.known(source, fields, start.time.year(), constraints).ok()?.area
        };
        let area = area_of(self.origin.as_ref()).or_else(|| area_of(self.destination.as_ref()));
        let (date_time, offset_minutes) =
            Self::wall(start, area, scratch, TripColumn::DateTime).ok()?;
        let needs_end = self.identity.iter().any(|value| matches!(value, IdentityValue::EndedAt));
        let end = if needs_end { self.end(fields, start, scratch, position).ok()? } else { None };
        let times = Times { start, end, ended_at: None, offset_minutes, area };
        self.message(fields, times, scratch).ok()?;
        Some((date_time, self.made_identity(scratch).key_of_message()?))
    }

    /// The identity of the record whose message is in the buffers.
    pub(super) fn made_identity<'s>(&self, scratch: &'s Scratch) -> Identity<'s> {
        match self.feed.rules.scheme {
            Scheme::Content => Identity::Content,
            Scheme::Columns { occurrence } => {
                Identity::Columns { message: &scratch.message, occurrence }
            }
            Scheme::SourceId => Identity::SourceId(&scratch.message),
        }
    }

    /// The message of the key, unless that is over the five values.
    pub(super) fn message(
        &self,
        fields: &impl Fields,
        times: Times,
        scratch: &mut Scratch,
    ) -> Result<(), Rejection> {
        let count = u16::try_from(self.identity.len()).unwrap_or(u16::MAX);
        let is_id = match self.feed.rules.scheme {
            Scheme::Content => return Ok(()),
            Scheme::Columns { .. } => false,
            Scheme::SourceId => true,
        };
        let mut message = match is_id {
            true => KeyMessage::source_id(&mut scratch.message, &self.namespace, count),
            false => KeyMessage::columns(&mut scratch.message, &self.namespace, count),
        };
        for value in &self.identity {
            match *value {
                IdentityValue::Time => time(&mut message, times.start),
                IdentityValue::EndedAt => match times.end {
                    Some(end) => time(&mut message, end),
                    None => {
                        message.null();
                    }
                },
                IdentityValue::Column(id, kind) => {
                    let of_column = |e| {
                        let name =
                            if is_id { "trip_id" } else { &self.feed.definition.get(id).name };
                        Rejection::of_value(column(name), e)
                    };
                    let value = self.canonical(id, fields).map_err(of_column)?;
                    if is_id && value.is_none() && !self.may_lack(id) {
                        let reason = format!("{} is empty", self.feed.definition.get(id).name);
                        return Err(of_column(ValueError::new(SqlState::NotNullViolation, reason)));
                    }
                    match value {
                        Some(Canonical::Time(_)) if kind == ColumnKind::Time => {
                            self.time_of_column(id, fields, &mut message);
                        }
                        value => {
                            message.canonical(value.as_ref());
                        }
                    }
                }
            }
        }
        message.finish().map_err(|e| Rejection { column: None, state: e.state, reason: e.reason })
    }

    /// Whether a column of the id may be NULL: another one is the feed's own id of a trip, and this one only
    /// separates the trips of several systems.
    #[cold]
    fn may_lack(&self, column: ColumnId) -> bool {
        let is_own = |value: &IdentityValue, own| matches!(value, IdentityValue::Column(id, _) if *id == own);
        let own = self.feed.definition.trip_id.filter(|own| *own != column);
        own.is_some_and(|own| self.identity.iter().any(|value| is_own(value, own)))
    }

    /// A column of times in the key, which is an instant or not.
    fn time_of_column(&self, id: ColumnId, fields: &impl Fields, message: &mut KeyMessage<'_>) {
        if let Some(Ok(parsed)) = self.typed_time(&[id], fields, None) {
            return time(message, parsed);
        }
        let rules = &self.feed.rules;
        let text = fields.text(id).unwrap_or_default();
        let parsed = rules.forms.as_ref().and_then(|f| f.parse(&text, rules.order).ok().flatten());
        match parsed {
            Some(parsed) => time(message, parsed),
            None => {
                message.null();
            }
        }
    }
}

/// A time in a key: an instant if the file has one, or the wall clock.
fn time(message: &mut KeyMessage<'_>, parsed: ParsedTime) {
    if parsed.is_instant {
        message.instant(parsed.time);
    } else {
        message.wall(parsed.time);
    }
}
