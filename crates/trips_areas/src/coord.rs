//! A position on the earth.

/// A position on the earth, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coord {
    /// Degrees east.
    pub longitude: f64,
    /// Degrees north.
    pub latitude: f64,
}
