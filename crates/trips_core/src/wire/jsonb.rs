//! The column `details`: a `jsonb` object of a record's values, as PostgreSQL stores it or as JSON text.
//!
//! The bytes are those of `jsonb_in` for the same text, without the varlena header:
//!
//! ```text
//! header (number of keys, kind) | an entry for each key, then for each value | keys | values
//! entry: kind and length; every 32nd one has the end of its bytes instead of their length
//! ```
//!
//! Keys are sorted by length, then by bytes. Numbers and containers begin at a multiple of 4 bytes. All integers have
//! the byte order of this machine, which is the server's.

use std::io::Write;

use chrono::{Datelike, NaiveDate};

use crate::model::canonical::Canonical;
use crate::model::error::{SqlState, ValueError};
use crate::model::timestamp::{MICROS_PER_DAY, POSTGRES_EPOCH, Timestamp};

mod container;
mod numeric;
mod read;
mod tape;

use self::container::{Container, FALSE, NULL, NUMERIC, STRING, TRUE, pad};
use self::numeric::Decimal;
pub use self::read::{copy_value, text_of};
use self::tape::{Node, Tape, Value};

/// The longest details of a record, in bytes.
pub const MAX_DETAILS: usize = 16 * 1024;
/// The longest JSON text that is read. Escapes and blanks make it longer than its details.
const MAX_JSON_TEXT: usize = 8 * MAX_DETAILS;

/// What a [`DetailsWriter`] writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetailsForm {
    /// PostgreSQL's bytes on disk, for this machine.
    OnDisk,
    /// JSON text, for another machine.
    Text,
}

/// Why a record has no details.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    TooLong,
    ZeroByte,
    NotJson,
}

impl From<Stop> for ValueError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::TooLong => Self::new(
                SqlState::ProgramLimitExceeded,
                format!("the details of the record are longer than {MAX_DETAILS} bytes"),
            ),
            Stop::ZeroByte => Self::new(
                SqlState::CharacterNotInRepertoire,
                "the details of the record contain a zero byte",
            ),
            Stop::NotJson => {
                Self::new(SqlState::InvalidTextRepresentation, "the details are not a JSON object")
            }
        }
    }
}

/// Writes the details of records of one feed; its buffers are used again for each record.
#[derive(Debug)]
pub struct DetailsWriter {
    form: DetailsForm,
    /// The names in the order of their keys, and the number of each one's value.
    keys: Vec<(Box<str>, usize)>,
    tape: Tape,
    text: Vec<u8>,
    /// For each key whether the record has a value.
    present: Vec<bool>,
    /// The keys of the last record, which are mostly those of the next one.
    frame: Option<Frame>,
}

/// An object without its values: header, entries, and keys.
#[derive(Debug)]
struct Frame {
    /// Which keys.
    present: Vec<bool>,
    bytes: Vec<u8>,
    /// As if the bytes were at the beginning of their vector.
    object: Container,
}

impl DetailsWriter {
    /// A writer of objects with these keys.
    #[must_use]
    pub fn of(names: &[String], form: DetailsForm) -> Self {
        let mut keys: Vec<(Box<str>, usize)> =
            names.iter().enumerate().map(|(i, name)| (name.as_str().into(), i)).collect();
        keys.sort_by(|a, b| a.0.len().cmp(&b.0.len()).then_with(|| a.0.cmp(&b.0)));
        keys.dedup_by(|later, first| later.0 == first.0);
        let (tape, text, present) = (Tape::default(), Vec::new(), Vec::new());
        Self { form, keys, tape, text, present, frame: None }
    }

