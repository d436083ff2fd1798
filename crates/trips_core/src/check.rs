//! The constraints of a trip, and the reasons of rejections.

pub mod conditions;
pub mod constraints;
pub mod reject;
pub mod trip_text;
