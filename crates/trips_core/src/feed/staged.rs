//! A record of a feed in staging: the texts of the listed columns, as JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::columns::{KEY_COUNT, TripColumn};
use crate::feed::definition::{ColumnId, Definition, IdentityRule, Required};
use crate::feed::fields::{FieldTime, Fields};
use crate::feed::file_feed::FileFeed;
use crate::feed::header_columns::HeaderColumns;
use crate::feed::program::FeedProgram;
use crate::key::TripKey;
use crate::model::decimal::DecimalMark;
use crate::model::error::ValueError;
use crate::model::time_form::DayMonthOrder;
use crate::text::whitespace;

/// The member of the object that says the decimal mark of the file; a point if it is not there.
const DECIMAL: &str = "$decimal";
/// The member that says the order of day and month, where the file decides it.
const ORDER: &str = "$order";
/// The member that lists the columns whose texts are of times that the file has as numbers: a JSON array of their names.
const TIMES: &str = "$times";
/// The member that says which equal record of the file is before this one: see [`Preceding`].
const OCCURRENCE: &str = "$occurrence";
/// The first character of such a member. The name of a column that begins with it has one more.
const MARK: char = '$';

/// A record of which staging has the texts. A column that the file had is there, also if it was empty.
///
/// ```
/// use trips_core::feed::{builtin, staged::FeedRecord};
/// let feed = builtin::get("uber_2014").unwrap();
/// assert!(FeedRecord::of_json(feed, r#"{"Base": "B02512", "Lat": "40.7"}"#).is_some());
/// assert!(FeedRecord::of_json(feed, r#"{"Other": "B02512"}"#).is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedRecord {
    texts: Vec<Option<String>>,
    decimal: DecimalMark,
    order: Option<DayMonthOrder>,
    preceding: Option<Preceding>,
    /// The columns that the file has as times, not as texts.
    times: Vec<ColumnId>,
}

/// The equal records of a file that are trips, when another one of them is in staging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preceding {
    /// The key of the first one.
    pub base: TripKey,
    /// Their number.
    pub records: u64,
}

impl Preceding {
    /// The name of its member in the object of a record.
    pub const MEMBER: &str = OCCURRENCE;

    /// The text of its member.
    ///
    /// ```
    /// use trips_core::feed::staged::Preceding;
    /// let text = Preceding { base: [0x2b; 16], records: 3 }.to_text();
    /// assert_eq!(text, "3 of 2b2b2b2b-2b2b-2b2b-2b2b-2b2b2b2b2b2b");
    /// assert_eq!(Preceding::of_text(&text).map(|preceding| preceding.records), Some(3));
    /// ```
    #[must_use]
    pub fn to_text(self) -> String {
        let mut text = format!("{} of ", self.records);
        for (at, byte) in self.base.iter().enumerate() {
            let mark = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
            text.push_str(&format!("{mark}{byte:02x}"));
        }
        text
    }

    /// The same from its text; None if it is none.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        let (records, key) = text.split_once(" of ")?;
        let key = u128::from_str_radix(&key.replace('-', ""), 16).ok()?;
        Some(Self { base: key.to_be_bytes(), records: records.parse().ok()? })
    }
}

/// What the program of a record depends on: the columns that it has, and how its file was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordForm {
    has: Vec<bool>,
    decimal: DecimalMark,
    order: Option<DayMonthOrder>,
}

impl FeedRecord {
    /// The record in a JSON object: texts by the own names of the feed's columns. None if it is none.
    ///
    /// The members `$decimal` (`.` or `,`) and `$order` (`MM/DD` or `DD/MM`) say how the texts are written. A column
    /// whose name begins with `$` has a member with one more `$`. The member `$occurrence` is [`Preceding`].
    /// The member `$times` lists the columns that the file had as times: their texts have one form in all feeds.
    #[must_use]
    pub fn of_json(feed: &Definition, json: &str) -> Option<Self> {
        let object: BTreeMap<String, String> = serde_json::from_str(json).ok()?;
        let mut texts = vec![None; feed.columns.len()];
        let (mut decimal, mut order, mut preceding) = (DecimalMark::Point, None, None);
        let mut times = Vec::new();
        for (name, text) in object {
            let is_column = !name.starts_with(MARK) || name[1..].starts_with(MARK);
            if is_column {
                let column = feed.column(name.strip_prefix(MARK).unwrap_or(&name))?;
                texts[usize::from(column.0)] = Some(text);
                continue;
            }
            match (name.as_str(), text.as_str()) {
                (DECIMAL, ".") => decimal = DecimalMark::Point,
                (DECIMAL, ",") => decimal = DecimalMark::Comma,
                (ORDER, text) => {
                    let orders = [DayMonthOrder::MonthFirst, DayMonthOrder::DayFirst];
                    order = Some(orders.into_iter().find(|order| order.pattern() == text)?);
                }
                (TIMES, text) => {
                    let names: Vec<String> = serde_json::from_str(text).ok()?;
                    let columns = names.iter().map(|name| feed.column(name));
                    times = columns.collect::<Option<_>>()?;
                }
                (OCCURRENCE, text) => preceding = Some(Preceding::of_text(text)?),
                _ => return None,
            }
        }
        Some(Self { texts, decimal, order, preceding, times })
    }

