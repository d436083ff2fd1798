//! The texts of records that are trips so far, and that are staged if another trip has their id.

use std::collections::TryReserveError;

use crate::wire::copy_binary::{RowWriter, values_of};

/// What staging gets of a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordText<'a> {
    /// Its first line; 0 if it has none.
    pub line: u64,
    /// Its bytes, as far as they may be kept.
    pub raw: Option<&'a [u8]>,
    /// Its fields as a JSON object.
    pub json: Option<&'a str>,
    /// Its id, as the record has it, for a message; empty if that may not be shown.
    pub id: &'a str,
}

/// The texts of the records of a block.
#[derive(Debug, Default)]
pub(super) struct RecordTexts {
    bytes: Vec<u8>,
    /// The number that orders a record in its file, and where its texts begin.
    starts: Vec<(u64, usize)>,
}

impl RecordTexts {
    /// Adds a record. `order` is its number in its file, greater than those before.
    pub(super) fn push(
        &mut self,
        order: u64,
        text: &RecordText<'_>,
    ) -> Result<(), TryReserveError> {
        let RecordText { line, raw, json, id } = *text;
        let texts = raw.map_or(0, <[u8]>::len) + json.map_or(0, str::len) + id.len();
        self.bytes.try_reserve(texts + 4 * size_of::<i32>() + size_of::<u64>())?;
        self.starts.try_reserve(1)?;
        self.starts.push((order, self.bytes.len()));
        let mut row = RowWriter::values(&mut self.bytes);
        row.value(&line.to_be_bytes()).optional(raw);
        row.optional(json.map(str::as_bytes)).value(id.as_bytes());
        Ok(())
    }

    /// The record of this number.
    pub(super) fn get(&self, order: u64) -> Option<RecordText<'_>> {
        let at = self.starts.binary_search_by_key(&order, |&(order, _)| order).ok()?;
        let [line, raw, json, id] = values_of(&self.bytes[self.starts[at].1..]);
        let text = |bytes| std::str::from_utf8(bytes).ok();
        let line = line.and_then(|line| line.try_into().ok()).map_or(0, u64::from_be_bytes);
        Some(RecordText { line, raw, json: json.and_then(text), id: id.and_then(text)? })
    }

    /// Number of records.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len() + self.starts.len() * size_of::<(u64, usize)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_by_their_records() {
        let mut texts = RecordTexts::default();
        let whole = RecordText { line: 7, raw: Some(b"a,\xff"), json: Some("{}"), id: "é" };
        let empty = RecordText::default();
        texts.push(3, &whole).unwrap();
        texts.push(9, &empty).unwrap();
        assert_eq!([3, 9, 4].map(|order| texts.get(order)), [Some(whole), Some(empty), None]);
        assert!(texts.bytes() > 2 * 16);
    }
}
