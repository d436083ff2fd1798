//! The area index: origins and destinations of trips, encoded compactly, from which area queries are answered.
//!
//! ```text
//! trip -> grid point    -> page                -> segment
//!         numbers of       points that are near   the pages of one week, and a directory
//!         a grid           each other, packed     of their bounds
//! ```
//!
//! A grid point has the coordinates of a trip as numbers of a grid. A number never falls when its
//! coordinate rises. So two different numbers say which coordinate is greater. When the number of a
//! trip equals the number of an area's edge, the grid cannot decide: the trip is on the *boundary*.
//! A query returns the minutes of such trips, and the caller rechecks them in the history. A trip
//! whose coordinates have at most seven decimals is never on the boundary: the grid is exact for it.
//!
//! The crate does not depend on files and PostgreSQL. A time is a count of microseconds since
//! 2000-01-01 00:00:00, as PostgreSQL counts.

#![forbid(unsafe_code)]

mod area;
mod coord;
mod grid;
mod index_builder;
mod matcher;
mod page;
mod segment;

pub use area::{Area, AreaError, corners, is_inside};
pub use coord::Coord;
pub use grid::{GridPoint, day_of_week, first_day, minute_of, week_of_day, week_of_time};
pub use index_builder::{BuildError, IndexBuilder, SMALL_SEGMENT, Week, WeekTrips, panic_text};
pub use matcher::{AreaMatcher, Ends, Found, Verdict};
pub use page::{Corrupt, decode};
pub use segment::{Directory, MAX_PAGES, Segment, build, trips, write_entry};

#[cfg(test)]
mod tests;
