//! The arguments of `trips.similar_trips`.

use pgrx::datum::Interval;
use trips_areas::Ends;
use trips_h3::Resolution;

use super::QueryError;
use crate::limits;

/// Microseconds of a day.
const DAY: i128 = 86_400_000_000;

/// Checks how similar trips are grouped.
pub fn check_grouping(
    resolution: Option<i32>,
    bucket: Option<Interval>,
    ends: Option<&str>,
    at_least: Option<i64>,
) -> Result<(), QueryError> {
    Resolution::try_from(resolution.ok_or(QueryError::Null("resolution"))?)?;
    check_bucket(bucket.ok_or(QueryError::Null("bucket"))?)?;
    ends_of(ends)?;
    match at_least.ok_or(QueryError::Null("at_least"))? {
        1.. => Ok(()),
        few => Err(QueryError::AtLeast(few)),
    }
}

/// The ends that must be inside the area.
pub fn ends_of(word: Option<&str>) -> Result<Ends, QueryError> {
    let word = word.ok_or(QueryError::Null("match"))?;
    Ends::of_word(word).ok_or_else(|| QueryError::Match(limits::wrong_word(word)))
}

/// A month has no fixed length. All buckets of a day must have the same length.
fn check_bucket(bucket: Interval) -> Result<(), QueryError> {
    let length = i128::from(bucket.days()) * DAY + i128::from(bucket.micros());
    if bucket.months() == 0 && length > 0 && DAY % length == 0 {
        Ok(())
    } else {
        Err(QueryError::Bucket(bucket))
    }
}
