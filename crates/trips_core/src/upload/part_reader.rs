//! Reads parts, a slice at a time: a merge never holds all of a part.

use std::ops::Range;

use crate::check::constraints::Constraints;
use crate::feed::definition::IdentityRule;
use crate::feed::zones::ZoneRow;
use crate::key::{Identity, MAX_MESSAGE};
use crate::model::position::PositionKind;
use crate::model::trip::Trip;
use crate::sort::block::{Block, MAX_TAIL};
use crate::upload::decode::{self, DecodeError};
use crate::upload::part::Piece;
use crate::upload::stations;
use crate::wire::copy_binary::Cursor;
use crate::wire::staged_row::{self, StagedRows};

/// The first bytes of a part: the last one is the version.
pub(crate) const MAGIC: [u8; 8] = *b"trips\0\0\x05";
/// Bytes of the name of a feed.
pub(crate) const FEED_NAME: usize = 64;

/// Number of bytes of a part that are read at a time, unless a row has more.
const SLICE: usize = 1024 * 1024;

/// The bytes before the trips, with the trips' length.
pub(crate) const HEADER: usize = 11 * 8 + FEED_NAME;

/// The kinds of positions, by their numbers in a part.
pub(crate) const KINDS: [PositionKind; 3] =
    [PositionKind::Line, PositionKind::Record, PositionKind::Row];

/// The longest name of a member: each level of archives adds up to 64 KiB.
const MAX_MEMBER: u64 = 1024 * 1024;

/// The source of the bytes of a part.
pub trait PartSource {
    /// Why they cannot be read.
    type Error;

    /// Number of entries.
    fn size(&self) -> usize;

    /// This many bytes, from this one on.
    ///
    /// # Errors
    /// When they cannot be read.
    fn read(&mut self, at: usize, length: usize) -> Result<&[u8], Self::Error>;
}

impl PartSource for &[u8] {
    type Error = DecodeError;

    fn size(&self) -> usize {
        self.len()
    }

    fn read(&mut self, at: usize, length: usize) -> Result<&[u8], DecodeError> {
        self.get(at..).and_then(|rest| rest.get(..length)).ok_or(DecodeError::Length)
    }
}

/// Why a part is not read to its end.
#[derive(Debug)]
pub enum Stop<E> {
    /// It is not a part.
    Part(DecodeError),
    /// An error of its source, or of the receiver of its content.
    Other(E),
}

impl<E> From<DecodeError> for Stop<E> {
    fn from(error: DecodeError) -> Self {
        Self::Part(error)
    }
}

impl From<Stop<Self>> for DecodeError {
    fn from(stop: Stop<Self>) -> Self {
        match stop {
            Stop::Part(error) | Stop::Other(error) => error,
        }
    }
}

/// The header of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartHeader {
    /// The number of the load.
    pub load_id: i64,
    /// Its offset in the file.
    pub first_byte: u64,
    /// Number of bytes of the file that it covers.
    pub bytes: u64,
    /// Number of its records.
    pub rows: u64,
    /// Number of dropped duplicates.
    pub duplicates: u64,
    /// Number of records with the coordinate `(0, 0)`, if it is to be reported.
    pub zero_coordinates: u64,
    /// Units of the content of the file; 0 if offsets are those of its bytes.
    pub content: u64,
    /// Number of the member of an archive, from 1; 0 for a file that is no archive.
    pub member_no: u64,
    /// What the positions of its records count.
    pub kind: PositionKind,
    feed: [u8; FEED_NAME],
}

/// The content of a part.
#[derive(Debug)]
pub enum Content<'a> {
    /// A trip, its tail (an empty one is NULL), what identifies it, and the first line of its record.
    Trip(&'a Trip<'a>, &'a [u8], Identity<'a>, u64),
    /// Some rejected lines, one after the other, and their number.
    Rejected(&'a [u8], usize),
}

/// Their number in a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartCounts {
    /// Its trips.
    pub trips: u64,
    /// Its rejected lines.
    pub rejected: u64,
}

/// A part whose header has been read.
#[derive(Debug)]
pub struct PartReader<S> {
    /// Its header.
    pub header: PartHeader,
    /// The name of the member; empty for a file that is no archive.
    pub member: String,
    source: S,
    trips: Range<usize>,
    rejected: Range<usize>,
    stations: Range<usize>,
}

