//! Data that is not compressed, as a member of zip may be.

use std::io;

use super::{Format, Step};
use crate::error::ContainerError;
use crate::input::Input;

/// The bytes as they are.
pub(crate) struct Stored;

impl Format for Stored {
    const NAME: &'static str = "stored";

    fn begin(&mut self, input: &mut Input, _first: bool) -> io::Result<bool> {
        Ok(!input.fill()?.is_empty())
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, ContainerError> {
        let count = input.len().min(output.len());
        output[..count].copy_from_slice(&input[..count]);
        Ok(Step { read: count, written: count, ended: count == input.len() })
    }
}