    /// The record in a JSON object of another feed. A column of this feed is that of the same name; else of another spelling
    /// that the other feed has for it. None if it is none, or if it lacks columns that all versions of the feed have.
    #[must_use]
    pub fn of_other_feed(from: Option<&Definition>, feed: &Definition, json: &str) -> Option<Self> {
        let object: BTreeMap<String, String> = serde_json::from_str(json).ok()?;
        let mut renamed = serde_json::Map::new();
        for (member, text) in object {
            match own_name(&member) {
                None if member == TIMES => {
                    let names: Vec<String> = serde_json::from_str(&text).ok()?;
                    let names = names.iter().filter_map(|name| name_in(from, feed, name));
                    let names = serde_json::to_string(&names.collect::<Vec<_>>()).ok()?;
                    renamed.insert(member, names.into());
                }
                None => drop(renamed.insert(member, text.into())),
                Some(name) => {
                    if let Some(name) = name_in(from, feed, name) {
                        renamed.entry(member_of(name)).or_insert(text.into());
                    }
                }
            }
        }
        let json = serde_json::to_string(&renamed).ok()?;
        Self::of_json(feed, &json).filter(|record| record.is_of_version(feed))
    }

    /// The record of a feed that has the five columns, with these texts. None if it lacks columns that all versions of the
    /// feed have, or if a text is not UTF-8.
    #[must_use]
    pub fn of_trip_columns(feed: &Definition, texts: [&[u8]; KEY_COUNT]) -> Option<Self> {
        let (decimal, order, preceding) = (DecimalMark::Point, None, None);
        let none = vec![None; feed.columns.len()];
        let mut record = Self { texts: none, decimal, order, preceding, times: Vec::new() };
        for (column, text) in TripColumn::ALL.into_iter().zip(texts) {
            if let Some(id) = feed.column_of_header(column.name().as_bytes()) {
                record.set_text(id, std::str::from_utf8(text).ok()?.to_owned());
            }
        }
        Some(record).filter(|record| record.is_of_version(feed))
    }

    /// Number of the columns that it has.
    #[must_use]
    pub fn column_count(&self) -> usize {
        self.texts.iter().flatten().count()
    }

    /// Whether it has the columns of a version of the feed.
    fn is_of_version(&self, feed: &Definition) -> bool {
        let has = |required: &Required| self.texts[usize::from(required.column().0)].is_some();
        feed.versions.iter().any(|version| version.required.iter().all(has))
    }

    /// Whether the file has a column as times.
    #[must_use]
    pub fn has_times(&self, column: ColumnId) -> bool {
        self.times.contains(&column)
    }

    /// Sets the text of a column.
    pub fn set_text(&mut self, column: ColumnId, text: String) {
        self.texts[usize::from(column.0)] = Some(text);
    }

    /// Sets the time of a column, as [`FieldTime::of_text`] reads it.
    pub fn set_time(&mut self, column: ColumnId, text: String) {
        self.set_text(column, text);
        if !self.times.contains(&column) {
            self.times.push(column);
        }
    }

    /// Exchanges the texts of two columns.
    pub fn swap_texts(&mut self, one: ColumnId, other: ColumnId) {
        self.texts.swap(usize::from(one.0), usize::from(other.0));
    }

    /// The decimal mark of its texts.
    #[must_use]
    pub fn decimal(&self) -> DecimalMark {
        self.decimal
    }

    /// Sets the decimal mark of its texts.
    pub fn set_decimal(&mut self, decimal: DecimalMark) {
        self.decimal = decimal;
    }

    /// Sets the order of day and month of its file.
    pub fn set_order(&mut self, order: DayMonthOrder) {
        self.order = Some(order);
    }

    /// What its program depends on.
    #[must_use]
    pub fn form(&self) -> RecordForm {
        let has = self.texts.iter().map(Option::is_some).collect();
        RecordForm { has, decimal: self.decimal, order: self.order }
    }

