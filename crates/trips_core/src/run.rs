//! A sorted run: as many trips as memory allows, in the order of the history's unique index.

use std::cmp::Ordering;
use std::collections::TryReserveError;

use crate::key::{self, TripKey};
use crate::timestamp::Timestamp;
use crate::trip::Trip;

/// Where the values begin in a row: behind the number of its columns.
const VALUES: usize = 2;
/// What follows the values in a row: trip_key and load_id, each behind its length.
const TAIL: usize = 4 + 16 + 4 + 8;

/// The longest row, without the bytes of its two texts.
const ROW_WITHOUT_TEXTS: usize = VALUES + 5 * 4 + 2 * 16 + 8 + TAIL;

/// A trip's place in the order of the history, and its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// When the trip began.
    pub date_time: Timestamp,
    /// What it is.
    pub key: TripKey,
    offset: u32,
    length: u32,
}

impl Entry {
    /// The order of the unique index `(date_time, trip_key)`.
    #[must_use]
    pub fn cmp_key(&self, date_time: Timestamp, key: &TripKey) -> Ordering {
        self.date_time.cmp(&date_time).then_with(|| self.key.cmp(key))
    }
}

/// Trips as rows of PostgreSQL's binary COPY: region, origin, destination, date_time, datasource,
/// trip_key, load_id.
#[derive(Debug, Default)]
pub struct Run {
    rows: Vec<u8>,
    entries: Vec<Entry>,
}

impl Run {
    /// Adds a trip that came with this load. A run holds 4 GiB of rows at most; the caller's
    /// budget of memory is far under that.
    ///
    /// # Errors
    /// When there is no memory.
    ///
    /// # Panics
    /// When the run is over 4 GiB.
    pub fn push(&mut self, trip: &Trip<'_>, load_id: i64) -> Result<(), TryReserveError> {
        self.rows.try_reserve(ROW_WITHOUT_TEXTS + trip.text_bytes())?;
        self.entries.try_reserve(1)?;
        let offset = self.rows.len();
        self.rows.extend_from_slice(&7_i16.to_be_bytes());
        key::encode(trip, &mut self.rows);
        let key = key::of_encoded(&self.rows[offset + VALUES..]);
        key::encode_value(&key, &mut self.rows);
        key::encode_value(&load_id.to_be_bytes(), &mut self.rows);
        self.entries.push(Entry {
            date_time: trip.date_time,
            key,
            offset: u32::try_from(offset).expect("a run is under 4 GiB"),
            length: u32::try_from(self.rows.len() - offset).expect("a row is under 4 GiB"),
        });
        Ok(())
    }

    /// How many trips it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many bytes of memory the trips take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rows.len() + self.entries.len() * size_of::<Entry>()
    }

    /// Forgets the trips and keeps the memory.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.entries.clear();
    }

    /// Puts the trips in the order of the unique index and drops those that are there twice,
    /// keeping the one that came first. Returns how many were dropped.
    pub fn sort(&mut self) -> usize {
        let before = self.entries.len();
        // The offset grows with the order of the file: the first of equals stays the first.
        self.entries.sort_unstable_by(|a, b| {
            a.cmp_key(b.date_time, &b.key).then_with(|| a.offset.cmp(&b.offset))
        });
        self.entries.dedup_by(|later, first| later.cmp_key(first.date_time, &first.key).is_eq());
        before - self.entries.len()
    }

    /// The trips, in order after [`Run::sort`].
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Keeps the trips for which `keep`, called in order, says so. Returns how many went.
    pub fn retain(&mut self, keep: impl FnMut(&Entry) -> bool) -> usize {
        let before = self.entries.len();
        self.entries.retain(keep);
        before - self.entries.len()
    }

    /// The bytes of a trip's row.
    #[must_use]
    pub fn row(&self, entry: &Entry) -> &[u8] {
        &self.rows[entry.offset as usize..][..entry.length as usize]
    }

    /// The region and the datasource of a trip's row.
    #[must_use]
    pub fn names(&self, entry: &Entry) -> (&str, Option<&str>) {
        let row = self.row(entry);
        let values = &row[VALUES..row.len() - TAIL];
        let (region, rest) = split_value(values);
        // Origin, destination and date_time stand between the two.
        let rest = (0..3).fold(rest, |rest, _| split_value(rest).1);
        (region.unwrap_or_default(), split_value(rest).0)
    }
}

/// The first value of encoded ones, taken as text, and the rest.
fn split_value(values: &[u8]) -> (Option<&str>, &[u8]) {
    let (length, rest) = values.split_at(4);
    let length = i32::from_be_bytes(length.try_into().expect("four bytes"));
    let Ok(length) = usize::try_from(length) else {
        return (None, rest);
    };
    let (value, rest) = rest.split_at(length);
    (std::str::from_utf8(value).ok(), rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trip::TripText;

    fn text<'a>(region: &'a str, date_time: &'a str, datasource: &'a str) -> TripText<'a> {
        TripText {
            region: region.as_bytes().into(),
            origin_coord: b"POINT (1 2)"[..].into(),
            destination_coord: b""[..].into(),
            date_time: date_time.as_bytes().into(),
            datasource: datasource.as_bytes().into(),
        }
    }

    #[test]
    fn sorts_and_drops_doubles() {
        let mut run = Run::default();
        for (load, (region, time, source)) in [
            ("b", "2018-05-02 00:00:00", "x"),
            ("a", "2018-05-01 00:00:00", ""),
            ("b", "2018-05-02 00:00:00", "x"),
        ]
        .into_iter()
        .enumerate()
        {
            let trip = text(region, time, source);
            run.push(&trip.validate().unwrap(), i64::try_from(load).unwrap()).unwrap();
        }
        assert_eq!(run.sort(), 1);
        let names: Vec<_> = run.entries().iter().map(|e| run.names(e)).collect();
        assert_eq!(names, [("a", None), ("b", Some("x"))]);
        // The one that came first is the one that stays: its load is 0.
        assert!(run.row(&run.entries()[1]).ends_with(&0_i64.to_be_bytes()));
        assert_eq!(run.retain(|e| e.date_time.day() % 2 == 0), 1);
        assert_eq!(run.len(), 1);
    }
}
