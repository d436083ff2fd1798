//! LZMA without a container of its own, as in zip.

use std::io;

use liblzma::stream::{Action, Status, Stream};

use super::xz::{MEMORY, error_of};
use super::{Format, Step, at_end, cut, damaged};
use crate::error::{ContainerError, hex};
use crate::input::Input;

/// Bytes before the data: two of a version, two with the length of the properties, and the properties.
const HEADER: usize = 9;

/// Data that says its properties, but not its size: the directory of the archive has it.
pub(crate) struct Lzma {
    unpacked: u64,
    decoder: Option<Stream>,
}

impl Lzma {
    /// Data that unpacks to this many bytes.
    pub(crate) fn new(unpacked: u64) -> Self {
        Self { unpacked, decoder: None }
    }
}

impl Format for Lzma {
    const NAME: &'static str = "LZMA";

    fn begin(&mut self, input: &mut Input, first: bool) -> io::Result<bool> {
        if !first {
            at_end(Self::NAME, input)?;
            return Ok(false);
        }
        let offset = input.offset();
        let Some(&[_, _, length, zero, a, b, c, d, e]) = input.peek(HEADER)?.first_chunk() else {
            return Err(cut(Self::NAME, input, "the header of the data").into());
        };
        if [length, zero] != [5, 0] {
            let error = damaged(Self::NAME, "header is invalid").at(offset + 2);
            return Err(error.found(hex(&[length, zero]), "properties of 5 bytes").into());
        }
        input.consume(HEADER);
        // The header of a file of LZMA: the properties and the size.
        let mut header = [a, b, c, d, e].to_vec();
        header.extend(self.unpacked.to_le_bytes());
        let fault = |error| error_of(Self::NAME, error).at(offset + 4);
        let mut decoder = Stream::new_lzma_decoder(MEMORY).map_err(fault)?;
        let mut fed = 0;
        while fed < header.len() {
            // The decoder reads nothing without room for a byte. The header has none.
            decoder.process(&header[fed..], &mut [0], Action::Run).map_err(fault)?;
            match usize::try_from(decoder.total_in()).unwrap_or(usize::MAX) {
                now if now > fed => fed = now,
                _ => return Err(damaged(Self::NAME, "header is invalid").at(offset).into()),
            }
        }
        self.decoder = Some(decoder);
        Ok(true)
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, ContainerError> {
        let Some(decoder) = &mut self.decoder else {
            return Err(damaged(Self::NAME, "data is invalid"));
        };
        let fault = |error| error_of(Self::NAME, error);
        let (before_in, before_out) = (decoder.total_in(), decoder.total_out());
        let status = decoder.process(input, output, Action::Run).map_err(fault)?;
        let read = usize::try_from(decoder.total_in() - before_in).unwrap_or(input.len());
        let written = usize::try_from(decoder.total_out() - before_out).unwrap_or(output.len());
        Ok(Step { read, written, ended: status == Status::StreamEnd })
    }
}
