//! The positions of a GeoJSON document: the first, the last, and how many there are.
//!
//! A document is read in one pass, without a copy of it. It may be a `FeatureCollection`, a `Feature`, a geometry, or an
//! array of positions alone, as Porto's taxis have it.
//!
//! Positions are in the order of the document. If all of them are in features with a property `timestamp`, as in MDS,
//! they are in the order of these times.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::model::error::{SqlState, ValueError};
use crate::text::escape::quoted;

/// The positions of a document in their order. A position is longitude and latitude in degrees.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Positions {
    /// The first position.
    pub first: Option<[f64; 2]>,
    /// The last position.
    pub last: Option<[f64; 2]>,
    /// The number of positions.
    pub count: u64,
}

impl Positions {
    fn add(&mut self, others: Self) {
        self.first = self.first.or(others.first);
        self.last = others.last.or(self.last);
        self.count += others.count;
    }
}

/// The positions of a part of a document.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    positions: Positions,
    /// The first of the positions with the earliest time, and the last of those with the latest.
    timed: Option<(Timed, Timed)>,
    /// Whether a position has no time.
    is_untimed: bool,
}

/// A position with its time.
#[derive(Debug, Clone, Copy)]
struct Timed {
    time: f64,
    position: [f64; 2],
}

impl Found {
    fn add_position(&mut self, position: [f64; 2]) {
        let (first, last) = (Some(position), Some(position));
        self.positions.add(Positions { first, last, count: 1 });
        self.is_untimed = true;
    }

    /// Adds the positions of an object, which has a time or not.
    fn add(&mut self, mut object: Self, time: Option<f64>) {
        let ends = object.positions.first.zip(object.positions.last);
        if let Some(((first, last), time)) = ends.zip(time) {
            let at = |position| Timed { time, position };
            (object.timed, object.is_untimed) = (Some((at(first), at(last))), false);
        }
        self.positions.add(object.positions);
        self.is_untimed |= object.is_untimed;
        if let Some((earliest, latest)) = object.timed {
            let own = self.timed.get_or_insert((earliest, latest));
            if earliest.time < own.0.time {
                own.0 = earliest;
            }
            if latest.time >= own.1.time {
                own.1 = latest;
            }
        }
    }

    fn in_order(self) -> Positions {
        match self.timed.filter(|_| !self.is_untimed) {
            None => self.positions,
            Some((earliest, latest)) => Positions {
                first: Some(earliest.position),
                last: Some(latest.position),
                ..self.positions
            },
        }
    }
}

/// Reads the positions of a document.
///
/// # Errors
/// 22P02 when it is not JSON, or an array of numbers in it is not a position.
///
/// ```
/// use trips_core::feed::place::geojson::positions;
/// let line = positions(b"[[-8.61,41.14],[-8.62,41.15],[-8.63,41.16]]").unwrap();
/// assert_eq!((line.first, line.count), (Some([-8.61, 41.14]), 3));
/// assert_eq!(positions(b"[]").unwrap().last, None);
/// ```
pub fn positions(text: &[u8]) -> Result<Positions, ValueError> {
    let mut found = Found::default();
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = Part(&mut found).deserialize(&mut reader).and_then(|part| {
        reader.end()?;
        Ok(part)
    });
    match read {
        Ok(Item::Other) => Ok(found.in_order()),
        _ => {
            let reason = format!("{} is not GeoJSON with positions", quoted(text));
            Err(ValueError::new(SqlState::InvalidTextRepresentation, reason))
        }
    }
}

/// What a part of a document is.
enum Item {
    /// A number, perhaps of a position.
    Number(f64),
    /// Its positions are added.
    Other,
}

/// Reads a part of a document. The depth of a document is limited by `serde_json`.
struct Part<'p>(&'p mut Found);

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Item;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Item, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GeoJSON")
    }

    fn visit_f64<E>(self, number: f64) -> Result<Item, E> {
        Ok(Item::Number(number))
    }

    #[expect(clippy::cast_precision_loss, reason = "degrees are small; others are out of range")]
    fn visit_i64<E>(self, number: i64) -> Result<Item, E> {
        Ok(Item::Number(number as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "degrees are small; others are out of range")]
    fn visit_u64<E>(self, number: u64) -> Result<Item, E> {
        Ok(Item::Number(number as f64))
    }

    /// A feature may have no geometry.
    fn visit_unit<E>(self) -> Result<Item, E> {
        Ok(Item::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Item, A::Error> {
        let (mut numbers, mut length, mut others) = ([0.0; 2], 0, 0);
        while let Some(item) = parts.next_element_seed(Part(self.0))? {
            match item {
                // Altitude and what follows it are not used.
                Item::Number(number) => {
                    if let Some(place) = numbers.get_mut(length) {
                        *place = number;
                    }
                    length += 1;
                }
                Item::Other => others += 1,
            }
        }
        match (length, others) {
            (0, _) => {}
            (2.., 0) => self.0.add_position(numbers),
            _ => return Err(serde::de::Error::custom("not a position")),
        }
        Ok(Item::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Item, A::Error> {
        let (mut object, mut time) = (Found::default(), None);
        while let Some(member) = members.next_key_seed(Name)? {
            match member {
                Member::Positions => {
                    if let Item::Number(_) = members.next_value_seed(Part(&mut object))? {
                        return Err(serde::de::Error::custom("not positions"));
                    }
                }
                Member::Properties => time = members.next_value_seed(Time::OfProperties)?,
                Member::Timestamp | Member::Other => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        self.0.add(object, time);
        Ok(Item::Other)
    }
}

/// What the name of a member says.
enum Member {
    /// It has positions.
    Positions,
    /// It is the properties of a feature.
    Properties,
    /// It is a time, if it is a property.
    Timestamp,
    Other,
}

/// Reads the name of a member.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Member;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Member, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E>(self, name: &str) -> Result<Member, E> {
        Ok(match name {
            "features" | "geometry" | "geometries" | "coordinates" => Member::Positions,
            "properties" => Member::Properties,
            "timestamp" => Member::Timestamp,
            _ => Member::Other,
        })
    }
}

/// Reads the time of a feature: a number. Other values are no time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Time {
    OfProperties,
    OfTimestamp,
}

impl Time {
    fn number(self, number: f64) -> Option<f64> {
        (self == Self::OfTimestamp && number.is_finite()).then_some(number)
    }
}

impl<'de> DeserializeSeed<'de> for Time {
    type Value = Option<f64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<f64>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Time {
    type Value = Option<f64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("properties")
    }

    fn visit_f64<E>(self, number: f64) -> Result<Option<f64>, E> {
        Ok(self.number(number))
    }

    #[expect(clippy::cast_precision_loss, reason = "times are far below 2^53")]
    fn visit_i64<E>(self, number: i64) -> Result<Option<f64>, E> {
        Ok(self.number(number as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "times are far below 2^53")]
    fn visit_u64<E>(self, number: u64) -> Result<Option<f64>, E> {
        Ok(self.number(number as f64))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Option<f64>, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Option<f64>, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<f64>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Option<f64>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Option<f64>, A::Error> {
        let mut time = None;
        while let Some(member) = members.next_key_seed(Name)? {
            match member {
                Member::Timestamp if self == Self::OfProperties => {
                    time = members.next_value_seed(Self::OfTimestamp)?;
                }
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(time)
    }
}
