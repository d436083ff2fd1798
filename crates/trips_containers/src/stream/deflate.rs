//! DEFLATE, RFC 1951.

use std::io;

use flate2::{Decompress, FlushDecompress, Status};

use super::{Format, Step, at_end, damaged};
use crate::error::ContainerError;
use crate::input::Input;

/// Data without header and checksum, as in zip.
pub(crate) struct Deflate(Inflate);

impl Deflate {
    pub(crate) fn new() -> Self {
        Self(Inflate::new())
    }
}

impl Format for Deflate {
    const NAME: &'static str = "deflate";

    fn begin(&mut self, input: &mut Input, first: bool) -> io::Result<bool> {
        if !first {
            at_end(Self::NAME, input)?;
        }
        Ok(first)
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, ContainerError> {
        self.0.step(Self::NAME, input, output)
    }
}

/// The decoder that gzip and zip share. Its memory is constant.
pub(crate) struct Inflate(Decompress);

impl Inflate {
    pub(crate) fn new() -> Self {
        Self(Decompress::new(false))
    }

    /// Forgets all: a new stream begins.
    pub(crate) fn reset(&mut self) {
        self.0.reset(false);
    }

    pub(crate) fn step(
        &mut self,
        name: &str,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<Step, ContainerError> {
        let (before_in, before_out) = (self.0.total_in(), self.0.total_out());
        let status = self.0.decompress(input, output, FlushDecompress::None);
        let read = usize::try_from(self.0.total_in() - before_in).unwrap_or(input.len());
        let written = usize::try_from(self.0.total_out() - before_out).unwrap_or(output.len());
        match status {
            Ok(status) => Ok(Step { read, written, ended: status == Status::StreamEnd }),
            Err(error) => {
                let found = format!("\"{}\"", error.message().unwrap_or("invalid data"));
                Err(damaged(name, "data is invalid").found(found, "valid data"))
            }
        }
    }
}
