//! Names of members. They are labels: nothing opens a file by them.

use super::fields::{ZIP, extra_field};
use crate::error::{ContainerError, bytes, hex};
use crate::stream::damaged;

/// Bytes of a name. Names are kept for all members.
const MAX_NAME: usize = 1024;

/// The extra field of Info-ZIP with the name in UTF-8.
const UNICODE_PATH: u16 = 0x7075;

/// The characters of code page 437 from 0x80 on.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// The name as text, with `/` between its parts.
///
/// A name is UTF-8 if a flag says so, or if it is valid UTF-8; programs often leave the flag out. Else it is of code
/// page 437, as the format says. A path that leads out of a folder is an error: no honest archive has one.
pub(super) fn decode(raw: &[u8], is_utf8: bool, extra: &[u8]) -> Result<String, ContainerError> {
    if raw.len() > MAX_NAME {
        let error = damaged(ZIP, "member has too long a name");
        return Err(error.found(bytes(raw.len() as u64), format!("at most {MAX_NAME}")));
    }
    let name = match (unicode_path(raw, extra), std::str::from_utf8(raw)) {
        (Some(name), _) => name.to_owned(),
        (None, Ok(name)) => name.to_owned(),
        (None, Err(_)) if is_utf8 => {
            return Err(damaged(ZIP, "member's name is invalid").found(hex(raw), "UTF-8"));
        }
        (None, Err(_)) => raw.iter().copied().map(cp437).collect(),
    };
    let name = name.replace('\\', "/");
    check(&name)?;
    Ok(name)
}

fn cp437(byte: u8) -> char {
    match byte.checked_sub(0x80) {
        None => char::from(byte),
        Some(index) => CP437.chars().nth(index.into()).unwrap_or(char::REPLACEMENT_CHARACTER),
    }
}

/// The name of the extra field, if it belongs to this name.
fn unicode_path<'a>(raw: &[u8], extra: &'a [u8]) -> Option<&'a str> {
    let (&[version, a, b, c, d], name) =
        extra_field(extra, UNICODE_PATH)?.split_first_chunk::<5>()?;
    let belongs = version == 1 && u32::from_le_bytes([a, b, c, d]) == crc32fast::hash(raw);
    std::str::from_utf8(name).ok().filter(|name| belongs && name.len() <= MAX_NAME)
}

fn check(name: &str) -> Result<(), ContainerError> {
    let is_drive = name.as_bytes().get(1) == Some(&b':')
        && name.starts_with(|first: char| first.is_ascii_alphabetic());
    let found = match name {
        "" => "an empty name",
        _ if name.contains('\0') => "a zero byte in the name",
        _ if name.starts_with('/') || is_drive => "an absolute path",
        _ if name.split('/').any(|part| part == "..") => "a path with ..",
        _ => return Ok(()),
    };
    Err(damaged(ZIP, "member's name is invalid")
        .found(found, "a path inside the archive")
        .in_member(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(raw: &[u8]) -> Option<String> {
        decode(raw, false, b"").ok()
    }

    #[test]
    fn code_page_437_has_128_characters() {
        assert_eq!(CP437.chars().count(), 128);
        assert_eq!(name(b"caf\x82.csv").as_deref(), Some("café.csv"));
        assert_eq!(cp437(0xff), '\u{a0}');
    }

    #[test]
    fn utf_8_needs_no_flag() {
        assert_eq!(name("2020/Žluťoučký.csv".as_bytes()).as_deref(), Some("2020/Žluťoučký.csv"));
        assert!(decode(b"caf\x82.csv", true, b"").is_err());
    }

    #[test]
    fn the_extra_field_wins_if_it_belongs_to_the_name() {
        let field = |crc: u32| {
            let mut field = vec![0x75, 0x70, 10, 0, 1];
            field.extend(crc.to_le_bytes());
            field.extend("é.csv".as_bytes()[..5].iter());
            field
        };
        assert_eq!(decode(b"?.csv", false, &field(crc32fast::hash(b"?.csv"))).unwrap(), "é.cs");
        assert_eq!(decode(b"?.csv", false, &field(1)).unwrap(), "?.csv");
    }

    #[test]
    fn a_path_stays_inside_the_archive() {
        assert_eq!(name(b"2020\\1.csv").as_deref(), Some("2020/1.csv"));
        assert_eq!(name(b"a..b/..c/d...csv").as_deref(), Some("a..b/..c/d...csv"));
        for bad in [
            "",
            "/etc/passwd",
            "\\x",
            "C:\\x.csv",
            "c:x",
            "../x",
            "a/../x",
            "a/..",
            "a\\..\\x",
            "a\0b",
        ] {
            assert_eq!(name(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(name(&[b'a'; 1025]), None);
    }
}
