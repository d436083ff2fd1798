//! Bytes that leave the process: rows for COPY, and the parts of an upload.

pub mod copy_binary;
pub mod decode;
pub mod staged_row;
pub mod upload_part;
pub mod upload_part_reader;
