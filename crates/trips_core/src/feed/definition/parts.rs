//! The members of a definition.

use super::{ColumnId, fold};
use crate::key::SameId;
use crate::model::decimal::DecimalMark;
use crate::model::time_form::TimeKind;
pub use crate::text::encoding::Encoding;

/// How the files of a feed are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The dialects, tried in order: the first under which the header is this feed's.
    pub dialects: Vec<Dialect>,
    /// The encodings, tried in order: the first in which a record is valid.
    pub encodings: Vec<Encoding>,
    /// Words that are NULL, quoted or not; case counts.
    pub nulls: Vec<String>,
    /// Whether empty fields beyond those of the header are passed over.
    pub surplus_empty: bool,
    /// Of JSON pages: the dotted paths of the lists of records; "" is the root.
    pub records: Vec<String>,
}

/// The delimiter and the decimal mark of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// The byte between two fields: `,`, `;`, tab or `|`.
    pub delimiter: u8,
    /// The character before a fraction.
    pub decimal: DecimalMark,
}

/// The start of a trip, and how the feed writes times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeRule {
    /// One column, or two that are joined by a blank.
    pub columns: Vec<ColumnId>,
    /// The patterns, tried in order.
    pub forms: Vec<String>,
    /// What the text is.
    pub kind: TimeKind,
    /// The zone of the local time, a name of the IANA database. An area's zone counts before it.
    pub zone: Option<String>,
    /// Whether `24:00` is midnight of the next day.
    pub hour_24: bool,
    /// The order of day and month of a file that does not prove it.
    pub unproved: Unproved,
}

/// What happens if the values of a file are valid in both orders of day and month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unproved {
    /// The file is refused.
    Refuse,
    /// The first form counts.
    First,
}

/// The end of a trip.
#[derive(Debug, Clone, PartialEq)]
pub enum EndedAt {
    /// One column or two, as [`TimeRule::columns`].
    Columns(Vec<ColumnId>),
    /// The start and `seconds` for each point of a line after its first.
    Points {
        /// The column with the line, a JSON array of positions.
        points: ColumnId,
        /// Seconds between two points.
        seconds: f64,
    },
}

/// A source of a coordinate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Two columns of degrees.
    LonLat {
        /// The longitude.
        longitude: ColumnId,
        /// The latitude.
        latitude: ColumnId,
    },
    /// `POINT (longitude latitude)`
    Wkt(ColumnId),
    /// `latitude,longitude` in one field, with or without brackets.
    LatLonText(ColumnId),
    /// A point of a GeoJSON document, or of an array of positions.
    GeoJson(ColumnId, LinePoint),
    /// The point of a zone: `trips.zones`.
    Zone {
        /// The name of the set of zones.
        set: String,
        /// The id of the zone.
        id: ColumnId,
    },
}

impl Place {
    /// The columns that it needs.
    pub fn columns(&self) -> impl Iterator<Item = ColumnId> {
        let (first, second) = match *self {
            Self::LonLat { longitude, latitude } => (longitude, Some(latitude)),
            Self::Wkt(column) | Self::LatLonText(column) | Self::GeoJson(column, _) => {
                (column, None)
            }
            Self::Zone { id, .. } => (id, None),
        };
        std::iter::once(first).chain(second)
    }
}

/// Which point of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinePoint {
    /// The first.
    First,
    /// The last.
    Last,
}

/// A box of degrees, its edges included.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "the names are the meaning")]
pub struct BoundingBox {
    pub west: f64,
    pub south: f64,
    pub east: f64,
    pub north: f64,
}

impl BoundingBox {
    /// Whether the point is inside or on an edge.
    #[must_use]
    pub fn contains(&self, longitude: f64, latitude: f64) -> bool {
        (self.west..=self.east).contains(&longitude)
            && (self.south..=self.north).contains(&latitude)
    }
}

/// The meaning of the coordinates 0, 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zero {
    /// Not known: NULL.
    Unknown,
    /// As the setting `trips.zero_coordinates` says.
    Point,
}

