//! The forms in which feeds write times.
//!
//! A feed names its forms by patterns in the words of PostgreSQL's `to_char`. Each is compiled once to a small
//! program; the forms of most files have readers at fixed positions before it. No setting of a session counts.
//!
//! | part | what it reads |
//! |---|---|
//! | `YYYY`, `YY` | four digits; two digits, 70-99 of 19xx and 00-69 of 20xx, as PostgreSQL reads them |
//! | `MM` `DD` `HH24` `HH12` | one digit or two |
//! | `MI` `SS` | two digits |
//! | `Mon` | `Jan` to `Dec`, in any case |
//! | `.FF` | `.` or `,`, then one to nine digits, truncated to microseconds |
//! | `AM` | `AM`, `PM`, `a.m.`, `p. m.`, in any case; only with `HH12` |
//! | `TZ` | `Z`, `UTC`, `+HH`, `+HHMM`, `+HH:MM`, or with `-` |
//! | a blank, `T` | a run of blanks, or one `T` |
//! | `[…]` | read if it matches |
//! | other characters | themselves; letters only in double quotes |
//! | `epoch`, `epoch_ms`, `epoch_us`, alone | seconds, milliseconds or microseconds since 1970-01-01 UTC, of the years 1990 to 2099 |
//!
//! PostgreSQL rounds a fraction to microseconds. Here it is truncated, so that no time moves to the next second, and
//! the same time is read from every form of a trip.

mod compile;
#[cfg(test)]
mod cut_tests;
mod epoch;
mod fast;
mod joined;
mod program;
#[cfg(test)]
mod tests;

pub use self::joined::JoinedTime;
use self::joined::MAX_TEXT;

use crate::model::error::{SqlState, ValueError};
use crate::model::timestamp::Timestamp;
use crate::text::escape::quoted;

/// The number of forms that a message lists.
const SHOWN_FORMS: usize = 3;
/// 0001-01-01 00:00:00.
const FIRST: Timestamp = Timestamp(-63_082_281_600_000_000);
/// 9999-12-31 23:59:59.999999.
const LAST: Timestamp = Timestamp(252_455_615_999_999_999);

/// What the times of a feed are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeKind {
    /// The wall clock of the feed's place, without an offset.
    Local,
    /// UTC, with or without an offset.
    Utc,
    /// With an offset from UTC.
    Offset,
}

/// Which of day and month a date has first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayMonthOrder {
    /// `MM/DD`
    MonthFirst,
    /// `DD/MM`
    DayFirst,
}

impl DayMonthOrder {
    /// As a pattern, without a separator that is its feed's: `MM/DD` or `DD/MM`.
    #[must_use]
    pub const fn pattern(self) -> &'static str {
        match self {
            Self::MonthFirst => "MM/DD",
            Self::DayFirst => "DD/MM",
        }
    }

    /// The other order.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::MonthFirst => Self::DayFirst,
            Self::DayFirst => Self::MonthFirst,
        }
    }
}

/// What one value proves of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The order of day and month, where the feed leaves it to the file.
    Order(DayMonthOrder),
    /// This order of day and month, although the feed's forms have the other one.
    OtherOrder(DayMonthOrder),
    /// Its times have an offset from UTC, although the feed says that they have none.
    HasOffset,
    /// Its times have no offset from UTC, although the feed says that they have one.
    NoOffset,
}

/// A time as a text has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParsedTime {
    /// The wall clock of the feed's place, or UTC if it is an instant.
    pub time: Timestamp,
    /// It is an instant: all times are, unless the kind is [`TimeKind::Local`].
    pub is_instant: bool,
    /// What the text proves of its file.
    pub proof: Option<Proof>,
}

/// An invalid pattern of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormError {
    /// Its position among the feed's forms, from 0.
    pub index: usize,
    /// What was expected.
    pub expected: &'static str,
}

#[derive(Debug, Clone)]
enum Reader {
    Epoch(epoch::Unit),
    Pattern { fast: Option<fast::Fast>, ops: Box<[program::Op]> },
}

#[derive(Debug, Clone)]
struct Form {
    pattern: String,
    reader: Reader,
    /// The order of day and month, if a text can contradict it.
    order: Option<DayMonthOrder>,
    /// Another form has the other order and is else the same.
    is_by_file: bool,
}

/// The forms of a feed's times, in the order in which they are tried.
#[derive(Debug, Clone)]
pub struct TimeForms {
    forms: Vec<Form>,
    kind: TimeKind,
    hour_24: bool,
}

