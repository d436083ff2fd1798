//! Values: points, times, periods of time, and the trip that they make; how files write them.

pub mod canonical;
pub mod decimal;
pub mod error;
pub(crate) mod number;
pub mod partition_bounds;
pub mod period;
pub mod point;
pub mod position;
pub mod time_form;
pub mod timestamp;
pub mod trip;
pub mod zone;

#[cfg(test)]
pub(crate) mod many_values;
