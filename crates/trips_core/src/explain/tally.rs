//! Staged records of a file or member, grouped by column, SQLSTATE and kind of reason, and by what was found.

use std::collections::BTreeMap;

use super::cause::Cause;
use super::proposal::{Explained, Scope, explained};
use super::reason::kind_of;
use super::search::{Checker, StagedText};
use crate::model::time_form::DayMonthOrder;

/// The most examples of a group.
pub const MAX_EXAMPLES: usize = 20;
/// The most groups of a file, and the most outcomes of a group. The records of further ones are one group.
const MAX_GROUPS: usize = 200;
const MAX_OUTCOMES: usize = 32;
/// The reason of further groups.
const FURTHER: &str = "further reasons";

/// A record of a group, as a JSON object.
pub(super) type Example = serde_json::Value;

/// What the records of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) column: Option<String>,
    pub(super) code: Option<String>,
    pub(super) kind: Option<String>,
}

/// Records with one outcome.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcome {
    pub(super) records: u64,
    pub(super) examples: Vec<Example>,
}

/// The first records that prove an order of day and month, in words.
#[derive(Debug, Default)]
pub(super) struct Orders {
    pub(super) day_first: Option<String>,
    pub(super) month_first: Option<String>,
}

/// The groups of a file or member.
#[derive(Debug)]
pub struct Tally {
    scope: Scope,
    examples: usize,
    shows_values: bool,
    groups: BTreeMap<Key, BTreeMap<u64, Outcome>>,
    orders: Orders,
}

impl Tally {
    /// No records of a load, or of a member of its archive. Each group has so many examples, with values if the caller
    /// may see them.
    #[must_use]
    pub fn new(load_id: i64, member: Option<String>, examples: usize, shows_values: bool) -> Self {
        let (groups, orders) = (BTreeMap::new(), Orders::default());
        let examples = examples.min(MAX_EXAMPLES);
        Self { scope: Scope { load_id, member }, examples, shows_values, groups, orders }
    }

    /// Adds a record.
    pub fn add(&mut self, row: &StagedText<'_>, checker: &mut Checker) {
        let outcome = checker.outcome(row);
        self.note_order(row, outcome);
        let mut key = Key {
            column: row.column.map(str::to_owned),
            code: row.code.map(str::to_owned),
            kind: row.reason.map(kind_of),
        };
        if !self.groups.contains_key(&key) && self.groups.len() >= MAX_GROUPS {
            key = Key { column: None, code: None, kind: Some(FURTHER.to_owned()) };
        }
        let outcomes = self.groups.entry(key).or_default();
        let is_new = !outcomes.contains_key(&outcome) && outcomes.len() >= MAX_OUTCOMES;
        let found = outcomes.entry(if is_new { 0 } else { outcome }).or_default();
        found.records += 1;
        if found.examples.len() < self.examples {
            let value = self.shows_values.then(|| checker.value(row)).flatten();
            found.examples.push(example(row, self.scope.member.as_deref(), value));
        }
    }

    /// The groups, those with the most records first.
    #[must_use]
    pub fn finish(self, checker: &Checker) -> Vec<Explained> {
        let Self { scope, examples, groups, orders, .. } = self;
        let mut all = Vec::new();
        for (key, outcomes) in groups {
            all.extend(explained(&scope, &key, outcomes, (&orders, examples), &checker.feeds()));
        }
        all.sort_by_key(|found| std::cmp::Reverse(found.records));
        all
    }

    fn note_order(&mut self, row: &StagedText<'_>, outcome: u64) {
        let has = |order| Cause::of_set(outcome).any(|cause| cause.order() == Some(order));
        let (day, month) = (has(DayMonthOrder::DayFirst), has(DayMonthOrder::MonthFirst));
        let proof = match (day, month) {
            (true, false) => &mut self.orders.day_first,
            (false, true) => &mut self.orders.month_first,
            _ => return,
        };
        proof.get_or_insert_with(|| place_of(row));
    }
}

/// Where a record is, for a message.
fn place_of(row: &StagedText<'_>) -> String {
    match (row.row_group, row.line) {
        (Some(group), Some(line)) => format!("row group {group}, row {line}"),
        (_, Some(line)) => format!("line {line}"),
        (_, None) => "a record without a line".to_owned(),
    }
}

fn example(row: &StagedText<'_>, member: Option<&str>, value: Option<String>) -> Example {
    let mut object = serde_json::Map::new();
    let mut set = |name: &str, value: Option<serde_json::Value>| {
        value.map(|value| object.insert(name.to_owned(), value));
    };
    set("member", member.map(Into::into));
    set("row_group", row.row_group.map(Into::into));
    set("line_no", Some(row.line.map_or(serde_json::Value::Null, Into::into)));
    set("value", value.map(Into::into));
    object.into()
}
