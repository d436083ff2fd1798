//! Compressed streams: any number of them behind each other, each with its checksum.

mod bzip2;
mod deflate;
mod deflate64;
mod gzip;
mod lzma;
mod stored;
mod xz;
mod zstd;

use std::io::{self, Read};

use crate::budget::Meter;
use crate::error::{ContainerError, Kind, hex};
use crate::input::Input;

pub(crate) use bzip2::Bzip2;
pub(crate) use deflate::Deflate;
pub(crate) use deflate64::Deflate64;
pub(crate) use gzip::Gzip;
pub(crate) use lzma::Lzma;
pub(crate) use stored::Stored;
pub(crate) use xz::Xz;
pub(crate) use zstd::Zstd;

/// What a decoder did in one step.
pub(crate) struct Step {
    /// Bytes of the input that it needs no more.
    pub(crate) read: usize,
    /// Bytes of the output that it has written.
    pub(crate) written: usize,
    /// Whether the compressed data ends before the next byte of the input.
    pub(crate) ended: bool,
}

/// One format of compressed streams.
pub(crate) trait Format: Send {
    /// The word for messages.
    const NAME: &'static str;

    /// Reads the header of a stream; `false` if the input ends instead. The first stream must be there.
    fn begin(&mut self, input: &mut Input, first: bool) -> io::Result<bool>;

    /// Decompresses. At the end of the input, the input is empty. An error needs no offset.
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, ContainerError>;

    /// Reads and verifies what follows the compressed data of a stream.
    fn end(&mut self, _input: &mut Input) -> io::Result<()> {
        Ok(())
    }
}

enum State {
    Between,
    Within,
    Ended,
    Failed,
}

/// The unpacked bytes of all streams of a file.
pub(crate) struct Streams<F> {
    format: F,
    input: Input,
    meter: Meter,
    state: State,
    /// Where the stream begins that is being read.
    began: u64,
    first: bool,
}

impl<F: Format> Streams<F> {
    pub(crate) fn new(format: F, input: Input, meter: Meter) -> Self {
        let began = input.offset();
        Self { format, input, meter, state: State::Between, began, first: true }
    }

    fn next(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.state {
                State::Between => {
                    self.began = self.input.offset();
                    let is_there = self.format.begin(&mut self.input, self.first)?;
                    self.first = false;
                    self.state = if is_there { State::Within } else { State::Ended };
                }
                State::Within => {
                    let written = self.within(out)?;
                    if written > 0 {
                        return Ok(written);
                    }
                }
                State::Ended => return Ok(0),
                State::Failed => {
                    return Err(io::Error::other("an earlier read of the file failed"));
                }
            }
        }
    }

    fn within(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let offset = self.input.offset();
        let bytes = self.input.fill()?;
        let at_end = bytes.is_empty();
        let step = self.format.step(bytes, out).map_err(|error| error.at_unless_known(offset))?;
        self.input.consume(step.read);
        self.meter.add(step.written)?;
        if step.ended {
            self.state = State::Between;
            self.format.end(&mut self.input)?;
        } else if step.read == 0 && step.written == 0 {
            return Err(if at_end { self.cut() } else { self.stuck() }.into());
        }
        Ok(step.written)
    }

    fn cut(&self) -> ContainerError {
        cut(
            F::NAME,
            &self.input,
            &format!("the rest of the stream that begins at byte {}", self.began),
        )
    }

    fn stuck(&self) -> ContainerError {
        damaged(F::NAME, "data is invalid")
            .at(self.input.offset())
            .found("data that cannot be decoded", "")
    }
}

impl<F: Format> Read for Streams<F> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        let read = self.next(out);
        if read.is_err() {
            self.state = State::Failed;
        }
        read
    }
}

/// A file, or a member of an archive, that ends too early.
pub(crate) fn cut(format: &str, input: &Input, expected: &str) -> ContainerError {
    let found = format!("the end of {}", input.whole());
    ContainerError::new(Kind::Cut, format!("{format} data is cut off"))
        .at(input.buffered_end())
        .found(found, expected)
}

/// A wrong checksum or structure: `gzip checksum is wrong`.
pub(crate) fn damaged(format: &str, what: &str) -> ContainerError {
    ContainerError::new(Kind::Damaged, format!("{format} {what}"))
}

/// Bytes behind the last stream.
pub(crate) fn padded(format: &str, input: &mut Input) -> io::Result<ContainerError> {
    let offset = input.offset();
    let found = hex(input.peek(8)?);
    let message = format!("unexpected bytes after the {format} data");
    let expected = format!("the end of {} or another {format} stream", input.whole());
    Ok(ContainerError::new(Kind::Padded, message).at(offset).found(found, expected))
}

/// Fails unless the input is at its end: for data whose end something else says.
pub(crate) fn at_end(format: &str, input: &mut Input) -> io::Result<()> {
    if input.fill()?.is_empty() { Ok(()) } else { Err(padded(format, input)?.into()) }
}
