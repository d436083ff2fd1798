//! The bounds of a range partition, and the partition that fits a gap between others.

use std::fmt;

use crate::model::period::Period;
use crate::model::timestamp::{MICROS_PER_DAY, Timestamp};

/// 0001-01-01 and 10000-01-01: all trips are between these, so no new partition needs to extend further.
const FIRST_TRIP: Timestamp = Timestamp(-730_119 * MICROS_PER_DAY);
const AFTER_LAST_TRIP: Timestamp = Timestamp(2_921_940 * MICROS_PER_DAY);

/// One bound of a range partition, in PostgreSQL's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// `MINVALUE`: before every time.
    MinValue,
    /// A time.
    At(Timestamp),
    /// `MAXVALUE`: after every time.
    MaxValue,
}

/// The bounds of a range partition of times: `FROM (lower) TO (upper)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionBounds {
    /// Inside, if it is a time.
    pub lower: Bound,
    /// Outside.
    pub upper: Bound,
}

impl PartitionBounds {
    /// `FROM (MINVALUE) TO (MAXVALUE)`.
    pub const ALL: Self = Self { lower: Bound::MinValue, upper: Bound::MaxValue };

    /// Whether a partition with these bounds contains this time.
    #[must_use]
    pub fn contains(&self, time: Timestamp) -> bool {
        self.lower <= Bound::At(time) && Bound::At(time) < self.upper
    }

    /// The first and the last time that a partition with these bounds contains.
    #[must_use]
    pub fn first_and_last(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        let first = match self.lower {
            Bound::At(time) => Some(time),
            Bound::MinValue | Bound::MaxValue => None,
        };
        let last = match self.upper {
            Bound::At(time) => Some(Timestamp(time.0.saturating_sub(1))),
            Bound::MinValue | Bound::MaxValue => None,
        };
        (first, last)
    }

    /// The bounds of the new partition for this time in a gap between other partitions: the calendar month, or the time
    /// before or after all months, cut to the gap.
    #[must_use]
    pub fn fitting(time: Timestamp, gap: Self) -> Self {
        let period = Period::of(time).bounds();
        let (lower, upper) = (gap.lower.max(period.lower), gap.upper.min(period.upper));
        // Bounds of other partitions outside the times of trips are ignored.
        let is_time = |bound| matches!(bound, Bound::At(_));
        let is_early = is_time(lower) && FIRST_TRIP <= time;
        let is_late = is_time(upper) && time < AFTER_LAST_TRIP;
        let lower = if is_early { lower.max(Bound::At(FIRST_TRIP)) } else { lower };
        let upper = if is_late { upper.min(Bound::At(AFTER_LAST_TRIP)) } else { upper };
        Self { lower, upper }
    }

    /// The suffix of a partition's name: a [`Period`]'s suffix, or both bounds in digits, as `20180511_20180601` or
    /// `20180511063000_20180601`.
    #[must_use]
    pub fn suffix(&self) -> String {
        let period = match (self.lower, self.upper) {
            (Bound::At(time), _) => Some(Period::of(time)),
            (Bound::MinValue, Bound::At(time)) => {
                Some(Period::of(Timestamp(time.0.saturating_sub(1))))
            }
            _ => None,
        };
        match period.filter(|period| period.bounds() == *self) {
            Some(period) => period.suffix(),
            None => format!("{}_{}", digits(self.lower), digits(self.upper)),
        }
    }
}

impl Period {
    /// The bounds of its partition.
    #[must_use]
    pub fn bounds(self) -> PartitionBounds {
        PartitionBounds {
            lower: self.start().map_or(Bound::MinValue, Bound::At),
            upper: self.end().map_or(Bound::MaxValue, Bound::At),
        }
    }
}

/// `FROM ('2018-05-01') TO ('2018-06-01')`, independent of `DateStyle`.
impl fmt::Display for PartitionBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FROM ({}) TO ({})", self.lower, self.upper)
    }
}

/// `MINVALUE`, `MAXVALUE` or a literal, independent of `DateStyle`.
impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MinValue => f.write_str("MINVALUE"),
            Self::MaxValue => f.write_str("MAXVALUE"),
            Self::At(Timestamp(i64::MIN)) => f.write_str("'-infinity'"),
            Self::At(Timestamp(i64::MAX)) => f.write_str("'infinity'"),
            Self::At(time) => write!(f, "'{time}'"),
        }
    }
}

