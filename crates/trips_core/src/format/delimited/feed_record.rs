//! A record of delimited text, by the columns of its feed.

use std::borrow::Cow;

use crate::feed::definition::ColumnId;
use crate::feed::fields::Fields;
use crate::feed::plan::Plan;
use crate::feed::program::FeedProgram;
use crate::format::delimited::record::Record;
use crate::model::decimal::DecimalMark;
use crate::model::number;
use crate::text::encoding::{Encoding, encoding_of_record};
use crate::text::whitespace;

/// What stands for a field that is not kept.
const OMITTED: &[u8] = "…".as_bytes();

/// The fields of a record whose number of fields is that of the header.
#[derive(Debug)]
pub(super) struct RecordFields<'r> {
    record: &'r Record<'r>,
    plan: &'r Plan,
    encoding: Encoding,
}

impl<'r> RecordFields<'r> {
    /// The fields, in the first encoding of the feed in which the record is valid.
    pub(super) fn of(record: &'r Record<'r>, plan: &'r Plan) -> Self {
        let encodings = &plan.feed().definition.form.encodings;
        let encoding = match encodings[..] {
            [Encoding::Utf8] => Encoding::Utf8,
            _ => encoding_of_record(encodings, record.raw).unwrap_or(Encoding::Utf8),
        };
        Self { record, plan, encoding }
    }

    fn field(&self, at: usize) -> Cow<'_, [u8]> {
        let field = self.record.field(at);
        if self.encoding == Encoding::Utf8 || field.is_ascii() {
            return field;
        }
        match self.encoding.decode(&field) {
            Some(text) => Cow::Owned(text.into_owned().into_bytes()),
            None => field,
        }
    }
}

impl Fields for RecordFields<'_> {
    #[inline]
    fn text(&self, column: ColumnId) -> Option<Cow<'_, [u8]>> {
        match self.plan.columns().positions[usize::from(column.0)][..] {
            [] => None,
            [at] => Some(self.field(at)),
            [first, ref others @ ..] => {
                let nulls = &self.plan.feed().rules.nulls;
                let is_value = |text: &Cow<'_, [u8]>| nulls.trimmed(text).is_some();
                let all = std::iter::once(first).chain(others.iter().copied());
                let value = all.map(|at| self.field(at)).find(is_value);
                Some(value.unwrap_or_else(|| self.field(first)))
            }
        }
    }

    /// A number of the usual form, which needs none of the rules for texts.
    #[inline]
    fn number(&self, column: ColumnId) -> Option<f64> {
        let [at] = self.plan.columns().positions[usize::from(column.0)][..] else { return None };
        let is_usual = self.plan.feed().rules.decimal == DecimalMark::Point;
        is_usual.then(|| number::whole(self.record.raw_field(at))).flatten()
    }
}

/// Whether the record can be divided into the fields of the header. The feed may allow empty fields after them.
pub(super) fn has_fields(record: &Record<'_>, plan: &Plan) -> bool {
    let (found, expected) = (record.len(), plan.field_count);
    let is_empty = |at| whitespace::trim_value(record.raw_field(at)).is_empty();
    record.error.is_none()
        && (found == expected
            || (found > expected
                && plan.feed().definition.form.surplus_empty
                && (expected..found).all(is_empty)))
}

/// The text of a rejected record, without the fields that may not be kept. None if it cannot be divided into fields, and
/// some columns of the header may not be kept: any part of it may be of them.
pub(super) fn kept_text<'r>(
    record: &Record<'r>,
    plan: &Plan,
    program: &FeedProgram,
) -> Option<Cow<'r, [u8]>> {
    if program.keeps_whole_records() {
        return Some(Cow::Borrowed(record.raw));
    }
    let of_field = &plan.columns().of_field;
    let is_kept = |at: usize| {
        let column = of_field.get(at).copied().flatten();
        column.is_some_and(|column| program.may_keep(column))
    };
    if !has_fields(record, plan) {
        return (0..plan.field_count).all(is_kept).then_some(Cow::Borrowed(record.raw));
    }
    let may_keep = |at: usize| is_kept(at) || record.raw_field(at).is_empty();
    if (0..record.len()).all(may_keep) {
        return Some(Cow::Borrowed(record.raw));
    }
    let mut text = Vec::with_capacity(record.raw.len());
    let mut copied = 0;
    for at in (0..record.len()).filter(|at| !may_keep(*at)) {
        let (start, end) = record.bounds(at);
        text.extend_from_slice(&record.raw[copied..start]);
        text.extend_from_slice(OMITTED);
        copied = end;
    }
    text.extend_from_slice(&record.raw[copied..]);
    Some(Cow::Owned(text))
}
