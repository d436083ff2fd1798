//! The encodings that a feed may have besides UTF-8.
//!
//! Bytes that are not text of an encoding are an error, never a replacement character: a name would change without a
//! trace.

use std::borrow::Cow;

use encoding_rs::{EUC_KR, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// An encoding of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Encoding {
    /// UTF-8.
    #[default]
    Utf8,
    /// windows-1252, without the five bytes to which it gives no character.
    Windows1252,
    /// ISO 8859-1, without its control characters 80 to 9F.
    Latin1,
    /// EUC-KR with the extension of Windows, code page 949.
    EucKr,
    /// UTF-16, the lower byte first.
    Utf16Le,
    /// UTF-16, the higher byte first.
    Utf16Be,
}

impl Encoding {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Utf8, "utf-8"),
        (Self::Windows1252, "windows-1252"),
        (Self::Latin1, "iso-8859-1"),
        (Self::EucKr, "euc-kr"),
        (Self::Utf16Le, "utf-16le"),
        (Self::Utf16Be, "utf-16be"),
    ];

    /// The encoding with this name, in lower case.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find_map(|(encoding, own)| (own == name).then_some(encoding))
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find_map(|(it, name)| (it == self).then_some(name)).unwrap_or("utf-8")
    }

    /// Whether a file of it is decoded before its records are found: its delimiters are not single bytes.
    #[must_use]
    pub const fn is_utf16(self) -> bool {
        matches!(self, Self::Utf16Le | Self::Utf16Be)
    }

    /// The text of a field or of a record; None if its bytes are not text of this encoding.
    ///
    /// ```
    /// use trips_core::text::encoding::Encoding;
    /// assert_eq!(Encoding::Windows1252.decode(b"A\xf1o \x80").unwrap(), "Año €");
    /// assert_eq!(Encoding::Utf8.decode(b"A\xf1o"), None);
    /// ```
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        match self {
            Self::Utf8 => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Self::Windows1252 => self
                .has_characters(bytes)
                .then(|| WINDOWS_1252.decode_without_bom_handling(bytes).0),
            Self::Latin1 => {
                self.has_characters(bytes).then(|| encoding_rs::mem::decode_latin1(bytes))
            }
            Self::EucKr => EUC_KR.decode_without_bom_handling_and_without_replacement(bytes),
            Self::Utf16Le => UTF_16LE.decode_without_bom_handling_and_without_replacement(bytes),
            Self::Utf16Be => UTF_16BE.decode_without_bom_handling_and_without_replacement(bytes),
        }
    }

    /// Whether every byte has a character, in an encoding of single bytes.
    fn has_characters(self, bytes: &[u8]) -> bool {
        let has_none = |byte: &u8| match self {
            Self::Windows1252 => matches!(byte, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d),
            _ => matches!(byte, 0x80..=0x9f),
        };
        !bytes.iter().any(has_none)
    }

    /// Whether bytes are text of this encoding.
    #[must_use]
    pub fn is_valid(self, bytes: &[u8]) -> bool {
        match self {
            Self::Utf8 => std::str::from_utf8(bytes).is_ok(),
            Self::Windows1252 | Self::Latin1 => self.has_characters(bytes),
            _ => self.decode(bytes).is_some(),
        }
    }
}

/// The first of these encodings in which a whole record is text; None if it is text in none of them.
///
/// A record of a file in UTF-16 is UTF-8 when it is framed, so both are the same here. In all other encodings the bytes
/// of delimiters, quotes and line ends are parts of no other character: a record is framed before it is decoded.
#[must_use]
pub fn encoding_of_record(encodings: &[Encoding], record: &[u8]) -> Option<Encoding> {
    let of_framed = |it: &Encoding| if it.is_utf16() { Encoding::Utf8 } else { *it };
    encodings.iter().map(of_framed).find(|encoding| encoding.is_valid(record))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEED: [Encoding; 2] = [Encoding::Utf8, Encoding::Windows1252];

    #[test]
    fn names() {
        for (encoding, name) in Encoding::ALL {
            assert_eq!((Encoding::of_name(name), encoding.name()), (Some(encoding), name));
        }
        assert_eq!(Encoding::of_name("latin-1"), None);
    }

    #[test]
    fn texts() {
        for (encoding, bytes, text) in [
            (Encoding::Utf8, &b"Plze\xc5\x88"[..], Some("Plzeň")),
            (Encoding::Utf8, b"Plze\xf2", None),
            (Encoding::Windows1252, b"A\xf1o \x80\x99", Some("Año €\u{2122}")),
            (Encoding::Windows1252, b"\x81", None),
            (Encoding::Latin1, b"A\xf1o", Some("Año")),
            (Encoding::Latin1, b"\x80", None),
            (Encoding::EucKr, b"\xbc\xad\xbf\xef", Some("서울")),
            (Encoding::EucKr, b"\xbc", None),
            (Encoding::Utf16Le, b"a\0\x48\x01", Some("aň")),
            (Encoding::Utf16Be, b"\0a\x01\x48", Some("aň")),
            (Encoding::Utf16Be, b"\xd8\0", None),
            (Encoding::Utf16Be, b"\0", None),
        ] {
            assert_eq!(encoding.decode(bytes).as_deref(), text, "{encoding:?} {bytes:?}");
            assert_eq!(encoding.is_valid(bytes), text.is_some(), "{encoding:?} {bytes:?}");
        }
    }

    #[test]
    fn a_record_has_the_first_encoding_in_which_it_is_valid() {
        assert_eq!(encoding_of_record(&FEED, "Año".as_bytes()), Some(Encoding::Utf8));
        assert_eq!(encoding_of_record(&FEED, b"A\xf1o"), Some(Encoding::Windows1252));
        assert_eq!(encoding_of_record(&FEED, b"A\xf1o\x8f"), None);
        assert_eq!(encoding_of_record(&FEED[..1], b"A\xf1o"), None);
        assert_eq!(encoding_of_record(&[Encoding::Utf16Le], "ň".as_bytes()), Some(Encoding::Utf8));
    }

    /// Framing before decoding needs this.
    #[test]
    fn no_second_byte_is_a_delimiter() {
        for second in *b",;\t|\"\r\n" {
            for first in 0x81..=0xfe {
                let text = Encoding::EucKr.decode(&[first, second]).map(Cow::into_owned);
                assert_eq!(text, None, "{first:x} {second:x}");
            }
        }
    }
}
