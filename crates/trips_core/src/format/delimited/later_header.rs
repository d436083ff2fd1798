//! A header after the first record of a file: concatenated files.
//!
//! What a record is depends only on its own bytes and on the number of columns of the header before it. It does not
//! depend on constraints, nor on whether the record is a valid row. So a reader of a part of the file finds the same
//! headers as a reader of the whole file.
//!
//! A record that seems to name three columns of the feed is not a row. Neither is one that seems to name one or two,
//! and has no point and no time among its fields. It is a header if its fields name each column once. It is a row and a
//! header, joined because a file did not end with a newline, if its first fields are a row's, the next one ends with a
//! name, and with the rest each column is named once; or the other way round. In all other cases the columns of the
//! following records are unknown.
//!
//! A field may seem to be a name without being one (`#Region`, `[Origin Coord]`, `trips.date_time`). Only the feed's
//! own names make a header; less is enough to stop reading rows.

use std::borrow::Cow;
use std::sync::Arc;

use crate::check::reject::Rejection;
use crate::feed::file_feed::FileFeed;
use crate::feed::names::FieldNames;
use crate::feed::plan::Plan;
use crate::format::delimited::header_state::HeaderState;
use crate::format::delimited::record::{FramingError, Record};
use crate::model::error::SqlState;
use crate::model::{point, timestamp};
use crate::text::whitespace;

/// A row never contains this many names of columns.
const NAMES: u32 = 3;
/// Limit of the fields of a later header: each takes memory.
const MAX_VALUES: usize = 16 * 1024;

/// What a record that is not a row says about the columns after it.
#[derive(Debug)]
pub enum Header {
    /// It is a header.
    Whole(Plan),
    /// It is a header, and a row is joined to it.
    Joined(Plan),
    /// It names columns, but their number and order are unknown.
    Unclear,
}

/// Whether a record that became a trip may still contain a header.
///
/// Its time and its points are valid, so they are not names. Region and datasource are two names at most, which are too
/// few. A third name is in an unused column, or in a field with a delimiter or a line end.
#[must_use]
pub fn may_hide_in_row(plan: &Plan, record: &Record<'_>, has_quotes: bool) -> bool {
    let has_more = || {
        memchr::memchr_iter(record.delimiter, record.raw).count() >= record.len()
            || memchr::memchr2(b'\n', b'\r', record.raw).is_some()
    };
    let is_name = |&at: &usize| plan.names().resembles(record.raw_field(at)).is_some();
    plan.unused_fields().iter().any(is_name) || (has_quotes && has_more())
}

/// The header that a record is or contains, in a file with this plan, after records of these columns.
#[must_use]
pub fn find(plan: &Plan, record: &Record<'_>, columns: &HeaderState) -> Option<Header> {
    let (names, columns, delimiter) = (plan.names(), columns.count(), record.delimiter);
    let mask = named(names, record.raw, delimiter);
    // The middle of a line that is too long is lost.
    if named(names, record.tail, delimiter).count_ones() >= NAMES {
        return Some(Header::Unclear);
    }
    if mask == 0 {
        return None;
    }
    let tokens = || tokens(record.raw, delimiter);
    let has_data = tokens().any(is_data);
    let is_header = match mask.count_ones() {
        1 => !has_data && tokens().all(is_word) && tokens().nth(1).is_some(),
        NAMES.. => true,
        _ => !has_data,
    };
    is_header.then(|| certain(plan.feed(), record, columns, has_data).unwrap_or(Header::Unclear))
}

/// The feed's columns that are named somewhere in these bytes, a bit for each.
fn named(names: &FieldNames, bytes: &[u8], delimiter: u8) -> u128 {
    let ends = memchr::memchr3_iter(delimiter, b'\n', b'\r', bytes);
    let ends = ends.chain(std::iter::once(bytes.len()));
    let (mut begin, mut mask) = (0, 0_u128);
    for end in ends {
        // Whitespace and quotes around a name do not belong to it.
        if let Some(column) = names.resembles(&bytes[begin..end]) {
            mask |= 1 << column;
        }
        begin = end + 1;
    }
    mask
}

/// Fast check whether one of several records may be a header or contain one: line ends separate them.
pub(crate) fn may_be_in(plan: &Plan, records: &[u8]) -> bool {
    named(plan.names(), records, plan.feed().dialect.delimiter) != 0
}

/// The text between delimiters and line ends, inside quotes or not, without the quotes around it.
fn tokens(raw: &[u8], delimiter: u8) -> impl Iterator<Item = &[u8]> {
    raw.split(move |byte| *byte == delimiter || matches!(byte, b'\n' | b'\r')).map(unquoted)
}

fn unquoted(token: &[u8]) -> &[u8] {
    let mut token = whitespace::trim_name(token);
    while let [b'"', inner @ ..] | [inner @ .., b'"'] = token {
        token = whitespace::trim_name(inner);
    }
    token
}

