//! Time zones: what the clocks of a place show at an instant.
//!
//! The rules are those of the IANA time zone database that the crate `chrono-tz` contains, not those of the server or
//! the system.
//!
//! Wall clocks of a file are stored as they are, whatever the zone says: a time in the hour that a zone skips in
//! spring or repeats in autumn, too. An instant is stored as the wall clock of its zone. Two instants of a repeated
//! hour have one wall clock and different offsets. So a caller keeps the offset, or the instant, as well.

use chrono::{DateTime, NaiveDateTime, Offset, TimeZone as _};
use chrono_tz::Tz;

use crate::model::error::{SqlState, ValueError};
use crate::model::time_form::in_range;
use crate::model::timestamp::Timestamp;

const MICROS_PER_SECOND: i64 = 1_000_000;
/// Seconds from 1970-01-01 to 2000-01-01.
const UNIX_TO_POSTGRES: i64 = 946_684_800;
/// The offset is looked up this often, seconds. Between two lookups with equal results no zone has another offset: a
/// test checks all zones.
const STEP: i64 = 86_400;
/// The intervals of so many seconds are looked up together: the lookups take a few microseconds.
const WINDOW: i64 = 256 * STEP;

/// A zone of the IANA database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeZone(Tz);

impl TimeZone {
    /// The zone of this name, in its exact spelling; None if there is none.
    ///
    /// ```
    /// use trips_core::model::zone::TimeZone;
    /// assert_eq!(TimeZone::of("America/New_York").unwrap().name(), "America/New_York");
    /// assert_eq!(TimeZone::of("EDT"), None);
    /// ```
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        name.parse().ok().map(Self)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Seconds east of UTC at an instant, in seconds since 2000.
    fn offset_at(self, seconds: i64) -> Option<i32> {
        let utc = DateTime::from_timestamp(seconds.checked_add(UNIX_TO_POSTGRES)?, 0)?.naive_utc();
        Some(offset(self.0, &utc))
    }
}

fn offset(zone: Tz, utc: &NaiveDateTime) -> i32 {
    zone.offset_from_utc_datetime(utc).fix().local_minus_utc()
}

/// The wall clock of a zone at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// The wall clock.
    pub wall: Timestamp,
    /// Seconds east of UTC.
    pub offset_seconds: i32,
}

impl LocalTime {
    /// Minutes east of UTC. Offsets of our time are whole minutes; older ones are rounded down.
    #[must_use]
    pub fn offset_minutes(self) -> i32 {
        self.offset_seconds.div_euclid(60)
    }
}

/// The clock of a zone. It keeps intervals with one offset each, and the last one that it used: the instants of a file
/// are near each other.
///
/// Every thread has its own.
#[derive(Debug, Clone)]
pub struct ZoneClock {
    zone: TimeZone,
    last: Interval,
    /// Intervals in the order of time, of the years from 1 to 9999 at most.
    known: Vec<Interval>,
}

/// Seconds since 2000, and the offset in them.
#[derive(Debug, Clone, Copy)]
struct Interval {
    begin: i64,
    /// It is not in the interval.
    end: i64,
    offset_seconds: i32,
}

impl ZoneClock {
    /// A clock of this zone.
    #[must_use]
    pub const fn new(zone: TimeZone) -> Self {
        let last = Interval { begin: 0, end: 0, offset_seconds: 0 };
        Self { zone, last, known: Vec::new() }
    }

    /// The wall clock at an instant, given as microseconds since 2000-01-01 00:00:00 UTC.
    ///
    /// # Errors
    /// 22008 if the instant or the wall clock is not of the years 1 to 9999.
    ///
    /// ```
    /// use trips_core::model::{timestamp::parse, zone::{TimeZone, ZoneClock}};
    /// let mut clock = ZoneClock::new(TimeZone::of("America/Chicago").unwrap());
    /// let time = |text: &str| parse(text.as_bytes()).unwrap().unwrap();
    /// let local = clock.local(time("2021-11-07 06:30:00")).unwrap();
    /// assert_eq!((local.wall, local.offset_minutes()), (time("2021-11-07 01:30:00"), -300));
    /// let an_hour_later = clock.local(time("2021-11-07 07:30:00")).unwrap();
    /// assert_eq!((an_hour_later.wall, an_hour_later.offset_minutes()), (local.wall, -360));
    /// ```
    #[inline]
    pub fn local(&mut self, utc: Timestamp) -> Result<LocalTime, ValueError> {
        let seconds = utc.0.div_euclid(MICROS_PER_SECOND);
        if !(self.last.begin..self.last.end).contains(&seconds) {
            self.last = self.interval(seconds).ok_or_else(out_of_range)?;
        }
        let offset_seconds = self.last.offset_seconds;
        let wall = utc.0.checked_add(i64::from(offset_seconds) * MICROS_PER_SECOND);
        let wall = wall.and_then(in_range).ok_or_else(out_of_range)?;
        Ok(LocalTime { wall, offset_seconds })
    }

