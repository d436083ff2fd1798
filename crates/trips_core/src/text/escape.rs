//! Input in messages: escaped, so that it can forge neither a log line nor a terminal code, and shortened.
//!
//! There is one style of escapes, that of PostgreSQL's `E'…'` strings: `\n`, `\r`, `\t`, and `\xNN` for any other byte.

use std::fmt::Write;

use crate::text::whitespace;

/// The most characters of a value that a message repeats.
const SHOWN: usize = 60;
/// The most characters of a path; most file systems allow no longer name.
const SHOWN_OF_PATH: usize = 1024;

/// The value in double quotes for a message: control characters, invisible ones and bytes that are not UTF-8 are
/// escaped, and what is over 60 characters is cut (`…`).
///
/// ```
/// use trips_core::text::escape::quoted;
/// assert_eq!(quoted(b"a\x1b[1m\xff\n"), r#""a\x1b[1m\xff\n""#);
/// assert_eq!(quoted("a\u{feff}".as_bytes()), r#""a\xef\xbb\xbf""#);
/// ```
#[must_use]
pub fn quoted(value: &[u8]) -> String {
    quoted_up_to(SHOWN, value)
}

/// The path in double quotes for a message, escaped like [`quoted`], shortened beyond the length of file names.
#[must_use]
pub fn quoted_path(path: &str) -> String {
    quoted_up_to(SHOWN_OF_PATH, path.as_bytes())
}

fn quoted_up_to(limit: usize, value: &[u8]) -> String {
    // Four bytes a character at most, and a few more to see that there is more.
    let head = &value[..value.len().min(limit * 4 + 4)];
    let mut shown = String::with_capacity(head.len() + 2);
    let mut count = 0;
    shown.push('"');
    'chunks: for chunk in head.utf8_chunks() {
        let valid = chunk.valid().chars().map(Ok);
        for item in valid.chain(chunk.invalid().iter().map(Err)) {
            if count == limit {
                shown.push('…');
                break 'chunks;
            }
            count += 1;
            match item {
                Ok(c) if is_printable(c) => shown.push(c),
                Ok(c) => push_escaped(c.encode_utf8(&mut [0; 4]).as_bytes(), &mut shown),
                Err(byte) => push_escaped(std::slice::from_ref(byte), &mut shown),
            }
        }
    }
    shown.push('"');
    shown
}

/// Adds bytes in the one style of escapes.
fn push_escaped(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte => write!(out, "\\x{byte:02x}").expect("a String takes any text"),
        }
    }
}

/// Not a control character, an invisible character, or unusual whitespace.
fn is_printable(c: char) -> bool {
    let is_blank = c.is_whitespace() && c != ' ';
    !c.is_control() && !is_blank && !whitespace::is_invisible(c)
}

/// A line as text that PostgreSQL can store: bytes that are not UTF-8, and NUL, become `\xNN`.
///
/// Returns the text, and whether anything had to be replaced.
#[must_use]
pub fn storable(line: &[u8]) -> (String, bool) {
    let mut text = String::with_capacity(line.len());
    let mut replaced = false;
    for chunk in line.utf8_chunks() {
        for (i, part) in chunk.valid().split('\0').enumerate() {
            if i > 0 {
                push_escaped(b"\0", &mut text);
                replaced = true;
            }
            text.push_str(part);
        }
        push_escaped(chunk.invalid(), &mut text);
        replaced |= !chunk.invalid().is_empty();
    }
    (text, replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_bad_bytes_are_escaped() {
        assert_eq!(quoted(b"a\nb\0c\r\t"), r#""a\nb\x00c\r\t""#);
        assert_eq!(quoted("přes\u{202e}".as_bytes()), r#""přes\xe2\x80\xae""#);
        assert_eq!(quoted(b"\xc3("), r#""\xc3(""#);
    }

    #[test]
    fn what_is_not_seen_is_shown() {
        let shown = quoted("\u{feff}a\u{a0}b\u{200b}\x0b c".as_bytes());
        assert_eq!(shown, r#""\xef\xbb\xbfa\xc2\xa0b\xe2\x80\x8b\x0b c""#);
    }

    #[test]
    fn long_values_are_cut() {
        let shown = quoted("ž".repeat(1000).as_bytes());
        assert_eq!(shown.chars().count(), 63);
        assert!(shown.ends_with("…\""));
        assert_eq!(quoted("x".repeat(60).as_bytes()).len(), 62);
    }

    #[test]
    fn one_value_has_one_style() {
        let of = |value: &[u8]| (quoted(value), storable(value).0);
        assert_eq!(of(b"A\0B Caf\xe9"), (r#""A\x00B Caf\xe9""#.into(), r"A\x00B Caf\xe9".into()));
    }

    #[test]
    fn storable_keeps_good_text() {
        assert_eq!(storable("Plzeň,1".as_bytes()), ("Plzeň,1".into(), false));
        assert_eq!(storable(b"a\0b\xffc"), ("a\\x00b\\xffc".into(), true));
    }
}
