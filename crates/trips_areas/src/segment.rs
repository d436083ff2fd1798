//! A segment: pages of a week, and a directory of them.

use std::collections::TryReserveError;

use super::area::Range;
use super::grid::{GridPoint, PointKind, day_of_week};
use super::page::{self, Corrupt};

/// Limit of the trips of a page: more would make an area's edge coarse. Most pages end when the database page is full.
const PAGE_POINTS: usize = 1440;
/// Limit of the bytes of a page: with PostgreSQL's overhead (64), it fits a database page.
const PAGE_BYTES: usize = 8100;
/// Limit of the pages of a segment: so its directory fits a database page.
pub const MAX_PAGES: usize = 200;
/// Bytes of an entry of the directory: kind, first day, last day, an unused byte, trips in 4 bytes, the least and the
/// greatest number of each coordinate in 4 bytes.
const ENTRY_BYTES: usize = 40;
/// Limit of the trips that are sorted at a time: their indexes have 22 bits.
const SORT_CHUNK: usize = 1 << 22;

/// Pages of a week that are written together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Trips of all pages.
    pub trips: u64,
    /// An entry for each page, in the same order.
    pub directory: Vec<u8>,
    /// The pages.
    pub pages: Vec<Vec<u8>>,
}

/// Makes segments of all points of a week.
///
/// # Errors
/// When there is no memory.
pub fn build(points: &[GridPoint]) -> Result<Vec<Segment>, TryReserveError> {
    SegmentBuilder::default().build(points)
}

/// Makes segments, week after week, in reused memory.
#[derive(Debug, Default)]
pub struct SegmentBuilder {
    keys: Vec<u64>,
    other_keys: Vec<u64>,
    page: Vec<GridPoint>,
}

impl SegmentBuilder {
    /// Makes segments of all points of a week.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn build(&mut self, points: &[GridPoint]) -> Result<Vec<Segment>, TryReserveError> {
        let mut segments: Vec<Segment> = Vec::new();
        self.page.try_reserve(PAGE_POINTS)?;
        for part in points.chunks(SORT_CHUNK) {
            self.sort(part)?;
            for of_kind in self.keys.chunk_by(|a, b| kind_of(*a) == kind_of(*b)) {
                let mut keys = of_kind;
                while !keys.is_empty() {
                    let next = keys.iter().take(PAGE_POINTS).map(|&key| part[index_of(key)]);
                    self.page.clear();
                    self.page.extend(next);
                    keys = &keys[add(&self.page, &mut segments)..];
                }
            }
        }
        Ok(segments)
    }

    /// Makes a key for each point and sorts the keys: by kind, and along Morton's curve, on which near points are
    /// close.
    fn sort(&mut self, points: &[GridPoint]) -> Result<(), TryReserveError> {
        let extents = extents(points);
        // 15 bits of each axis are the order: with the kind, three digits to sort by.
        let shifts = extents.map(|axes| {
            let extent = axes.map(|(least, greatest)| greatest.saturating_sub(least));
            (u32::BITS - extent[0].max(extent[1]).leading_zeros()).saturating_sub(15)
        });
        self.keys.clear();
        self.keys.try_reserve(points.len())?;
        self.keys.extend(points.iter().enumerate().map(|(i, point)| {
            let kind = usize::from(point.kind.number());
            let [x, y] = near(point);
            let along = |axis: usize, column: usize| {
                spread((point.at[column] - extents[kind][axis].0) >> shifts[kind])
            };
            let curve = along(0, x) | along(1, y) << 1;
            (u64::from(point.kind.number()) << 30 | curve) << 22 | i as u64
        }));
        sort_keys(&mut self.keys, &mut self.other_keys)
    }
}

/// The kind of a key's point, as a number.
fn kind_of(key: u64) -> u64 {
    key >> 52
}

/// The point of a key.
fn index_of(key: u64) -> usize {
    usize::try_from(key & (SORT_CHUNK as u64 - 1)).unwrap_or(0)
}

/// The columns that order a trip: its origin, or its destination if the origin is unknown.
fn near(point: &GridPoint) -> [usize; 2] {
    if point.kind.ends()[0] { [0, 1] } else { [2, 3] }
}

/// The least and the greatest longitude and latitude of each kind: their grids differ.
fn extents(points: &[GridPoint]) -> [[(u32, u32); 2]; PointKind::COUNT as usize] {
    let mut extents = [[(u32::MAX, 0_u32); 2]; PointKind::COUNT as usize];
    for point in points {
        let of_kind = &mut extents[usize::from(point.kind.number())];
        for (extent, column) in of_kind.iter_mut().zip(near(point)) {
            *extent = (extent.0.min(point.at[column]), extent.1.max(point.at[column]));
        }
    }
    extents
}

