//! The bounds of a record and its fields, by RFC 4180; the reader of records passes bytes to it.

use memchr::{memchr, memchr_iter, memchr2, memchr3};
use thiserror::Error;

/// Bytes at the end of a line that is too long in which a joined header is searched.
const TAIL: usize = 16 * 1024;

/// A violation of RFC 4180 in one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FramingError {
    /// A quote inside a value that did not begin with one.
    #[error("a quote is inside an unquoted field")]
    QuoteInUnquotedField,
    /// Something other than a delimiter or a line end after a closing quote.
    #[error("text follows a closing quote, expected a delimiter or line end")]
    TextAfterQuote,
    /// No closing quote before the end of the file or the largest record.
    #[error("a quoted field is not closed")]
    UnclosedQuote,
    /// A line longer than the largest record; its raw bytes are cut there.
    #[error("the line is too long")]
    TooLong,
}

/// Position of a field in its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Has doubled quotes, which mean one quote.
    pub(crate) escaped: bool,
}

/// The delimiter of RFC 4180.
pub(crate) const COMMA: u8 = b',';

/// Whether a line has only whitespace. A tab that is the delimiter is not whitespace.
pub(crate) fn is_blank(line: &[u8], delimiter: u8) -> bool {
    line.iter().all(|b| matches!(b, b' ' | b'\t') && *b != delimiter)
}

/// `""` becomes `"`.
#[cold]
pub(crate) fn unescape(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=at]);
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

/// What some bytes begin with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// A record of `len` bytes over `lines` lines; the next begins at `next`.
    Record { len: usize, next: usize, lines: u64 },
    /// A faulty record, cut at the end of its first physical line.
    Faulty { len: usize, next: usize, error: FramingError },
    /// More bytes are needed to decide.
    Incomplete,
}

/// The end of the line that begins at `from`, and where the next one begins.
pub(crate) fn line_end(bytes: &[u8], from: usize, at_eof: bool) -> Option<(usize, usize)> {
    match memchr2(b'\n', b'\r', &bytes[from..]) {
        Some(at) if bytes[from + at] == b'\n' => Some((from + at, from + at + 1)),
        Some(at) => match bytes.get(from + at + 1) {
            Some(b'\n') => Some((from + at, from + at + 2)),
            None if !at_eof => None,
            _ => Some((from + at, from + at + 1)),
        },
        None => at_eof.then_some((bytes.len(), bytes.len())),
    }
}

/// Finds the first record of `bytes` and the positions of its fields, which this byte separates.
pub(crate) fn scan(bytes: &[u8], delimiter: u8, at_eof: bool, spans: &mut Vec<Span>) -> Scan {
    spans.clear();
    let Some((end, next)) = line_end(bytes, 0, at_eof) else {
        return Scan::Incomplete;
    };
    let line = &bytes[..end];
    if memchr(b'"', line).is_some() {
        return scan_quoted(bytes, delimiter, at_eof, (end, next), spans);
    }
    let mut start = 0;
    for at in memchr_iter(delimiter, line) {
        spans.push(Span { start, end: at, escaped: false });
        start = at + 1;
    }
    spans.push(Span { start, end, escaped: false });
    Scan::Record { len: end, next, lines: 1 }
}

/// As [`scan`], for a record with a quote in its first line.
fn scan_quoted(
    bytes: &[u8],
    delimiter: u8,
    at_eof: bool,
    first_line: (usize, usize),
    spans: &mut Vec<Span>,
) -> Scan {
    let error = |error| Scan::Faulty { len: first_line.0, next: first_line.1, error };
    let mut start = 0;
    loop {
        let end = if bytes.get(start) == Some(&b'"') {
            let Some((close, escaped)) = closing_quote(bytes, start + 1, at_eof) else {
                return if at_eof { error(FramingError::UnclosedQuote) } else { Scan::Incomplete };
            };
            spans.push(Span { start: start + 1, end: close, escaped });
            close + 1
        } else {
            // A quote before the end of the field is always a mistake.
            let end = match memchr3(delimiter, b'\n', b'\r', &bytes[start..]) {
                Some(at) => start + at,
                None if at_eof => bytes.len(),
                None => return Scan::Incomplete,
            };
            if memchr(b'"', &bytes[start..end]).is_some() {
                return error(FramingError::QuoteInUnquotedField);
            }
            spans.push(Span { start, end, escaped: false });
            end
        };
        match bytes.get(end) {
            Some(byte) if *byte == delimiter => start = end + 1,
            Some(b'\n' | b'\r') => {
                let Some((len, next)) = line_end(bytes, end, at_eof) else {
                    return Scan::Incomplete;
                };
                return Scan::Record { len, next, lines: line_ends(&bytes[..len]) + 1 };
            }
            Some(_) => return error(FramingError::TextAfterQuote),
            None if at_eof => {
                return Scan::Record { len: end, next: end, lines: line_ends(bytes) + 1 };
            }
            None => return Scan::Incomplete,
        }
    }
}

/// The position of the quote that closes a field which begins at `from`, and whether there were doubled ones.
fn closing_quote(bytes: &[u8], from: usize, at_eof: bool) -> Option<(usize, bool)> {
    let mut at = from;
    let mut escaped = false;
    loop {
        let quote = at + memchr(b'"', &bytes[at..])?;
        match bytes.get(quote + 1) {
            Some(b'"') => {
                escaped = true;
                at = quote + 2;
            }
            None if !at_eof => return None,
            _ => return Some((quote, escaped)),
        }
    }
}

/// Number of line ends inside these bytes.
pub(crate) fn line_ends(bytes: &[u8]) -> u64 {
    let mut count = 0;
    let mut at = 0;
    while let Some((end, next)) = line_end(bytes, at, true) {
        if end == bytes.len() {
            break;
        }
        count += 1;
        at = next;
    }
    count
}

/// Adds bytes to the end of a line, of which at most [`TAIL`] are kept.
pub(crate) fn keep_end(tail: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = &bytes[bytes.len().saturating_sub(TAIL)..];
    let surplus = (tail.len() + bytes.len()).saturating_sub(TAIL);
    tail.drain(..surplus);
    tail.extend_from_slice(bytes);
}