/// One of the systems that share a header.
#[derive(Debug, Clone, PartialEq)]
pub struct Area {
    /// The region of its trips.
    pub region: String,
    /// Their data source.
    pub datasource: Option<String>,
    /// Their zone.
    pub zone: Option<String>,
    /// Where it is.
    pub bounds: BoundingBox,
}

/// A source of a region or a data source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueSource {
    /// This text.
    Constant(String),
    /// The value of a column.
    Column(ColumnId),
    /// The region of the zone of the origin or the destination.
    Zone(TripEnd),
    /// The area of the origin or the destination.
    Area(TripEnd),
}

/// The origin or the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the meaning")]
pub enum TripEnd {
    Origin,
    Destination,
}

/// What makes two records one trip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityRule {
    /// The five values.
    Content,
    /// These values, in this order.
    Columns {
        /// Feeds of one namespace have trips in common.
        namespace: String,
        /// The values.
        columns: Vec<IdentityColumn>,
        /// Whether the n-th equal record of a member is a trip of its own.
        occurrence: bool,
    },
    /// The feed's own ids.
    SourceId {
        /// Feeds of one namespace have trips in common.
        namespace: String,
        /// The ids, in this order.
        columns: Vec<ColumnId>,
        /// Days before the first and after the last time of a run in which the same id is looked for, 0-400.
        window_days: u16,
        /// What happens to the same id with another time.
        policy: SameId,
    },
}

/// A value of the identity by columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityColumn {
    /// A column, in its canonical form.
    Column(ColumnId),
    /// `@time`: the start.
    Time,
    /// `@ended_at`: the end.
    EndedAt,
}

impl IdentityRule {
    /// The same rule with this policy, if it has one and one is given.
    #[must_use]
    pub fn with_policy(self, given: Option<SameId>) -> Self {
        match (self, given) {
            (Self::SourceId { namespace, columns, window_days, .. }, Some(policy)) => {
                Self::SourceId { namespace, columns, window_days, policy }
            }
            (rule, _) => rule,
        }
    }

    /// Whether a record of a known id and with other values corrects the trip.
    #[must_use]
    pub fn corrects(&self) -> bool {
        matches!(self, Self::SourceId { policy: SameId::Replace, .. })
    }
}

/// What staging keeps of the text of a rejected record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawLine {
    /// Fields that are personal or not in `columns` are replaced by `…`.
    Listed,
    /// All of it.
    Whole,
}

/// The header of a feed's station files: accepted spellings of each column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StationColumns {
    /// The id.
    pub id: Vec<String>,
    /// The name; it may be missing from the header.
    pub name: Vec<String>,
    /// The longitude in degrees.
    pub longitude: Vec<String>,
    /// The latitude in degrees.
    pub latitude: Vec<String>,
    /// Latitude and longitude in one column, if the file has no column of each.
    pub lat_lon: Vec<String>,
    /// `POINT (longitude latitude)`, if the file has neither.
    pub wkt: Vec<String>,
    /// Whether an id means another place in another year.
    pub by_year: bool,
}

impl StationColumns {
    /// The columns, by their names in a definition.
    #[must_use]
    pub fn members(&self) -> [(&'static str, &[String]); 6] {
        [
            ("id", &self.id),
            ("name", &self.name),
            ("longitude", &self.longitude),
            ("latitude", &self.latitude),
            ("lat_lon", &self.lat_lon),
            ("wkt", &self.wkt),
        ]
    }

    /// The column that a folded name is a spelling of.
    #[must_use]
    pub fn member(&self, folded: &str) -> Option<&'static str> {
        let is_it = |spellings: &[String]| spellings.iter().any(|name| fold(name) == folded);
        self.members().into_iter().find(|(_, spellings)| is_it(spellings)).map(|(name, _)| name)
    }

    /// Whether a header is that of a station file. `has` says whether it has one of some names.
    pub fn fits(&self, has: impl Fn(&[String]) -> bool) -> bool {
        let has_pair = has(&self.longitude) && has(&self.latitude);
        has(&self.id) && (has_pair || has(&self.lat_lon) || has(&self.wkt))
    }
}
