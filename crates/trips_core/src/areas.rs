//! Where trips begin and end, kept small: what questions about areas are answered from.
//!
//! ```text
//! trip -> place        -> block                -> group
//!         numbers of    places that are near     the blocks of a week, and a directory
//!         a grid        each other, bit by bit   of their bounds
//! ```
//!
//! A place has its coordinates as numbers of a grid. The number of a coordinate never falls when the
//! coordinate rises, so two numbers that differ say for certain which coordinate is greater. Only
//! where the numbers of a trip and of an area's edge are equal, the grid cannot tell: such a trip is
//! *doubtful*, and the minute in which it began is returned, to be looked up in the history. A trip
//! whose coordinates have seven decimals or fewer is never doubtful: the grid has them exactly.

mod area;
mod block;
mod collector;
mod group;
mod place;
mod question;

pub use area::{Area, AreaError, corners, is_inside};
pub use block::{Corrupt, decode};
pub use collector::{Collector, FEW, Week, WeekTrips};
pub use group::{Directory, Group, build, trips, write_entry};
pub use place::{Place, day_of_week, first_day, minute_of, week_of_day, week_of_time};
pub use question::{Ends, Found, Question, Verdict};

#[cfg(test)]
mod tests;
