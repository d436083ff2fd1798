//! A record of a feed in staging: the texts of the listed columns, as JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::feed::definition::{ColumnId, Definition};
use crate::feed::fields::Fields;
use crate::feed::file_feed::FileFeed;
use crate::feed::header_columns::HeaderColumns;
use crate::feed::program::FeedProgram;
use crate::model::decimal::DecimalMark;
use crate::model::time_form::DayMonthOrder;

/// The member of the object that says the decimal mark of the file; a point if it is not there.
const DECIMAL: &str = "$decimal";
/// The member that says the order of day and month, where the file decides it.
const ORDER: &str = "$order";

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
    /// The members `$decimal` (`.` or `,`) and `$order` (`MM/DD` or `DD/MM`) say how the texts are written.
    #[must_use]
    pub fn of_json(feed: &Definition, json: &str) -> Option<Self> {
        let object: BTreeMap<String, String> = serde_json::from_str(json).ok()?;
        let mut texts = vec![None; feed.columns.len()];
        let (mut decimal, mut order) = (DecimalMark::Point, None);
        for (name, text) in object {
            if let Some(column) = feed.column(&name) {
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
                _ => return None,
            }
        }
        Some(Self { texts, decimal, order })
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
}

/// The JSON object of a record: the columns that may be kept, by their own names. None if a text cannot be stored.
pub(crate) fn json_of(program: &FeedProgram, fields: &impl Fields) -> Option<String> {
    let definition = &program.feed.definition;
    let mut object = BTreeMap::new();
    for (id, column) in (0..).map(ColumnId).zip(&definition.columns) {
        let Some(text) = fields.text(id).filter(|_| program.may_keep(id)) else { continue };
        let text = String::from_utf8(text.into_owned()).ok().filter(|text| !text.contains('\0'))?;
        object.insert(column.name.as_str(), text);
    }
    // A merge reads the texts as the file was read.
    let mut state = |name, text: &str| {
        if definition.column(name).is_none() {
            object.insert(name, text.to_owned());
        }
    };
    if program.feed.dialect.decimal == DecimalMark::Comma {
        state(DECIMAL, ",");
    }
    if let Some(order) = program.feed.order() {
        state(ORDER, order.pattern());
    }
    serde_json::to_string(&object).ok()
}
