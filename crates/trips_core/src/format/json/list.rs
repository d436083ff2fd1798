//! The records of lists, pages and concatenated documents, one after the other.
//!
//! Only the brackets and quotes of a record are read here, and the members of a page around its list. A thread reads the
//! record itself.

use std::io::{self, Read};

use memchr::memchr;

use crate::format::json::buffer::Buffer;
use crate::format::json::chunk::{Framed, RECORD_SEPARATOR, TextFault};
use crate::format::json::scan::{Balance, Step};
use crate::format::json::syntax::{self, Expected, Fault};
use crate::format::json::token::{
    scalar, skip_space, skip_value, take_name, unexpected, unexpected_at,
};
use crate::text::whitespace::BYTE_ORDER_MARK;

/// Bytes of the longest token that is wrong at its begin when it is cut: an escape.
const LONGEST_TOKEN: usize = 6;
/// Bytes in which the next line is searched after the longest record.
const NEXT_LINE: usize = 1024;

/// The next token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Between documents.
    Root,
    /// In an object of a page: before a member, or after one.
    Members { is_first: bool },
    /// In a list of records: before a record, or after one.
    List { is_first: bool },
    /// Nothing follows.
    End,
}

/// The lists of records in a file.
#[derive(Debug)]
pub(super) struct Lists {
    /// The names of the members that lead to a list. None if the documents themselves are the records.
    path: Option<Vec<String>>,
    at: At,
    /// Number of the members of `path` that have been entered.
    level: usize,
    /// Whether the page has its list.
    has_list: bool,
    /// The number of the line in which the last record began, if it and all records before it begin in lines of their
    /// own and end there.
    own_lines: Option<u64>,
    max_record: usize,
}

/// What a part of the file is.
enum Found {
    /// A record begins at the next byte.
    Record,
    /// The list or the page is closed, or begun: read on.
    Other,
    /// The file ends here, where it may.
    End,
    /// The file ends here, where it may not.
    Cut,
}

impl Lists {
    pub(super) fn new(path: Option<Vec<String>>, max_record: usize) -> Self {
        let own_lines = Some(0);
        Self { path, at: At::Root, level: 0, has_list: false, own_lines, max_record }
    }

    /// Appends the bytes of the next record. Returns where they end; None at the end of the file.
    pub(super) fn next_record<R: Read>(
        &mut self,
        buffer: &mut Buffer<R>,
        out: &mut Vec<u8>,
    ) -> io::Result<Option<Framed>> {
        loop {
            let found = match self.at {
                At::Root => self.document(buffer)?,
                At::Members { is_first } => self.member(buffer, is_first)?,
                At::List { is_first } => self.item(buffer, is_first)?,
                At::End => Found::End,
            };
            match found {
                Found::Other => {}
                Found::Record => {
                    let fault = self.record(buffer, out)?;
                    return Ok(Some(Framed { end: out.len(), fault }));
                }
                Found::End => {
                    self.at = At::End;
                    return Ok(None);
                }
                Found::Cut => {
                    self.at = At::End;
                    let fault = Some(TextFault::CutList);
                    return Ok(Some(Framed { end: out.len(), fault }));
                }
            }
        }
    }

    fn document<R: Read>(&mut self, buffer: &mut Buffer<R>) -> io::Result<Found> {
        loop {
            skip_space(buffer)?;
            let around = match buffer.peek(BYTE_ORDER_MARK.len())? {
                mark if mark == BYTE_ORDER_MARK => mark.len(),
                [RECORD_SEPARATOR, ..] => 1,
                _ => break,
            };
            buffer.skip(around);
        }
        let Some(byte) = buffer.byte()? else { return Ok(Found::End) };
        match &self.path {
            None if !begins_value(byte) => Err(unexpected(buffer, "a record")),
            None => Ok(Found::Record),
            Some(path) if path.is_empty() => match byte {
                b'[' => Ok(self.begin(buffer, At::List { is_first: true })),
                _ => Err(unexpected(buffer, "a list of records")),
            },
            Some(_) => match byte {
                b'{' => {
                    (self.level, self.has_list) = (0, false);
                    Ok(self.begin(buffer, At::Members { is_first: true }))
                }
                _ => Err(unexpected(buffer, "a page")),
            },
        }
    }

