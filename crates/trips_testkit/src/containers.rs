//! Containers: makers of good and of damaged ones, and what `trips_containers` promises for any bytes.

pub mod check;
pub mod damaged;
pub mod pack;
pub mod quine;
pub mod zip;
