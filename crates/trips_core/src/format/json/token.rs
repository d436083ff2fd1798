//! Tokens between the records of a JSON file.

use std::io::{self, Read};

use crate::format::json::buffer::Buffer;
use crate::format::json::error::JsonError;
use crate::format::json::literal::unescape;
use crate::format::json::scan::{Balance, Step};
use crate::format::json::syntax::{self, found, string_end};

/// The most bytes of the name of a member of a page, or of a number in it.
const MAX_TOKEN: usize = 64 * 1024;

/// Where a value without brackets and quotes ends.
pub(super) fn scalar(bytes: &[u8]) -> Step {
    let is_end = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n');
    bytes.iter().position(is_end).map_or(Step::Continues, Step::Ends)
}

/// Skips whitespace.
pub(super) fn skip_space<R: Read>(buffer: &mut Buffer<R>) -> io::Result<()> {
    loop {
        let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let count = buffer.rest().iter().take_while(is_space).count();
        buffer.skip(count);
        if !buffer.rest().is_empty() || !buffer.fill()? {
            return Ok(());
        }
    }
}

/// Skips the name of a member, its colon, and the whitespace after it. None if the file ends there.
pub(super) fn take_name<R: Read>(buffer: &mut Buffer<R>) -> io::Result<Option<Vec<u8>>> {
    if buffer.byte()?.is_some_and(|byte| byte != b'"') {
        return Err(unexpected(buffer, "the name of a member in double quotes"));
    }
    let bytes = buffer.peek(MAX_TOKEN)?;
    let is_long = bytes.len() == MAX_TOKEN;
    let Some(end) = string_end(bytes, 1) else {
        return if is_long { Err(unexpected(buffer, "a shorter name")) } else { Ok(None) };
    };
    let mut name = Vec::new();
    let is_text = unescape(&bytes[1..end - 1], &mut name).is_ok();
    if !is_text || syntax::check(&bytes[..end]).is_err() {
        return Err(unexpected(buffer, "the name of a member"));
    }
    buffer.skip(end);
    skip_space(buffer)?;
    match buffer.byte()? {
        None => return Ok(None),
        Some(b':') => buffer.skip(1),
        Some(_) => return Err(unexpected(buffer, "\":\"")),
    }
    skip_space(buffer)?;
    Ok(Some(name))
}

/// Skips a value of any size. Returns false if the file ends in it.
pub(super) fn skip_value<R: Read>(buffer: &mut Buffer<R>) -> io::Result<bool> {
    let mut balance = Balance::default();
    if !matches!(buffer.byte()?, Some(b'"' | b'{' | b'[')) {
        let bytes = buffer.peek(MAX_TOKEN)?;
        let is_long = bytes.len() == MAX_TOKEN;
        let Step::Ends(end) = scalar(bytes) else {
            return if is_long { Err(unexpected(buffer, "a shorter value")) } else { Ok(false) };
        };
        if syntax::check(&bytes[..end]).is_err() {
            return Err(unexpected(buffer, "a value"));
        }
        buffer.skip(end);
        return Ok(true);
    }
    loop {
        let count = match balance.scan(buffer.rest()) {
            Step::Ends(end) => {
                buffer.skip(end);
                return Ok(true);
            }
            Step::Fault(at) if balance.is_in_string() => {
                return Err(unexpected_at(buffer, at, "a closing quote"));
            }
            Step::Fault(at) => return Err(unexpected_at(buffer, at, "the other closing bracket")),
            Step::Continues => buffer.rest().len(),
        };
        buffer.skip(count);
        if !buffer.fill()? {
            return Ok(false);
        }
    }
}

pub(super) fn unexpected<R: Read>(buffer: &Buffer<R>, expected: &str) -> io::Error {
    unexpected_at(buffer, 0, expected)
}

/// The error of the byte at this offset.
pub(super) fn unexpected_at<R: Read>(buffer: &Buffer<R>, at: usize, expected: &str) -> io::Error {
    let (line, column) = buffer.place(at);
    let (found, expected) = (found(buffer.rest(), at), expected.to_owned());
    JsonError { line, column, found, expected }.into()
}
