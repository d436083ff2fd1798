//! The syntax of JSON, RFC 8259, strictly: values are skipped and checked, not built.

use crate::format::json::literal::unit;
use crate::format::json::scan::{MAX_DEPTH, string_stop};
use crate::text::escape::quoted;

/// Why a text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The offset of the byte, from 0.
    pub at: usize,
    /// What may be there.
    pub expected: Expected,
}

/// What a text that is not JSON lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// This token.
    Token(&'static str),
    /// Fewer levels of objects and arrays.
    FewerLevels,
    /// One member of this name, which begins at this offset.
    OneMember,
    /// Characters in the value of this name, which begins at this offset.
    Characters,
}

impl Fault {
    pub(super) const fn token(at: usize, token: &'static str) -> Self {
        Self { at, expected: Expected::Token(token) }
    }

    /// The fault in words, with the character that is there.
    pub(super) fn describe(&self, text: &[u8]) -> String {
        let at = self.at + 1;
        let found = found(text, self.at);
        match self.expected {
            Expected::Token(token) => {
                format!("the record is not JSON: found {found} at its byte {at}, expected {token}")
            }
            Expected::FewerLevels => {
                format!("the record has more than {MAX_DEPTH} levels of objects and arrays")
            }
            Expected::OneMember => format!("the record has member {} twice", self.name(text)),
            Expected::Characters => {
                format!("member {} has a surrogate without its pair", self.name(text))
            }
        }
    }

    /// The name that begins at the offset, as in the file.
    fn name(&self, text: &[u8]) -> String {
        let name = &text[self.at..];
        quoted(string_end(name, 1).map_or(name, |end| &name[1..end - 1]))
    }
}

/// The character at an offset, for a message.
pub(super) fn found(text: &[u8], at: usize) -> String {
    let rest = text.get(at..).unwrap_or_default();
    match rest.utf8_chunks().next() {
        None => "the end".to_owned(),
        Some(chunk) => match chunk.valid().chars().next() {
            Some(c) => quoted(c.encode_utf8(&mut [0; 4]).as_bytes()),
            None => quoted(&chunk.invalid()[..1]),
        },
    }
}

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    /// A string, with its quotes; whether it has escapes.
    String {
        has_escapes: bool,
    },
    Number,
    Bool,
    /// An object or an array.
    Container,
}

/// A position in a text.
pub(super) struct Cursor<'t> {
    pub(super) text: &'t [u8],
    pub(super) at: usize,
}

