//! Keys: when two records are the same trip. Equal trips have equal keys, on every machine, under every setting.
//!
//! A feed has one of three schemes: `content` (the five values), `columns` (the feed's identity columns) or
//! `source_id` (the feed's own id). Each scheme hashes its own message in its own context, so that keys of different
//! schemes are never equal. docs/identity.md specifies every byte, and has test vectors.

use crate::model::trip::Trip;

mod content;
mod hash;
pub mod message;
mod messages;

pub(crate) use self::content::KeyPart;
pub use self::content::{ContentKeys, encode, of_encoded, of_trip};
use self::hash::Context;
pub(crate) use self::messages::MessageKeys;

/// 128 bits that identify a trip; PostgreSQL stores them as a `uuid`.
pub type TripKey = [u8; 16];

/// The longest message of a record, in bytes.
pub const MAX_MESSAGE: usize = 512 * 1024;

/// How the keys of a feed are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheme {
    /// Over the five values of a trip.
    #[default]
    Content,
    /// Over identity columns.
    Columns {
        /// The n-th equal record of a file has occurrence number n. Without it, equal records are one trip.
        occurrence: bool,
    },
    /// Over the feed's own id.
    SourceId,
}

/// What happens to a record with a known id and other values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameId {
    /// It is a duplicate: the first values stay.
    Keep,
    /// It corrects the trip: its values replace the others.
    Replace,
    /// It is staged, SQLSTATE 23505.
    Stage,
}

impl SameId {
    /// The words of a definition.
    pub const WORDS: [(&'static str, Self); 3] =
        [("keep", Self::Keep), ("replace", Self::Replace), ("stage", Self::Stage)];

    /// The policy of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(other, _)| *other == word).map(|(_, policy)| *policy)
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, policy)| *policy == self).map_or("", |(word, _)| word)
    }
}

/// What identifies one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity<'a> {
    /// Its five values.
    Content,
    /// A message of [`message::KeyMessage::columns`].
    Columns {
        /// The message.
        message: &'a [u8],
        /// See [`Scheme::Columns`].
        occurrence: bool,
    },
    /// A message of [`message::KeyMessage::source_id`].
    SourceId(&'a [u8]),
}

impl<'a> Identity<'a> {
    /// Its scheme.
    #[must_use]
    pub fn scheme(self) -> Scheme {
        match self {
            Self::Content => Scheme::Content,
            Self::Columns { occurrence, .. } => Scheme::Columns { occurrence },
            Self::SourceId(_) => Scheme::SourceId,
        }
    }

    /// Its message; empty for `content`, whose message is made of the five values.
    #[must_use]
    pub fn message(self) -> &'a [u8] {
        match self {
            Self::Content => &[],
            Self::Columns { message, .. } | Self::SourceId(message) => message,
        }
    }

    /// The key of the trip's first occurrence.
    ///
    /// ```
    /// use trips_core::key::{Identity, message::KeyMessage, occurrence_key};
    /// use trips_core::model::timestamp::Timestamp;
    /// # use trips_core::model::trip::Trip;
    /// # let trip = Trip { region: "Prague", origin: None, destination: None, date_time: Timestamp(0), datasource: None };
    /// let mut message = Vec::new();
    /// KeyMessage::columns(&mut message, "fhv", 2).wall(Timestamp(0)).text("B00014").finish()?;
    /// let key = Identity::Columns { message: &message, occurrence: true }.base_key(&trip);
    /// assert_ne!(key, Identity::Content.base_key(&trip));
    /// assert_eq!(occurrence_key(&key, 1), key);
    /// assert_ne!(occurrence_key(&key, 2), key);
    /// # Ok::<(), trips_core::model::error::ValueError>(())
    /// ```
    #[must_use]
    pub fn base_key(self, trip: &Trip<'_>) -> TripKey {
        match self {
            Self::Content => of_trip(trip),
            Self::Columns { message, .. } => Context::COLUMNS.key(message),
            Self::SourceId(message) => Context::SOURCE_ID.key(message),
        }
    }

    /// The key of the trip's first occurrence, without the trip; None for `content`.
    #[must_use]
    pub fn key_of_message(self) -> Option<TripKey> {
        match self {
            Self::Content => None,
            Self::Columns { message, .. } => Some(Context::COLUMNS.key(message)),
            Self::SourceId(message) => Some(Context::SOURCE_ID.key(message)),
        }
    }
}

/// The key of the n-th equal record of a file, from 1. The first one has the base key itself: a record that has no
/// equal pays for one hash.
#[must_use]
pub fn occurrence_key(base: &TripKey, n: u64) -> TripKey {
    if n <= 1 {
        return *base;
    }
    let mut message = [0; 64];
    message[..16].copy_from_slice(base);
    message[16..24].copy_from_slice(&n.to_be_bytes());
    Context::OCCURRENCE.key(&message)
}

#[cfg(test)]
mod tests;