    fn begin<R: Read>(&mut self, buffer: &mut Buffer<R>, at: At) -> Found {
        buffer.skip(1);
        self.at = at;
        Found::Other
    }

    /// A member of an object of a page, or its end.
    fn member<R: Read>(&mut self, buffer: &mut Buffer<R>, is_first: bool) -> io::Result<Found> {
        skip_space(buffer)?;
        match buffer.byte()? {
            None => return Ok(Found::Cut),
            Some(b'}') => return self.end_of_object(buffer),
            Some(b',') if !is_first => {
                buffer.skip(1);
                skip_space(buffer)?;
            }
            Some(_) if is_first => {}
            Some(_) => return Err(unexpected(buffer, "\",\" or \"}\"")),
        }
        self.at = At::Members { is_first: false };
        let Some(name) = take_name(buffer)? else { return Ok(Found::Cut) };
        let path = self.path.as_deref().unwrap_or_default();
        let is_on_path = path.get(self.level).is_some_and(|own| own.as_bytes() == name);
        let is_last = self.level + 1 == path.len();
        match buffer.byte()? {
            None => return Ok(Found::Cut),
            Some(b'[') if is_on_path && is_last => {
                self.has_list = true;
                return Ok(self.begin(buffer, At::List { is_first: true }));
            }
            Some(b'{') if is_on_path && !is_last => {
                self.level += 1;
                return Ok(self.begin(buffer, At::Members { is_first: true }));
            }
            // A page without records.
            Some(b'n') if is_on_path => self.has_list = true,
            Some(_) if is_on_path && is_last => {
                return Err(unexpected(buffer, "a list of records"));
            }
            Some(_) => {}
        }
        Ok(if skip_value(buffer)? { Found::Other } else { Found::Cut })
    }

    fn end_of_object<R: Read>(&mut self, buffer: &mut Buffer<R>) -> io::Result<Found> {
        if self.level > 0 {
            self.level -= 1;
            return Ok(self.begin(buffer, At::Members { is_first: false }));
        }
        if !self.has_list {
            let path = self.path.as_deref().unwrap_or_default().join(".");
            return Err(unexpected(buffer, &format!("member \"{path}\" with the list of records")));
        }
        Ok(self.begin(buffer, At::Root))
    }

    /// An item of a list, or its end.
    fn item<R: Read>(&mut self, buffer: &mut Buffer<R>, is_first: bool) -> io::Result<Found> {
        skip_space(buffer)?;
        match buffer.byte()? {
            None => return Ok(Found::Cut),
            Some(b']') => return Ok(self.end_of_list(buffer)),
            Some(b',') if !is_first => {
                buffer.skip(1);
                skip_space(buffer)?;
            }
            Some(_) if is_first => {}
            Some(_) => return Err(unexpected(buffer, "\",\" or \"]\"")),
        }
        match buffer.byte()? {
            None => Ok(Found::Cut),
            Some(byte) if !begins_value(byte) => Err(unexpected(buffer, "a record")),
            Some(_) => Ok(Found::Record),
        }
    }

    fn end_of_list<R: Read>(&mut self, buffer: &mut Buffer<R>) -> Found {
        let is_root = self.path.as_ref().is_none_or(Vec::is_empty);
        let after = if is_root { At::Root } else { At::Members { is_first: false } };
        self.begin(buffer, after)
    }

