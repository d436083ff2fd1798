//! Characters around names and fields that do not belong to them.

/// The byte order mark in UTF-8, U+FEFF.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The name of a column without the whitespace (Unicode's White_Space, a vertical tab included) and the invisible
/// characters around it.
#[must_use]
pub fn trim_name(name: &[u8]) -> &[u8] {
    let is_trimmed = |c: &char| c.is_whitespace() || is_invisible(*c);
    let is_seen = |byte: &u8| matches!(byte, b'!'..=b'~');
    let mut rest = name.trim_ascii();
    // Nearly all names end here.
    while rest.first().is_some_and(|byte| !is_seen(byte)) {
        match first_char(rest).filter(is_trimmed) {
            Some(c) => rest = &rest[c.len_utf8()..],
            None => break,
        }
    }
    while rest.last().is_some_and(|byte| !is_seen(byte)) {
        match last_char(rest).filter(is_trimmed) {
            Some(c) => rest = &rest[..rest.len() - c.len_utf8()],
            None => break,
        }
    }
    rest
}

/// A field without ASCII whitespace (a vertical tab included) and byte order marks around it. Other characters belong
/// to the field, also invisible ones.
#[must_use]
pub fn trim_value(value: &[u8]) -> &[u8] {
    let mut rest = value;
    // This runs for every field of every row. In UTF-8, no other character contains the bytes of a mark.
    while let [b'\t'..=b'\r' | b' ', inner @ ..]
    | [inner @ .., b'\t'..=b'\r' | b' ']
    | [0xef, 0xbb, 0xbf, inner @ ..]
    | [inner @ .., 0xef, 0xbb, 0xbf] = rest
    {
        rest = inner;
    }
    rest
}

/// Unicode's `Default_Ignorable_Code_Point`: characters without a glyph.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

fn first_char(bytes: &[u8]) -> Option<char> {
    let head = &bytes[..bytes.len().min(4)];
    head.utf8_chunks().next()?.valid().chars().next()
}

fn last_char(bytes: &[u8]) -> Option<char> {
    let is_first = |byte: &u8| !matches!(byte, 0x80..=0xbf);
    let begin = bytes.iter().rposition(is_first).filter(|begin| bytes.len() - begin <= 4)?;
    std::str::from_utf8(&bytes[begin..]).ok()?.chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_around_the_name_of_a_column_is_trimmed() {
        for around in
            ["", " ", "\x0b", "\u{feff}", "\u{a0}", "\u{200b}\u{a0} ", "\t\u{3000}", "\u{2060}"]
        {
            for name in ["region", "région", "a \u{a0} b", ""] {
                let value = format!("{around}{name}{around}");
                assert_eq!(trim_name(value.as_bytes()), name.as_bytes(), "{value:?}");
            }
        }
    }

    #[test]
    fn whitespace_and_marks_around_a_value_are_trimmed() {
        for around in ["", " ", "\x0b\x0c", "\u{feff}", "\u{feff} \u{feff}\t\r\n"] {
            for name in ["Prague", "Plzeň", "ž", "A\u{a0}", "\u{200b}A", "\u{1}", "a\u{feff}b", ""]
            {
                let value = format!("{around}{name}{around}");
                assert_eq!(trim_value(value.as_bytes()), name.as_bytes(), "{value:?}");
            }
        }
    }

    #[test]
    fn other_bytes_are_kept() {
        for value in
            [&b"\xff"[..], b"a\xe2\x80", b"\x80\x80\x80\x80\x80", b"\0a\0", b"\xa0", b"a\xc2"]
        {
            assert_eq!(trim_name(value), value, "{value:?}");
            assert_eq!(trim_value(value), value, "{value:?}");
        }
    }
}