    /// Appends the details of a record, from one value for each name. Returns false, and appends nothing, if no value
    /// exists: then the details are NULL.
    ///
    /// A JSON value that `jsonb` cannot hold becomes a JSON string.
    ///
    /// # Errors
    /// 54000 when they are longer than [`MAX_DETAILS`]; 22021 when a value has a zero byte.
    ///
    /// ```
    /// use trips_core::model::canonical::Canonical;
    /// use trips_core::wire::jsonb::{DetailsForm, DetailsWriter, text_of};
    /// let names = ["tip".to_owned(), "bike".to_owned()];
    /// let values = [Some(Canonical::Number(1.5)), Some(Canonical::Text("B7".into()))];
    /// let (mut details, mut text) = (Vec::new(), Vec::new());
    /// assert!(DetailsWriter::of(&names, DetailsForm::OnDisk).write(&values, &mut details)?);
    /// text_of(&details, &mut text).unwrap();
    /// assert_eq!(text, br#"{"tip": 1.5, "bike": "B7"}"#);
    /// # Ok::<(), trips_core::model::error::ValueError>(())
    /// ```
    pub fn write(
        &mut self,
        values: &[Option<Canonical<'_>>],
        out: &mut Vec<u8>,
    ) -> Result<bool, ValueError> {
        let base = out.len();
        let value_of = |number: usize| values.get(number).and_then(Option::as_ref);
        self.present.clear();
        self.present.extend(self.keys.iter().map(|key| value_of(key.1).is_some()));
        if !self.present.contains(&true) {
            return Ok(false);
        }
        let keys = std::mem::take(&mut self.keys);
        let present = keys.iter().filter_map(|key| Some((&*key.0, value_of(key.1)?)));
        let written = match self.form {
            DetailsForm::OnDisk => self.write_bytes(present, base, out),
            DetailsForm::Text => self.write_text(present, base, out),
        };
        self.keys = keys;
        if let Err(stop) = written {
            out.truncate(base);
            return Err(stop.into());
        }
        Ok(true)
    }

    fn write_bytes<'v>(
        &mut self,
        present: impl Iterator<Item = (&'v str, &'v Canonical<'v>)> + Clone,
        base: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let frame = match self.frame.take().filter(|frame| frame.present == self.present) {
            Some(frame) => frame,
            None => Frame::of(&self.present, present.clone().map(|(name, _)| name))?,
        };
        out.extend_from_slice(&frame.bytes);
        let mut object = frame.object.moved(base);
        self.frame = Some(frame);
        for (_, value) in present {
            let start = out.len();
            let kind = self.value(value, base, out)?;
            let length = out.len() - start;
            object.entry(out, kind, length)?;
            if out.len() - base > MAX_DETAILS {
                return Err(Stop::TooLong);
            }
        }
        Ok(())
    }

    /// Appends a value with the padding before it, and returns the kind of its entry.
    fn value(
        &mut self,
        value: &Canonical<'_>,
        base: usize,
        out: &mut Vec<u8>,
    ) -> Result<u32, Stop> {
        match value {
            Canonical::Text(text) => string(text, out),
            Canonical::Time(time) => {
                time_text(*time, out);
                Ok(STRING)
            }
            Canonical::Number(number) if numeric::write_short(*number, base, out) => Ok(NUMERIC),
            Canonical::Number(number) => {
                number_text(*number, &mut self.text);
                let Some(decimal) = Decimal::parse(&self.text) else { return Ok(NULL) };
                decimal.write(base, out);
                Ok(NUMERIC)
            }
            Canonical::Json(text) if text.len() > MAX_JSON_TEXT => Err(Stop::TooLong),
            Canonical::Json(text) => match self.tape.read(text) {
                Some(()) => emit(&mut self.tape, text.as_bytes(), 0, base, out),
                None => string(text, out),
            },
        }
    }

    fn write_text<'v>(
        &mut self,
        present: impl Iterator<Item = (&'v str, &'v Canonical<'v>)>,
        base: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let mut before = b'{';
        for (name, value) in present {
            out.push(before);
            before = b',';
            read::quote(name.as_bytes(), out);
            out.push(b':');
            match value {
                Canonical::Text(text) if text.contains('\0') => return Err(Stop::ZeroByte),
                Canonical::Text(text) => read::quote(text.as_bytes(), out),
                Canonical::Time(time) => {
                    out.push(b'"');
                    time_text(*time, out);
                    out.push(b'"');
                }
                Canonical::Number(number) => {
                    number_text(*number, &mut self.text);
                    out.extend_from_slice(&self.text);
                }
                Canonical::Json(text) if text.len() > MAX_JSON_TEXT => return Err(Stop::TooLong),
                Canonical::Json(text) if self.tape.read(text).is_some() => {
                    out.extend_from_slice(text.as_bytes());
                }
                Canonical::Json(text) if text.contains('\0') => return Err(Stop::ZeroByte),
                Canonical::Json(text) => read::quote(text.as_bytes(), out),
            }
            if out.len() - base > MAX_JSON_TEXT {
                return Err(Stop::TooLong);
            }
        }
        out.push(b'}');
        Ok(())
    }
}

impl Frame {
    fn of<'v>(
        present: &[bool],
        names: impl Iterator<Item = &'v str> + Clone,
    ) -> Result<Self, Stop> {
        let mut bytes = Vec::new();
        let mut object = Container::object(&mut bytes, names.clone().count())?;
        for name in names {
            bytes.extend_from_slice(name.as_bytes());
            object.entry(&mut bytes, STRING, name.len())?;
        }
        Ok(Self { present: present.to_vec(), bytes, object })
    }
}

