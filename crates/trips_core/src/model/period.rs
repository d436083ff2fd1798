//! The months by which loads partition the history where it has no partition yet.

use chrono::{Datelike, NaiveDate};

use crate::model::timestamp::{MICROS_PER_DAY, POSTGRES_EPOCH, Timestamp};

/// The first year that is divided into months; all before is one period.
const FIRST_YEAR: i32 = 1970;
/// The first year that is not: all from here on is one period. So a file with any dates at all makes
/// a bounded number of tables.
const LAST_YEAR: i32 = 2100;

/// A month, or all the time before or after the months: the default partition bounds of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Period {
    /// Before 1970.
    Before,
    /// A month of a year, from 1.
    Month(i32, u32),
    /// From 2100 on.
    After,
}

impl Period {
    /// The period of a time.
    #[must_use]
    pub fn of(time: Timestamp) -> Self {
        let days = i64::from(POSTGRES_EPOCH) + time.0.div_euclid(MICROS_PER_DAY);
        let date = i32::try_from(days).ok().and_then(NaiveDate::from_num_days_from_ce_opt);
        match date.map(|date| (date.year(), date.month())) {
            Some((year, month)) if (FIRST_YEAR..LAST_YEAR).contains(&year) => {
                Self::Month(year, month)
            }
            Some((year, _)) if year >= LAST_YEAR => Self::After,
            None if time.0 > 0 => Self::After,
            _ => Self::Before,
        }
    }

    /// Its begin; None is unbounded.
    #[must_use]
    pub fn start(self) -> Option<Timestamp> {
        match self {
            Self::Before => None,
            Self::Month(year, month) => Some(start_of_month(year, month)),
            Self::After => Some(start_of_month(LAST_YEAR, 1)),
        }
    }

    /// Its exclusive end; None is unbounded.
    #[must_use]
    pub fn end(self) -> Option<Timestamp> {
        match self {
            Self::Before => Some(start_of_month(FIRST_YEAR, 1)),
            Self::Month(year, 12) => Some(start_of_month(year + 1, 1)),
            Self::Month(year, month) => Some(start_of_month(year, month + 1)),
            Self::After => None,
        }
    }

    /// The suffix of its partitions' names: `2018_05`, `before_1970`, `from_2100`.
    #[must_use]
    pub fn suffix(self) -> String {
        match self {
            Self::Before => format!("before_{FIRST_YEAR}"),
            Self::Month(year, month) => format!("{year:04}_{month:02}"),
            Self::After => format!("from_{LAST_YEAR}"),
        }
    }
}

fn start_of_month(year: i32, month: u32) -> Timestamp {
    let date = NaiveDate::from_ymd_opt(year, month, 1).expect("months from 1970 to 2100 exist");
    Timestamp(i64::from(date.num_days_from_ce() - POSTGRES_EPOCH) * MICROS_PER_DAY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::timestamp::parse;

    fn time(text: &str) -> Timestamp {
        parse(text.as_bytes()).expect("a date").expect("a value")
    }

    #[test]
    fn known_periods() {
        for (text, period, suffix) in [
            ("0001-01-01 00:00:00", Period::Before, "before_1970"),
            ("1969-12-31 23:59:59.999999", Period::Before, "before_1970"),
            ("1970-01-01 00:00:00", Period::Month(1970, 1), "1970_01"),
            ("2018-05-31 23:59:59.999999", Period::Month(2018, 5), "2018_05"),
            ("2018-06-01 00:00:00", Period::Month(2018, 6), "2018_06"),
            ("2020-02-29 12:00:00", Period::Month(2020, 2), "2020_02"),
            ("2099-12-31 23:59:59", Period::Month(2099, 12), "2099_12"),
            ("2100-01-01 00:00:00", Period::After, "from_2100"),
            ("9999-12-31 23:59:59", Period::After, "from_2100"),
        ] {
            assert_eq!(Period::of(time(text)), period, "{text}");
            assert_eq!(period.suffix(), suffix);
        }
        assert_eq!(Period::of(Timestamp(i64::MIN)), Period::Before);
        assert_eq!(Period::of(Timestamp(i64::MAX)), Period::After);
    }

    #[test]
    fn periods_follow_each_other_without_a_gap() {
        let mut period = Period::Before;
        let mut count = 1;
        assert_eq!(period.start(), None);
        while let Some(end) = period.end() {
            assert_eq!(Period::of(Timestamp(end.0 - 1)), period);
            period = Period::of(end);
            assert_eq!(period.start(), Some(end));
            count += 1;
        }
        assert_eq!((period, count), (Period::After, 130 * 12 + 2));
    }
}
