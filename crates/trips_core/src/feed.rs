//! A feed: the columns of a kind of file, and how they make up a trip. It is data, not code.

pub mod builtin;
pub mod choice;
pub mod day_month;
pub mod definition;
pub mod detect;
pub mod fields;
pub mod file_feed;
pub(crate) mod header_columns;
pub(crate) mod names;
pub mod place;
pub mod plan;
pub mod program;
pub(crate) mod rules;
pub mod staged;
mod station_year;
pub mod stations;
pub mod value;
pub mod zones;

pub use self::header_columns::Unresolved;
