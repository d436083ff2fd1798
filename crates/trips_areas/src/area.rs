//! An area: a box of longitudes and latitudes, also across the antimeridian.

use super::coord::Coord;
use super::grid::{degrees, number, scale};

/// Why a box is not an area.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum AreaError {
    /// A number is NaN or infinite.
    #[error("{0} {1} is not a finite number")]
    NotFinite(&'static str, f64),
    /// A number is out of its range.
    #[error("{0} {1} is out of range: expected -{2} to {2}")]
    OutOfRange(&'static str, f64, f64),
    /// South is north of north.
    #[error("south {0} is greater than north {1}")]
    Inverted(f64, f64),
}

/// The corners of the box from west to east. If west is greater than east, the box crosses the antimeridian, and the
/// returned east is greater than 180.
///
/// # Errors
/// When a number is not finite or out of range, or south is greater than north.
pub fn corners(west: f64, south: f64, east: f64, north: f64) -> Result<[f64; 4], AreaError> {
    let values = [
        ("west", west, 180.0),
        ("south", south, 90.0),
        ("east", east, 180.0),
        ("north", north, 90.0),
    ];
    for (name, value, limit) in values {
        if !value.is_finite() {
            return Err(AreaError::NotFinite(name, value));
        }
        if value.abs() > limit {
            return Err(AreaError::OutOfRange(name, value, limit));
        }
    }
    if south > north {
        return Err(AreaError::Inverted(south, north));
    }
    let east = if west > east { east + 360.0 } else { east };
    Ok([west, south, east, north])
}

/// Longitudes and latitudes from … to, edges inside.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rect {
    longitude: (f64, f64),
    latitude: (f64, f64),
}

/// Grid numbers from … to, both inside; empty if `from` is greater than `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from: u32,
    pub(super) to: u32,
}

impl Range {
    const NONE: Self = Self { from: 1, to: 0 };

    fn new(from: Option<u32>, to: Option<u32>) -> Self {
        from.zip(to).map_or(Self::NONE, |(from, to)| Self { from, to })
    }

    pub(super) fn has(self, number: u32) -> bool {
        self.from <= number && number <= self.to
    }

    fn has_all(self, other: Self) -> bool {
        self.from <= other.from && other.to <= self.to
    }

    fn overlaps(self, other: Self) -> bool {
        self.from <= other.to && other.from <= self.to && self.from <= self.to
    }
}

/// Longitudes and latitudes on the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window(pub(super) [Range; 2]);

impl Window {
    pub(super) fn has(&self, longitude: u32, latitude: u32) -> bool {
        self.0[0].has(longitude) && self.0[1].has(latitude)
    }

    pub(super) fn has_all(&self, bounds: [Range; 2]) -> bool {
        self.0[0].has_all(bounds[0]) && self.0[1].has_all(bounds[1])
    }

    pub(super) fn overlaps(&self, bounds: [Range; 2]) -> bool {
        self.0[0].overlaps(bounds[0]) && self.0[1].overlaps(bounds[1])
    }
}

/// The range that is certainly inside, and the range that may be; they are equal if the grid is exact.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    pub(super) certain: Window,
    pub(super) possible: Window,
}

/// A box on the earth. Edges are inside. Longitudes that differ by 360 degrees are equal: a point is inside if its
/// longitude, or that plus or minus 360, is in the box.
#[derive(Debug, Clone, PartialEq)]
pub struct Area {
    corners: [f64; 4],
    rects: Vec<Rect>,
}

impl Area {
    /// The area of a box with these corners, the lesser ones first.
    ///
    /// # Errors
    /// When a number is not finite.
    pub fn new(west: f64, south: f64, east: f64, north: f64) -> Result<Self, AreaError> {
        let corners = [west, south, east, north];
        require_finite(corners)?;
        let turns = [0.0, 360.0, -360.0].into_iter();
        let longitudes = turns.filter_map(|turn| shifted(west, east, turn));
        let rects = longitudes.map(|longitude| Rect { longitude, latitude: (south, north) });
        Ok(Self { corners, rects: rects.collect() })
    }

