//! The unpacked bytes of a member.

use std::io::{self, Read};
use std::sync::Arc;

use crc32fast::Hasher;

use super::directory::Entry;
use super::fields::ZIP;
use crate::budget::{Budget, Mark, Meter};
use crate::error::{ContainerError, Kind, bytes};
use crate::input::Input;
use crate::packing::METHOD;
use crate::ranges::{RangeReader, Ranges};
use crate::stream::{Bzip2, Deflate, Deflate64, Lzma, Stored, Streams, Xz, Zstd, damaged};

/// What is needed to read a member.
#[derive(Debug, Clone, Copy)]
pub(super) struct Data {
    pub(super) method: Method,
    crc: u32,
    /// Offset of the first byte.
    pub(super) start: u64,
    pub(super) stored: u64,
    pub(super) unpacked: u64,
}

/// How a member is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Stored,
    Deflate,
    Deflate64,
    Bzip2,
    Lzma,
    Zstd,
    Xz,
}

impl Method {
    fn of(number: u16) -> Option<Self> {
        Some(match number {
            0 => Self::Stored,
            8 => Self::Deflate,
            9 => Self::Deflate64,
            12 => Self::Bzip2,
            14 => Self::Lzma,
            // 20 was its first number.
            20 | 93 => Self::Zstd,
            95 => Self::Xz,
            _ => return None,
        })
    }
}

/// The names of methods that no reader here has.
fn name_of(method: u16) -> &'static str {
    match method {
        1 => "shrink",
        2..=5 => "reduce",
        6 => "implode",
        10 => "PKWARE implode",
        18 => "IBM TERSE",
        19 => "IBM LZ77",
        94 => "MP3",
        96 => "JPEG",
        97 => "WavPack",
        98 => "PPMd",
        _ => "unknown",
    }
}

impl Data {
    /// Of a member whose data begins at `start`.
    pub(super) fn of(entry: &Entry, start: u64) -> Result<Self, ContainerError> {
        let Some(method) = Method::of(entry.method) else {
            let method = format!("method {} ({})", entry.method, name_of(entry.method));
            let message = format!("zip compression {method} is not supported");
            return Err(ContainerError::new(Kind::Unsupported(METHOD), message)
                .at(entry.header)
                .found(method, "stored, deflate, deflate64, bzip2, LZMA, zstd or xz"));
        };
        if method == Method::Stored && entry.stored != entry.unpacked {
            let error = damaged(ZIP, "sizes of a stored member differ").at(entry.offset);
            return Err(error.found(bytes(entry.unpacked), entry.stored.to_string()));
        }
        let &Entry { crc, stored, unpacked, .. } = entry;
        Ok(Self { method, crc, start, stored, unpacked })
    }

    /// A reader of the member, which counts in the budget what no other one has counted.
    pub(super) fn read(
        &self,
        ranges: &Arc<dyn Ranges>,
        budget: &Budget,
        mark: Mark,
    ) -> io::Result<Checked> {
        let end = self.start.saturating_add(self.stored);
        let source = RangeReader::new(Arc::clone(ranges), self.start, end);
        let input = Input::new(Box::new(source), self.start).of("the member");
        let meter = Meter::new(budget, mark);
        let reader: Box<dyn Read + Send> = match self.method {
            Method::Stored => Box::new(Streams::new(Stored, input, meter)),
            Method::Deflate => Box::new(Streams::new(Deflate::new(), input, meter)),
            Method::Deflate64 => Box::new(Streams::new(Deflate64::new(), input, meter)),
            Method::Bzip2 => Box::new(Streams::new(Bzip2::new(), input, meter)),
            Method::Lzma => Box::new(Streams::new(Lzma::new(self.unpacked), input, meter)),
            Method::Zstd => Box::new(Streams::new(Zstd::new()?, input, meter)),
            Method::Xz => Box::new(Streams::new(Xz::new(), input, meter)),
        };
        Ok(Checked { reader, crc: Hasher::new(), position: 0, data: *self, has_failed: false })
    }
}

/// Verifies the size and the checksum that the directory has.
pub(super) struct Checked {
    reader: Box<dyn Read + Send>,
    crc: Hasher,
    position: u64,
    data: Data,
    has_failed: bool,
}

impl Checked {
    fn check(&self, is_end: bool) -> Result<(), ContainerError> {
        let Data { start, stored, unpacked, crc, .. } = self.data;
        if self.position > unpacked || (is_end && self.position < unpacked) {
            let more = if is_end { "" } else { "more than " };
            let found = format!("{more}{}", bytes(if is_end { self.position } else { unpacked }));
            let error = damaged(ZIP, "member unpacks to another size").at(start);
            return Err(error.found(found, format!("{unpacked} as of the directory")));
        }
        let found = if is_end { self.crc.clone().finalize() } else { crc };
        if found != crc {
            let error = damaged(ZIP, "member has a wrong checksum").at(start + stored);
            let expected = format!("0x{crc:08x} as of the directory");
            return Err(error.found(format!("data with CRC 0x{found:08x}"), expected));
        }
        Ok(())
    }
}

impl Read for Checked {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        if self.has_failed {
            return Err(io::Error::other("an earlier read of the member failed"));
        }
        self.has_failed = true;
        let count = self.reader.read(out)?;
        self.crc.update(&out[..count]);
        self.position += count as u64;
        self.check(count == 0)?;
        self.has_failed = false;
        Ok(count)
    }
}
