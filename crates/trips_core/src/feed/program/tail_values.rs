//! The values of a tail, for a reader of single trips.

use super::FeedTrip;
use crate::model::timestamp::Timestamp;
use crate::wire::copy_binary::values_of;

/// The columns after `load_id` of a trip.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TailValues<'s> {
    /// The end of the trip.
    pub ended_at: Option<Timestamp>,
    /// The feed's own id.
    pub trip_id: Option<&'s str>,
    /// The details, if the buffers write them as JSON text ([`crate::wire::jsonb::DetailsForm::Text`]).
    pub details: Option<&'s str>,
}

impl<'s> FeedTrip<'s> {
    /// The columns after `load_id`.
    #[must_use]
    pub fn tail_values(&self) -> TailValues<'s> {
        if self.tail.is_empty() {
            return TailValues::default();
        }
        let [ended_at, trip_id, details] = values_of::<3>(self.tail);
        let time =
            |bytes: &[u8]| bytes.try_into().ok().map(|time| Timestamp(i64::from_be_bytes(time)));
        let text = |bytes| std::str::from_utf8(bytes).ok();
        TailValues {
            ended_at: ended_at.and_then(time),
            trip_id: trip_id.and_then(text),
            details: details.and_then(text),
        }
    }
}