    /// The interval of an instant; None if its year is not known.
    fn interval(&mut self, seconds: i64) -> Option<Interval> {
        in_range(seconds.checked_mul(MICROS_PER_SECOND)?)?;
        let after = self.known.partition_point(|interval| interval.begin <= seconds);
        let before = after.checked_sub(1).and_then(|at| self.known.get(at));
        if let Some(interval) = before.filter(|interval| seconds < interval.end) {
            return Some(*interval);
        }
        let window = self.window(seconds.div_euclid(WINDOW) * WINDOW)?;
        self.known.splice(after..after, window);
        self.known[after..].iter().find(|interval| seconds < interval.end).copied()
    }

    /// The intervals of the window that begins at an instant.
    #[cold]
    fn window(&self, begin: i64) -> Option<Vec<Interval>> {
        let end = begin + WINDOW;
        let mut intervals = Vec::new();
        let (mut interval_begin, mut offset) = (begin, self.zone.offset_at(begin)?);
        for at in (begin..=end).step_by(86_400) {
            let next = self.zone.offset_at(at)?;
            if next != offset {
                let change = self.first_change(at - STEP, at, offset);
                let (begin, end) = (interval_begin, change);
                intervals.push(Interval { begin, end, offset_seconds: offset });
                (interval_begin, offset) = (change, next);
            }
        }
        if interval_begin < end {
            intervals.push(Interval { begin: interval_begin, end, offset_seconds: offset });
        }
        Some(intervals)
    }

    /// The first second with another offset, after `equal` and up to `other`.
    fn first_change(&self, mut equal: i64, mut other: i64, offset: i32) -> i64 {
        while other - equal > 1 {
            let middle = i64::midpoint(equal, other);
            if self.zone.offset_at(middle) == Some(offset) {
                equal = middle;
            } else {
                other = middle;
            }
        }
        other
    }
}

