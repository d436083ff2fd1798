//! What the text of a value means: escapes, whitespace, exponents.

use std::borrow::Cow;

use crate::format::json::syntax::string_end;

/// The most places by which an exponent moves the point of a number that is written out.
const MAX_SHIFT: i32 = 30;
/// The most digits of a number that is written out.
const MAX_DIGITS: usize = 60;

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

/// A number with an exponent in digits only, if it has not many: `1e3` is `1000`. Its digits do not change.
pub(super) fn written_out(number: &[u8]) -> Option<Cow<'_, [u8]>> {
    let at = number.iter().position(|byte| matches!(byte, b'e' | b'E'))?;
    let exponent = std::str::from_utf8(&number[at + 1..]).ok()?.parse::<i32>().ok()?;
    let (sign, digits) = match &number[..at] {
        [b'-', rest @ ..] => (&b"-"[..], rest),
        rest => (&b""[..], rest),
    };
    let point = digits.iter().position(|byte| *byte == b'.').unwrap_or(digits.len());
    let whole: Vec<u8> = digits.iter().copied().filter(|byte| *byte != b'.').collect();
    if exponent.abs() > MAX_SHIFT || whole.len() > MAX_DIGITS {
        return None;
    }
    let point = i32::try_from(point).ok()? + exponent;
    let mut out = sign.to_vec();
    let length = i32::try_from(whole.len()).ok()?;
    if point <= 0 {
        out.extend_from_slice(b"0.");
        out.extend((point..0).map(|_| b'0'));
        out.extend_from_slice(&whole);
    } else {
        let integer = usize::try_from(point.min(length)).ok()?;
        out.extend_from_slice(&whole[..integer]);
        out.extend((length..point).map(|_| b'0'));
        if integer < whole.len() {
            out.push(b'.');
            out.extend_from_slice(&whole[integer..]);
        }
    }
    Some(plain(&out).into_owned().into())
}

/// A number of digits without zeros around it that say nothing.
fn plain(number: &[u8]) -> Cow<'_, [u8]> {
    let (sign, digits) = match number {
        [b'-', rest @ ..] => (&b"-"[..], rest),
        rest => (&b""[..], rest),
    };
    let mut digits = digits;
    while let [b'0', rest @ ..] = digits
        && rest.first().is_some_and(u8::is_ascii_digit)
    {
        digits = rest;
    }
    if digits.contains(&b'.') {
        while let [rest @ .., b'0'] = digits {
            digits = rest;
        }
        digits = digits.strip_suffix(b".").unwrap_or(digits);
    }
    [sign, digits].concat().into()
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

    #[test]
    fn exponents_are_written_out() {
        for (number, expected) in [
            ("1e3", Some("1000")),
            ("1E+3", Some("1000")),
            ("1.5e3", Some("1500")),
            ("1.717229100000e12", Some("1717229100000")),
            ("-1.25e1", Some("-12.5")),
            ("1.25e-3", Some("0.00125")),
            ("12.50e-1", Some("1.25")),
            ("0e5", Some("0")),
            ("0.001e3", Some("1")),
            ("10e-1", Some("1")),
            ("123456789012345678901234567890e1", Some("1234567890123456789012345678900")),
            ("1e31", None),
            ("1e-31", None),
            ("1e99999999999", None),
            ("1000", None),
            ("-1.5", None),
        ] {
            let found = written_out(number.as_bytes());
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{number}");
        }
    }
}
