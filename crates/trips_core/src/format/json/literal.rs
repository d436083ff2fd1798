//! What the text of a value means: its escapes and its whitespace.

use crate::format::json::syntax::string_end;

/// The code unit of `\uXXXX` at the beginning of a text.
pub(super) fn unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.first_chunk::<4>()?;
    let digit = |unit: u16, byte: &u8| {
        Some(unit << 4 | u16::try_from(char::from(*byte).to_digit(16)?).ok()?)
    };
    digits.iter().try_fold(0, digit)
}

/// A string without its escapes, appended to `out`. The string has valid escapes.
///
/// # Errors
/// When a surrogate has no pair: it is no character.
pub(super) fn unescape(text: &[u8], out: &mut Vec<u8>) -> Result<(), LoneSurrogate> {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let escape = &rest[at..];
        let (byte, length) = match escape.get(1) {
            Some(b'b') => (8, 2),
            Some(b'f') => (12, 2),
            Some(b'n') => (b'\n', 2),
            Some(b'r') => (b'\r', 2),
            Some(b't') => (b'\t', 2),
            Some(b'u') => {
                let (character, length) = character(escape)?;
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &escape[length..];
                continue;
            }
            Some(other) => (*other, 2),
            None => (b'\\', 1),
        };
        out.push(byte);
        rest = &escape[length..];
    }
    out.extend_from_slice(rest);
    Ok(())
}

/// A surrogate without its pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LoneSurrogate;

/// The character of one escape `\uXXXX`, or of two, and their length.
fn character(escape: &[u8]) -> Result<(char, usize), LoneSurrogate> {
    let first = unit(escape).ok_or(LoneSurrogate)?;
    if let Some(character) = char::from_u32(u32::from(first)) {
        return Ok((character, 6));
    }
    let second = escape.get(6..).and_then(unit).ok_or(LoneSurrogate)?;
    match char::decode_utf16([first, second]).next() {
        Some(Ok(character)) => Ok((character, 12)),
        _ => Err(LoneSurrogate),
    }
}

/// A container without the whitespace outside of its strings, appended to `out`.
pub(super) fn compact(text: &[u8], out: &mut Vec<u8>) {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let end = match rest[0] {
            b'"' => string_end(text, at + 1).unwrap_or(text.len()),
            byte if is_space(&byte) => {
                at += rest.iter().take_while(|byte| is_space(byte)).count();
                continue;
            }
            _ => at + rest.iter().take_while(|byte| **byte != b'"' && !is_space(byte)).count(),
        };
        out.extend_from_slice(&text[at..end]);
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unescaped(text: &str) -> Result<String, LoneSurrogate> {
        let mut out = Vec::new();
        unescape(text.as_bytes(), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(unescaped(r#"a"\\\/\b\f\n\r\t"#).unwrap(), "a\"\\/\u{8}\u{c}\n\r\t");
        assert_eq!(unescaped(r"Plze\u0148 \ud83d\udEb2").unwrap(), "Plzeň 🚲");
        assert_eq!(unescaped(r"\u0000").unwrap(), "\0");
        for lone in [r"\ud83d", r"\udeb2", r"\ud83d\u0041", r"\ud83d\ud83d", r"\ud83dx"] {
            assert_eq!(unescaped(lone), Err(LoneSurrogate), "{lone}");
        }
    }

    #[test]
    fn whitespace_is_removed_outside_of_strings() {
        let mut out = Vec::new();
        compact(b"{ \"a b\" :\t[ 1 ,\r\n \"\\\" \" ] }", &mut out);
        assert_eq!(out, b"{\"a b\":[1,\"\\\" \"]}");
    }
}
