//! bzip2.

use std::io;

use bzip2::{Decompress, Error, Status};

use super::{Format, Step, cut, damaged, padded};
use crate::error::ContainerError;
use crate::input::Input;

/// Streams of bzip2. A decoder needs up to 4 MB.
pub(crate) struct Bzip2(Option<Decompress>);

impl Bzip2 {
    pub(crate) fn new() -> Self {
        Self(None)
    }
}

impl Format for Bzip2 {
    const NAME: &'static str = "bzip2";

    fn begin(&mut self, input: &mut Input, first: bool) -> io::Result<bool> {
        let next = input.peek(4)?;
        match next {
            [] if !first => return Ok(false),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => {}
            [] | [b'B'] | [b'B', b'Z'] | [b'B', b'Z', b'h'] => {
                return Err(cut(Self::NAME, input, "the rest of a stream's header").into());
            }
            _ => return Err(padded(Self::NAME, input)?.into()),
        }
        self.0 = Some(Decompress::new(false));
        Ok(true)
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, ContainerError> {
        let decoder = self.0.get_or_insert_with(|| Decompress::new(false));
        let (before_in, before_out) = (decoder.total_in(), decoder.total_out());
        let status = decoder.decompress(input, output).map_err(error_of)?;
        if status == Status::MemNeeded {
            return Err(ContainerError::no_memory());
        }
        let read = usize::try_from(decoder.total_in() - before_in).unwrap_or(input.len());
        let written = usize::try_from(decoder.total_out() - before_out).unwrap_or(output.len());
        Ok(Step { read, written, ended: status == Status::StreamEnd })
    }
}

fn error_of(error: Error) -> ContainerError {
    let found = match error {
        Error::Data => "data or a checksum that is wrong",
        Error::DataMagic => "no header of a block",
        Error::Sequence | Error::Param => "data that cannot be decoded",
    };
    damaged("bzip2", "data is invalid").found(found, "")
}
