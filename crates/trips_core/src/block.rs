//! A block: trips of one piece of a file, encoded, with an index of their times.

use std::collections::TryReserveError;

use crate::key;
use crate::timestamp::Timestamp;
use crate::trip::Trip;

/// The longest encoded trip, without the bytes of its two texts: five lengths, two points, a time.
const WITHOUT_TEXTS: usize = 5 * 4 + 2 * 16 + 8;

/// Where a trip stands in its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) date_time: Timestamp,
    offset: u32,
    length: u32,
}

/// Trips as [`key::encode`] writes them.
#[derive(Debug, Default)]
pub struct Block {
    values: Vec<u8>,
    places: Vec<Place>,
}

impl Block {
    /// Adds a trip. A block is made of a few megabytes of a file, far under the 4 GiB it can hold.
    ///
    /// # Errors
    /// When there is no memory.
    ///
    /// # Panics
    /// When the block is over 4 GiB.
    pub fn push(&mut self, trip: &Trip<'_>) -> Result<(), TryReserveError> {
        self.values.try_reserve(WITHOUT_TEXTS + trip.text_bytes())?;
        self.places.try_reserve(1)?;
        let offset = self.values.len();
        key::encode(trip, &mut self.values);
        self.places.push(Place {
            date_time: trip.date_time,
            offset: u32::try_from(offset).expect("a block is under 4 GiB"),
            length: u32::try_from(self.values.len() - offset).expect("a trip is under 4 GiB"),
        });
        Ok(())
    }

    /// Puts the trips in the order of their times, while they are in the processor's cache: who takes
    /// a stretch of time later reads them one behind the other.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn sort(&mut self) -> Result<(), TryReserveError> {
        self.places.sort_unstable();
        let mut sorted = Vec::new();
        sorted.try_reserve_exact(self.values.len())?;
        let mut offset = 0;
        for place in &mut self.places {
            sorted
                .extend_from_slice(&self.values[place.offset as usize..][..place.length as usize]);
            place.offset = offset;
            offset += place.length;
        }
        self.values = sorted;
        Ok(())
    }

    /// How many trips it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many bytes of memory the trips take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.values.len() + self.places.len() * size_of::<Place>()
    }

    /// The places of a sorted block's trips.
    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    /// The trips of a sorted block from one time (none: the first) to before another (none: the last).
    pub(crate) fn between(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> &[Place] {
        let before = |time: Timestamp| self.places.partition_point(|p| p.date_time < time);
        &self.places[from.map_or(0, before)..to.map_or(self.places.len(), before)]
    }

    /// A trip's encoded values.
    pub(crate) fn values(&self, place: Place) -> &[u8] {
        &self.values[place.offset as usize..][..place.length as usize]
    }
}
