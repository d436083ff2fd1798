//! Zstandard, RFC 8878.

use std::io;

use zstd_safe::{
    DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, get_error_name, get_frame_content_size,
};

use super::{Format, Step, cut, damaged, padded};
use crate::error::{ContainerError, Kind, Limit};
use crate::input::Input;
use crate::packing::DICTIONARY;

/// A frame may refer to this many bytes before it, as a power of two: the limit of the program `zstd`, 128 MiB.
const WINDOW_LOG: u32 = 27;

const MAGIC: u32 = 0xfd2f_b528;

/// The codes of `zstd_errors.h`, which its version policy keeps.
const CHECKSUM_WRONG: usize = 22;
const WINDOW_TOO_LARGE: usize = 16;
const DICTIONARY_WRONG: usize = 32;
const NO_MEMORY: usize = 64;

/// Bytes of the longest header of a frame.
const HEADER: usize = 18;
/// Bytes of the header of a skippable frame.
const SKIPPABLE_HEADER: usize = 8;

/// Frames of zstd, also skippable ones.
pub(crate) struct Zstd {
    context: DCtx<'static>,
    /// The size that the frame states, and what it has unpacked to.
    stated: Option<u64>,
    size: u64,
    /// Bytes of the header that the library does not have yet.
    header: usize,
}

impl Zstd {
    /// Fails if there is no memory.
    pub(crate) fn new() -> io::Result<Self> {
        let mut context = DCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
        let limited = context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG));
        limited.map_err(|code| io::Error::other(get_error_name(code)))?;
        Ok(Self { context, stated: None, size: 0, header: 0 })
    }
}

impl Format for Zstd {
    const NAME: &'static str = "zstd";

    fn begin(&mut self, input: &mut Input, first: bool) -> io::Result<bool> {
        let next = input.peek(4)?;
        match next.first_chunk::<4>() {
            Some(&magic) if is_magic(u32::from_le_bytes(magic)) => {}
            None if next.is_empty() && !first => return Ok(false),
            // The beginning of a magic number, or of bytes that are none.
            None if first || MAGIC.to_le_bytes().starts_with(next) => {
                return Err(cut(Self::NAME, input, "the rest of a frame's magic number").into());
            }
            _ => return Err(padded(Self::NAME, input)?.into()),
        }
        // The library checks the size only if the last block has bytes. An invalid header is its error.
        let header = input.peek(HEADER)?;
        self.stated = get_frame_content_size(header).ok().flatten();
        self.size = 0;
        self.header = header_length(header);
        let reset = self.context.reset(ResetDirective::SessionOnly);
        reset.map_err(|code| io::Error::other(get_error_name(code)))?;
        Ok(true)
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, ContainerError> {
        // With the header, the library must not get more: it would unpack a small frame that is complete in another way, which
        // refuses some that it takes otherwise. So the result would depend on the sizes of reads.
        let input = if self.header > 0 { &input[..input.len().min(self.header)] } else { input };
        let mut from = InBuffer::around(input);
        let mut into = OutBuffer::around(output);
        let left = self.context.decompress_stream(&mut into, &mut from).map_err(error_of)?;
        self.header -= from.pos().min(self.header);
        self.size += into.pos() as u64;
        Ok(Step { read: from.pos(), written: into.pos(), ended: left == 0 })
    }

    fn end(&mut self, input: &mut Input) -> io::Result<()> {
        match self.stated {
            Some(stated) if stated != self.size => {
                let error = damaged(Self::NAME, "size is wrong").at(input.offset());
                Err(error.found(stated.to_string(), format!("{} as of the data", self.size)).into())
            }
            _ => Ok(()),
        }
    }
}

/// Bytes of the header of a frame that begins with these: its magic number, its descriptor, and what that says
/// (RFC 8878, section 3.1.1.1).
fn header_length(frame: &[u8]) -> usize {
    let Some(&descriptor) = frame.get(4) else { return 0 };
    if !frame.starts_with(&MAGIC.to_le_bytes()) {
        return SKIPPABLE_HEADER;
    }
    let is_single = descriptor & 0x20 != 0;
    let window = usize::from(!is_single);
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size = [usize::from(is_single), 2, 4, 8][usize::from(descriptor >> 6)];
    5 + window + dictionary + size
}

fn is_magic(magic: u32) -> bool {
    magic == MAGIC || magic & 0xffff_fff0 == 0x184d_2a50
}

fn error_of(code: usize) -> ContainerError {
    // A code is the negative number of an error.
    match code.wrapping_neg() {
        CHECKSUM_WRONG => damaged("zstd", "checksum is wrong")
            .found("a checksum that is not of the data", "the checksum of the data"),
        WINDOW_TOO_LARGE => ContainerError::new(
            Kind::Limit(Limit::Memory, 1 << WINDOW_LOG),
            "zstd frame needs too much memory",
        )
        .found("a larger window", format!("at most {} bytes", 1_u64 << WINDOW_LOG)),
        DICTIONARY_WRONG => {
            ContainerError::new(Kind::Unsupported(DICTIONARY), "zstd frame needs a dictionary")
                .found("its number", "none")
        }
        NO_MEMORY => ContainerError::no_memory(),
        _ => damaged("zstd", "data is invalid")
            .found(format!("\"{}\"", get_error_name(code)), "valid data"),
    }
}
