//! The definition of a feed: the columns of a kind of file, and how they become a trip. It is data, not code.
//!
//! A definition is one JSON document. `docs/feed.schema.json` has its shape, `docs/feeds.md` explains it. The same code
//! reads the built-in feeds and those of a user.

mod check;
mod form;
mod name;
mod parse;
mod parts;
mod reader;
mod rules;
mod used;

use std::collections::HashMap;
use std::fmt;

pub use crate::key::SameId;
pub use crate::model::time_form::TimeKind;
pub(crate) use name::fold_encoded;
pub use name::{fold, is_passed_over};
pub use parts::{
    Area, BoundingBox, Dialect, Encoding, EndedAt, Form, IdentityColumn, IdentityRule, LinePoint,
    Place, RawLine, StationColumns, TimeRule, TripEnd, Unproved, ValueSource, Zero,
};

/// A fault of a definition: where it is, what is there, and what may be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionError {
    /// The JSON path, such as `$.columns["start station id"].type`.
    pub path: String,
    /// The value, escaped and cut.
    pub found: String,
    /// What the definition allows there.
    pub expected: &'static str,
}

impl fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}: found {}, expected {}", self.path, self.found, self.expected)
    }
}

/// The number of a column of a definition, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColumnId(pub u16);

/// A feed's definition. Its columns are named by their [`ColumnId`].
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// The name of the feed, unique: up to 63 characters `a-z`, `0-9` and `_`.
    pub name: String,
    /// The name for readers.
    pub title: String,
    /// All known columns of all versions, by [`ColumnId`].
    pub columns: Vec<Column>,
    /// The sets of names that a header of this feed has one of.
    pub versions: Vec<Version>,
    /// Folded names: a header with one of them is not of this feed.
    pub without: Vec<String>,
    /// How the files are written.
    pub form: Form,
    /// The start of the trip.
    pub time: TimeRule,
    /// The end of the trip.
    pub ended_at: Option<EndedAt>,
    /// The origin: the first place whose columns are all in the header is used for the file.
    pub origin: Vec<Place>,
    /// The destination, likewise.
    pub destination: Vec<Place>,
    /// Coordinates outside of it are errors; JSON member `box`.
    pub bounds: Option<BoundingBox>,
    /// The meaning of the coordinates 0, 0.
    pub zero: Zero,
    /// The systems that share the header; the first whose box has the point counts.
    pub areas: Vec<Area>,
    /// The region of a trip: the first value that is not NULL.
    pub region: Vec<ValueSource>,
    /// The data source of a trip, likewise.
    pub datasource: Vec<ValueSource>,
    /// What makes two records one trip.
    pub identity: IdentityRule,
    /// The column with the feed's own id of a trip.
    pub trip_id: Option<ColumnId>,
    /// The columns of `details`, in the order of the definition.
    pub details: Vec<ColumnId>,
    /// Known columns that are never stored.
    pub personal: Vec<ColumnId>,
    /// What staging keeps of the text of a rejected record.
    pub raw_line: RawLine,
    /// The header of the station files of this feed.
    pub stations: Option<StationColumns>,
    /// What a reader should know. It changes nothing.
    pub notes: Vec<String>,
    /// Every folded spelling, with its column.
    spellings: HashMap<String, ColumnId>,
}

/// A column of a feed's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its own name: in details, in messages, and in the other members of the definition.
    pub name: String,
    /// Its spellings in headers, as written in the definition: its own name first.
    pub spellings: Vec<String>,
    /// The same spellings, folded.
    pub folded: Vec<String>,
    /// Its canonical form.
    pub kind: ColumnKind,
    /// Whether several names of one header may be this column. The first value that is not NULL counts.
    pub coalesce: bool,
}

/// The canonical form of a column's values; JSON member `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColumnKind {
    /// Text as it is.
    #[default]
    Text,
    /// A double.
    Number,
    /// A name made of digits or not: `151.0` is `151`.
    Id {
        /// A fraction that is not zero is padded to this number of digits, 1-9.
        decimals: Option<u8>,
        /// Whether zeros in front are removed.
        strip_zeros: bool,
    },
    /// A date and time, by the forms of [`Definition::time`].
    Time,
    /// A JSON document.
    Json,
}

/// A set of names that makes a header one of this feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its name in reports.
    pub name: String,
    /// The names that the header has.
    pub required: Vec<Required>,
}

/// A name that a version requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Required {
    /// Any spelling of the column.
    Column(ColumnId),
    /// This folded spelling only.
    Spelling(String, ColumnId),
}

impl Required {
    /// The column that it names.
    #[must_use]
    pub fn column(&self) -> ColumnId {
        match self {
            Self::Column(column) | Self::Spelling(_, column) => *column,
        }
    }

