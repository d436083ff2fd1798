//! Containers of one stream inside each other.

use std::io::{self, Cursor, Read};

use crate::budget::{Budget, Mark, Marks, Meter};
use crate::error::{ContainerError, hex};
use crate::input::Input;
use crate::packing::{FIRST_BYTES, Packing, ZIP_IN_STREAM, packing_of, unsupported_kind_of};
use crate::stream::{Bzip2, Gzip, Stored, Streams, Xz, Zstd};

/// The unpacked bytes of a compressed stream.
///
/// The reader verifies every checksum, refuses bytes after the end, and counts in the budget. A stream inside the
/// stream is unpacked, too, up to [`Limits::depth`](crate::Limits::depth). So the result is never a container: an
/// archive inside the stream is an error. Errors are a [`ContainerError`] inside an [`io::Error`], or those of the
/// source. `Plain` and `Zip` return the source as it is, without a budget.
pub fn unpack(
    packing: Packing,
    source: impl Read + Send + 'static,
    budget: &Budget,
) -> Box<dyn Read + Send> {
    let source = Box::new(source);
    match packing {
        Packing::Plain | Packing::Zip => source,
        _ => Box::new(Unpacked(State::Before { packing, source, budget: budget.clone() })),
    }
}

/// Does nothing before the first read, whose errors are those of reading.
struct Unpacked(State);

enum State {
    Before { packing: Packing, source: Box<dyn Read + Send>, budget: Budget },
    Within(Box<dyn Read + Send>),
    Failed,
}

impl Read for Unpacked {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match &mut self.0 {
                State::Within(reader) => return reader.read(out),
                State::Failed => {
                    return Err(io::Error::other("an earlier read of the file failed"));
                }
                State::Before { .. } => {
                    let State::Before { packing, source, budget } =
                        std::mem::replace(&mut self.0, State::Failed)
                    else {
                        continue;
                    };
                    self.0 = State::Within(begin(packing, source, &budget)?);
                }
            }
        }
    }
}

fn begin(
    packing: Packing,
    source: Box<dyn Read + Send>,
    budget: &Budget,
) -> io::Result<Box<dyn Read + Send>> {
    budget.check_depth(1)?;
    let marks = Marks::default();
    let peeled = peel(layer(packing, source, budget, marks.of(1))?, 1, budget, &marks)?;
    match peeled.is_zip {
        false => Ok(peeled.reader),
        true => Err(ContainerError::unsupported(ZIP_IN_STREAM).into()),
    }
}

/// One stream less: the reader of what is in it.
fn layer(
    packing: Packing,
    source: Box<dyn Read + Send>,
    budget: &Budget,
    mark: Mark,
) -> io::Result<Box<dyn Read + Send>> {
    let (input, meter) = (Input::new(source, 0), Meter::new(budget, mark));
    Ok(match packing {
        Packing::Plain | Packing::Zip => Box::new(Streams::new(Stored, input, meter)),
        Packing::Gzip => Box::new(Streams::new(Gzip::new(), input, meter)),
        Packing::Zstd => Box::new(Streams::new(Zstd::new()?, input, meter)),
        Packing::Bzip2 => Box::new(Streams::new(Bzip2::new(), input, meter)),
        Packing::Xz => Box::new(Streams::new(Xz::new(), input, meter)),
    })
}

/// What is inside all streams.
pub(crate) struct Peeled {
    pub(crate) reader: Box<dyn Read + Send>,
    /// The reader's bytes are an archive.
    pub(crate) is_zip: bool,
    /// Levels of containers around the reader's bytes.
    pub(crate) level: u32,
}

/// Unpacks until the bytes are no compressed stream; `level` containers are around the reader's bytes.
pub(crate) fn peel(
    mut reader: Box<dyn Read + Send>,
    mut level: u32,
    budget: &Budget,
    marks: &Marks,
) -> io::Result<Peeled> {
    loop {
        let first = first_bytes(&mut reader)?;
        if let Some(kind) = unsupported_kind_of(&first) {
            return Err(ContainerError::unsupported(kind)
                .found(hex(&first), "CSV, JSON or Parquet")
                .into());
        }
        let packing = packing_of(&first);
        reader = Box::new(Cursor::new(first).chain(reader));
        if matches!(packing, Packing::Plain | Packing::Zip) {
            return Ok(Peeled { reader, is_zip: packing == Packing::Zip, level });
        }
        level += 1;
        budget.check_depth(level)?;
        reader = layer(packing, reader, budget, marks.of(level))?;
    }
}

fn first_bytes(reader: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut first = Vec::new();
    reader.take(FIRST_BYTES as u64).read_to_end(&mut first)?;
    Ok(first)
}
