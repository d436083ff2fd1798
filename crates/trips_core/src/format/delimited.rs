//! Delimited text by RFC 4180.

pub mod chunk;
pub mod explain;
pub(crate) mod feed_record;
pub(crate) mod framing;
pub mod header;
pub mod header_state;
pub mod later_header;
pub mod parse;
mod parse_feed;
pub mod record;
pub(crate) mod resolve;
pub mod trip_reader;
mod usual;
