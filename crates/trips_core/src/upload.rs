//! Multipart uploads: a client's part of a file, as bytes, and the checks of it.

pub mod decode;
pub mod part;
pub mod part_reader;
pub mod stations;
