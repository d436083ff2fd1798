//! Deflate64, which zip programs of Windows use for large members.

use std::io;

use deflate64::InflaterManaged;

use super::{Format, Step, at_end, damaged};
use crate::error::ContainerError;
use crate::input::Input;

/// Data without header and checksum, as in zip.
pub(crate) struct Deflate64(Box<InflaterManaged>);

impl Deflate64 {
    pub(crate) fn new() -> Self {
        Self(Box::new(InflaterManaged::new()))
    }
}

impl Format for Deflate64 {
    const NAME: &'static str = "deflate64";

    fn begin(&mut self, input: &mut Input, first: bool) -> io::Result<bool> {
        if !first {
            at_end(Self::NAME, input)?;
        }
        Ok(first)
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, ContainerError> {
        let result = self.0.inflate(input, output);
        if result.data_error {
            return Err(
                damaged(Self::NAME, "data is invalid").found("data that cannot be decoded", "")
            );
        }
        let ended = self.0.finished();
        Ok(Step { read: result.bytes_consumed, written: result.bytes_written, ended })
    }
}
