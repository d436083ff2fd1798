//! The .xz format.

use std::io;

use liblzma::stream::{Action, Error, Status, Stream, TELL_UNSUPPORTED_CHECK};

use super::{Format, Step, cut, damaged, padded};
use crate::error::{ContainerError, Kind, Limit};
use crate::input::Input;
use crate::packing::CHECK;

/// A decoder may need this much memory: `xz -9` has a dictionary of 64 MiB, and the rest is small.
pub(super) const MEMORY: u64 = 66 << 20;

const MAGIC: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];

/// Streams of xz, and the padding that the format allows: zero bytes, a multiple of four.
pub(crate) struct Xz(Option<Stream>);

impl Xz {
    pub(crate) fn new() -> Self {
        Self(None)
    }
}

impl Format for Xz {
    const NAME: &'static str = "xz";

    fn begin(&mut self, input: &mut Input, first: bool) -> io::Result<bool> {
        if !first {
            while input.peek(4)?.starts_with(&[0; 4]) {
                input.consume(4);
            }
        }
        let next = input.peek(MAGIC.len())?;
        match next {
            [] if !first => return Ok(false),
            _ if next.starts_with(&MAGIC) => {}
            _ if MAGIC.starts_with(next) => {
                return Err(cut(Self::NAME, input, "the rest of a stream's header").into());
            }
            _ => return Err(padded(Self::NAME, input)?.into()),
        }
        self.0 = Some(decoder().map_err(|error| error_of(Self::NAME, error))?);
        Ok(true)
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, ContainerError> {
        let decoder = match &mut self.0 {
            Some(decoder) => decoder,
            none => none.insert(decoder().map_err(|error| error_of(Self::NAME, error))?),
        };
        let (before_in, before_out) = (decoder.total_in(), decoder.total_out());
        let status = decoder
            .process(input, output, Action::Run)
            .map_err(|error| error_of(Self::NAME, error))?;
        let read = usize::try_from(decoder.total_in() - before_in).unwrap_or(input.len());
        let written = usize::try_from(decoder.total_out() - before_out).unwrap_or(output.len());
        Ok(Step { read, written, ended: status == Status::StreamEnd })
    }
}

fn decoder() -> Result<Stream, Error> {
    Stream::new_stream_decoder(MEMORY, TELL_UNSUPPORTED_CHECK)
}

/// The error of a decoder of this format.
pub(super) fn error_of(format: &str, error: Error) -> ContainerError {
    let memory = |message: String| ContainerError::new(Kind::Limit(Limit::Memory, MEMORY), message);
    match error {
        Error::MemLimit => memory(format!("{format} stream needs too much memory"))
            .found("a larger dictionary", format!("at most {MEMORY} bytes")),
        Error::Mem => ContainerError::no_memory(),
        Error::UnsupportedCheck => {
            ContainerError::new(Kind::Unsupported(CHECK), "xz integrity check is not supported")
        }
        Error::Data => {
            damaged(format, "data is invalid").found("data or a checksum that is wrong", "")
        }
        Error::Format => damaged(format, "header is invalid").found("bytes that are no header", ""),
        Error::Options => {
            damaged(format, "header is invalid").found("options that are unknown", "")
        }
        Error::Program | Error::NoCheck => {
            damaged(format, "data is invalid").found("data that cannot be decoded", "")
        }
    }
}
