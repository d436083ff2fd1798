//! A second reading of staged records under other rules: swapped coordinates, another form of times, decimal commas.
//!
//! A rule changes the texts of a record before its feed reads them. So identity, details and checks stay those of the
//! feed. A rule changes only a record that it fits: see [`rules::Rules`].

mod five_columns;
mod places;
mod record;
pub mod rules;

pub use self::five_columns::mended_texts;
pub use self::record::StagedReader;
