//! Dates and times: chrono reads and writes them as we do, and the periods cover them without a gap.

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta, Timelike};
use trips_core::model::error::SqlState;
use trips_core::model::partition_bounds::{Bound, PartitionBounds};
use trips_core::model::period::Period;
use trips_core::model::timestamp::{Timestamp, parse};

use crate::check_reason;

/// A value is the time that chrono reads, or NULL, or a matching error; the first eight bytes are some microsecond,
/// with a period.
pub fn check_bytes(value: &[u8]) {
    match parse(value) {
        Ok(None) => assert!(value.trim_ascii().is_empty()),
        Ok(Some(time)) => {
            let read = by_chrono(value).expect("chrono reads what we read");
            assert_eq!(epoch() + TimeDelta::microseconds(time.0), read);
            check_time(time, read);
            check_period(time);
        }
        Err(error) => {
            check_reason(&error.reason);
            assert_eq!(by_chrono(value), None, "{}", error.reason);
            let expected = match shape(value.trim_ascii()) {
                Some(_) => SqlState::DatetimeFieldOverflow,
                None => SqlState::InvalidDatetimeFormat,
            };
            assert_eq!(error.state, expected, "{}", error.reason);
        }
    }
    if let Some(&micros) = value.first_chunk() {
        check_period(Timestamp(i64::from_be_bytes(micros)));
    }
}

fn epoch() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2000, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0)).expect("a date")
}

/// The text in the one form that is given to chrono, if it has a form that we accept.
fn shape(text: &[u8]) -> Option<String> {
    let (main, fraction) = text.split_at_checked(19)?;
    let digits_as_zero = |b: &u8| if b.is_ascii_digit() { b'0' } else { *b };
    let main_shape: Vec<u8> = main.iter().map(digits_as_zero).collect();
    let is_main = [b' ', b'T', b't'].iter().any(|&between| {
        let mut expected = *b"0000-00-00 00:00:00";
        expected[10] = between;
        main_shape == expected
    });
    let is_fraction = match fraction {
        [] => true,
        [b'.' | b',', digits @ ..] => {
            (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    };
    let text = String::from_utf8(text.to_vec()).ok()?.replace(',', ".").replace(['T', 't'], " ");
    (is_main && is_fraction).then_some(text)
}

/// The time as chrono reads it, truncated to microseconds; chrono also knows the year 0 and leap seconds.
fn by_chrono(value: &[u8]) -> Option<NaiveDateTime> {
    let text = shape(value.trim_ascii())?;
    let time = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f").ok()?;
    let is_known = time.year() > 0 && &text[17..19] != "60";
    time.with_nanosecond(time.nanosecond() / 1000 * 1000).filter(|_| is_known)
}

/// A time that is written is read as the same one, and its day is the calendar's.
fn check_time(time: Timestamp, read: NaiveDateTime) {
    for form in ["%Y-%m-%d %H:%M:%S%.6f", "%Y-%m-%dT%H:%M:%S,%6f", "\t%Y-%m-%dt%H:%M:%S%.9f "] {
        let text = read.format(form).to_string();
        assert_eq!(parse(text.as_bytes()), Ok(Some(time)), "{text}");
    }
    assert_eq!(i64::from(time.day()), (read.date() - epoch().date()).num_days());
    let expected = match (read.year(), read.month()) {
        (..1970, _) => Period::Before,
        (2100.., _) => Period::After,
        (year, month) => Period::Month(year, month),
    };
    assert_eq!(Period::of(time), expected);
}

/// A time is in its period, and so is every other time between the period's bounds.
fn check_period(time: Timestamp) {
    let period = Period::of(time);
    let (start, end) = (period.start(), period.end());
    assert!(start.is_none_or(|start| start <= time && Period::of(start) == period));
    assert!(end.is_none_or(|end| time < end && Period::of(end) > period));
    assert!(start.is_none_or(|start| Period::of(Timestamp(start.0 - 1)) < period));
    assert!(end.is_none_or(|end| Period::of(Timestamp(end.0 - 1)) == period));
    let bounds = period.bounds();
    assert!(bounds.contains(time));
    assert_eq!(bounds.lower, start.map_or(Bound::MinValue, Bound::At));
    assert_eq!(bounds.upper, end.map_or(Bound::MaxValue, Bound::At));
    assert_eq!(bounds.suffix(), period.suffix());
    assert_eq!(PartitionBounds::fitting(time, PartitionBounds::ALL), bounds);
    let next = time.0.checked_add(1).map_or(Bound::MaxValue, |next| Bound::At(Timestamp(next)));
    let alone = PartitionBounds { lower: Bound::At(time), upper: next };
    assert_eq!(PartitionBounds::fitting(time, alone), alone);
}