    /// The order of day and month of its file, if the record says it.
    #[must_use]
    pub fn order(&self) -> Option<DayMonthOrder> {
        self.order
    }

    /// The equal records of its file that are trips, as of the last load or merge.
    #[must_use]
    pub fn preceding(&self) -> Option<Preceding> {
        self.preceding
    }

    /// The program for records with the columns of this one.
    #[must_use]
    pub fn program(&self, feed: &Arc<FileFeed>) -> FeedProgram {
        let position = |(at, text): (usize, &Option<String>)| text.iter().map(|_| at).collect();
        let positions = self.texts.iter().enumerate().map(position).collect();
        let columns = HeaderColumns::of_record(positions);
        let feed = feed.with_decimal(self.decimal);
        let feed = match self.order {
            Some(order) => feed.with_order(order),
            None => feed,
        };
        FeedProgram::of(Arc::new(feed), &columns)
    }
}

impl Fields for FeedRecord {
    fn text(&self, column: ColumnId) -> Option<Cow<'_, [u8]>> {
        self.texts[usize::from(column.0)].as_ref().map(|text| text.as_bytes().into())
    }

    fn time(&self, column: ColumnId) -> Option<Result<FieldTime, ValueError>> {
        let text = self.texts[usize::from(column.0)].as_ref()?;
        self.times.contains(&column).then(|| FieldTime::of_text(text)).flatten()
    }
}

/// The JSON object of a record: the columns that may be kept, by their own names. None if a text cannot be stored.
pub(crate) fn json_of(program: &FeedProgram, fields: &impl Fields) -> Option<String> {
    let definition = &program.feed.definition;
    let mut object: BTreeMap<Cow<'_, str>, String> = BTreeMap::new();
    for (id, column) in (0..).map(ColumnId).zip(&definition.columns) {
        let Some(text) = fields.text(id).filter(|_| program.may_keep(id)) else { continue };
        let text = String::from_utf8(text.into_owned()).ok().filter(|text| !text.contains('\0'))?;
        object.insert(member_of(&column.name), text);
    }
    // A merge reads the texts as the file was read.
    let is_time = |(id, _): &(ColumnId, _)| program.may_keep(*id) && fields.time(*id).is_some();
    let times = (0..).map(ColumnId).zip(&definition.columns).filter(is_time);
    let times: Vec<&str> = times.map(|(_, column)| column.name.as_str()).collect();
    if !times.is_empty() {
        object.insert(TIMES.into(), serde_json::to_string(&times).ok()?);
    }
    if program.feed.dialect.decimal == DecimalMark::Comma {
        object.insert(DECIMAL.into(), ",".to_owned());
    }
    if let Some(order) = program.feed.order() {
        object.insert(ORDER.into(), order.pattern().to_owned());
    }
    serde_json::to_string(&object).ok()
}

/// The names of the columns of a record, in no order. None if the text is not an object of texts.
#[must_use]
pub fn names_of(json: &str) -> Option<Vec<String>> {
    let object: BTreeMap<String, Cow<'_, str>> = serde_json::from_str(json).ok()?;
    Some(object.keys().filter_map(|member| own_name(member)).map(str::to_owned).collect())
}

/// The column of a member; None for a member that says how texts are written.
fn own_name(member: &str) -> Option<&str> {
    match member.strip_prefix(MARK) {
        Some(name) if !name.starts_with(MARK) => None,
        Some(name) => Some(name),
        None => Some(member),
    }
}

/// The name of a feed's column that another feed has under this name.
fn name_in<'f>(from: Option<&Definition>, feed: &'f Definition, name: &str) -> Option<&'f str> {
    let column = feed.column_of_header(name.as_bytes()).or_else(|| {
        let spellings = &from?.get(from?.column(name)?).spellings;
        spellings.iter().find_map(|spelling| feed.column_of_header(spelling.as_bytes()))
    })?;
    Some(&feed.get(column).name)
}

/// The name of the member of a column.
fn member_of(column: &str) -> Cow<'_, str> {
    if column.starts_with(MARK) { format!("{MARK}{column}").into() } else { column.into() }
}

/// The id of a record as it has it, for a message; empty if the feed has no id, or a column of it may not be kept.
#[must_use]
pub fn id_of(program: &FeedProgram, fields: &impl Fields) -> String {
    let IdentityRule::SourceId { columns, .. } = &program.feed.definition.identity else {
        return String::new();
    };
    if !columns.iter().all(|column| program.may_keep(*column)) {
        return String::new();
    }
    let text = |column: &ColumnId| {
        let text = fields.text(*column).unwrap_or_default();
        String::from_utf8_lossy(whitespace::trim_value(&text)).into_owned()
    };
    columns.iter().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