#[cold]
fn out_of_range() -> ValueError {
    ValueError::new(SqlState::DatetimeFieldOverflow, "the time is not of the years 1 to 9999")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::timestamp::parse;

    /// The zones whose transitions are tested: with and without daylight saving time, and one that has abolished it.
    const ZONES: [&str; 10] = [
        "America/New_York",
        "America/Chicago",
        "America/Toronto",
        "America/Mexico_City",
        "America/Kentucky/Louisville",
        "Europe/London",
        "Europe/Oslo",
        "Europe/Helsinki",
        "Europe/Lisbon",
        "Asia/Kolkata",
    ];

    fn zone(name: &str) -> TimeZone {
        TimeZone::of(name).expect(name)
    }

    fn time(text: &str) -> Timestamp {
        parse(text.as_bytes()).expect(text).expect("a time")
    }

    /// As chrono says it.
    fn by_chrono(zone: TimeZone, seconds: i64) -> LocalTime {
        let utc = DateTime::from_timestamp(seconds + UNIX_TO_POSTGRES, 0).unwrap().naive_utc();
        let local = zone.0.from_utc_datetime(&utc).naive_local();
        let epoch = DateTime::from_timestamp(UNIX_TO_POSTGRES, 0).unwrap().naive_utc();
        let wall = Timestamp((local - epoch).num_microseconds().unwrap());
        let offset_seconds = i32::try_from((local - utc).num_seconds()).unwrap();
        LocalTime { wall, offset_seconds }
    }

    #[test]
    fn known_transitions() {
        for (name, utc, wall, minutes) in [
            ("America/New_York", "2021-11-07 05:59:59", "2021-11-07 01:59:59", -240),
            ("America/New_York", "2021-11-07 06:00:00", "2021-11-07 01:00:00", -300),
            ("America/New_York", "2021-03-14 06:59:59.999999", "2021-03-14 01:59:59.999999", -300),
            ("America/New_York", "2021-03-14 07:00:00", "2021-03-14 03:00:00", -240),
            ("America/Chicago", "2019-03-10 08:00:00", "2019-03-10 03:00:00", -300),
            ("America/Toronto", "2022-03-13 07:00:00", "2022-03-13 03:00:00", -240),
            ("Europe/London", "2022-03-27 00:59:59", "2022-03-27 00:59:59", 0),
            ("Europe/London", "2022-03-27 01:00:00", "2022-03-27 02:00:00", 60),
            ("Europe/Oslo", "2020-10-25 01:00:00", "2020-10-25 02:00:00", 60),
            ("Europe/Helsinki", "2020-10-25 00:59:59", "2020-10-25 03:59:59", 180),
            ("Europe/Helsinki", "2020-10-25 01:00:00", "2020-10-25 03:00:00", 120),
            // Mexico had its last change of clocks in 2022.
            ("America/Mexico_City", "2022-10-30 06:59:59", "2022-10-30 01:59:59", -300),
            ("America/Mexico_City", "2022-10-30 07:00:00", "2022-10-30 01:00:00", -360),
            ("America/Mexico_City", "2023-07-01 12:00:00", "2023-07-01 06:00:00", -360),
            ("Asia/Kolkata", "2023-07-01 12:00:00", "2023-07-01 17:30:00", 330),
            ("UTC", "2023-07-01 12:00:00", "2023-07-01 12:00:00", 0),
        ] {
            let local = ZoneClock::new(zone(name)).local(time(utc)).expect(utc);
            assert_eq!((local.wall, local.offset_minutes()), (time(wall), minutes), "{name} {utc}");
        }
    }

    #[test]
    fn names() {
        for name in
            ["", "EDT", "america/new_york", "America/New_York ", "America/Nowhere", "+01:00"]
        {
            assert_eq!(TimeZone::of(name), None, "{name}");
        }
        for name in ZONES {
            assert_eq!(zone(name).name(), name);
        }
    }

    #[test]
    fn a_clock_in_any_order_shows_what_chrono_says() {
        for name in ZONES {
            let zone = zone(name);
            let first = time("2000-01-01 00:00:00").0 / MICROS_PER_SECOND;
            let last = time("2030-01-01 00:00:00").0 / MICROS_PER_SECOND;
            let hours: Vec<i64> = (first..last).step_by(3_600).collect();
            let mut clock = ZoneClock::new(zone);
            let mut check = |seconds: i64| {
                let local = clock.local(Timestamp(seconds * MICROS_PER_SECOND)).unwrap();
                assert_eq!(local, by_chrono(zone, seconds), "{name} {seconds}");
            };
            for &hour in &hours {
                check(hour);
                check(hour + 3_599);
            }
            for &hour in hours.iter().rev() {
                check(hour - 1);
            }
            // Far apart: each is looked up.
            for i in 0..hours.len() {
                check(hours[i * 7_919 % hours.len()]);
            }
        }
    }

    #[test]
    fn no_zone_changes_its_offset_twice_in_a_step() {
        // From 1970: trips are younger.
        let until = time("2030-01-01 00:00:00").0 / MICROS_PER_SECOND;
        for zone in chrono_tz::TZ_VARIANTS.map(TimeZone) {
            let at = |seconds| zone.offset_at(seconds).expect("a time");
            let mut last = None;
            for day in (-UNIX_TO_POSTGRES..until).step_by(86_400) {
                if last == Some(at(day)) {
                    for hour in 1..8 {
                        assert_eq!(Some(at(day - hour * 3 * 3_600)), last, "{} {day}", zone.name());
                    }
                }
                last = Some(at(day));
            }
        }
    }

    #[test]
    fn times_at_the_ends() {
        let mut clock = ZoneClock::new(zone("America/New_York"));
        for out in [i64::MIN, i64::MAX, -63_082_281_600_000_001, 252_455_616_000_000_000] {
            assert_eq!(clock.local(Timestamp(out)).unwrap_err().state.code(), "22008");
        }
        // The wall clock would be of the year 0.
        assert!(clock.local(time("0001-01-01 00:00:00")).is_err());
        assert!(clock.local(time("0001-01-02 00:00:00")).is_ok());
        let last = clock.local(time("9999-12-31 23:59:59.999999")).unwrap();
        assert_eq!(last.wall, time("9999-12-31 18:59:59.999999"));
        let mut east = ZoneClock::new(zone("Asia/Kolkata"));
        assert!(east.local(time("9999-12-31 23:59:59")).is_err());
    }
}
