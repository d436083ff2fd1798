//! Lines of the usual form: five columns without quotes, read in one pass, without looking for the fields first.
//!
//! What is not of this form is read as any record. So this changes no result: a test compares both.

use crate::check::constraints::Constraints;
use crate::check::trip_text;
use crate::columns::TripColumn;
use crate::feed::plan::{ColumnSource, Plan};
use crate::model::number;
use crate::model::point::{self, Point};
use crate::model::timestamp::{self, Timestamp};
use crate::model::trip::Trip;
use crate::text::hash::Ends;

/// The longest record that may be of this form is shorter.
pub(super) const LONGEST: usize = 4096;
/// The most fields: both points may have two.
const FIELDS: usize = 7;
/// Texts that are remembered of a column.
const TEXTS: usize = 128;

/// What a field has.
#[derive(Debug, Clone, Copy)]
enum Field {
    Region,
    Datasource,
    Time,
    /// The origin, or the destination.
    Point(usize),
    Longitude(usize),
    Latitude(usize),
}

/// Reads the lines of a chunk.
#[derive(Debug)]
pub(super) struct UsualLines {
    fields: [Field; FIELDS],
    count: usize,
    delimiter: u8,
    constraints: Constraints,
    regions: KnownTexts,
    datasources: KnownTexts,
}

/// Texts that were valid, by a hash of their bytes: few, so that a file of many texts takes no memory.
#[derive(Debug)]
struct KnownTexts(Vec<(Ends, String)>);

impl UsualLines {
    /// A reader of the records of a plan, if each field is of one of the five columns.
    pub(super) fn of(plan: &Plan, delimiter: u8, constraints: Constraints) -> Option<Self> {
        if plan.program().is_some() || !plan.unused_fields().is_empty() || plan.field_count > FIELDS
        {
            return None;
        }
        let mut fields = [None; FIELDS];
        let mut set = |at: usize, field| {
            let place = fields.get_mut(at)?;
            place.replace(field).is_none().then_some(())
        };
        for column in TripColumn::ALL {
            let point = usize::from(column == TripColumn::Destination);
            match (plan.source(column), column) {
                (ColumnSource::Field(at), TripColumn::Region) => set(at, Field::Region)?,
                (ColumnSource::Field(at), TripColumn::Datasource) => set(at, Field::Datasource)?,
                (ColumnSource::Field(at), TripColumn::DateTime) => set(at, Field::Time)?,
                (ColumnSource::Field(at), _) => set(at, Field::Point(point))?,
                (ColumnSource::FieldPair { longitude, latitude }, _) => {
                    set(longitude, Field::Longitude(point))?;
                    set(latitude, Field::Latitude(point))?;
                }
            }
        }
        let count = plan.field_count;
        if fields[..count].iter().any(Option::is_none) {
            return None;
        }
        let fields = fields.map(|field| field.unwrap_or(Field::Time));
        let (regions, datasources) = (KnownTexts::new(), KnownTexts::new());
        Some(Self { fields, count, delimiter, constraints, regions, datasources })
    }

    /// The trip of the line that these bytes begin with, and its length with its end. None does not say that there is
    /// none.
    #[inline]
    pub(super) fn read(&mut self, bytes: &[u8]) -> Option<(Trip<'_>, usize)> {
        let (mut at, mut time) = (0, None);
        let (mut region, mut datasource) = (None, None);
        let mut points: [Option<Point>; 2] = [None; 2];
        let mut pairs = [[None; 2]; 2];
        for (i, field) in self.fields[..self.count].iter().enumerate() {
            let is_last = i + 1 == self.count;
            let rest = bytes.get(at..)?;
            let length = match *field {
                Field::Region | Field::Datasource => {
                    let length = self.length_of_text(rest, is_last)?;
                    let text = &rest[..length];
                    if matches!(field, Field::Region) {
                        region = Some(self.regions.find(text)?);
                    } else if length > 0 {
                        datasource = Some(self.datasources.find(text)?);
                    }
                    length
                }
                Field::Time => {
                    time = Some(timestamp::prefix(rest)?);
                    timestamp::USUAL
                }
                _ if self.ends(rest, is_last).is_some() => 0,
                Field::Point(which) => {
                    let (point, length) = point::prefix(rest)?;
                    points[which] = Some(point);
                    length
                }
                Field::Longitude(which) | Field::Latitude(which) => {
                    let (number, length) = number::prefix(rest)?;
                    pairs[which][usize::from(matches!(field, Field::Latitude(_)))] = Some(number);
                    length
                }
            };
            at += length + self.ends(&rest[length..], is_last)?;
        }
        for (point, pair) in points.iter_mut().zip(pairs) {
            match pair {
                [None, None] => {}
                [Some(longitude), Some(latitude)] => {
                    *point = Some(Point::in_range(longitude, latitude)?);
                }
                _ => return None,
            }
        }
        let [origin, destination] = points;
        let date_time = self.check(time?, origin, destination)?;
        let region = self.regions.text(region?);
        let datasource = datasource.map(|found| self.datasources.text(found));
        Some((Trip { region, origin, destination, date_time, datasource }, at))
    }

