//! How the records of a JSON file are laid out, by its first bytes.

use memchr::memchr;

use crate::format::json::chunk::{RECORD_SEPARATOR, trim_line};
use crate::format::json::literal::unescape;
use crate::format::json::syntax::{self, Cursor, Fault};
use crate::text::whitespace::BYTE_ORDER_MARK;

/// The members that lead to the list of a GeoJSON `FeatureCollection`.
pub(super) const FEATURES: &str = "features";
/// The most lines that are compared.
const LINES: usize = 16;

/// Where the records of a file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// Each line is a record.
    Lines,
    /// Objects follow each other, with any whitespace between them.
    Documents,
    /// In lists, to which the members with these names lead; none for a list that is the document.
    Lists(Vec<String>),
}

/// Whether a file with these first bytes is JSON: it begins with an object, or with a list of objects.
///
/// ```
/// use trips_core::format::json::layout::is_json;
/// assert!(is_json(b"\xef\xbb\xbf\n [ {\"a\": 1} ]"));
/// assert!(!is_json(b"[region],[date_time]"));
/// ```
#[must_use]
pub fn is_json(first: &[u8]) -> bool {
    let begin = trim_begin(first);
    match begin.split_first() {
        Some((b'{', _)) => true,
        Some((b'[', rest)) => {
            matches!(rest.trim_ascii_start().first(), None | Some(b'{' | b']'))
        }
        _ => false,
    }
}

/// A text without whitespace, byte order marks and record separators before it.
fn trim_begin(text: &[u8]) -> &[u8] {
    let mut rest = text;
    loop {
        let begin = rest.trim_ascii_start();
        let begin = begin.strip_prefix(BYTE_ORDER_MARK).unwrap_or(begin);
        let begin = begin.strip_prefix(&[RECORD_SEPARATOR]).unwrap_or(begin);
        if begin.len() == rest.len() {
            return rest;
        }
        rest = begin;
    }
}

impl Layout {
    /// The layout of a file with these first bytes, whose pages have their lists at one of these dotted paths.
    pub(super) fn of(first: &[u8], paths: &[&str]) -> Self {
        let begin = trim_begin(first);
        if begin.first() == Some(&b'[') {
            return Self::Lists(Vec::new());
        }
        let split = |path: &&str| path.split('.').map(str::to_owned).collect::<Vec<_>>();
        let paths: Vec<Vec<String>> = paths.iter().map(split).collect();
        let mut cursor = Cursor { text: begin, at: 0 };
        match list_of_page(&mut cursor, &paths, &mut Vec::new()) {
            Ok(Some(path)) => Self::Lists(path),
            Ok(None) | Err(_) if has_records_in_lines(begin) => Self::Lines,
            Ok(None) | Err(_) => Self::Documents,
        }
    }
}

/// The path of the first list in the object at the cursor that is one of these.
fn list_of_page(
    cursor: &mut Cursor<'_>,
    paths: &[Vec<String>],
    inside: &mut Vec<String>,
) -> Result<Option<Vec<String>>, Fault> {
    cursor.take(b'{', "an object")?;
    if cursor.next_byte() == b'}' {
        cursor.at += 1;
        return Ok(None);
    }
    loop {
        let (begin, end) = cursor.name()?;
        let mut name = Vec::new();
        let is_text = unescape(&cursor.text[begin..end], &mut name).is_ok();
        let name = String::from_utf8(name).ok().filter(|_| is_text).unwrap_or_default();
        inside.push(name);
        let is_before = |path: &&Vec<String>| path.starts_with(inside);
        let longest = paths.iter().filter(is_before).map(Vec::len).max().unwrap_or(0);
        let is_path = paths.contains(inside);
        let byte = cursor.next_byte();
        if byte == b'[' && is_path {
            return Ok(Some(inside.clone()));
        }
        if byte == b'{' && longest > inside.len() {
            if let Some(path) = list_of_page(cursor, paths, inside)? {
                return Ok(Some(path));
            }
        } else {
            cursor.value(inside.len())?;
        }
        inside.pop();
        if !cursor.continues(b'}')? {
            return Ok(None);
        }
    }
}

/// Whether each line is a record: the first line is one, or it cannot continue in the next one, which is one.
fn has_records_in_lines(text: &[u8]) -> bool {
    let mut rest = text;
    for _ in 0..LINES {
        let Some(end) = memchr(b'\n', rest) else {
            return syntax::check(trim_line(rest)).is_ok();
        };
        if syntax::check(trim_line(&rest[..end])).is_ok() {
            return true;
        }
        // A document over several lines has no fault before its second line.
        let next = rest[end..].iter().position(|byte| !byte.is_ascii_whitespace());
        let Some(next) = next.map(|next| end + next) else { return false };
        let fault = document_fault(rest);
        if fault.is_none_or(|at| at > next) {
            return false;
        }
        rest = trim_begin(&rest[end..]);
    }
    false
}

/// Where the document at the beginning of a text is wrong.
fn document_fault(text: &[u8]) -> Option<usize> {
    let mut cursor = Cursor { text, at: 0 };
    cursor.skip_space();
    cursor.value(0).err().map(|fault| fault.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: [&str; 3] = ["data.trips", "trips", "features"];

    #[test]
    fn layouts_by_the_first_bytes() {
        let lists = |path: &[&str]| Layout::Lists(path.iter().map(|&name| name.into()).collect());
        for (first, layout) in [
            (r#"[{"a": 1}]"#, lists(&[])),
            ("\u{feff}\n[\n", lists(&[])),
            (r#"{"version": "0.4.0", "data": {"trips": [{"#, lists(&["data", "trips"])),
            (r#"{"trips": [], "version": "2.0"}"#, lists(&["trips"])),
            (r#"{"data": {"tri\u0070s": ["#, lists(&["data", "trips"])),
            (r#"{"type": "FeatureCollection", "features": ["#, lists(&["features"])),
            (r#"{"a": 1}"#, Layout::Lines),
            ("{\"a\": 1}\n{\"a\"", Layout::Lines),
            ("\n\u{feff}{\"a\": 1}\r\n\r\n{}", Layout::Lines),
            ("\u{1e}{\"a\": 1}\n\u{1e}{}\n", Layout::Lines),
            ("{\"a\": 1, \"b\": tru}\n{\"a\": 1}\n", Layout::Lines),
            ("{\"a\": 1, \"b\n{\"a\": 1}\n", Layout::Lines),
            ("{\"a\": 1\n{\"b\": 1}\n", Layout::Lines),
            ("{'a': 1}\n{'a': 2}\n{\"a\": 2}\n", Layout::Lines),
            ("{\"a\": 1}{\"a\": 2}\n{\"a\": 3}\n", Layout::Documents),
            ("{\n  \"a\": 1\n}\n{\n  \"a\": 2\n}\n", Layout::Documents),
            ("{\"a\": [\n{\"b\": 1}\n]}\n", Layout::Documents),
            // A list inside of a record is no list of records.
            (r#"{"route": {"type": "FeatureCollection", "features": []}}"#, Layout::Lines),
            (r#"{"trips": "none"}"#, Layout::Lines),
            (r#"{"data": [1], "a": 1}"#, Layout::Lines),
        ] {
            assert_eq!(Layout::of(first.as_bytes(), &PATHS), layout, "{first}");
            assert!(is_json(first.as_bytes()), "{first}");
        }
    }

    #[test]
    fn other_files_are_not_json() {
        for first in ["", "region,date", "[region],[x]", "\"{\"", "\u{feff}", "1", "<a>"] {
            assert!(!is_json(first.as_bytes()), "{first}");
        }
    }
}
