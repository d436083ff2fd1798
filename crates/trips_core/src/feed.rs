//! A feed: the columns of a kind of file that make up a trip. It is data, not code.

use serde::Deserialize;

use crate::columns::TripColumn;

pub mod builtin;
pub mod day_month;
pub mod definition;
pub mod detect;
pub mod plan;

/// The names of a feed's columns.
///
/// Every list has the accepted spellings of one column, compared without case and without whitespace around them. A
/// feed is read from JSON, so that a new one is a new file:
///
/// ```
/// let feed: trips_core::feed::Feed = serde_json::from_str(
///     r#"{ "name": "bikes",
///          "region": ["city"],
///          "origin": { "lon_lat": { "longitude": ["start_lng"], "latitude": ["start_lat"] } },
///          "destination": { "lon_lat": { "longitude": ["end_lng"], "latitude": ["end_lat"] } },
///          "date_time": ["started_at"],
///          "datasource": ["operator"] }"#,
/// ).unwrap();
/// assert_eq!(feed.name, "bikes");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// Its name in messages.
    pub name: String,
    /// Names of the column with the region.
    pub region: Vec<String>,
    /// The origin of the trip.
    pub origin: PointColumns,
    /// The destination of the trip.
    pub destination: PointColumns,
    /// Names of the column with the local date and time.
    pub date_time: Vec<String>,
    /// Names of the column with the name of the sender.
    pub datasource: Vec<String>,
}

/// How a feed writes a coordinate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum PointColumns {
    /// One column of text, `POINT (longitude latitude)`.
    Point(Vec<String>),
    /// Two columns of numbers, in degrees.
    LonLat {
        /// Names of the column with the longitude.
        longitude: Vec<String>,
        /// Names of the column with the latitude.
        latitude: Vec<String>,
    },
}

/// The accepted names of the fields of a column.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SourceNames<'a> {
    /// Of one field.
    Field(&'a Vec<String>),
    /// Of two.
    FieldPair { longitude: &'a Vec<String>, latitude: &'a Vec<String> },
}

impl PointColumns {
    fn names(&self) -> SourceNames<'_> {
        match self {
            Self::Point(names) => SourceNames::Field(names),
            Self::LonLat { longitude, latitude } => SourceNames::FieldPair { longitude, latitude },
        }
    }
}

impl Feed {
    pub(crate) fn names_of(&self, column: TripColumn) -> SourceNames<'_> {
        match column {
            TripColumn::Region => SourceNames::Field(&self.region),
            TripColumn::Origin => self.origin.names(),
            TripColumn::Destination => self.destination.names(),
            TripColumn::DateTime => SourceNames::Field(&self.date_time),
            TripColumn::Datasource => SourceNames::Field(&self.datasource),
        }
    }

    /// The product's own feed: `region, origin_coord, destination_coord, date_time, datasource`.
    ///
    /// # Panics
    /// Never in a released build: the JSON is a part of the library and a test reads it.
    #[must_use]
    pub fn trips() -> Self {
        serde_json::from_str(include_str!("feed/five_columns.json"))
            .expect("feed/five_columns.json is valid")
    }
}