    /// Appends the record at the next byte, cut at the longest one.
    fn record<R: Read>(
        &mut self,
        buffer: &mut Buffer<R>,
        out: &mut Vec<u8>,
    ) -> io::Result<Option<TextFault>> {
        if self.path.is_some() {
            self.at = At::List { is_first: false };
        }
        let line = buffer.line();
        let (mut balance, mut length, from) = (Balance::default(), 0, out.len());
        let is_scalar = !matches!(buffer.byte()?, Some(b'"' | b'{' | b'['));
        loop {
            let rest = &buffer.rest()[length..];
            let step = if is_scalar { scalar(rest) } else { balance.scan(rest) };
            match step {
                Step::Ends(end) => {
                    let is_long = length + end > self.max_record;
                    if is_long && let Some(fault) = self.cut_at_line(buffer, from, out)? {
                        return Ok(Some(fault));
                    }
                    let fault = self.keep(buffer, length + end, from, out)?;
                    let is_own = self.own_lines.is_some_and(|last| last < line);
                    self.own_lines = Some(line).filter(|_| is_own && buffer.line() == line);
                    return Ok(fault);
                }
                Step::Fault(at) => {
                    let error =
                        unexpected_at(buffer, length + at, expected_at(buffer, length + at));
                    return self.cut_at_line(buffer, from, out)?.map(Some).ok_or(error);
                }
                Step::Continues => length = buffer.rest().len(),
            }
            let is_long = length > self.max_record;
            let is_end = !is_long && !buffer.fill()?;
            if (is_long || is_end)
                && let Some(fault) = self.cut_at_line(buffer, from, out)?
            {
                return Ok(Some(fault));
            }
            if is_long {
                // Its end is searched, but it is not held in memory.
                self.keep(buffer, length, from, out)?;
                length = 0;
            } else if is_end {
                return self.at_end(buffer, (length, is_scalar), from, out);
            }
        }
    }

    /// Appends the record of these last bytes of the file, which is cut. If the bytes before their end are not JSON, its
    /// end may be before that of the file.
    fn at_end<R: Read>(
        &mut self,
        buffer: &mut Buffer<R>,
        (length, is_scalar): (usize, bool),
        from: usize,
        out: &mut Vec<u8>,
    ) -> io::Result<Option<TextFault>> {
        self.at = At::End;
        if out.len() == from
            && let Err(Fault { at, expected: Expected::Token(token) }) =
                syntax::check(&buffer.rest()[..length])
            && at + LONGEST_TOKEN < length
        {
            return Err(unexpected_at(buffer, at, token));
        }
        self.keep(buffer, length, from, out)?;
        let is_whole = is_scalar && self.path.is_none();
        Ok((!is_whole).then_some(TextFault::Cut))
    }

    /// Moves bytes of a record that begins at `from`, as many as the longest record has.
    fn keep<R: Read>(
        &self,
        buffer: &mut Buffer<R>,
        count: usize,
        from: usize,
        out: &mut Vec<u8>,
    ) -> io::Result<Option<TextFault>> {
        let room = self.max_record - (out.len() - from);
        let kept = &buffer.rest()[..count.min(room)];
        out.try_reserve(kept.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        out.extend_from_slice(kept);
        buffer.skip(count);
        Ok((count > room).then_some(TextFault::TooLong))
    }

    /// A record that does not end in its line, although all records before it do. It is cut there if another record or
    /// the end of the list follows in the next line. Otherwise nothing proves where it ends.
    fn cut_at_line<R: Read>(
        &mut self,
        buffer: &mut Buffer<R>,
        from: usize,
        out: &mut Vec<u8>,
    ) -> io::Result<Option<TextFault>> {
        let line = buffer.line();
        let is_whole = out.len() == from;
        let is_own = self.own_lines.is_some_and(|last| 0 < last && last < line);
        if !(is_whole && is_own && self.path.is_some()) {
            return Ok(None);
        }
        let bytes = buffer.peek(self.max_record + NEXT_LINE)?;
        let Some(end) = memchr(b'\n', bytes) else { return Ok(None) };
        let text = bytes[..end].trim_ascii_end();
        let has_comma = text.ends_with(b",");
        let length = text.len() - usize::from(has_comma);
        let is_proved = match bytes[end..].iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => has_comma,
            Some(b']') => !has_comma,
            _ => false,
        };
        if !is_proved {
            return Ok(None);
        }
        let fault = self.keep(buffer, length, from, out)?;
        self.own_lines = Some(line);
        Ok(Some(fault.unwrap_or(TextFault::Broken)))
    }
}

/// Whether a value may begin with this byte: a record that is no object is rejected.
const fn begins_value(byte: u8) -> bool {
    matches!(byte, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n')
}

/// The byte that may be at this offset instead of a wrong one in brackets or quotes.
fn expected_at<R: Read>(buffer: &Buffer<R>, at: usize) -> &'static str {
    match buffer.rest().get(at) {
        Some(b'\n' | b'\r') => "a closing quote",
        Some(b'}') => "\"]\"",
        _ => "\"}\"",
    }
}
