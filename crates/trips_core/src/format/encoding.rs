//! A file in UTF-16 as UTF-8, before its records are found.
//!
//! A source in any other encoding passes unchanged: its records are decoded one by one ([`crate::text::encoding`]).

use std::io::{self, Read};

use encoding_rs::{Decoder as Utf16, DecoderResult, UTF_16BE, UTF_16LE};

use crate::text::encoding::Encoding;

/// Bytes of the source that are read at a time.
const BUFFER: usize = 64 * 1024;
/// Written instead of bytes that are not text. It is in no text in UTF-8, so the record with it is rejected.
const NOT_TEXT: u8 = 0xff;
/// Bytes of the longest character in UTF-8, and of [`NOT_TEXT`] after it.
const LONGEST: usize = 5;

/// The encoding of a file in UTF-16 by its first four bytes: its byte order mark, or two ASCII characters.
///
/// ```
/// use trips_core::{format::encoding::utf16_of, text::encoding::Encoding};
/// assert_eq!(utf16_of(b"\xff\xfer\0"), Some(Encoding::Utf16Le));
/// assert_eq!(utf16_of(b"\0r\0e"), Some(Encoding::Utf16Be));
/// assert_eq!(utf16_of(b"\xff\xfe\0\0"), None); // UTF-32
/// ```
#[must_use]
pub fn utf16_of(first: &[u8]) -> Option<Encoding> {
    let is_ascii = |byte: &u8| byte.is_ascii_graphic();
    match first {
        [0xff, 0xfe, 0, 0, ..] => None,
        [0xff, 0xfe, ..] => Some(Encoding::Utf16Le),
        [0xfe, 0xff, ..] => Some(Encoding::Utf16Be),
        [a, 0, b, 0, ..] if is_ascii(a) && is_ascii(b) => Some(Encoding::Utf16Le),
        [0, a, 0, b, ..] if is_ascii(a) && is_ascii(b) => Some(Encoding::Utf16Be),
        _ => None,
    }
}

/// The bytes of a file whose records are found by single bytes.
///
/// Offsets in the result are those of the decoded bytes: a part of a file in UTF-16 cannot be found by them.
pub struct Decoder<R> {
    source: Begun<R>,
    utf16: Option<Box<State>>,
    encoding: Encoding,
}

/// A source whose first bytes are read.
struct Begun<R> {
    first: [u8; 4],
    /// The bytes of `first` that are not used yet.
    unused: std::ops::Range<usize>,
    source: R,
}

struct State {
    decoder: Utf16,
    input: Vec<u8>,
    /// The bytes that are read and not yet decoded: `input[start..end]`.
    start: usize,
    end: usize,
    at_eof: bool,
    /// The decoder has seen the end of the source.
    is_done: bool,
    /// Decoded bytes that did not fit the buffer of a caller.
    rest: Vec<u8>,
}

impl<R> std::fmt::Debug for Decoder<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("is_utf16", &self.utf16.is_some()).finish_non_exhaustive()
    }
}

impl<R> Decoder<R> {
    /// A source in this encoding: UTF-16 is decoded, with or without a byte order mark; all others pass unchanged.
    pub fn of(source: R, encoding: Encoding) -> Self {
        Self::of_begun(Begun { first: [0; 4], unused: 0..0, source }, encoding)
    }

    fn of_begun(source: Begun<R>, encoding: Encoding) -> Self {
        let decoder = match encoding {
            Encoding::Utf16Le => UTF_16LE.new_decoder_with_bom_removal(),
            Encoding::Utf16Be => UTF_16BE.new_decoder_with_bom_removal(),
            _ => return Self { source, utf16: None, encoding: Encoding::Utf8 },
        };
        let (input, rest) = (Vec::new(), Vec::new());
        let state = State { decoder, input, start: 0, end: 0, at_eof: false, is_done: false, rest };
        Self { source, utf16: Some(Box::new(state)), encoding }
    }

    /// UTF-16, if the source is decoded; otherwise UTF-8.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }
}

impl<R: Read> Decoder<R> {
    /// A source that is decoded if it is in UTF-16 by its first bytes.
    ///
    /// # Errors
    /// Errors of the source.
    pub fn detect(mut source: R) -> io::Result<Self> {
        let (mut first, mut length) = ([0; 4], 0);
        while length < first.len() {
            match source.read(&mut first[length..]) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let encoding = utf16_of(&first[..length]).unwrap_or_default();
        Ok(Self::of_begun(Begun { first, unused: 0..length, source }, encoding))
    }
}

impl<R: Read> Read for Begun<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.unused.is_empty() {
            return self.source.read(out);
        }
        let count = (&self.first[self.unused.clone()]).read(out)?;
        self.unused.start += count;
        Ok(count)
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match &mut self.utf16 {
            None => self.source.read(out),
            Some(state) => state.read(&mut self.source, out),
        }
    }
}

