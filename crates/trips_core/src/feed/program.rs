//! The program of a feed: how the fields of a record become a trip, for one header.

use std::sync::Arc;

use crate::feed::definition::{
    ColumnId, ColumnKind, EndedAt, IdentityColumn, IdentityRule, Place, RawLine, SameId,
    ValueSource,
};
use crate::feed::file_feed::FileFeed;
use crate::feed::header_columns::HeaderColumns;
use crate::feed::zones::ZoneSetId;
use crate::key::Identity;
use crate::model::trip::Trip;

mod found_values;
mod identity;
mod not_numbers;
mod scratch;
mod tail_values;
mod times;
mod trip;
mod typed;

pub use self::not_numbers::NotNumbers;
pub use self::scratch::Scratch;
pub use self::tail_values::TailValues;

/// How the records after one header become trips.
#[derive(Debug, Clone)]
pub struct FeedProgram {
    pub(crate) feed: Arc<FileFeed>,
    origin: Option<PlaceSource>,
    destination: Option<PlaceSource>,
    ended_at: Option<EndedAt>,
    region: Vec<ValueSource>,
    datasource: Vec<ValueSource>,
    identity: Vec<IdentityValue>,
    namespace: String,
    /// The column of the feed's own id.
    trip_id: Option<ColumnId>,
    /// The details of the file, in the order of their names.
    details: Vec<Option<ColumnId>>,
}

/// The place of a trip, if the header has its columns.
#[derive(Debug, Clone)]
struct PlaceSource {
    place: Place,
    /// The set of a zone, if that has rows.
    set: Option<ZoneSetId>,
}

/// A value of the key.
#[derive(Debug, Clone, Copy)]
enum IdentityValue {
    Column(ColumnId, ColumnKind),
    Time,
    EndedAt,
}

/// A trip of a feed. All of it is borrowed from the record's [`Scratch`].
#[derive(Debug)]
pub struct FeedTrip<'s> {
    /// Its five values.
    pub trip: Trip<'s>,
    /// The values of the columns after `load_id`, as rows have them; empty if all of them are NULL.
    pub tail: &'s [u8],
    /// What its key is made of.
    pub identity: Identity<'s>,
    /// Number of its places that the record names and the feed's zones do not have.
    pub unknown_places: u64,
    /// The columns of numbers in its details whose values are no numbers: they are texts there.
    pub not_numbers: &'s [ColumnId],
}

impl FeedProgram {
    /// The program for the columns of one header.
    pub(crate) fn of(feed: Arc<FileFeed>, columns: &HeaderColumns) -> Self {
        let definition = feed.definition.clone();
        let place = |places: &[Place]| {
            let has_all = |place: &&Place| place.columns().all(|column| columns.has(column));
            let place = places.iter().find(has_all)?.clone();
            let set = match &place {
                Place::Zone { set, .. } => feed.rules.zones.set(set),
                _ => None,
            };
            Some(PlaceSource { place, set })
        };
        let given = |value: &Option<String>, sources: &[ValueSource]| match value {
            Some(value) => vec![ValueSource::Constant(value.clone())],
            None => sources.to_vec(),
        };
        let value_of =
            |column: ColumnId| IdentityValue::Column(column, definition.get(column).kind);
        let (identity, namespace) = match &definition.identity {
            IdentityRule::Content => (Vec::new(), String::new()),
            IdentityRule::Columns { namespace, columns, .. } => {
                let value = |column: &IdentityColumn| match *column {
                    IdentityColumn::Column(column) => value_of(column),
                    IdentityColumn::Time => IdentityValue::Time,
                    IdentityColumn::EndedAt => IdentityValue::EndedAt,
                };
                (columns.iter().map(value).collect(), namespace.clone())
            }
            IdentityRule::SourceId { namespace, columns, .. } => {
                (columns.iter().map(|column| value_of(*column)).collect(), namespace.clone())
            }
        };
        let present = |column: ColumnId| columns.has(column).then_some(column);
        let (origin, destination) = (place(&definition.origin), place(&definition.destination));
        let ended_at = definition.ended_at.clone().filter(|end| match end {
            EndedAt::Columns(of_end) => of_end.iter().all(|column| columns.has(*column)),
            EndedAt::Points { points, .. } => columns.has(*points),
        });
        Self {
            origin,
            destination,
            ended_at,
            region: given(&feed.options.region, &definition.region),
            datasource: given(&feed.options.datasource, &definition.datasource),
            identity,
            namespace,
            trip_id: definition.trip_id.and_then(present),
            details: definition.details.iter().map(|column| present(*column)).collect(),
            feed,
        }
    }

    /// Whether the text of a rejected record may be kept as it is.
    pub(crate) fn keeps_whole_records(&self) -> bool {
        self.feed.definition.raw_line == RawLine::Whole
    }

    /// Whether a record is staged if a trip with its id has another time.
    #[must_use]
    pub fn stages_same_ids(&self) -> bool {
        let rule = &self.feed.definition.identity;
        matches!(rule, IdentityRule::SourceId { policy: SameId::Stage, .. })
    }

    /// Whether a column's text may be kept.
    pub(crate) fn may_keep(&self, column: ColumnId) -> bool {
        !self.feed.definition.personal.contains(&column)
    }
}