/// A bound in digits: at most 21 of the 63 bytes that a name has.
fn digits(bound: Bound) -> String {
    let time = match bound {
        Bound::MinValue => return "min".into(),
        Bound::MaxValue => return "max".into(),
        Bound::At(time) => time.to_string(),
    };
    time.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::timestamp::parse;

    fn time(text: &str) -> Timestamp {
        parse(text.as_bytes()).expect("a date").expect("a value")
    }

    fn at(date: &str) -> Bound {
        Bound::At(time(&format!("{date} 00:00:00")))
    }

    fn bounds(lower: Bound, upper: Bound) -> PartitionBounds {
        PartitionBounds { lower, upper }
    }

    fn bound(text: &str) -> Bound {
        match text {
            "MINVALUE" => Bound::MinValue,
            "MAXVALUE" => Bound::MaxValue,
            "-infinity" => Bound::At(Timestamp(i64::MIN)),
            "infinity" => Bound::At(Timestamp(i64::MAX)),
            date if date.len() == 10 => at(date),
            text => Bound::At(time(text)),
        }
    }

    /// A trip's date, the gap around it, and the partition that fits: its bounds, and the suffix of its name.
    #[rustfmt::skip]
    const FITTING: [(&str, [&str; 2], &str, &str); 12] = [
        ("2018-05-20", ["MINVALUE", "MAXVALUE"], "FROM ('2018-05-01') TO ('2018-06-01')", "2018_05"),
        ("2018-05-20", ["2018-05-11", "MAXVALUE"], "FROM ('2018-05-11') TO ('2018-06-01')", "20180511_20180601"),
        ("2018-05-11", ["MINVALUE", "2018-05-11 12:00:00"], "FROM ('2018-05-01') TO ('2018-05-11 12:00:00')", "20180501_20180511120000"),
        ("2018-05-12", ["2018-05-11 06:30:00.000001", "2018-05-13"], "FROM ('2018-05-11 06:30:00.000001') TO ('2018-05-13')", "20180511063000000001_20180513"),
        ("2018-05-31", ["2018-05-01", "2018-06-01"], "FROM ('2018-05-01') TO ('2018-06-01')", "2018_05"),
        ("1950-01-01", ["MINVALUE", "MAXVALUE"], "FROM (MINVALUE) TO ('1970-01-01')", "before_1970"),
        ("1950-01-01", ["1900-01-01", "MAXVALUE"], "FROM ('1900-01-01') TO ('1970-01-01')", "19000101_19700101"),
        ("1950-01-01", ["MINVALUE", "1960-01-01"], "FROM (MINVALUE) TO ('1960-01-01')", "min_19600101"),
        ("1950-01-01", ["-infinity", "MAXVALUE"], "FROM ('0001-01-01') TO ('1970-01-01')", "00010101_19700101"),
        ("2100-01-01", ["MINVALUE", "MAXVALUE"], "FROM ('2100-01-01') TO (MAXVALUE)", "from_2100"),
        ("2150-01-01", ["2140-01-01", "MAXVALUE"], "FROM ('2140-01-01') TO (MAXVALUE)", "21400101_max"),
        ("9999-12-31", ["2140-01-01", "infinity"], "FROM ('2140-01-01') TO ('10000-01-01')", "21400101_100000101"),
    ];

    #[test]
    fn a_partition_fits_its_gap() {
        for (trip, [lower, upper], text, suffix) in FITTING {
            let trip = time(&format!("{trip} 00:00:00"));
            let gap = bounds(bound(lower), bound(upper));
            let found = PartitionBounds::fitting(trip, gap);
            assert!(found.contains(trip), "{trip} {gap}");
            assert_eq!((found.to_string().as_str(), found.suffix().as_str()), (text, suffix));
        }
    }

    #[test]
    fn periods_have_bounds() {
        let texts = [Period::Before, Period::Month(2019, 12), Period::After]
            .map(|period| period.bounds().to_string());
        assert_eq!(
            texts,
            [
                "FROM (MINVALUE) TO ('1970-01-01')",
                "FROM ('2019-12-01') TO ('2020-01-01')",
                "FROM ('2100-01-01') TO (MAXVALUE)"
            ]
        );
    }

    #[test]
    fn names_are_never_cut() {
        let long = |micros| Bound::At(Timestamp(AFTER_LAST_TRIP.0 - micros));
        let name = |bounds: PartitionBounds| format!("hist_trip_data_{}_pkey", bounds.suffix());
        assert_eq!(name(bounds(long(7), long(3))).len(), 61);
        assert!(name(bounds(long(7), long(0))).len() <= 63);
    }

    #[test]
    fn any_time_has_a_text() {
        for (time, text) in [
            (Timestamp(0), "2000-01-01"),
            (Timestamp(-1), "1999-12-31 23:59:59.999999"),
            (FIRST_TRIP, "0001-01-01"),
            (Timestamp(FIRST_TRIP.0 - 1), "0001-12-31 23:59:59.999999 BC"),
            (AFTER_LAST_TRIP, "10000-01-01"),
            // The first time that PostgreSQL supports; the last one is in the year 294276, which the calendar here does
            // not support.
            (Timestamp(-211_813_488_000_000_000), "4714-11-24 BC"),
            (Timestamp(9_223_371_331_199_999_999), "9223371331199999999 µs"),
        ] {
            assert_eq!(time.to_string(), text);
        }
        assert_eq!(Bound::At(Timestamp(i64::MIN)).to_string(), "'-infinity'");
    }

    #[test]
    fn bounds_hold_their_lower_and_not_their_upper() {
        let may = bounds(at("2018-05-01"), at("2018-06-01"));
        let (first, last) = may.first_and_last();
        assert!(may.contains(first.unwrap()) && may.contains(last.unwrap()));
        assert!(!may.contains(Timestamp(first.unwrap().0 - 1)));
        assert!(!may.contains(Timestamp(last.unwrap().0 + 1)));
        assert!(PartitionBounds::ALL.contains(Timestamp(i64::MIN)));
        assert!(PartitionBounds::ALL.contains(Timestamp(i64::MAX)));
        assert_eq!(PartitionBounds::ALL.first_and_last(), (None, None));
        assert!(!bounds(Bound::MinValue, Bound::MinValue).contains(Timestamp(0)));
    }
}
