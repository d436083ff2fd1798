//! One piece of a file into parts.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use trips_core::feed::Feed;
use trips_core::opening::{Unfit, read_header};
use trips_core::parse::{Parser, Target};
use trips_core::part::Part;
use trips_core::piece::{Piece, PieceReader};
use trips_core::record::RecordReader;

use crate::Failure;
use crate::options::{Options, changed_at, open};

/// A part ends when it covers so many bytes of the file, or takes so many of memory: a line of two
/// bytes takes a hundred times as many when it is rejected.
const COVERED: u64 = 8 * 1024 * 1024;
const MEMORY: usize = 64 * 1024 * 1024;

/// Reads the piece and prints its parts.
pub fn run(path: &str, options: &Options<'_>, out: &mut impl Write) -> Result<(), Failure> {
    let failed = |error| Failure::File { path: path.to_owned(), error };
    let piece = Piece {
        first_byte: options.number("first_byte", None)?,
        bytes: options.number("bytes", None)?,
        first_line: options.number("first_line", None)?,
    };
    let expected = (options.number("file_bytes", None)?, options.number("mtime_ns", None)?);
    let (file, size, mtime_ns) = open(path)?;
    if (size, mtime_ns) != expected {
        return Err(Failure::Changed(path.to_owned()));
    }
    let look_again = file.try_clone().map_err(failed)?;
    let load_id = options.number("load_id", None)?;
    let (parser, mut reader) = begin(path, file, load_id, piece, options)?;
    let mut part = Part::new(load_id, piece.first_byte);
    while let Some(chunk) = reader.next_chunk().map_err(failed)? {
        part.push(&parser.parse(chunk)?)?;
        // The header is a part of the first one.
        part.bytes = reader.position() - part.first_byte;
        if part.bytes >= COVERED || part.memory() >= MEMORY {
            write(&mut part, out)?;
            part = Part::new(load_id, reader.position());
        }
    }
    // A header with nothing behind it is a part, too.
    part.bytes = reader.position() - part.first_byte;
    if part.bytes > 0 {
        write(&mut part, out)?;
    }
    let now = look_again.metadata().map_err(failed)?;
    if (now.len(), changed_at(&now)) == expected {
        Ok(())
    } else {
        Err(Failure::Changed(path.to_owned()))
    }
}

/// Reads the header, and goes to where the piece begins.
fn begin(
    path: &str,
    mut file: File,
    load_id: i64,
    piece: Piece,
    options: &Options<'_>,
) -> Result<(Parser, PieceReader<File>), Failure> {
    let failed = |error| Failure::File { path: path.to_owned(), error };
    let max_record = options.max_record_bytes()?;
    let mut reader = RecordReader::new(file.try_clone().map_err(failed)?, max_record);
    let layout =
        read_header(&Feed::trips(), &mut reader, max_record).map_err(|unfit| match unfit {
            Unfit::Read(error) => failed(error),
            _ => Failure::Changed(path.to_owned()),
        })?;
    let rules = options.rules()?;
    let target = Target::History;
    let parser = Parser { layout, target, load_id, max_record, rules, keeps_places: false };
    if piece.first_byte == 0 {
        return Ok((parser, PieceReader::behind_header(reader, piece)));
    }
    file.seek(SeekFrom::Start(piece.first_byte)).map_err(failed)?;
    Ok((parser, PieceReader::of(file, max_record, piece)))
}

fn write(part: &mut Part, out: &mut impl Write) -> Result<(), Failure> {
    part.close()?;
    let bytes = part.encode()?;
    out.write_all(&(bytes.len() as u64).to_be_bytes()).map_err(Failure::Write)?;
    out.write_all(&bytes).map_err(Failure::Write)
}