impl Cursor<'_> {
    #[inline]
    pub(super) fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    /// The next byte after whitespace; 0 at the end, which no token is.
    #[inline]
    pub(super) fn next_byte(&mut self) -> u8 {
        self.skip_space();
        self.text.get(self.at).copied().unwrap_or(0)
    }

    /// Skips whitespace and this byte.
    #[inline]
    pub(super) fn take(&mut self, byte: u8, token: &'static str) -> Result<(), Fault> {
        if self.next_byte() != byte {
            return Err(Fault::token(self.at, token));
        }
        self.at += 1;
        Ok(())
    }

    /// Skips the value at the cursor, which is inside this many levels.
    pub(super) fn value(&mut self, depth: usize) -> Result<Kind, Fault> {
        match self.text.get(self.at).copied().unwrap_or(0) {
            b'"' => self.string().map(|has_escapes| Kind::String { has_escapes }),
            b'-' | b'0'..=b'9' => self.number().map(|()| Kind::Number),
            b'{' | b'[' => self.container(depth).map(|()| Kind::Container),
            b't' => self.word(b"true", "true").map(|()| Kind::Bool),
            b'f' => self.word(b"false", "false").map(|()| Kind::Bool),
            b'n' => self.word(b"null", "null").map(|()| Kind::Null),
            _ => Err(Fault::token(self.at, "a value")),
        }
    }

    fn word(&mut self, word: &[u8], token: &'static str) -> Result<(), Fault> {
        if !self.text[self.at..].starts_with(word) {
            return Err(Fault::token(self.at, token));
        }
        self.at += word.len();
        Ok(())
    }

    /// Skips the string at the cursor. Returns whether it has escapes.
    #[inline]
    pub(super) fn string(&mut self) -> Result<bool, Fault> {
        self.at += 1;
        let mut has_escapes = false;
        loop {
            let Some(stop) = string_stop(&self.text[self.at..]) else {
                return Err(Fault::token(self.text.len(), "a closing quote"));
            };
            self.at += stop;
            match self.text[self.at] {
                b'"' => {
                    self.at += 1;
                    return Ok(has_escapes);
                }
                b'\\' => {
                    has_escapes = true;
                    self.at += self.escape()?;
                }
                _ => return Err(Fault::token(self.at, "an escape of the control character")),
            }
        }
    }

    /// The length of the escape at the cursor.
    fn escape(&self) -> Result<usize, Fault> {
        match self.text.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
            Some(b'u') => match unit(&self.text[self.at..]) {
                Some(_) => Ok(6),
                None => Err(Fault::token(self.at, "\\u and four hexadecimal digits")),
            },
            _ => Err(Fault::token(self.at, "an escape")),
        }
    }

    fn number(&mut self) -> Result<(), Fault> {
        let digits = |cursor: &mut Self| {
            let begin = cursor.at;
            while cursor.text.get(cursor.at).is_some_and(u8::is_ascii_digit) {
                cursor.at += 1;
            }
            if cursor.at > begin { Ok(begin) } else { Err(Fault::token(begin, "a digit")) }
        };
        self.at += usize::from(self.text[self.at] == b'-');
        let begin = digits(self)?;
        if self.text[begin] == b'0' && self.at > begin + 1 {
            return Err(Fault::token(begin, "a number without leading zeros"));
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            digits(self)?;
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            self.at += usize::from(matches!(self.text.get(self.at), Some(b'+' | b'-')));
            digits(self)?;
        }
        Ok(())
    }

    fn container(&mut self, depth: usize) -> Result<(), Fault> {
        if depth >= MAX_DEPTH {
            return Err(Fault { at: self.at, expected: Expected::FewerLevels });
        }
        let is_object = self.text[self.at] == b'{';
        let close = if is_object { b'}' } else { b']' };
        self.at += 1;
        if self.next_byte() == close {
            self.at += 1;
            return Ok(());
        }
        loop {
            if is_object {
                self.name()?;
            }
            self.skip_space();
            self.value(depth + 1)?;
            if !self.continues(close)? {
                return Ok(());
            }
        }
    }

    /// Skips the name of a member and its colon. Returns where the name begins and ends, without its quotes.
    #[inline]
    pub(super) fn name(&mut self) -> Result<(usize, usize), Fault> {
        if self.next_byte() != b'"' {
            return Err(Fault::token(self.at, "the name of a member in double quotes"));
        }
        let begin = self.at + 1;
        self.string()?;
        let end = self.at - 1;
        self.take(b':', "\":\"")?;
        Ok((begin, end))
    }

    /// Skips a comma, or the closing bracket. Returns whether it was a comma.
    #[inline]
    pub(super) fn continues(&mut self, close: u8) -> Result<bool, Fault> {
        let byte = self.next_byte();
        if byte != b',' && byte != close {
            let token = if close == b'}' { "\",\" or \"}\"" } else { "\",\" or \"]\"" };
            return Err(Fault::token(self.at, token));
        }
        self.at += 1;
        Ok(byte == b',')
    }

    /// The end of the text after whitespace.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        self.skip_space();
        match self.at == self.text.len() {
            true => Ok(()),
            false => Err(Fault::token(self.at, "the end of the record")),
        }
    }
}

/// Where a string ends whose first character is at `from`: behind its quote.
pub(super) fn string_end(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += string_stop(text.get(at..)?)?;
        match text[at] {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Whether a text is one value, with whitespace around it or not.
pub(super) fn check(text: &[u8]) -> Result<(), Fault> {
    let mut cursor = Cursor { text, at: 0 };
    cursor.skip_space();
    cursor.value(0)?;
    cursor.end()
}

#[cfg(test)]
#[path = "syntax_tests.rs"]
mod tests;