/// Adds a page with the first of these points, as many as fit, and returns their number.
fn add(mut points: &[GridPoint], segments: &mut Vec<Segment>) -> usize {
    let mut columns = page::columns_of(points);
    if page::size(&columns, points.len()) > PAGE_BYTES {
        // Fewer points need no wider columns.
        points = &points[..page::fitting(&columns, PAGE_BYTES)];
        columns = page::columns_of(points);
    }
    if segments.last().is_none_or(|segment| segment.pages.len() == MAX_PAGES) {
        segments.push(Segment::default());
    }
    let Some(segment) = segments.last_mut() else { return points.len() };
    segment.trips += points.len() as u64;
    write_entry(points, &mut segment.directory);
    segment.pages.push(page::encode(points, &columns));
    points.len()
}

/// Appends the directory entry of a page with these points, or nothing if there are none.
///
/// # Panics
/// When there are over 4 billion: a page has some hundred.
pub fn write_entry(points: &[GridPoint], out: &mut Vec<u8>) {
    if points.is_empty() {
        return;
    }
    let minutes = points.iter().map(|point| point.minute);
    let day = |minute: Option<u16>| day_of_week(minute.unwrap_or(0));
    out.push(points[0].kind.number());
    out.extend_from_slice(&[day(minutes.clone().min()), day(minutes.max()), 0]);
    let trips = u32::try_from(points.len()).expect("a page is small");
    out.extend_from_slice(&trips.to_le_bytes());
    for column in 0..4 {
        let (least, greatest) = page::bounds(points, column);
        out.extend_from_slice(&least.to_le_bytes());
        out.extend_from_slice(&greatest.to_le_bytes());
    }
}

/// Puts a zero before each of 15 bits.
fn spread(number: u32) -> u64 {
    let mut x = u64::from(number);
    x = (x | x << 16) & 0x0000_ffff_0000_ffff;
    x = (x | x << 8) & 0x00ff_00ff_00ff_00ff;
    x = (x | x << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    x = (x | x << 2) & 0x3333_3333_3333_3333;
    (x | x << 1) & 0x5555_5555_5555_5555
}

/// Sorts by the bits above the lowest 22, 11 bits at a time. This takes a third of the time of a comparison sort.
fn sort_keys(keys: &mut Vec<u64>, other: &mut Vec<u64>) -> Result<(), TryReserveError> {
    const DIGIT: u64 = (1 << 11) - 1;
    if keys.len() < 4096 {
        keys.sort_unstable();
        return Ok(());
    }
    other.try_reserve(keys.len().saturating_sub(other.len()))?;
    other.resize(keys.len(), 0);
    for shift in [22, 33, 44] {
        let digit = |key: u64| usize::try_from((key >> shift) & DIGIT).unwrap_or(0);
        let mut starts = [0_usize; 1 << 11];
        keys.iter().for_each(|&key| starts[digit(key)] += 1);
        let mut sum = 0;
        for start in &mut starts {
            sum += std::mem::replace(start, sum);
        }
        for &key in &*keys {
            let start = &mut starts[digit(key)];
            other[*start] = key;
            *start += 1;
        }
        std::mem::swap(keys, other);
    }
    Ok(())
}

/// Number of trips of all pages of a directory.
#[must_use]
pub fn trips(directory: &[u8]) -> u64 {
    let entries = Directory(directory).entries();
    entries.map(|entry| entry.map_or(0, |entry| u64::from(entry.trips))).sum()
}

/// An entry of the directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageEntry {
    pub(super) kind: PointKind,
    /// Days of the week, 0 is Monday.
    pub(super) days: (u8, u8),
    pub(super) trips: u32,
    /// Longitudes and latitudes of the origins, and of the destinations.
    pub(super) bounds: [[Range; 2]; 2],
}

/// The directory of a segment.
#[derive(Debug, Clone, Copy)]
pub struct Directory<'a>(&'a [u8]);

impl<'a> Directory<'a> {
    /// The directory in these bytes.
    ///
    /// # Errors
    /// When they are not a directory.
    pub fn of(bytes: &'a [u8]) -> Result<Self, Corrupt> {
        if bytes.len().is_multiple_of(ENTRY_BYTES) { Ok(Self(bytes)) } else { Err(Corrupt) }
    }

    /// Number of pages of the segment.
    #[must_use]
    pub fn pages(&self) -> usize {
        self.0.len() / ENTRY_BYTES
    }

    pub(super) fn entries(self) -> impl Iterator<Item = Result<PageEntry, Corrupt>> + 'a {
        self.0.chunks_exact(ENTRY_BYTES).map(|bytes| {
            let word = |i: usize| {
                let four = bytes[4 * i..4 * i + 4].try_into();
                four.map_or(0, u32::from_le_bytes)
            };
            let range = |i: usize| Range { from: word(i), to: word(i + 1) };
            Ok(PageEntry {
                kind: PointKind::of_number(bytes[0]).ok_or(Corrupt)?,
                days: (bytes[1], bytes[2]),
                trips: word(1),
                bounds: [[range(2), range(4)], [range(6), range(8)]],
            })
        })
    }
}
