//! Characters that nobody sees: blanks and invisible ones around a name do not count, and no invisible
//! one is a part of it.

/// The byte order mark in UTF-8, U+FEFF.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The value without the blanks (Unicode's White_Space, a vertical tab included) and the invisible
/// characters around it.
#[must_use]
pub fn trim(value: &[u8]) -> &[u8] {
    let is_seen = |byte: &u8| matches!(byte, b'!'..=b'~');
    let mut rest = value.trim_ascii();
    // Nearly all values end here.
    while rest.first().is_some_and(|byte| !is_seen(byte)) {
        match first_char(rest).filter(|&c| is_trimmed(c)) {
            Some(c) => rest = &rest[c.len_utf8()..],
            None => break,
        }
    }
    while rest.last().is_some_and(|byte| !is_seen(byte)) {
        match last_char(rest).filter(|&c| is_trimmed(c)) {
            Some(c) => rest = &rest[..rest.len() - c.len_utf8()],
            None => break,
        }
    }
    rest
}

/// The first character of a trimmed name that would make it another name and is not seen.
#[must_use]
pub fn invisible_in(name: &str) -> Option<char> {
    if !name.bytes().any(may_begin_invisible) {
        return None;
    }
    let mut before = None;
    let mut characters = name.chars().peekable();
    while let Some(c) = characters.next() {
        let is_among_ascii = before.is_none_or(|c: char| c.is_ascii())
            || characters.peek().is_none_or(char::is_ascii);
        // Tabs and line ends are blanks, which are seen.
        let is_hidden = if c.is_control() { !c.is_whitespace() } else { is_invisible(c) };
        if is_hidden && (is_among_ascii || !is_of_scripts(c)) {
            return Some(c);
        }
        before = Some(c);
    }
    None
}

/// Whether a control character or an invisible one begins with this byte, in UTF-8.
fn may_begin_invisible(byte: u8) -> bool {
    matches!(byte, ..b' ' | 0x7f | 0xc2 | 0xcd | 0xd8 | 0xe1..=0xe3 | 0xef | 0xf0 | 0xf3)
}

/// Unicode's `Default_Ignorable_Code_Point`: what has no glyph of its own.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Joiners, direction marks and variation selectors: some scripts, and emoji, are not written without.
fn is_of_scripts(c: char) -> bool {
    matches!(c, '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{200c}'..='\u{200f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{e0020}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}')
}

fn is_trimmed(c: char) -> bool {
    c.is_whitespace() || is_invisible(c)
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
    fn what_is_not_seen_around_a_name_is_trimmed() {
        for around in
            ["", " ", "\x0b", "\u{feff}", "\u{a0}", "\u{200b}\u{a0} ", "\t\u{3000}", "\u{2060}"]
        {
            for name in ["Prague", "Plzeň", "ž", "a \u{a0} b", ""] {
                let value = format!("{around}{name}{around}");
                assert_eq!(trim(value.as_bytes()), name.as_bytes(), "{value:?}");
            }
        }
    }

    #[test]
    fn other_bytes_are_kept() {
        for value in
            [&b"\xff"[..], b"a\xe2\x80", b"\x80\x80\x80\x80\x80", b"\0a\0", b"\xa0", b"a\xc2"]
        {
            assert_eq!(trim(value), value, "{value:?}");
        }
    }

    #[test]
    fn no_invisible_character_begins_with_another_byte() {
        for c in ('\0'..=char::MAX).filter(|&c| c.is_control() || is_invisible(c)) {
            assert!(may_begin_invisible(c.to_string().as_bytes()[0]), "{c:?}");
        }
    }

    #[test]
    fn invisible_characters_are_found() {
        for (name, found) in [
            ("Prague", None),
            ("New\u{a0}York", None),
            ("New\nYork", None),
            ("Pra\u{200b}gue", Some('\u{200b}')),
            ("Pra\u{feff}gue", Some('\u{feff}')),
            ("Pra\u{200d}gue", Some('\u{200d}')),
            ("Pra\u{1}gue", Some('\u{1}')),
            ("Praha\u{7f}", Some('\u{7f}')),
            ("نیم\u{200c}روز", None),
            ("نیم\u{200b}روز", Some('\u{200b}')),
        ] {
            assert_eq!(invisible_in(name), found, "{name:?}");
        }
    }
}
