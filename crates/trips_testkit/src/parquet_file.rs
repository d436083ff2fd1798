//! Any bytes are a Parquet file, or an error that says why not.

use std::io;

use trips_core::feed::choice::FeedChoice;
use trips_core::feed::plan::Plan;
use trips_core::format::ChunkReader;
use trips_core::format::delimited::header::plan_of_names;
use trips_core::format::parquet::ParquetReader;
use trips_core::format::parquet::fault::ParquetFault;
use trips_core::format::parser::{Parser, Target};

use crate::check_reason;
use crate::found::{Found, find, parser};

/// The longest record.
pub const MAX_RECORD: usize = 64 * 1024;
/// About the bytes of a chunk.
const CHUNK: usize = 256 * 1024;

/// A reader of the columns of the file's feed. None if it is of no feed.
///
/// # Errors
/// Those of the reader.
pub fn open(bytes: Vec<u8>) -> io::Result<Option<(ParquetReader, Plan)>> {
    let mut reader = ParquetReader::open(Box::new(bytes), 0)?;
    let Ok(plan) = plan_of_names(&FeedChoice::builtin(), &reader.names()) else { return Ok(None) };
    reader.set_plan(&plan, MAX_RECORD)?;
    Ok(Some((reader, plan)))
}

/// The trips of a file of a built-in feed.
///
/// # Errors
/// Those of the reader.
///
/// # Panics
/// When the file is of no feed.
pub fn found(bytes: Vec<u8>, size: usize) -> io::Result<Found> {
    let (reader, plan) = open(bytes)?.expect("a feed");
    find(source_of(reader), &parser(plan, Target::History, MAX_RECORD), size)
}

/// A reader of Parquet has no sequential source.
pub fn source_of(reader: ParquetReader) -> ChunkReader<io::Empty> {
    ChunkReader::Parquet(reader)
}

/// Reads a file, and checks that its error says what is wrong.
pub fn check_bytes(bytes: &[u8]) {
    let result = open(bytes.to_vec()).and_then(|opened| {
        let Some((reader, plan)) = opened else { return Ok(None) };
        let parser: Parser = parser(plan, Target::History, MAX_RECORD);
        let rows: u64 = reader.row_groups().sum();
        // Few bytes may declare rows without end, each of which is NULL.
        if rows > 1_000_000 {
            return Ok(None);
        }
        find(source_of(reader), &parser, CHUNK).map(Some)
    });
    match result {
        Ok(None) => {}
        Ok(Some(found)) => assert!(found.covers <= bytes.len() as u64),
        Err(error) => {
            let fault = ParquetFault::of(&error).expect("memory can be read");
            check_reason(&fault.reason);
            assert!(fault.byte.is_none_or(|byte| byte <= bytes.len() as u64), "{fault}");
        }
    }
}
