//! Why a record is staged whose id a trip with other values has.

use trips_core::check::reject::{RejectedColumn, Rejection};
use trips_core::model::error::{SqlState, ValueError};
use trips_core::sort::block::Block;
use trips_core::sort::ids::SameId;
use trips_core::sort::versions;
use trips_core::text::escape::quoted;

use crate::error::LoadError;
use crate::history::History;

/// The reason, with both values. The id is that of the record, or empty.
pub fn rejection(
    history: &History,
    blocks: &[Block],
    trip: &SameId,
    id: &str,
) -> Result<Rejection, LoadError> {
    let SameId { date_time, kept, key, place, .. } = *trip;
    let (the_trip, another) = match id {
        "" => ("the trip".to_owned(), "another one with its id"),
        id => {
            (format!("the trip with the id {}", quoted(id.as_bytes())), "another one with this id")
        }
    };
    let reason = if date_time == kept {
        let mut differences = String::new();
        history.each_known(&[(kept, key)], |_, row| {
            differences = versions::differences(row.values()?, blocks, place);
            Ok(())
        })?;
        match differences.as_str() {
            // The other one is in this file.
            "" => {
                format!("{the_trip} has other values than {another}, which starts at {kept}, too")
            }
            differences => {
                format!("{the_trip} has other values than {another}: {differences}")
            }
        }
    } else {
        format!("{the_trip} starts at {date_time}, but {another} starts at {kept}")
    };
    let error = ValueError::new(SqlState::UniqueViolation, reason);
    Ok(Rejection::of_value(RejectedColumn::Feed("trip_id".into()), error))
}