    /// Number of bytes that end a field, if these do.
    #[inline]
    fn ends(&self, rest: &[u8], is_last: bool) -> Option<usize> {
        match rest {
            [byte, ..] if !is_last => (*byte == self.delimiter).then_some(1),
            [b'\n', ..] if is_last => Some(1),
            [b'\r', b'\n', ..] if is_last => Some(2),
            [] if is_last => Some(0),
            _ => None,
        }
    }

    /// Number of bytes of a text, without what ends it.
    #[inline]
    fn length_of_text(&self, rest: &[u8], is_last: bool) -> Option<usize> {
        // A longer text is left to the reader of records: it must not be searched to the end of the chunk.
        let within = &rest[..rest.len().min(LONGEST / 2)];
        let found = self.end_of_text(within);
        if !is_last {
            return found;
        }
        let length = found.or((within.len() == rest.len()).then_some(rest.len()))?;
        Some(length - usize::from(found.is_some() && rest[..length].ends_with(b"\r")))
    }

    /// Where the delimiter or the end of the line is. Most texts are short: a vector costs more than it saves.
    #[inline]
    fn end_of_text(&self, text: &[u8]) -> Option<usize> {
        const ONES: u64 = 0x0101_0101_0101_0101;
        let Some(first) = text.first_chunk::<16>() else {
            return memchr::memchr2(self.delimiter, b'\n', text);
        };
        let (words, _) = first.as_chunks::<8>();
        for (word, at) in words.iter().zip([0, 8]) {
            let word = u64::from_le_bytes(*word);
            // The high bit of the lowest byte that is equal, and perhaps of others behind it.
            let equal = |byte: u8| {
                let other = word ^ (ONES * u64::from(byte));
                other.wrapping_sub(ONES) & !other & (ONES << 7)
            };
            let found = equal(self.delimiter) | equal(b'\n');
            if found != 0 {
                return Some(at + found.trailing_zeros() as usize / 8);
            }
        }
        memchr::memchr2(self.delimiter, b'\n', &text[16..]).map(|at| 16 + at)
    }

    #[inline]
    fn check(
        &self,
        time: Timestamp,
        origin: Option<Point>,
        destination: Option<Point>,
    ) -> Option<Timestamp> {
        self.constraints.check_point(origin).ok()?;
        self.constraints.check_point(destination).ok()?;
        self.constraints.check_time(time, &[]).ok()
    }
}

impl KnownTexts {
    fn new() -> Self {
        Self(vec![(Ends::default(), String::new()); TEXTS])
    }

    /// Where a text is that a field may have as it is: not empty, without whitespace around it, and without a line end.
    #[inline]
    fn find(&mut self, text: &[u8]) -> Option<usize> {
        let ends = Ends::of(text);
        let at = (ends.hash() >> 57) as usize;
        let (known_ends, known) = &mut self.0[at];
        let is_whole = text.len() <= Ends::WHOLE;
        if *known_ends == ends && (is_whole || known.as_bytes() == text) && !text.is_empty() {
            return Some(at);
        }
        if text.contains(&b'\r') {
            return None;
        }
        let valid = trip_text::text(text).ok()??;
        if valid.len() != text.len() {
            return None;
        }
        *known_ends = ends;
        known.clear();
        known.push_str(valid);
        Some(at)
    }

    fn text(&self, at: usize) -> &str {
        &self.0[at].1
    }
}

// Seven bits number the texts.
const _: () = assert!(TEXTS == 1 << 7);

#[cfg(test)]
#[path = "usual_tests.rs"]
mod tests;