impl<S: PartSource> PartReader<S> {
    /// Reads the header, and the positions of the trips and the rejected lines.
    ///
    /// # Errors
    /// When it is not the header of a part, or its lengths are not those of the bytes.
    pub fn new(mut source: S) -> Result<Self, Stop<S::Error>> {
        let size = source.size();
        let mut from = Cursor(read(&mut source, 0, HEADER.min(size))?);
        if from.array() != Some(MAGIC) {
            return Err(DecodeError::Magic.into());
        }
        let mut next = || from.number().ok_or(DecodeError::Length);
        let header = PartHeader {
            load_id: i64::from_be_bytes(next()?.to_be_bytes()),
            first_byte: next()?,
            bytes: next()?,
            rows: next()?,
            duplicates: next()?,
            zero_coordinates: next()?,
            content: next()?,
            member_no: next()?,
            kind: kind(next()?)?,
            feed: from.array().ok_or(DecodeError::Length)?,
        };
        let mut next = || from.number().ok_or(DecodeError::Length);
        let trips = section(HEADER, next()?, size)?;
        let rejected = following(&mut source, &trips, size)?;
        let member = following(&mut source, &rejected, size)?;
        if member.len() as u64 > MAX_MEMBER {
            return Err(DecodeError::Length.into());
        }
        let stations = following(&mut source, &member, size)?;
        if stations.end != size || stations.len() > stations::MAX_BYTES {
            return Err(DecodeError::Length.into());
        }
        if !stations.is_empty() && (header.first_byte, header.member_no.min(1)) != (0, 1) {
            return Err(DecodeError::NoStations.into());
        }
        let name = read(&mut source, member.start, member.len())?;
        let name = std::str::from_utf8(name).ok().filter(|name| !name.contains('\0'));
        let name = name.filter(|name| name.is_empty() == (header.member_no == 0));
        let member = name.ok_or(DecodeError::Member)?.to_owned();
        Ok(Self { header, member, source, trips, rejected, stations })
    }

    /// The content that the part is of.
    #[must_use]
    pub fn piece(&self) -> Piece {
        let PartHeader { content, member_no, kind, .. } = self.header;
        Piece { content, member_no, member: self.member.clone(), kind }
    }

    /// The stations of the archive, if it is the part that has them.
    ///
    /// # Errors
    /// When they are not as [`stations::encode`] writes them, or cannot be read.
    pub fn stations(&mut self) -> Result<Vec<ZoneRow>, Stop<S::Error>> {
        let bytes = read(&mut self.source, self.stations.start, self.stations.len())?;
        Ok(stations::decode(bytes)?)
    }