    /// Whether a header that has the other name has this one as well.
    pub(super) fn includes(&self, other: &Self) -> bool {
        match self {
            Self::Column(column) => *column == other.column(),
            Self::Spelling(..) => self == other,
        }
    }
}

impl Definition {
    /// The definition in a JSON text.
    ///
    /// ```
    /// use trips_core::feed::definition::Definition;
    /// let bikes = Definition::parse(r#"{
    ///     "name": "bikes", "title": "Bikes of Brno",
    ///     "columns": { "id": { "type": "id" }, "started_at": { "type": "time" }, "lon": {}, "lat": {} },
    ///     "versions": { "1": ["id", "started_at", "lon", "lat"] },
    ///     "time": { "columns": ["started_at"], "forms": ["YYYY-MM-DD HH24:MI:SS"] },
    ///     "origin": [{ "longitude": "lon", "latitude": "lat" }],
    ///     "region": [{ "constant": "Brno" }],
    ///     "identity": { "scheme": "source_id", "columns": ["id"] } }"#).unwrap();
    /// assert_eq!(bikes.column("started_at"), Some(trips_core::feed::definition::ColumnId(3)));
    /// let errors = Definition::parse(r#"{ "name": "Bikes" }"#).unwrap_err();
    /// assert_eq!(errors[0].path, "$.name");
    /// ```
    ///
    /// # Errors
    /// All faults of the document, at most 100.
    pub fn parse(json: &str) -> Result<Self, Vec<DefinitionError>> {
        parse::definition(json)
    }

    /// The column of this own name, exactly as the definition has it.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<ColumnId> {
        let at = self.columns.iter().position(|column| column.name == name)?;
        u16::try_from(at).ok().map(ColumnId)
    }

    /// The column that a name of a header is a spelling of. The name is folded here.
    #[must_use]
    pub fn column_of_header(&self, name: &[u8]) -> Option<ColumnId> {
        self.spellings.get(&name::fold_encoded(name, &self.form.encodings)).copied()
    }

    /// A name of a header in the form for comparisons, in the first of the feed's encodings that it is valid in.
    #[must_use]
    pub fn folded(&self, name: &[u8]) -> String {
        name::fold_encoded(name, &self.form.encodings)
    }

    /// The column that a folded name is a spelling of.
    #[must_use]
    pub fn column_of_folded(&self, folded: &str) -> Option<ColumnId> {
        self.spellings.get(folded).copied()
    }

    /// Every folded spelling, with its column, in no order.
    pub fn spellings(&self) -> impl Iterator<Item = (&str, ColumnId)> {
        self.spellings.iter().map(|(folded, column)| (folded.as_str(), *column))
    }

    /// Whether files of the feed may have this delimiter.
    #[must_use]
    pub fn allows(&self, delimiter: u8) -> bool {
        self.form.dialects.iter().any(|dialect| dialect.delimiter == delimiter)
    }

    /// A column by its number.
    ///
    /// # Panics
    /// If the number is of another definition.
    #[must_use]
    pub fn get(&self, column: ColumnId) -> &Column {
        &self.columns[usize::from(column.0)]
    }

    /// The set of zones that the feed's station files belong to: that of its first zone place.
    #[must_use]
    pub fn station_set(&self) -> Option<&str> {
        self.origin.iter().chain(&self.destination).find_map(|place| match place {
            Place::Zone { set, .. } => Some(set.as_str()),
            _ => None,
        })
    }

    /// The version that lacks the smallest part of its names, with the names that it lacks. None without versions.
    pub(crate) fn nearest_version(
        &self,
        has: impl Fn(&Required) -> bool,
    ) -> Option<(&Version, Vec<&Required>)> {
        let lacks = |version: &'_ Version| -> usize {
            version.required.iter().filter(|required| !has(required)).count()
        };
        // a / b < c / d, without fractions.
        let nearest = self.versions.iter().min_by(|one, other| {
            let part = |a: &Version, b: &Version| lacks(a) * b.required.len().max(1);
            part(one, other).cmp(&part(other, one))
        })?;
        Some((nearest, nearest.required.iter().filter(|required| !has(required)).collect()))
    }

    /// A required name as the definition writes it, with its alternatives.
    pub(crate) fn written(&self, required: &Required) -> String {
        let column = self.get(required.column());
        match required {
            Required::Column(_) => column.spellings.join(" or "),
            Required::Spelling(folded, _) => {
                let mut spellings = column.spellings.iter().zip(&column.folded);
                let found = spellings.find(|(_, other)| *other == folded);
                found.map_or(folded, |(name, _)| name).clone()
            }
        }
    }
}
