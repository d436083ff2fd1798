//! The positions of a GeoJSON document: the first, the last, and how many there are.
//!
//! A document is read in one pass, without a copy of it. It may be a `FeatureCollection`, a `Feature`, a geometry, or an
//! array of positions alone, as Porto's taxis have it.

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
    fn add(&mut self, position: [f64; 2]) {
        self.first.get_or_insert(position);
        self.last = Some(position);
        self.count += 1;
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
    let mut found = Positions::default();
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = Part(&mut found).deserialize(&mut reader).and_then(|part| {
        reader.end()?;
        Ok(part)
    });
    match read {
        Ok(Item::Other) => Ok(found),
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
struct Part<'p>(&'p mut Positions);

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
            (2.., 0) => self.0.add(numbers),
            _ => return Err(serde::de::Error::custom("not a position")),
        }
        Ok(Item::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Item, A::Error> {
        while let Some(has_positions) = members.next_key_seed(Member)? {
            if !has_positions {
                members.next_value::<IgnoredAny>()?;
            } else if let Item::Number(_) = members.next_value_seed(Part(self.0))? {
                return Err(serde::de::Error::custom("not positions"));
            }
        }
        Ok(Item::Other)
    }
}

/// Whether the member with this name has positions.
struct Member;

impl<'de> DeserializeSeed<'de> for Member {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Member {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(matches!(name, "features" | "geometry" | "geometries" | "coordinates"))
    }
}
