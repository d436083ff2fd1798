//! Reads one split of a file into parts.
//!
//! The split is held in memory and compared with its digest before the first part is printed. So the uploaded rows are
//! those of the file that was split, even if it changes during the job.

use std::fs::File;
use std::io::{self, Chain, Cursor, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use trips_core::feed::plan::Plan;
use trips_core::format::delimited::header::{HeaderError, read_header};
use trips_core::format::delimited::header_state::HeaderState;
use trips_core::format::delimited::record::RecordReader;
use trips_core::format::parser::{Parser, Target};
use trips_core::split::{Split, SplitReader};
use trips_core::text::escape::quoted;
use trips_core::upload::part::Piece;

use crate::options::{Options, open};
use crate::parts::Parts;
use crate::{Failure, order, piece, shown};

/// A split, and after it the rest of the file: a malformed record at its end depends on the bytes that follow.
type Bytes = Chain<Cursor<Vec<u8>>, File>;

/// Reads the split and prints its parts.
pub fn run(path: &Path, options: &Options<'_>, out: &mut impl Write) -> Result<(), Failure> {
    if let Some(text) = options.text("piece") {
        return piece::read(path, text, options, out);
    }
    let split = Split {
        first_byte: options.number("first_byte", None)?,
        bytes: options.number("bytes", None)?,
        first_line: options.number("first_line", None)?,
    };
    let expected = (options.number("file_bytes", None)?, options.number("mtime_ns", None)?);
    let (file, size, mtime_ns) = open(path)?;
    if (size, mtime_ns) != expected {
        return Err(Failure::Changed(shown(path)));
    }
    // Its bytes are those of the split file: only bytes after them may have changed.
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Failure::Changed(shown(path)),
        _ => Failure::File { path: shown(path), error },
    };
    let load_id = options.number("load_id", None)?;
    let max_record = options.max_record_size()?;
    let (mut plan, mut reader) = begin(path, file, split, options)?;
    let mut columns = match order::take(options.text("columns"), &mut plan) {
        Some(text) => HeaderState::read(text, &plan).ok_or_else(|| {
            Failure::Usage(format!(
                "columns={} are no columns of the file",
                quoted(text.as_bytes())
            ))
        })?,
        None => HeaderState::Known(Arc::new(plan.clone())),
    };
    let (feed, order) = (plan.feed_name().to_owned(), plan.feed().order());
    let (target, constraints) = (Target::Upload, options.constraints()?);
    let parser =
        Parser { plan, target, load_id, max_record, constraints, keeps_grid_points: false };
    let ids = (load_id, split.first_byte);
    let mut parts = Parts::new(out, ids, (&feed, Piece::default()), max_record);
    loop {
        let begin = reader.position();
        let Some(chunk) = reader.next_chunk().map_err(failed)? else { break };
        let parsed = parser.parse_next(chunk, &mut columns)?;
        if let Some(found) = parsed.proofs.contradiction(order, &feed) {
            return Err(Failure::Contradiction { path: shown(path), message: found.message });
        }
        parts.push(&parsed, (begin, reader.position()))?;
    }
    parts.finish(reader.position())
}

/// Reads the header and the split, and compares them with the digest.
fn begin(
    path: &Path,
    file: File,
    split: Split,
    options: &Options<'_>,
) -> Result<(Plan, SplitReader<Bytes>), Failure> {
    let failed = |error| Failure::File { path: shown(path), error };
    let changed = || Failure::Changed(shown(path));
    let header_of = |error| match error {
        HeaderError::Read(error) => failed(error),
        _ => changed(),
    };
    let (max_record, digest) = (options.max_record_size()?, options.digest("blake3")?);
    let require = |found: blake3::Hash| if found == digest { Ok(()) } else { Err(changed()) };
    let feed = options.choice()?;
    if split.first_byte == 0 {
        let bytes = read_split(file, split).map_err(failed)?;
        require(blake3::hash(bytes.get_ref().0.get_ref()))?;
        let mut reader = RecordReader::new(bytes, max_record);
        let plan = read_header(&feed, &mut reader, max_record).map_err(header_of)?;
        return Ok((plan, SplitReader::behind_header(reader, split)));
    }
    let mut header = Kept { source: &file, bytes: Vec::new() };
    let mut reader = RecordReader::new(&mut header, max_record);
    let plan = read_header(&feed, &mut reader, max_record).map_err(header_of)?;
    let length = usize::try_from(reader.position()).unwrap_or(usize::MAX);
    let header = header.bytes.get(..length).ok_or_else(changed)?.to_vec();
    let bytes = read_split(file, split).map_err(failed)?;
    let mut hasher = blake3::Hasher::new();
    require(hasher.update(&header).update(bytes.get_ref().0.get_ref()).finalize())?;
    let delimiter = plan.feed().dialect.delimiter;
    Ok((plan, SplitReader::of(bytes, max_record, delimiter, split)))
}

/// The bytes of a split; fewer when the file ends before it does.
fn read_split(mut file: File, split: Split) -> io::Result<Bytes> {
    file.seek(SeekFrom::Start(split.first_byte))?;
    let mut bytes = Vec::new();
    let length = usize::try_from(split.bytes).map_err(|_| io::ErrorKind::OutOfMemory)?;
    bytes.try_reserve_exact(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
    (&mut file).take(split.bytes).read_to_end(&mut bytes)?;
    Ok(Cursor::new(bytes).chain(file))
}

/// Keeps the bytes that it reads.
struct Kept<R> {
    source: R,
    bytes: Vec<u8>,
}

impl<R: Read> Read for Kept<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.bytes.extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}