/// A time or a point, which is never the name of a column.
fn is_data(value: &[u8]) -> bool {
    match value {
        [b'0'..=b'9', ..] => matches!(timestamp::parse(value), Ok(Some(_))),
        [.., b')'] => matches!(point::parse(value), Ok(Some(_))),
        _ => false,
    }
}

/// The names of a column.
fn is_word(value: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte > 0x7f;
    value.iter().find(|byte| is_letter(byte)).is_some_and(|byte| !byte.is_ascii_digit())
}

type Values<'a> = Vec<Cow<'a, [u8]>>;

fn certain(
    feed: &Arc<FileFeed>,
    record: &Record<'_>,
    columns: Option<usize>,
    has_data: bool,
) -> Option<Header> {
    let values: Values<'_> = match record.error {
        None if record.len() <= MAX_VALUES => record.fields().collect(),
        // A row and a header of which one is quoted are not a record together.
        Some(error) if error != FramingError::TooLong => {
            let split = || record.raw.split(|&byte| byte == record.delimiter);
            split()
                .nth(MAX_VALUES)
                .is_none()
                .then(|| split().map(|v| unquoted(v).into()).collect())?
        }
        _ => return None,
    };
    let is_whole = record.error.is_none() && (!has_data || columns == Some(values.len()));
    let whole = || Plan::of_header(feed, &values).ok();
    if let Some(plan) = is_whole.then(whole).flatten() {
        return Some(Header::Whole(plan));
    }
    let behind_row = [
        columns.and_then(|count| count.checked_sub(1)),
        values.len().checked_sub(feed.names.count),
    ];
    behind_row
        .into_iter()
        .flatten()
        .find_map(|at| behind(feed, &values, at))
        .or_else(|| before(feed, &values))
        .map(Header::Joined)
}

/// A header whose first name is joined to the last value of a row.
fn behind(feed: &Arc<FileFeed>, values: &[Cow<'_, [u8]>], at: usize) -> Option<Plan> {
    let (row, header) = values.split_at_checked(at)?;
    let (first, others) = header.split_first()?;
    let has_data = row.iter().any(|value| is_data(value));
    let is_row = |end: &[u8]| has_data || is_data(unquoted(end));
    let of = |name: &[u8]| {
        let header: Values<'_> =
            std::iter::once(name.to_vec().into()).chain(others.iter().cloned()).collect();
        Plan::of_header(feed, &header).ok()
    };
    let mut splits = feed.names.at_the_end_of(first);
    let joined = splits.find_map(|(end, name)| is_row(end).then(|| of(name)).flatten());
    // The joined field may end with the name of a column that is not the feed's.
    joined.or_else(|| has_data.then(|| of(first)).flatten())
}

/// A header whose last name is joined to the first value of a row of as many columns.
fn before(feed: &Arc<FileFeed>, values: &[Cow<'_, [u8]>]) -> Option<Plan> {
    let (header, row) = values.split_at_checked(values.len().div_ceil(2))?;
    let (last, others) = header.split_last()?;
    let has_data = row.iter().any(|value| is_data(value));
    if row.len() != others.len() {
        return None;
    }
    let of = |name: &[u8]| {
        let header: Values<'_> =
            others.iter().cloned().chain(std::iter::once(name.to_vec().into())).collect();
        Plan::of_header(feed, &header).ok()
    };
    let mut splits = feed.names.at_the_beginning_of(last);
    let is_row = |begin: &[u8]| has_data || is_data(unquoted(begin));
    splits
        .find_map(|(name, begin)| is_row(begin).then(|| of(name)).flatten())
        .or_else(|| has_data.then(|| of(last)).flatten())
}

impl Header {
    /// Why its record is not a row.
    #[must_use]
    pub fn rejection(&self, before: &HeaderState) -> Rejection {
        let reads_as_before =
            |plan: &Plan| matches!(before, HeaderState::Known(b) if b.reads_as(plan));
        let reason = match self {
            Self::Whole(plan) if reads_as_before(plan) => "the record repeats the header",
            Self::Whole(_) => "the record is another header, for the records after it",
            Self::Joined(_) => {
                "the record is a row joined with another header, for the records after it"
            }
            Self::Unclear => {
                "the record is an incomplete header; the columns of the records after it are unknown"
            }
        };
        Rejection::of_record(SqlState::BadCopyFileFormat, reason)
    }

    /// The columns of the records after it.
    #[must_use]
    pub fn state_after(self, line: u64) -> HeaderState {
        match self {
            Self::Whole(plan) | Self::Joined(plan) => HeaderState::Known(Arc::new(plan)),
            Self::Unclear => HeaderState::Unknown { line },
        }
    }
}

/// Why a record after an unclear header is not a row.
#[must_use]
pub fn not_known(line: u64) -> Rejection {
    let reason =
        format!("the columns of the record are unknown: line {line} is an incomplete header");
    Rejection::of_record(SqlState::BadCopyFileFormat, reason)
}
