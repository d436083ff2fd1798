//! The conditions of a deletion, and whether a staged record may meet them.

use crate::model::timestamp::{MICROS_PER_DAY, Timestamp};

/// Which trips are deleted: those that meet all conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Name of their region.
    pub region: Option<String>,
    /// Their datasource.
    pub datasource: Option<String>,
    /// Their id in their feed.
    pub trip_id: Option<String>,
    /// The first time of a trip.
    pub since: Option<Timestamp>,
    /// The first time that is too late.
    pub before: Option<Timestamp>,
}

/// What a record says of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<T> {
    /// This value.
    Value(T),
    /// It has none.
    Null,
    /// It cannot be read.
    Unknown,
}

/// What a staged record says of the values that conditions name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundValues {
    /// Its region.
    pub region: Found<String>,
    /// Its datasource.
    pub datasource: Found<String>,
    /// Its id.
    pub trip_id: Found<String>,
    /// When its trip began.
    pub date_time: Option<Timestamp>,
}

impl FoundValues {
    /// Those of a record that cannot be read.
    pub const UNKNOWN: Self = Self {
        region: Found::Unknown,
        datasource: Found::Unknown,
        trip_id: Found::Unknown,
        date_time: None,
    };
}

impl Conditions {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether they are of the time only.
    #[must_use]
    pub fn are_of_time(&self) -> bool {
        self.texts().iter().all(Option::is_none)
    }

    /// The region, the datasource and the id that they name.
    #[must_use]
    pub fn texts(&self) -> [Option<&str>; 3] {
        [self.region.as_deref(), self.datasource.as_deref(), self.trip_id.as_deref()]
    }

    /// Whether a record may meet them. A value that cannot be read may be any value. For a time that cannot be read, the
    /// arrival of the record decides, in UTC: a trip began before it, wherever that was.
    ///
    /// ```
    /// use trips_core::check::conditions::{Conditions, Found, FoundValues};
    /// let cork = Conditions { region: Some("Cork".into()), ..Conditions::default() };
    /// assert!(cork.may_be_met(&FoundValues::UNKNOWN, None));
    /// let kinsale = Found::Value("Kinsale".to_owned());
    /// assert!(!cork.may_be_met(&FoundValues { region: kinsale, ..FoundValues::UNKNOWN }, None));
    /// ```
    #[must_use]
    pub fn may_be_met(&self, values: &FoundValues, arrived: Option<Timestamp>) -> bool {
        let found = [&values.region, &values.datasource, &values.trip_id];
        let mut texts = self.texts().into_iter().zip(found);
        let may_be = |(wanted, found): (Option<&str>, &Found<String>)| match (wanted, found) {
            (None, _) | (_, Found::Unknown) => true,
            (Some(_), Found::Null) => false,
            (Some(wanted), Found::Value(value)) => wanted == value,
        };
        texts.all(may_be) && self.may_be_met_by_time(values.date_time, arrived)
    }

    fn may_be_met_by_time(&self, time: Option<Timestamp>, arrived: Option<Timestamp>) -> bool {
        // Local times are up to 14 hours ahead of UTC.
        let latest = time.or(arrived.map(|t| Timestamp(t.0.saturating_add(MICROS_PER_DAY))));
        let is_since = self.since.is_none_or(|since| latest.is_none_or(|time| time >= since));
        let is_before = |before| time.or(arrived).is_some_and(|time| time < before);
        is_since && self.before.is_none_or(is_before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Option<Timestamp> {
        Some(Timestamp(micros))
    }

    #[test]
    fn all_conditions_must_be_met() {
        let both =
            Conditions { region: Some("Cork".into()), before: at(100), ..Conditions::default() };
        let value = |region: &str, time| FoundValues {
            region: Found::Value(region.to_owned()),
            date_time: time,
            ..FoundValues::UNKNOWN
        };
        assert!(both.may_be_met(&value("Cork", at(99)), None));
        assert!(!both.may_be_met(&value("Cork", at(100)), None));
        assert!(!both.may_be_met(&value("Kinsale", at(99)), None));
        let null = FoundValues { region: Found::Null, ..value("Cork", at(99)) };
        assert!(!both.may_be_met(&null, None), "no region is another region");
    }

    #[test]
    fn the_arrival_decides_where_the_time_is_unknown() {
        let times = Conditions { since: at(0), before: at(100), ..Conditions::default() };
        let unknown = FoundValues::UNKNOWN;
        assert!(times.may_be_met(&unknown, at(99)));
        assert!(!times.may_be_met(&unknown, at(100)), "it may have begun later");
        assert!(times.may_be_met(&unknown, at(-1)), "its clock may be ahead of UTC");
        assert!(!times.may_be_met(&unknown, at(-MICROS_PER_DAY - 1)));
        assert!(!times.may_be_met(&unknown, None), "nobody knows when it arrived");
        assert!(Conditions { since: at(0), ..Conditions::default() }.may_be_met(&unknown, None));
        assert!(Conditions::default().is_empty() && times.are_of_time());
    }
}
