//! A look through a whole file: its digest, and its pieces.

use std::io::{self, Read, Write};

use serde_json::{Value, json};
use trips_core::feed::Feed;
use trips_core::header::HeaderError;
use trips_core::opening::{UNCLOSED_QUOTES, Unfit};
use trips_core::piece::{self, Cut};

use crate::Failure;
use crate::options::{Options, open};

/// A piece has this many bytes, about, unless it is told otherwise.
const PIECE_BYTES: u64 = 16 * 1024 * 1024;

/// Prints what is found.
pub fn run(path: &str, options: &Options<'_>, out: &mut impl Write) -> Result<(), Failure> {
    let piece_bytes = options.number("piece_bytes", Some(PIECE_BYTES))?;
    let max_record = options.max_record_bytes()?;
    let (file, size, mtime_ns) = open(path)?;
    let mut source = Hashed { source: file, hasher: blake3::Hasher::new() };
    let found = match piece::cut(&Feed::trips(), &mut source, max_record, piece_bytes) {
        Err(Unfit::Read(error)) => return Err(Failure::File { path: path.to_owned(), error }),
        Err(unfit) => refused(path, code(&unfit), &unfit.to_string()),
        Ok(Cut { unclosed, .. }) if unclosed.len() == UNCLOSED_QUOTES => {
            let last = unclosed[UNCLOSED_QUOTES - 1];
            let what = "quoted values are never closed; the last one begins in the record at line";
            refused(path, "22P04", &format!("{UNCLOSED_QUOTES} {what} {last}"))
        }
        Ok(Cut { pieces, .. }) => {
            let covered: u64 = pieces.iter().map(|piece| piece.bytes).sum();
            if covered != size {
                return Err(Failure::Changed(path.to_owned()));
            }
            let pieces: Vec<_> =
                pieces.iter().map(|p| [p.first_byte, p.bytes, p.first_line]).collect();
            json!({
                "bytes": size,
                "mtime_ns": mtime_ns.to_string(),
                "digest": source.hasher.finalize().to_hex().as_str(),
                "pieces": pieces,
            })
        }
    };
    let changed = || Failure::Changed(path.to_owned());
    let (_, size_now, mtime_now) = open(path)?;
    if (size_now, mtime_now) != (size, mtime_ns) {
        return Err(changed());
    }
    writeln!(out, "{found}").map_err(Failure::Write)
}

fn refused(path: &str, code: &str, reason: &str) -> Value {
    json!({ "refused": { "code": code, "message": format!("file {path}: {reason}") } })
}

/// The SQLSTATE that `trips.ingest` gives.
fn code(unfit: &Unfit) -> &'static str {
    match unfit {
        Unfit::Header(HeaderError::Missing { .. }) => "42703",
        Unfit::Header(HeaderError::Duplicate { .. }) => "42701",
        Unfit::Read(_) => "58030",
        Unfit::Empty | Unfit::Form(_) | Unfit::Fault(_) => "22P04",
    }
}

/// Hashes what is read.
struct Hashed<R> {
    source: R,
    hasher: blake3::Hasher,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}
