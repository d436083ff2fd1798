//! Rows for staging: fields as text, and the reason of the rejection.

use std::borrow::Cow;
use std::collections::{BTreeMap, TryReserveError};
use std::ffi::CStr;

use crate::check::reject::Rejection;
use crate::check::trip_text::TripText;
use crate::columns::{COLUMNS as HISTORY, KEY_COUNT, TripColumn};
use crate::text::escape::storable;
use crate::wire::copy_binary::{self, Cursor, RowWriter};
use crate::wire::line_fault::LineFault;

/// The columns before those of a trip, and after them.
const BEFORE: [&CStr; 2] = [c"load_id", c"line_no"];
const BEHIND: [&CStr; 6] =
    [c"raw_line", c"raw_bytes", c"column_name", c"error_code", c"error", c"record"];
/// The first byte of a `jsonb` in binary COPY: its version. JSON text follows.
const JSONB_VERSION: u8 = 1;
/// Number of columns of a row of staging.
const COUNT: usize = BEFORE.len() + KEY_COUNT + BEHIND.len();

/// The columns of `trips.stg_trip_data` that a load fills, in the order of its rows: those of a trip are texts there.
pub const COLUMNS: [&CStr; COUNT] = columns();

const fn columns() -> [&'static CStr; COUNT] {
    let mut columns = [c""; COUNT];
    let mut i = 0;
    while i < COUNT {
        columns[i] = if i < BEFORE.len() {
            BEFORE[i]
        } else if i < BEFORE.len() + KEY_COUNT {
            HISTORY[i - BEFORE.len()].name
        } else {
            BEHIND[i - BEFORE.len() - KEY_COUNT]
        };
        i += 1;
    }
    columns
}

/// The columns of the rows of [`StagedRows::of_member`].
pub const MEMBER_COLUMNS: [&CStr; COUNT + 2] = {
    let mut columns = [c""; COUNT + 2];
    let mut i = 0;
    while i < COUNT {
        columns[i] = COLUMNS[i];
        i += 1;
    }
    columns[COUNT] = c"member";
    columns[COUNT + 1] = c"row_group";
    columns
};

/// Skips a row of a rejected line, and checks its values. A row has `most` bytes at most.
pub(crate) fn rejected(from: &mut Cursor<'_>, load_id: i64, most: usize) -> Result<(), LineFault> {
    let available = from.0.len();
    match of_load(from, load_id) {
        None if available >= most => Err(LineFault::TooLong),
        None => Err(LineFault::Values),
        Some(_) if available - from.0.len() > most => Err(LineFault::TooLong),
        Some((_, false)) => Err(LineFault::Values),
        Some((false, true)) => Err(LineFault::OtherLoad),
        Some((true, true)) => Ok(()),
    }
}

/// Skips a row. Returns whether the load is this one, and whether the values are valid; None if the row does not end.
fn of_load(from: &mut Cursor<'_>, load_id: i64) -> Option<(bool, bool)> {
    let columns = i16::from_be_bytes(from.array()?);
    let (load, line) = (from.value()?, from.value()?);
    let line = line.and_then(|line| line.try_into().ok()).map(i64::from_be_bytes);
    let is_row = usize::try_from(columns) == Ok(COUNT) && line.is_some_and(|line| line >= 1);
    let is_ours = load == Some(&load_id.to_be_bytes());
    let is_text = |value: &[u8]| !value.contains(&0) && std::str::from_utf8(value).is_ok();
    // The values of a trip, each of which may be missing.
    let mut are_texts = true;
    for _ in 0..KEY_COUNT {
        are_texts &= from.value()?.is_none_or(is_text);
    }
    // The raw line; its bytes; the column, or NULL; the code and the reason; the fields of the record.
    let raw_line = from.value()?;
    from.value()?;
    let (column, code, reason) = (from.value()?, from.value()?, from.value()?);
    let record = from.value()?;
    let is_json = |record: &[u8]| {
        record.split_first().is_some_and(|(version, text)| {
            let object = serde_json::from_slice::<BTreeMap<Cow<'_, str>, Cow<'_, str>>>(text);
            *version == JSONB_VERSION && object.is_ok_and(|o| !o.values().any(|t| t.contains('\0')))
        })
    };
    let is_code = |code: &[u8]| {
        code.len() == 5 && code.iter().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase())
    };
    let is_valid = is_row
        && are_texts
        && raw_line.is_none_or(is_text)
        && column.is_none_or(is_text)
        && record.is_none_or(is_json)
        && code.is_some_and(is_code)
        && reason.is_some_and(is_text);
    Some((is_ours, is_valid))
}

/// Rows of PostgreSQL's binary COPY, with the columns of [`COLUMNS`].
#[derive(Debug, Default)]
pub struct StagedRows {
    bytes: Vec<u8>,
    count: usize,
}

impl StagedRows {
    /// Limit of the bytes of the row of a record with this many bytes.
    pub(crate) fn most_bytes(record: usize) -> usize {
        // A byte that text cannot hold takes four characters in the raw line. The fields, if they are set, repeat the
        // record once: as JSON with their names, and with six bytes for a byte. The reason is short.
        record * 12 + 64 * 1024
    }

