//! Dates of the calendar, as days since 1970-01-01.

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i64);

impl Date {
    /// A date `YYYY-MM-DD` of the years 1 to 9999.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
            return None;
        }
        let number = |range: std::ops::Range<usize>| -> Option<i64> {
            let digits = text.get(range)?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        if year < 1 || !(1..=12).contains(&month) {
            return None;
        }
        let date = Self::of(year, month, day);
        (day >= 1 && date.parts() == (year, month, day)).then_some(date)
    }

    /// The day of a year, a month and a day of it (Howard Hinnant's algorithm).
    fn of(year: i64, month: i64, day: i64) -> Self {
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        Self(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
    }

    fn parts(self) -> (i64, i64, i64) {
        let days = self.0 + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        (year + era * 400 + i64::from(month <= 2), month, day)
    }

    /// The first day of its month.
    pub fn month_begin(self) -> Self {
        let (year, month, _) = self.parts();
        Self::of(year, month, 1)
    }

    /// The last day of its month.
    pub fn month_end(self) -> Self {
        let (year, month, _) = self.parts();
        let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        Self(Self::of(year, month, 1).0 - 1)
    }

    /// The next day.
    pub fn next(self) -> Self {
        self.plus(1)
    }

    /// Some days later.
    pub fn plus(self, days: i64) -> Self {
        Self(self.0 + days)
    }

    /// Number of days until another day.
    pub fn days_until(self, other: Self) -> i64 {
        other.0 - self.0
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        let (year, month, day) = self.parts();
        write!(formatter, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for text in
            ["0001-01-01", "1970-01-01", "2000-02-29", "2024-02-29", "2024-12-31", "9999-12-31"]
        {
            assert_eq!(Date::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "2023-02-29",
            "2024-00-01",
            "2024-13-01",
            "0000-01-01",
            "2024-1-01",
            "+024-01-01",
            "2024-01-0ü",
            "",
        ] {
            assert_eq!(Date::parse(text), None, "{text}");
        }
        let mut date = Date::parse("1999-12-31").unwrap();
        let end = Date::parse("2001-03-02").unwrap();
        assert_eq!(date.days_until(end), 427);
        while date < end {
            assert_eq!(Date::parse(&date.to_string()), Some(date));
            date = date.next();
        }
        let february = Date::parse("2024-02-10").unwrap();
        assert_eq!(february.month_begin().to_string(), "2024-02-01");
        assert_eq!(february.month_end().to_string(), "2024-02-29");
        assert_eq!(Date::parse("2023-12-09").unwrap().month_end().to_string(), "2023-12-31");
    }
}