impl TimeForms {
    /// Compiles the patterns of a feed. With `hour_24`, `24:00` is midnight of the next day.
    ///
    /// # Errors
    /// The first pattern that is not one, or does not fit the kind.
    ///
    /// ```
    /// use trips_core::model::time_form::{DayMonthOrder, TimeForms, TimeKind};
    /// use trips_core::model::timestamp::Timestamp;
    /// let patterns = ["YYYY-MM-DD HH24:MI[:SS]".to_owned(), "MM/DD/YYYY HH12:MI AM".to_owned()];
    /// let forms = TimeForms::compile(&patterns, TimeKind::Local, false).unwrap();
    /// for text in ["2000-01-01 00:30", "2000-1-1T0:30:00", "1/1/2000 12:30 AM"] {
    ///     let parsed = forms.parse(text.as_bytes(), DayMonthOrder::MonthFirst).unwrap().unwrap();
    ///     assert_eq!(parsed.time, Timestamp(30 * 60 * 1_000_000));
    /// }
    /// ```
    pub fn compile(patterns: &[String], kind: TimeKind, hour_24: bool) -> Result<Self, FormError> {
        Ok(Self { forms: compile::forms(patterns, kind)?, kind, hour_24 })
    }

    /// Whether the order of day and month is the file's: the forms have both orders.
    #[must_use]
    pub fn needs_order(&self) -> bool {
        self.forms.iter().any(|form| form.is_by_file)
    }

    /// The order of the first form of those whose order is the file's; else month first, which has no effect.
    #[must_use]
    pub fn first_order(&self) -> DayMonthOrder {
        let by_file = self.forms.iter().find(|form| form.is_by_file);
        by_file.and_then(|form| form.order).unwrap_or(DayMonthOrder::MonthFirst)
    }

    /// Parses a time, with or without whitespace around it; None for an empty field.
    ///
    /// The first form that reads the whole text as a time that exists counts. Of forms that differ in the order of day
    /// and month alone, those of `order` are tried. A text that only contradicts the feed (another order of day and
    /// month, an offset where none is expected) is a time with a [`Proof`]: it is the file that is wrong.
    ///
    /// # Errors
    /// 22007 when the text has another form, 22008 when there is no such date or time.
    pub fn parse(
        &self,
        value: &[u8],
        order: DayMonthOrder,
    ) -> Result<Option<ParsedTime>, ValueError> {
        let text = value.trim_ascii();
        if text.is_empty() {
            return Ok(None);
        }
        match self.read(text, order) {
            Some(parsed) => Ok(Some(parsed)),
            None => self.read_against_feed(text, order).map(Some),
        }
    }

    /// The order of day and month that a text proves, where the feed leaves it to the file; and whether the text is
    /// another date in each order.
    #[must_use]
    pub fn proven_order(&self, value: &[u8]) -> (Option<DayMonthOrder>, bool) {
        let is_of_file = |form: &&Form| form.is_by_file;
        let text = value.trim_ascii();
        let read = |form| Form::fields(form, text).map(|fields| (form, fields));
        let Some((form, fields)) = self.forms.iter().filter(is_of_file).find_map(read) else {
            return (None, false);
        };
        let as_it_is = fields.time(self.hour_24).is_some();
        let swapped = fields.swapped().time(self.hour_24).is_some();
        let proven = match (as_it_is, swapped) {
            (true, false) => form.order,
            (false, true) => form.order.map(DayMonthOrder::other),
            _ => None,
        };
        (proven, as_it_is && swapped && fields.month != fields.day)
    }

    #[inline(always)]
    fn read(&self, text: &[u8], order: DayMonthOrder) -> Option<ParsedTime> {
        for form in &self.forms {
            if form.is_by_file && form.order != Some(order) {
                continue;
            }
            if let Some(parsed) = self.read_form(form, text) {
                return Some(parsed);
            }
        }
        None
    }

    #[inline(always)]
    fn read_form(&self, form: &Form, text: &[u8]) -> Option<ParsedTime> {
        let mut fields = program::Fields::default();
        match &form.reader {
            Reader::Epoch(unit) => return Some(self.parsed(epoch::read(text, *unit)?, None)),
            Reader::Pattern { fast, ops } => read_fields(*fast, ops, text, &mut fields)?,
        }
        let is_proof = form.is_by_file && fields.day > 12;
        let proof = form.order.filter(|_| is_proof).map(Proof::Order);
        Some(self.parsed(time_of(&fields, self.hour_24)?, proof))
    }

    fn parsed(&self, time: Timestamp, proof: Option<Proof>) -> ParsedTime {
        ParsedTime { time, is_instant: self.kind != TimeKind::Local, proof }
    }

    /// A text that no form reads as a time that exists.
    #[cold]
    fn read_against_feed(
        &self,
        text: &[u8],
        order: DayMonthOrder,
    ) -> Result<ParsedTime, ValueError> {
        let mut has_form = false;
        for form in self.forms.iter().filter(|form| !form.is_by_file || form.order == Some(order)) {
            let Some(fields) = form.fields(text) else { continue };
            has_form = true;
            let swapped = form.order.zip(time_of(&fields.swapped(), self.hour_24));
            if let Some((order, time)) = swapped {
                let proof = if form.is_by_file { Proof::Order } else { Proof::OtherOrder };
                return Ok(self.parsed(time, Some(proof(order.other()))));
            }
        }
        if let Some(parsed) = self.read_other_kind(text, order) {
            return Ok(parsed);
        }
        Err(self.epoch_error(text).unwrap_or_else(|| self.error(text, has_form)))
    }

