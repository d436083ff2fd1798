//! Derived data: the daily counts, the weekly sums, the materialized view, the area index.

pub mod areas;
pub mod changes;
pub mod daily_counts;
pub mod rebuild;
pub mod view;
mod weekly_summary;
