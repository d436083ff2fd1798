//! Delimited text by RFC 4180.

pub mod chunk;
pub(crate) mod framing;
pub mod header;
pub mod header_state;
pub mod later_header;
pub mod parse;
pub mod record;
