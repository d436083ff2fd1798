//! Date and time of day from two fields as one text.

/// The longest joined text of a time, bytes.
pub(super) const MAX_TEXT: usize = 128;

/// A date and a time of day, of two fields, with a blank between them.
#[derive(Debug, Clone, Copy)]
pub struct JoinedTime {
    bytes: [u8; MAX_TEXT],
    len: usize,
}

impl JoinedTime {
    /// Joins two fields without whitespace around them. What is too long for a time becomes a text that is none.
    ///
    /// ```
    /// let joined = trips_core::model::time_form::JoinedTime::of(b" 5/6/2018", b"24:00");
    /// assert_eq!(joined.text(), b"5/6/2018 24:00");
    /// ```
    #[must_use]
    pub fn of(date: &[u8], time: &[u8]) -> Self {
        let (date, time) = (date.trim_ascii(), time.trim_ascii());
        let len = date.len() + 1 + time.len();
        let mut bytes = [0; MAX_TEXT];
        let parts = date.iter().chain(b" ").chain(time);
        for (byte, &part) in bytes[..MAX_TEXT - 1].iter_mut().zip(parts) {
            *byte = part;
        }
        // One more byte is NUL: no form reads it.
        Self { bytes, len: len.min(MAX_TEXT) }
    }

    /// The joined text.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}
