//! The external sort: blocks of encoded trips, and batches in the order of the history's unique index.

pub mod batch;
pub mod block;
mod by_time;
pub mod claims;
pub mod counts;
pub mod day_ranges;
pub mod groups;
pub mod id_lists;
pub mod ids;
pub mod occurrences;
pub mod record_texts;
mod row;
pub(crate) mod time_ranges;
pub mod trial;
pub mod versions;