    /// Reads the part, passes its trips and rejected lines to `take`, and checks everything that our own reader checks. The content is
    /// valid only when the end has been reached.
    ///
    /// # Errors
    /// When the bytes are not as [`crate::upload::part::Part::encode`] writes them, with these constraints, this
    /// identity and this length of records; or errors of the source or of `take`.
    pub fn read(
        self,
        constraints: &Constraints,
        rule: &IdentityRule,
        max_record: usize,
        take: impl FnMut(Content<'_>) -> Result<(), S::Error>,
    ) -> Result<PartCounts, Stop<S::Error>> {
        self.read_in_slices((constraints, rule), max_record, SLICE, take)
    }

    pub(crate) fn read_in_slices(
        mut self,
        (constraints, rule): (&Constraints, &IdentityRule),
        max_record: usize,
        slice: usize,
        mut take: impl FnMut(Content<'_>) -> Result<(), S::Error>,
    ) -> Result<PartCounts, Stop<S::Error>> {
        self.stations()?;
        let (mut trips, mut rejected) = (0, 0);
        let mut tail = Vec::new();
        let lengths = (slice, Block::MAX_ENCODED_TRIP + 4 + MAX_TAIL + 8 + 4 + MAX_MESSAGE);
        walk(&mut self.source, self.trips, lengths, |bytes| {
            let (mut from, mut taken) = (Cursor(bytes), 0);
            while !from.0.is_empty() {
                let number = trips + 1;
                let trip = match decode::trip(&mut from, constraints) {
                    Ok(trip) => trip,
                    Err(column) => {
                        return Ok((taken, Some(DecodeError::Trip { number, column })));
                    }
                };
                if decode::tail(&mut from, &mut tail).is_none() {
                    return Ok((taken, Some(DecodeError::Tail { number })));
                }
                let Some((identity, line)) = decode::identity(&mut from, rule) else {
                    return Ok((taken, Some(DecodeError::Identity { number })));
                };
                take(Content::Trip(&trip, &tail, identity, line))?;
                trips += 1;
                taken = bytes.len() - from.0.len();
            }
            Ok((taken, None))
        })?;
        let most = StagedRows::most_bytes(max_record);
        walk(&mut self.source, self.rejected, (slice, most), |bytes| {
            let (mut from, mut taken, mut count, mut wrong) = (Cursor(bytes), 0, 0, None);
            while !from.0.is_empty() {
                let row = staged_row::rejected(&mut from, self.header.load_id, most);
                if let Err(fault) = row {
                    wrong = Some(DecodeError::Line { number: rejected + count + 1, fault });
                    break;
                }
                (taken, count) = (bytes.len() - from.0.len(), count + 1);
            }
            if count > 0 {
                take(Content::Rejected(&bytes[..taken], count))?;
            }
            rejected += count;
            Ok((taken, wrong))
        })?;
        let found = PartCounts { trips: trips as u64, rejected: rejected as u64 };
        self.header.check(found)?;
        Ok(found)
    }
}

impl PartHeader {
    /// The name of the feed of which the part says that it is; empty if it is no name.
    #[must_use]
    pub fn feed_name(&self) -> &str {
        let end = self.feed.iter().position(|&byte| byte == 0).unwrap_or(FEED_NAME);
        let is_padded = self.feed[end..].iter().all(|&byte| byte == 0);
        std::str::from_utf8(&self.feed[..end]).ok().filter(|_| is_padded).unwrap_or_default()
    }

    /// A record has at least one byte, or unit of the content. So sums over the parts of a file stay below its size.
    fn check(&self, found: PartCounts) -> Result<(), DecodeError> {
        let Self { first_byte, bytes, rows, duplicates, zero_coordinates, .. } = *self;
        let found = found.trips + found.rejected;
        let fits = found.checked_add(duplicates) == Some(rows)
            && zero_coordinates <= rows
            && rows <= bytes
            && bytes > 0
            && first_byte.checked_add(bytes).is_some();
        if !fits {
            return Err(DecodeError::Counts { counted: rows.saturating_sub(duplicates), found });
        }
        Ok(())
    }
}

/// The kind of positions with this number.
fn kind(number: u64) -> Result<PositionKind, DecodeError> {
    let kind = usize::try_from(number).ok().and_then(|number| KINDS.get(number).copied());
    kind.ok_or(DecodeError::Length)
}

/// The section behind another one: its length, and its bytes.
fn following<S: PartSource>(
    source: &mut S,
    before: &Range<usize>,
    size: usize,
) -> Result<Range<usize>, Stop<S::Error>> {
    let length = section(before.end, 8, size)?;
    let bytes = read(source, length.start, length.len())?;
    let bytes = Cursor(bytes).number().ok_or(DecodeError::Length)?;
    Ok(section(length.end, bytes, size)?)
}

/// This many bytes from an offset on, if they exist.
fn section(start: usize, length: u64, size: usize) -> Result<Range<usize>, DecodeError> {
    let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length));
    end.filter(|&end| end <= size).map(|end| start..end).ok_or(DecodeError::Length)
}

/// Reads exactly this many bytes.
fn read<S: PartSource>(source: &mut S, at: usize, length: usize) -> Result<&[u8], Stop<S::Error>> {
    let bytes = source.read(at, length).map_err(Stop::Other)?;
    if bytes.len() == length { Ok(bytes) } else { Err(DecodeError::Length.into()) }
}

/// Passes a section in slices. `items` consumes the whole items at the beginning of a slice: it returns their bytes,
/// and the error of the item after them. That item is read again, from its beginning. The error counts only if the
/// section ends with the slice, or if the slice has as many bytes as an item can have.
fn walk<S: PartSource>(
    source: &mut S,
    section: Range<usize>,
    (slice, most): (usize, usize),
    mut items: impl FnMut(&[u8]) -> Result<(usize, Option<DecodeError>), S::Error>,
) -> Result<(), Stop<S::Error>> {
    let (mut at, mut length) = (section.start, slice);
    while at < section.end {
        let left = section.end - at;
        let bytes = read(source, at, length.min(left))?;
        let (taken, wrong) = items(bytes).map_err(Stop::Other)?;
        at += taken;
        match wrong {
            Some(error) if taken == 0 && length >= most.min(left) => return Err(error.into()),
            Some(_) if taken == 0 => length = most,
            _ => length = slice,
        }
    }
    Ok(())
}
