//! The messages of the schemes `columns` and `source_id`.
//!
//! ```text
//! length of the namespace (4 bytes), namespace | number of values (2 bytes) | value … | zeros up to whole 64 bytes
//! value: tag (1 byte), then
//!   0 NULL           nothing
//!   1 text, id, JSON length in bytes (4 bytes), UTF-8
//!   2 number         IEEE 754 double (8 bytes); a zero has no sign
//!   3 wall clock     microseconds since 2000-01-01 00:00:00 (8 bytes, two's complement)
//!   4 instant        the same in UTC
//! ```
//!
//! All numbers are big-endian. No message is the beginning of another one, because all counts and lengths come before
//! what they count. So the padding does not make two messages equal.

use super::MAX_MESSAGE;
use crate::model::canonical::Canonical;
use crate::model::error::{SqlState, ValueError};
use crate::model::timestamp::Timestamp;
use crate::wire::copy_binary::{Cursor, RowWriter};

const BLOCK: usize = blake3::BLOCK_LEN;

mod tag {
    pub(super) const NULL: u8 = 0;
    pub(super) const TEXT: u8 = 1;
    pub(super) const NUMBER: u8 = 2;
    pub(super) const WALL: u8 = 3;
    pub(super) const INSTANT: u8 = 4;
}

/// Writes one message; it must get as many values as it was begun with.
#[derive(Debug)]
pub struct KeyMessage<'o> {
    out: &'o mut Vec<u8>,
    left: u16,
}

impl<'o> KeyMessage<'o> {
    /// Begins the message of a record's identity columns, this many. The vector is cleared.
    ///
    /// # Panics
    /// When the namespace is over 2 GiB; a definition's has at most 63 bytes.
    pub fn columns(out: &'o mut Vec<u8>, namespace: &str, count: u16) -> Self {
        out.clear();
        RowWriter::values(out).value(namespace.as_bytes());
        out.extend_from_slice(&count.to_be_bytes());
        Self { out, left: count }
    }

    /// Begins the message of a record's own id, of this many columns. The vector is cleared.
    ///
    /// # Panics
    /// When the namespace is over 2 GiB; a definition's has at most 63 bytes.
    pub fn source_id(out: &'o mut Vec<u8>, namespace: &str, count: u16) -> Self {
        Self::columns(out, namespace, count)
    }

    fn value(&mut self, tag: u8, bytes: &[u8]) -> &mut Self {
        debug_assert!(self.left > 0, "a message has more values than it was begun with");
        self.left = self.left.saturating_sub(1);
        self.out.push(tag);
        self.out.extend_from_slice(bytes);
        self
    }

    /// A value that is missing.
    pub fn null(&mut self) -> &mut Self {
        self.value(tag::NULL, &[])
    }

    /// A text, an id, or the text of a JSON value.
    ///
    /// A text that is longer than a message may be is cut: [`Self::finish`] then fails.
    pub fn text(&mut self, text: &str) -> &mut Self {
        let bytes = text.as_bytes();
        let bytes = &bytes[..bytes.len().min(MAX_MESSAGE + 1)];
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.value(tag::TEXT, &length.to_be_bytes());
        self.out.extend_from_slice(bytes);
        self
    }

    /// A number.
    pub fn number(&mut self, number: f64) -> &mut Self {
        // The sum of two zeros has no sign.
        self.value(tag::NUMBER, &(number + 0.0).to_be_bytes())
    }

    /// A time of the feed's wall clock.
    pub fn wall(&mut self, time: Timestamp) -> &mut Self {
        self.value(tag::WALL, &time.0.to_be_bytes())
    }

    /// An instant, in UTC: the file has an offset, or its times are UTC.
    pub fn instant(&mut self, time: Timestamp) -> &mut Self {
        self.value(tag::INSTANT, &time.0.to_be_bytes())
    }

    /// A value of a column; None is NULL.
    pub fn canonical(&mut self, value: Option<&Canonical<'_>>) -> &mut Self {
        match value {
            None => self.null(),
            Some(Canonical::Text(text) | Canonical::Json(text)) => self.text(text),
            Some(Canonical::Number(number)) => self.number(*number),
            Some(Canonical::Time(time)) => self.wall(*time),
        }
    }

    /// Ends the message, and pads it.
    ///
    /// # Errors
    /// 54000 when the message is longer than [`MAX_MESSAGE`].
    pub fn finish(&mut self) -> Result<(), ValueError> {
        debug_assert_eq!(self.left, 0, "a message has fewer values than it was begun with");
        if self.out.len() > MAX_MESSAGE {
            return Err(ValueError::new(
                SqlState::ProgramLimitExceeded,
                format!("the identity columns of the record are longer than {MAX_MESSAGE} bytes"),
            ));
        }
        self.out.resize(self.out.len().next_multiple_of(BLOCK), 0);
        Ok(())
    }
}

/// Whether bytes of another process are a message that [`KeyMessage`] writes, of this namespace and this many values.
#[must_use]
pub fn is_valid(message: &[u8], namespace: &str, count: u16) -> bool {
    let mut from = Cursor(message);
    let is_ours = from.value() == Some(Some(namespace.as_bytes()))
        && from.array() == Some(count.to_be_bytes());
    let is_whole = is_ours && (0..count).all(|_| skip_value(&mut from).is_some());
    is_whole
        && message.len() <= MAX_MESSAGE
        && message.len().is_multiple_of(BLOCK)
        && from.0.len() < BLOCK
        && from.0.iter().all(|&byte| byte == 0)
}

fn skip_value(from: &mut Cursor<'_>) -> Option<()> {
    match from.array::<1>()? {
        [tag::NULL] => Some(()),
        [tag::TEXT] => {
            let length = u32::from_be_bytes(from.array()?);
            let text = from.bytes(usize::try_from(length).ok()?)?;
            std::str::from_utf8(text).ok().map(|_| ())
        }
        [tag::NUMBER] => {
            let bits = from.array()?;
            let number = f64::from_be_bytes(bits);
            (number.is_finite() && bits != (-0.0_f64).to_be_bytes()).then_some(())
        }
        [tag::WALL | tag::INSTANT] => from.bytes(8).map(|_| ()),
        _ => None,
    }
}