    /// West, south, east, north, as they were given.
    #[must_use]
    pub fn corners(&self) -> [f64; 4] {
        self.corners
    }

    /// Whether the point is inside.
    #[must_use]
    pub fn has(&self, point: Coord) -> bool {
        has(self.corners, point)
    }

    pub(super) fn windows(&self, is_exact: bool) -> Vec<Windows> {
        self.rects
            .iter()
            .map(|rect| {
                let of = |(from, to)| ranges(from, to, is_exact);
                let (longitude, latitude) = (of(rect.longitude), of(rect.latitude));
                Windows {
                    certain: Window([longitude[0], latitude[0]]),
                    possible: Window([longitude[1], latitude[1]]),
                }
            })
            .collect()
    }
}

/// Whether a point is inside the area of a box with these corners: west, south, east, north.
///
/// The result is that of [`Area::has`], without the preparation that pays off for many points.
///
/// # Errors
/// When a corner is not finite.
pub fn is_inside(corners: [f64; 4], point: Coord) -> Result<bool, AreaError> {
    require_finite(corners)?;
    Ok(has(corners, point))
}

fn require_finite(corners: [f64; 4]) -> Result<(), AreaError> {
    for (name, value) in ["west", "south", "east", "north"].into_iter().zip(corners) {
        if !value.is_finite() {
            return Err(AreaError::NotFinite(name, value));
        }
    }
    Ok(())
}

fn has([west, south, east, north]: [f64; 4], point: Coord) -> bool {
    let within = |longitude: f64| west <= longitude && longitude <= east;
    let longitude = point.longitude;
    (south <= point.latitude && point.latitude <= north)
        && (within(longitude) || within(longitude + 360.0) || within(longitude - 360.0))
}

/// The numbers that are certainly inside, and those that may be.
fn ranges(from: f64, to: f64, is_exact: bool) -> [Range; 2] {
    let scale = scale(is_exact);
    let (first, last) = (number(from, scale), number(to, scale));
    if is_exact {
        // The coordinate of a number is at most half a grid line away: the next number is beyond the edge.
        let first = if degrees(first, scale) >= from { Some(first) } else { first.checked_add(1) };
        let last = if degrees(last, scale) <= to { Some(last) } else { last.checked_sub(1) };
        return [Range::new(first, last); 2];
    }
    let certain = Range::new(first.checked_add(1), last.checked_sub(1));
    [certain, Range { from: first, to: last }]
}

/// The least and the greatest longitude that is between west and east after the turn is added. The sum is rounded, so a
/// search finds them: the sum is monotonic in the longitude.
fn shifted(west: f64, east: f64, turn: f64) -> Option<(f64, f64)> {
    if turn == 0.0 {
        return (west <= east).then_some((west, east));
    }
    let first = first_where(|longitude| longitude + turn >= west)?;
    let beyond = first_where(|longitude| longitude + turn > east);
    let last = of_rank(rank(beyond?) - 1);
    (first <= last).then_some((first, last))
}

/// The least number that satisfies a condition which stays true for greater numbers.
fn first_where(holds: impl Fn(f64) -> bool) -> Option<f64> {
    let (mut below, mut above) = (rank(-f64::MAX), rank(f64::MAX));
    if !holds(f64::MAX) {
        return None;
    }
    while below + 1 < above {
        let middle = below + (above - below) / 2;
        if holds(of_rank(middle)) {
            above = middle;
        } else {
            below = middle;
        }
    }
    Some(of_rank(above))
}

/// The rank of a number among all finite ones.
fn rank(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn of_rank(rank: u64) -> f64 {
    f64::from_bits(if rank >> 63 == 1 { rank & !(1 << 63) } else { !rank })
}