    /// A text that has an offset and should have none, or the other way round.
    fn read_other_kind(&self, text: &[u8], order: DayMonthOrder) -> Option<ParsedTime> {
        if self.kind == TimeKind::Offset {
            return [b" Z".as_slice(), b"Z"].iter().find_map(|offset| {
                let mut with_offset = [0; MAX_TEXT + 2];
                let len = text.len() + offset.len();
                let with_offset = with_offset.get_mut(..len)?;
                with_offset[..text.len()].copy_from_slice(text);
                with_offset[text.len()..].copy_from_slice(offset);
                let parsed = self.read(with_offset, order)?;
                Some(ParsedTime { proof: Some(Proof::NoOffset), ..parsed })
            });
        }
        let (text, offset) = without_offset(text)?;
        let parsed = self.read(text, order)?;
        let is_utc = self.kind == TimeKind::Utc && offset == 0;
        let proof = if is_utc { parsed.proof } else { Some(Proof::HasOffset) };
        Some(ParsedTime { proof, ..parsed })
    }

    /// The error of a number, if the feed counts from 1970.
    fn epoch_error(&self, text: &[u8]) -> Option<ValueError> {
        let unit_of = |form: &Form| match form.reader {
            Reader::Epoch(unit) => Some(unit),
            Reader::Pattern { .. } => None,
        };
        let units: Vec<epoch::Unit> = self.forms.iter().filter_map(unit_of).collect();
        let reason = epoch::fault(text, &units).filter(|_| !units.is_empty())?;
        Some(ValueError::new(SqlState::DatetimeFieldOverflow, reason))
    }

    fn error(&self, text: &[u8], has_form: bool) -> ValueError {
        if has_form {
            return ValueError::new(
                SqlState::DatetimeFieldOverflow,
                format!("{} is a date or time that does not exist", quoted(text)),
            );
        }
        let patterns: Vec<&str> = self.forms.iter().map(|form| form.pattern.as_str()).collect();
        let expected = match patterns.as_slice() {
            [shown @ .., last] if shown.len() < SHOWN_FORMS && !shown.is_empty() => {
                format!("{} or {last}", shown.join(", "))
            }
            all => {
                let more = if all.len() > SHOWN_FORMS { ", …" } else { "" };
                format!("{}{more}", all[..all.len().min(SHOWN_FORMS)].join(", "))
            }
        };
        ValueError::new(
            SqlState::InvalidDatetimeFormat,
            format!("{} is not a date and time: expected {expected}", quoted(text)),
        )
    }
}

impl Form {
    fn fields(&self, text: &[u8]) -> Option<program::Fields> {
        let Reader::Pattern { fast, ops } = &self.reader else { return None };
        let mut fields = program::Fields::default();
        read_fields(*fast, ops, text, &mut fields).map(|()| fields)
    }
}

/// Reads a text into fresh fields. They are not returned, because copies of them would take longer than the reading.
#[inline(always)]
fn read_fields(
    fast: Option<fast::Fast>,
    ops: &[program::Op],
    text: &[u8],
    fields: &mut program::Fields,
) -> Option<()> {
    if let Some(fast) = fast
        && fast.read(text, fields).is_some()
    {
        return Some(());
    }
    *fields = program::Fields::default();
    program::read(ops, text, fields)
}

/// The time of these fields, moved to UTC if they have an offset.
#[inline(always)]
fn time_of(fields: &program::Fields, hour_24: bool) -> Option<Timestamp> {
    let time = fields.time(hour_24)?;
    in_range(time.0 - i64::from(fields.offset.unwrap_or(0)) * 1_000_000)
}

/// The text without the offset at its end, and this offset.
fn without_offset(text: &[u8]) -> Option<(&[u8], i32)> {
    let begin = match text {
        [head @ .., b'Z' | b'z'] | [head @ .., b'U', b'T', b'C'] => head.len(),
        _ => text.iter().rposition(|byte| matches!(byte, b'+' | b'-'))?,
    };
    let (head, offset) = text.split_at(begin);
    let (offset, rest) = program::zone(offset)?;
    rest.is_empty().then(|| (head.trim_ascii_end(), offset))
}

/// The time, if it is of the years 1 to 9999.
pub(crate) fn in_range(micros: i64) -> Option<Timestamp> {
    let time = Timestamp(micros);
    (FIRST..=LAST).contains(&time).then_some(time)
}