impl State {
    fn read(&mut self, source: &mut impl Read, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.rest.is_empty() {
                let count = self.rest.len().min(out.len());
                out[..count].copy_from_slice(&self.rest[..count]);
                self.rest.drain(..count);
                return Ok(count);
            }
            if self.is_done {
                return Ok(0);
            }
            if self.start == self.end && !self.at_eof {
                self.fill(source)?;
            }
            let written = if out.len() > LONGEST {
                self.decode(out)
            } else {
                let mut few = [0; 4 * LONGEST];
                let count = self.decode(&mut few);
                self.rest.extend_from_slice(&few[..count]);
                0
            };
            if written > 0 {
                return Ok(written);
            }
        }
    }

    fn fill(&mut self, source: &mut impl Read) -> io::Result<()> {
        if self.input.is_empty() {
            self.input.try_reserve_exact(BUFFER).map_err(|_| io::ErrorKind::OutOfMemory)?;
            self.input.resize(BUFFER, 0);
        }
        self.end = source.read(&mut self.input)?;
        (self.start, self.at_eof) = (0, self.end == 0);
        Ok(())
    }

    /// Decodes as much as `out` takes, which has more than [`LONGEST`] bytes; returns the number of decoded bytes.
    fn decode(&mut self, out: &mut [u8]) -> usize {
        // One byte is kept for what is not text.
        let room = out.len() - 1;
        let input = &self.input[self.start..self.end];
        let (result, read, written) =
            self.decoder.decode_to_utf8_without_replacement(input, &mut out[..room], self.at_eof);
        self.start += read;
        match result {
            DecoderResult::InputEmpty => self.is_done = self.at_eof,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => {
                out[written] = NOT_TEXT;
                return written + 1;
            }
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source that gives at most this many bytes at a time.
    struct Few<'a>(&'a [u8], usize);

    impl Read for Few<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(out.len());
            self.0.read(&mut out[..count])
        }
    }

    fn utf16(text: &str, encoding: Encoding) -> Vec<u8> {
        let of = |unit: u16| match encoding {
            Encoding::Utf16Le => unit.to_le_bytes(),
            _ => unit.to_be_bytes(),
        };
        text.encode_utf16().flat_map(of).collect()
    }

    /// Decodes in all sizes of buffers, which must have one result.
    fn decoded(bytes: &[u8], encoding: Encoding) -> Vec<u8> {
        let mut all = Vec::new();
        Decoder::of(bytes, encoding).read_to_end(&mut all).unwrap();
        for (from_source, to_caller) in [(1, 1), (3, 2), (1, 6), (1000, 5), (7, 1000)] {
            let source = Few(bytes, from_source);
            let mut decoder = match utf16_of(bytes) {
                Some(_) => Decoder::detect(source).unwrap(),
                None => Decoder::of(source, encoding),
            };
            let (mut parts, mut buffer) = (Vec::new(), vec![0; to_caller]);
            loop {
                let count = decoder.read(&mut buffer).unwrap();
                if count == 0 {
                    break;
                }
                parts.extend_from_slice(&buffer[..count]);
            }
            assert_eq!(parts, all, "{from_source} {to_caller}");
            assert_eq!(decoder.read(&mut buffer).unwrap(), 0, "after the end");
        }
        all
    }

    #[test]
    fn texts_are_decoded() {
        let text = "id,město\r\n1,Plzeň 🚲\n2,€\n";
        for encoding in [Encoding::Utf16Le, Encoding::Utf16Be] {
            assert_eq!(decoded(&utf16(text, encoding), encoding), text.as_bytes());
            let marked = utf16(&format!("\u{feff}{text}"), encoding);
            assert_eq!(decoded(&marked, encoding), text.as_bytes(), "without the mark");
            assert_eq!(utf16_of(&marked), Some(encoding));
        }
        let long = text.repeat(10_000);
        let bytes = utf16(&long, Encoding::Utf16Le);
        assert_eq!(decoded(&bytes, Encoding::Utf16Le), long.as_bytes(), "over a buffer");
    }

    #[test]
    fn what_is_not_text_is_no_text_in_utf_8_either() {
        let lone = [b'a', 0, 0, 0xd8, b'b', 0];
        assert_eq!(decoded(&lone, Encoding::Utf16Le), b"a\xffb");
        assert_eq!(decoded(&[b'a', 0, b'b'], Encoding::Utf16Le), b"a\xff", "half a character");
        assert_eq!(decoded(&[0, b'a', 0xd8, 0], Encoding::Utf16Be), b"a\xff");
        assert_eq!(decoded(&[0xdc, 0, 0xdc, 0], Encoding::Utf16Be), b"\xff\xff");
    }

    #[test]
    fn other_encodings_pass_unchanged() {
        for encoding in [Encoding::Utf8, Encoding::Windows1252, Encoding::EucKr] {
            assert_eq!(decoded(b"\xef\xbb\xbfA\xf1o", encoding), b"\xef\xbb\xbfA\xf1o");
        }
        assert_eq!(utf16_of(b"\xef\xbb\xbfid"), None);
        for first in [&b"\xff"[..], b"", b"a", b"a\0\0\0", b"id,a", b"\0\0\xfe\xff"] {
            assert_eq!(utf16_of(first), None, "{first:?}");
            let mut decoder = Decoder::detect(first).unwrap();
            let mut all = Vec::new();
            decoder.read_to_end(&mut all).unwrap();
            assert_eq!((all.as_slice(), decoder.encoding()), (first, Encoding::Utf8));
        }
    }
}
