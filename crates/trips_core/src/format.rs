//! The formats of files.

pub mod delimited;
pub mod sniff;
