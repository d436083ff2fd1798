//! What a trip must be beyond well-formed, and why a record is rejected.

pub mod constraints;
pub mod reject;
pub mod trip_text;
