//! Cells of H3, the hexagonal grid of the earth that mobility data is commonly counted by.
//!
//! A crate of its own, so that users of the reader do not depend on the grid.

#![forbid(unsafe_code)]

use std::f64::consts::FRAC_PI_2;

use h3o::{CellIndex, LatLng};
use thiserror::Error;
use trips_core::model::point::Point;

#[cfg(test)]
mod tests;

/// Why the cell or the resolution is invalid.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum H3Error {
    /// H3 has sixteen resolutions.
    #[error("resolution {0} is out of range: expected 0 to 15")]
    Resolution(i32),
    /// The text is not the name of a cell.
    #[error("invalid name of an H3 cell")]
    Name,
}

/// The resolution of the grid: 0 (cells as large as India) to 15 (less than a square meter).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolution(h3o::Resolution);

impl TryFrom<i32> for Resolution {
    type Error = H3Error;

    fn try_from(number: i32) -> Result<Self, H3Error> {
        let resolution = u8::try_from(number).ok().and_then(|n| h3o::Resolution::try_from(n).ok());
        resolution.map(Self).ok_or(H3Error::Resolution(number))
    }
}

/// A rectangle of longitudes and latitudes, degrees, edges inside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CellBounds {
    /// Least longitude.
    pub west: f64,
    /// Least latitude.
    pub south: f64,
    /// Greatest longitude.
    pub east: f64,
    /// Greatest latitude.
    pub north: f64,
}

/// A cell: a hexagon, or one of twelve pentagons in each resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell(CellIndex);

impl Cell {
    /// The cell of a point; None if the point is not on the earth: not a number, a longitude outside -180 to 180, a
    /// latitude outside -90 to 90.
    #[must_use]
    pub fn of(coord: Point, resolution: Resolution) -> Option<Self> {
        let on_earth = coord.longitude.abs() <= 180.0 && coord.latitude.abs() <= 90.0;
        let coord = LatLng::new(coord.latitude, coord.longitude).ok().filter(|_| on_earth)?;
        Some(Self(coord.to_cell(resolution.0)))
    }

    /// Its number, as H3 defines it: positive as a signed number, too.
    #[must_use]
    pub fn number(self) -> i64 {
        u64::from(self.0).cast_signed()
    }

    /// Its name: the number in hexadecimal digits.
    #[must_use]
    pub fn name(self) -> String {
        format!("{:x}", u64::from(self.0))
    }

    /// The cell of this name.
    ///
    /// # Errors
    /// When it is not the name of a cell.
    pub fn from_name(name: &str) -> Result<Self, H3Error> {
        // from_str_radix allows a sign.
        if !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(H3Error::Name);
        }
        name.parse().map(Self).map_err(|_| H3Error::Name)
    }

    /// The cell of this number; None if it is not the number of a cell.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        CellIndex::try_from(number.cast_unsigned()).ok().map(Self)
    }

    /// The cell of a coarser grid that has it as a descendant; itself in its own grid and in finer ones.
    #[must_use]
    pub fn ancestor(self, resolution: Resolution) -> Self {
        self.0.parent(resolution.0).map_or(self, Self)
    }

    /// Its center.
    #[must_use]
    pub fn center(self) -> Point {
        point(LatLng::from(self.0))
    }

    /// Its corners, counterclockwise: six or five, and more if an edge of the icosahedron crosses it.
    #[must_use]
    pub fn corners(self) -> Vec<Point> {
        self.0.boundary().iter().copied().map(point).collect()
    }

    /// A rectangle that contains the cell and little more: all longitudes if the cell is near a pole or the
    /// antimeridian.
    #[must_use]
    pub fn bounds(self) -> CellBounds {
        let middle = LatLng::from(self.0);
        // The sides are straight on the sphere, so no point of the cell is farther from its center than its farthest
        // corner. A little more, because of rounding.
        let corners = self.0.boundary();
        let radius = corners.iter().fold(0.0, |r: f64, &c| r.max(middle.distance_rads(c)));
        let radius = radius * 1.01 + 1e-9;
        let latitude = middle.lat_radians();
        let (south, north) = (latitude - radius, latitude + radius);
        let whole = CellBounds {
            west: -180.0,
            south: south.to_degrees().max(-90.0),
            east: 180.0,
            north: north.to_degrees().min(90.0),
        };
        if south <= -FRAC_PI_2 || north >= FRAC_PI_2 {
            return whole;
        }
        let width = (radius.sin() / latitude.cos()).asin().to_degrees();
        let (west, east) = (middle.lng() - width, middle.lng() + width);
        if west < -180.0 || east > 180.0 { whole } else { CellBounds { west, east, ..whole } }
    }
}

fn point(coord: LatLng) -> Point {
    Point { longitude: coord.lng(), latitude: coord.lat() }
}
