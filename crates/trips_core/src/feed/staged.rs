//! A record of a feed in staging: the texts of the listed columns, as JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::feed::definition::{ColumnId, Definition};
use crate::feed::fields::Fields;
use crate::feed::file_feed::FileFeed;
use crate::feed::header_columns::HeaderColumns;
use crate::feed::program::FeedProgram;

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
}

impl FeedRecord {
    /// The record in a JSON object: texts by the own names of the feed's columns. None if it is none.
    #[must_use]
    pub fn of_json(feed: &Definition, json: &str) -> Option<Self> {
        let object: BTreeMap<String, String> = serde_json::from_str(json).ok()?;
        let mut texts = vec![None; feed.columns.len()];
        for (name, text) in object {
            texts[usize::from(feed.column(&name)?.0)] = Some(text);
        }
        Some(Self { texts })
    }

    /// The program for records with the columns of this one.
    #[must_use]
    pub fn program(&self, feed: &Arc<FileFeed>) -> FeedProgram {
        let position = |(at, text): (usize, &Option<String>)| text.iter().map(|_| at).collect();
        let positions = self.texts.iter().enumerate().map(position).collect();
        let columns = HeaderColumns::of_record(positions);
        FeedProgram::of(feed.clone(), &columns)
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
    serde_json::to_string(&object).ok()
}