/// Appends the bytes on disk of a JSON object that another process has written.
///
/// # Errors
/// 22P02 when it is not a JSON object that `jsonb` can hold, 54000 when it is longer than [`MAX_DETAILS`].
pub fn of_text(text: &str, out: &mut Vec<u8>) -> Result<(), ValueError> {
    let base = out.len();
    let mut tape = Tape::default();
    let written = if text.len() > MAX_JSON_TEXT {
        Err(Stop::TooLong)
    } else if tape.read(text).is_none() || !tape.is_object() {
        Err(Stop::NotJson)
    } else {
        emit(&mut tape, text.as_bytes(), 0, base, out)
    };
    let is_long = out.len() - base > MAX_DETAILS;
    let written = if is_long { written.and(Err(Stop::TooLong)) } else { written.map(|_| ()) };
    if written.is_err() {
        out.truncate(base);
    }
    Ok(written?)
}

/// The shortest decimal text of a finite number, without an exponent.
fn number_text(number: f64, out: &mut Vec<u8>) {
    out.clear();
    // A write to a vector does not fail.
    let _ = write!(out, "{}", number + 0.0);
}

/// `YYYY-MM-DD HH:MM:SS`, and the fraction without zeros at its end.
fn time_text(time: Timestamp, out: &mut Vec<u8>) {
    let days = time.0.div_euclid(MICROS_PER_DAY) + i64::from(POSTGRES_EPOCH);
    let day = i32::try_from(days).ok().and_then(NaiveDate::from_num_days_from_ce_opt);
    let micros = time.0.rem_euclid(MICROS_PER_DAY);
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let day = day.unwrap_or_default();
    let _ = write!(
        out,
        "{:04}-{:02}-{:02} {hour:02}:{minute:02}:{second:02}",
        day.year(),
        day.month(),
        day.day()
    );
    if fraction > 0 {
        let _ = write!(out, ".{fraction:06}");
        let zeros = out.iter().rev().take_while(|&&digit| digit == b'0').count();
        out.truncate(out.len() - zeros);
    }
}

fn string(text: &str, out: &mut Vec<u8>) -> Result<u32, Stop> {
    if text.contains('\0') {
        return Err(Stop::ZeroByte);
    }
    out.extend_from_slice(text.as_bytes());
    Ok(STRING)
}

/// Appends the value that begins at this node, and returns the kind of its entry. The tape limits the depth.
fn emit(
    tape: &mut Tape,
    source: &[u8],
    at: u32,
    base: usize,
    out: &mut Vec<u8>,
) -> Result<u32, Stop> {
    let Node { value, .. } = tape.node(at);
    match value {
        Value::Null => Ok(NULL),
        Value::False => Ok(FALSE),
        Value::True => Ok(TRUE),
        Value::String { start, length } => {
            out.extend_from_slice(tape.string(start, length));
            Ok(STRING)
        }
        Value::Number { start, length } => {
            let text = source.get(start as usize..).and_then(|rest| rest.get(..length as usize));
            let decimal = text.and_then(Decimal::parse).ok_or(Stop::NotJson)?;
            decimal.write(base, out);
            Ok(NUMERIC)
        }
        Value::Array { count } => {
            pad(base, out);
            let mut array = Container::array(out, count as usize)?;
            let mut child = at + 1;
            for _ in 0..count {
                emit_entry(tape, source, child, base, out, &mut array)?;
                child = tape.node(child).next;
            }
            Ok(container::CONTAINER)
        }
        Value::Object { .. } => {
            pad(base, out);
            let keys = tape.sort_keys(at);
            let mut object = Container::object(out, keys.len())?;
            for i in keys.clone() {
                let start = out.len();
                let key = tape.key(i);
                emit(tape, source, key, base, out)?;
                let length = out.len() - start;
                object.entry(out, STRING, length)?;
            }
            for i in keys.clone() {
                let value = tape.key(i) + 1;
                emit_entry(tape, source, value, base, out, &mut object)?;
            }
            tape.forget_keys(keys.start);
            Ok(container::CONTAINER)
        }
    }
}

fn emit_entry(
    tape: &mut Tape,
    source: &[u8],
    at: u32,
    base: usize,
    out: &mut Vec<u8>,
    container: &mut Container,
) -> Result<(), Stop> {
    let start = out.len();
    let kind = emit(tape, source, at, base, out)?;
    let length = out.len() - start;
    container.entry(out, kind, length)?;
    if out.len() - base > MAX_DETAILS { Err(Stop::TooLong) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
