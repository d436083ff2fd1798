//! The records of a chunk, by the columns of their feed.

use std::borrow::Cow;

use crate::check::reject::{BadLine, Rejection};
use crate::feed::definition::{ColumnId, RawLine};
use crate::feed::fields::Fields;
use crate::feed::plan::Plan;
use crate::format::fields_record::{FieldsRecord, RecordChunk};
use crate::format::json::chunk::JsonChunk;
use crate::format::json::members::{RecordMembers, fault_of};
use crate::format::position::Position;

/// A record.
#[derive(Debug)]
pub struct JsonRecord<'r> {
    text: &'r [u8],
    position: Position,
    members: &'r RecordMembers,
    fault: Option<Rejection>,
}

/// Why the first record of a chunk cannot be read, if it cannot.
pub(super) fn fault_of_first(chunk: &JsonChunk, max_record: usize) -> Option<BadLine> {
    let text = chunk.texts(max_record).next()?;
    let rejection = match text.fault {
        Some(fault) => fault.rejection(text.bytes),
        None => fault_of(text.bytes)?,
    };
    Some(BadLine { position: text.position, rejection })
}

impl RecordChunk for JsonChunk {
    type Record<'r> = JsonRecord<'r>;

    fn number(&self) -> u64 {
        self.number
    }

    fn covers(&self) -> u64 {
        self.covers
    }

    fn for_each<E>(
        &mut self,
        plan: &Plan,
        max_record: usize,
        mut each: impl FnMut(&JsonRecord<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut members = RecordMembers::of(plan, self.are_features);
        for text in self.texts(max_record) {
            let fault = match text.fault {
                Some(fault) => Some(fault.rejection(text.bytes)),
                None => members.read(text.bytes).err(),
            };
            let (text, position) = (text.bytes, text.position);
            each(&JsonRecord { text, position, members: &members, fault })?;
        }
        self.not_stored = members.into_not_stored();
        Ok(())
    }

    fn take_not_stored(&mut self) -> Vec<String> {
        std::mem::take(&mut self.not_stored)
    }
}

impl Fields for JsonRecord<'_> {
    #[inline]
    fn text(&self, column: ColumnId) -> Option<Cow<'_, [u8]>> {
        self.members.text(self.text, column)
    }
}

impl FieldsRecord for JsonRecord<'_> {
    fn position(&self) -> Position {
        self.position
    }

    fn fault(&self) -> Option<Rejection> {
        self.fault.clone()
    }

    fn raw(&self, plan: &Plan) -> Option<Cow<'_, [u8]>> {
        match plan.feed().definition.raw_line {
            RawLine::Whole => Some(Cow::Borrowed(self.text)),
            RawLine::Listed if self.fault.is_some() => None,
            RawLine::Listed => Some(self.members.kept(self.text)),
        }
    }

    fn size(&self) -> usize {
        self.text.len()
    }
}