    /// Reserves memory for one more row of a record of this many bytes, so that adding it cannot fail.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn reserve(&mut self, record: usize) -> Result<(), TryReserveError> {
        self.bytes.try_reserve(Self::most_bytes(record))
    }

    /// Adds a rejected record: the number of its first line, its raw text, its fields if it has any, and the reason.
    pub fn push_rejected(
        &mut self,
        load_id: i64,
        (line, raw): (u64, &[u8]),
        texts: Option<&TripText<'_>>,
        rejection: &Rejection,
    ) {
        let mut row = self.begin(load_id, line, texts);
        let (raw_line, replaced) = storable(raw);
        row.value(raw_line.as_bytes());
        row.optional(replaced.then_some(raw));
        row.optional(rejection.column.as_ref().map(|column| column.name().as_bytes()));
        row.value(rejection.state.code().as_bytes()).value(rejection.reason.as_bytes()).null();
        self.count += 1;
    }

    /// Adds a rejected record of a feed: the number of its first line, the text that may be kept, its fields as a JSON
    /// object, and the reason.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn push_rejected_record(
        &mut self,
        load_id: i64,
        (line, raw): (u64, Option<&[u8]>),
        record: Option<&str>,
        rejection: &Rejection,
    ) -> Result<(), TryReserveError> {
        let bytes = raw.map_or(0, <[u8]>::len) + record.map_or(0, str::len);
        self.reserve(bytes + rejection.reason.len())?;
        let mut row = self.begin(load_id, line, None);
        let raw_line = raw.map(storable);
        row.optional(raw_line.as_ref().map(|(text, _)| text.as_bytes()));
        row.optional(raw.filter(|_| raw_line.as_ref().is_some_and(|(_, replaced)| *replaced)));
        row.optional(rejection.column.as_ref().map(|column| column.name().as_bytes()));
        row.value(rejection.state.code().as_bytes()).value(rejection.reason.as_bytes());
        jsonb(&mut row, record);
        self.count += 1;
        Ok(())
    }

    /// Adds a record of a feed to be merged later.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn push_waiting_record(
        &mut self,
        load_id: i64,
        line: u64,
        record: Option<&str>,
    ) -> Result<(), TryReserveError> {
        self.reserve(record.map_or(0, str::len))?;
        let mut row = self.begin(load_id, line, None);
        for _ in 1..BEHIND.len() {
            row.null();
        }
        jsonb(&mut row, record);
        self.count += 1;
        Ok(())
    }

    /// Adds a record to be merged later.
    pub fn push_waiting(&mut self, load_id: i64, line: u64, texts: &TripText<'_>) {
        let mut row = self.begin(load_id, line, Some(texts));
        for _ in BEHIND {
            row.null();
        }
        self.count += 1;
    }

    fn begin(&mut self, load_id: i64, line: u64, texts: Option<&TripText<'_>>) -> RowWriter<'_> {
        let mut row = RowWriter::row(&mut self.bytes, COUNT);
        row.int8(load_id).value(&line.to_be_bytes());
        // Fields that text cannot hold exactly are not stored as fields: a merge would accept them.
        let values = texts.and_then(|texts| {
            let exact = |text: Cow<'_, [u8]>| Some(storable(&text)).filter(|s| !s.1).map(|s| s.0);
            let all = TripColumn::ALL.map(|column| exact(texts.text(column)));
            all.into_iter().collect::<Option<Vec<String>>>()
        });
        match values {
            // An empty field is NULL, as COPY has it in CSV.
            Some(values) => values.iter().for_each(|value| {
                row.optional(Some(value.as_bytes()).filter(|value| !value.is_empty()));
            }),
            None => (0..KEY_COUNT).for_each(|_| {
                row.null();
            }),
        }
        row
    }

    /// The same rows with the columns of [`MEMBER_COLUMNS`]: the member of the archive, and where the record is in it, a
    /// row group or none and a number, by its position.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn of_member(
        &self,
        member: Option<&str>,
        place: impl Fn(u64) -> (Option<u64>, u64),
    ) -> Result<Vec<u8>, TryReserveError> {
        let more = member.map_or(0, str::len) + 16;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(self.bytes.len() + self.count * more)?;
        let mut from = Cursor(&self.bytes);
        while from.array::<2>().is_some() {
            let mut row = RowWriter::row(&mut bytes, COUNT + 2);
            row.optional(from.value().flatten());
            let position = from.value().flatten().and_then(|bytes| bytes.try_into().ok());
            let (row_group, number) = place(position.map_or(0, u64::from_be_bytes));
            row.value(&number.to_be_bytes());
            for _ in BEFORE.len()..COUNT {
                row.optional(from.value().flatten());
            }
            row.optional(member.map(str::as_bytes));
            row.optional(row_group.map(u64::to_be_bytes).as_ref().map(|bytes| &bytes[..]));
        }
        Ok(bytes)
    }

    /// Appends other rows.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn append(&mut self, other: &Self) -> Result<(), TryReserveError> {
        self.bytes.try_reserve(other.bytes.len())?;
        self.bytes.extend_from_slice(&other.bytes);
        self.count += other.count;
        Ok(())
    }

    /// A copy of the first rows, which have been checked.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn copy(rows: &[u8], count: usize) -> Result<Self, TryReserveError> {
        Ok(Self { bytes: copy_binary::copy(rows)?, count })
    }

    /// Number of its rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it has no trips.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of memory of the rows.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The rows, one after the other.
    #[must_use]
    pub fn rows(&self) -> &[u8] {
        &self.bytes
    }
}

/// Writes a JSON object, or NULL.
fn jsonb(row: &mut RowWriter<'_>, record: Option<&str>) {
    match record {
        None => row.null(),
        Some(text) => row.joined(&[&[JSONB_VERSION], text.as_bytes()]),
    };
}
