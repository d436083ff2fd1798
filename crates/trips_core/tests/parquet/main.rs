//! Parquet files: the same trips as from CSV, and one clear error for a file that is not good.

mod damaged;
mod five_columns;
mod same_keys;
mod shapes;
mod types;
