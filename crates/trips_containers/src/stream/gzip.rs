//! gzip, RFC 1952.

use std::io;

use crc32fast::Hasher;

use super::deflate::Inflate;
use super::{Format, Step, cut, damaged, padded};
use crate::error::{ContainerError, Kind};
use crate::input::Input;

const FTEXT: u8 = 1;
const FHCRC: u8 = 2;
const FEXTRA: u8 = 4;
const FNAME: u8 = 8;
const FCOMMENT: u8 = 16;

/// Members of gzip.
pub(crate) struct Gzip {
    inflate: Inflate,
    crc: Hasher,
    /// Unpacked bytes of the member.
    size: u64,
}

impl Gzip {
    pub(crate) fn new() -> Self {
        Self { inflate: Inflate::new(), crc: Hasher::new(), size: 0 }
    }
}

impl Format for Gzip {
    const NAME: &'static str = "gzip";

    fn begin(&mut self, input: &mut Input, first: bool) -> io::Result<bool> {
        let next = input.peek(2)?;
        match next {
            [] if !first => return Ok(false),
            [0x1f, 0x8b, ..] | [0x1f] | [] => {}
            _ => return Err(padded(Self::NAME, input)?.into()),
        }
        Header { input, crc: Hasher::new() }.read()?;
        self.inflate.reset();
        self.crc = Hasher::new();
        self.size = 0;
        Ok(true)
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, ContainerError> {
        let step = self.inflate.step(Self::NAME, input, output)?;
        self.crc.update(&output[..step.written]);
        self.size += step.written as u64;
        Ok(step)
    }

    fn end(&mut self, input: &mut Input) -> io::Result<()> {
        let offset = input.offset();
        let Some([a, b, c, d, e, f, g, h]) = input.take::<8>()? else {
            return Err(cut(Self::NAME, input, "the checksum and the size of the member").into());
        };
        let (stated, crc) = (u32::from_le_bytes([a, b, c, d]), self.crc.clone().finalize());
        if stated != crc {
            let error = damaged(Self::NAME, "checksum is wrong").at(offset);
            return Err(error
                .found(format!("CRC 0x{stated:08x}"), format!("0x{crc:08x} as of the data"))
                .into());
        }
        let stated = u32::from_le_bytes([e, f, g, h]);
        // The format has the lower 32 bits of the size.
        if u64::from(stated) != self.size & u64::from(u32::MAX) {
            let error = damaged(Self::NAME, "size is wrong").at(offset + 4);
            return Err(error
                .found(stated.to_string(), format!("{} as of the data", self.size))
                .into());
        }
        Ok(())
    }
}

/// Reads the header of a member.
struct Header<'a> {
    input: &'a mut Input,
    crc: Hasher,
}

impl Header<'_> {
    fn read(mut self) -> io::Result<()> {
        let offset = self.input.offset();
        let [_, _, method, flags, ..] = self.take::<10>()?;
        if method != 8 {
            let error = ContainerError::new(Kind::Damaged, "gzip method is unknown").at(offset + 2);
            return Err(error.found(format!("method {method}"), "method 8 (deflate)").into());
        }
        if flags & !(FTEXT | FHCRC | FEXTRA | FNAME | FCOMMENT) != 0 {
            let error = damaged("gzip", "header has unknown flags").at(offset + 3);
            return Err(error.found(format!("flags 0x{flags:02x}"), "flags up to 0x1f").into());
        }
        if flags & FEXTRA != 0 {
            let size = u16::from_le_bytes(self.take::<2>()?);
            for _ in 0..size {
                self.take::<1>()?;
            }
        }
        // The file name and the comment end with a zero byte. Their length has no limit, and nobody keeps them.
        for flag in [FNAME, FCOMMENT] {
            while flags & flag != 0 && self.take::<1>()? != [0] {}
        }
        if flags & FHCRC != 0 {
            self.check()?;
        }
        Ok(())
    }

    fn check(mut self) -> io::Result<()> {
        let crc = self.crc.clone().finalize() & 0xffff;
        let offset = self.input.offset();
        let stated = u32::from(u16::from_le_bytes(self.take::<2>()?));
        if stated == crc {
            return Ok(());
        }
        let error = damaged("gzip", "header checksum is wrong").at(offset);
        Err(error.found(format!("0x{stated:04x}"), format!("0x{crc:04x} as of the header")).into())
    }

    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        match self.input.take::<N>()? {
            Some(bytes) => {
                self.crc.update(&bytes);
                Ok(bytes)
            }
            None => Err(cut("gzip", self.input, "the rest of the header of a member").into()),
        }
    }
}
