//! Parquet files: the same trips as from CSV, and one clear error for a file that is not good.

mod damaged;
mod same_keys;
mod shapes;
mod types;
