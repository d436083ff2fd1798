//! Scans a whole file: its digest, and its splits.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::path::Path;

use serde_json::{Value, json};
use trips_core::feed::day_month::Unproved;
use trips_core::format::delimited::header::{HeaderError, UNCLOSED_QUOTES};
use trips_core::split::{FileSplits, Passed, find_splits};

use crate::contents::has_pieces;
use crate::options::{Options, open};
use crate::{Failure, order, pieces, shown};

/// Approximate bytes of a split, by default.
pub const SPLIT_BYTES: u64 = 16 * 1024 * 1024;

/// Prints the result.
pub fn run(path: &Path, options: &Options<'_>, out: &mut impl Write) -> Result<(), Failure> {
    let split_bytes = options.number("split_bytes", Some(SPLIT_BYTES))?;
    let max_record = options.max_record_size()?;
    let (file, size, mtime_ns) = open(path)?;
    let failed = |error| Failure::File { path: shown(path), error };
    if has_pieces(&open(path)?.0).map_err(failed)? {
        let found = pieces::split(path, (file, size, mtime_ns), options)?;
        return end(path, (size, mtime_ns), &found, out);
    }
    let digests = RefCell::new(Digests::new(split_bytes));
    let source = Hashed { source: file, digests: &digests };
    let passed = |what| digests.borrow_mut().pass(what);
    let choice = options.choice()?;
    let found = match find_splits(&choice, source, max_record, split_bytes, passed) {
        Err(HeaderError::Read(error)) => return Err(failed(error)),
        Err(error) => refused(path, error.sqlstate().code(), &error.to_string()),
        Ok(FileSplits { unclosed, .. }) if unclosed.len() == UNCLOSED_QUOTES => {
            let last = unclosed[UNCLOSED_QUOTES - 1];
            let what = "quoted fields are not closed; the last one is in the record at line";
            refused(path, "22P04", &format!("{UNCLOSED_QUOTES} {what} {last}"))
        }
        Ok(FileSplits { splits, columns, .. }) => {
            let covered: u64 = splits.iter().map(|split| split.bytes).sum();
            if covered != size {
                return Err(Failure::Changed(shown(path)));
            }
            let order = match order::of_file(path, &choice, max_record)? {
                Ok(order) => order,
                Err(unproved) => {
                    let found = refused(path, Unproved::STATE.code(), &unproved.message());
                    return writeln!(out, "{found}").map_err(Failure::Write);
                }
            };
            let Digests { whole, splits: digests, .. } = digests.into_inner();
            let splits: Vec<_> = splits
                .iter()
                .zip(&digests)
                .zip(&columns)
                .map(|((p, digest), columns)| {
                    let columns = columns.as_ref().map(ToString::to_string);
                    let columns = order::with_order(order, columns);
                    let digest = digest.to_hex();
                    json!([p.first_byte, p.bytes, p.first_line, digest.as_str(), columns])
                })
                .collect();
            json!({
                "bytes": size,
                "mtime_ns": mtime_ns.to_string(),
                "digest": whole.finalize().to_hex().as_str(),
                "splits": splits,
            })
        }
    };
    end(path, (size, mtime_ns), &found, out)
}

/// Prints what was found, unless the file has changed meanwhile.
fn end(
    path: &Path,
    (size, mtime_ns): (u64, i128),
    found: &Value,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let (_, size_now, mtime_now) = open(path)?;
    if (size_now, mtime_now) != (size, mtime_ns) {
        return Err(Failure::Changed(shown(path)));
    }
    writeln!(out, "{found}").map_err(Failure::Write)
}

/// Why the file is refused.
pub fn refused(path: &Path, code: &str, reason: &str) -> Value {
    json!({ "refused": { "code": code, "message": format!("file {}: {reason}", shown(path)) } })
}

/// Hashes the bytes that it reads.
struct Hashed<'a, R> {
    source: R,
    digests: &'a RefCell<Digests>,
}

impl<R: Read> Read for Hashed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        let mut digests = self.digests.borrow_mut();
        digests.whole.update(&buffer[..count]);
        digests.take(&buffer[..count])?;
        Ok(count)
    }
}

/// BLAKE3 of a file, and of each of its splits after the header: the meaning of a later split depends on the header.
struct Digests {
    whole: blake3::Hasher,
    header: blake3::Hasher,
    /// The split that is being read, and how many bytes of it are hashed.
    split: blake3::Hasher,
    hashed: u64,
    /// Minimum bytes of a split, if the file has them.
    least: u64,
    /// Bytes that may belong to the next split.
    pending: Vec<u8>,
    splits: Vec<blake3::Hash>,
}

impl Digests {
    fn new(split_bytes: u64) -> Self {
        let new = blake3::Hasher::new;
        let (whole, header, split) = (new(), new(), new());
        // Before the end of the header, nothing is certain.
        let (hashed, least, pending) = (split_bytes, split_bytes, Vec::new());
        Self { whole, header, split, hashed, least, pending, splits: Vec::new() }
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let certain = usize::try_from(self.least.saturating_sub(self.hashed)).unwrap_or(usize::MAX);
        let (certain, open) = bytes.split_at(certain.min(bytes.len()));
        self.split.update(certain);
        self.hashed += certain.len() as u64;
        self.pending.try_reserve(open.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.pending.extend_from_slice(open);
        Ok(())
    }

    fn pass(&mut self, what: Passed) {
        match what {
            Passed::Header(bytes) => {
                let header = self.split(bytes);
                self.header.update(&header);
                self.begin_split(bytes);
            }
            Passed::Split(split) => {
                let rest = self.split(split.bytes.saturating_sub(self.hashed));
                self.split.update(&rest);
                self.splits.push(self.split.finalize());
                self.begin_split(0);
            }
        }
    }

    /// Takes this many of the pending bytes.
    fn split(&mut self, bytes: u64) -> Vec<u8> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(self.pending.len());
        let behind = self.pending.split_off(bytes);
        std::mem::replace(&mut self.pending, behind)
    }

    /// Begins a split, of which this many bytes are the header.
    fn begin_split(&mut self, hashed: u64) {
        self.split = self.header.clone();
        self.hashed = hashed;
        let certain = self.split(self.least.saturating_sub(hashed));
        self.split.update(&certain);
        self.hashed += certain.len() as u64;
    }
}
