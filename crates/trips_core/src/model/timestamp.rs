//! `YYYY-MM-DD HH:MM:SS`, the local wall-clock time of the feed.

use std::fmt;

use chrono::{Datelike, NaiveDate};

use crate::model::error::{SqlState, ValueError};
use crate::text::escape::quoted;

/// The number of 2000-01-01, where PostgreSQL's time begins, when 0001-01-01 is day 1.
pub(crate) const POSTGRES_EPOCH: i32 = 730_120;
const MICROS_PER_SECOND: i64 = 1_000_000;
pub(crate) const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// A date and time without a zone: microseconds since 2000-01-01 00:00:00, as PostgreSQL counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Days since 2000-01-01, as PostgreSQL's `date` counts.
    #[must_use]
    pub fn day(self) -> i32 {
        i32::try_from(self.0.div_euclid(MICROS_PER_DAY)).expect("a timestamp's day fits a date")
    }
}

impl Timestamp {
    /// Its year; before year 1 and after 262142 the nearest that has a calendar here.
    #[must_use]
    pub fn year(self) -> i32 {
        let last = if self.0 > 0 { i32::MAX } else { i32::MIN };
        calendar(self).map_or(last, |(date, _)| date.year())
    }

    /// `2018-05-01 00:00:00`, with the fraction of the second if it is not 0.
    #[must_use]
    pub fn full_text(self) -> String {
        let mut text = Vec::with_capacity(26);
        self.append_full_text(&mut text);
        String::from_utf8(text).unwrap_or_default()
    }

    /// Appends the text of [`Timestamp::full_text`], without an allocation for each time.
    pub fn append_full_text(self, out: &mut Vec<u8>) {
        let Some((date, micros)) = calendar(self) else {
            return out.extend_from_slice(format!("{} µs", self.0).as_bytes());
        };
        match u32::try_from(date.year()) {
            Ok(year @ 0..=9999) => push_digits(year, 4, out),
            _ => out.extend_from_slice(format!("{:04}", date.year()).as_bytes()),
        }
        // Less than a day: both fit.
        let part = |part: i64| u32::try_from(part).unwrap_or(0);
        let (seconds, fraction) =
            (part(micros / MICROS_PER_SECOND), part(micros % MICROS_PER_SECOND));
        for (mark, part) in [
            (b'-', date.month()),
            (b'-', date.day()),
            (b' ', seconds / 3600),
            (b':', seconds / 60 % 60),
            (b':', seconds % 60),
        ] {
            out.push(mark);
            push_digits(part, 2, out);
        }
        if fraction > 0 {
            out.push(b'.');
            push_digits(fraction, 6, out);
            while out.last() == Some(&b'0') {
                out.pop();
            }
        }
    }
}

/// Appends the last digits of a number, with zeros before it.
fn push_digits(number: u32, count: usize, out: &mut Vec<u8>) {
    let mut rest = number;
    let begin = out.len();
    out.resize(begin + count, b'0');
    for digit in out[begin..].iter_mut().rev() {
        *digit = b"0123456789"[(rest % 10) as usize];
        rest /= 10;
    }
}

/// `2018-05-01`, with the time of day if it is not midnight; `0044-03-15 BC`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((date, micros)) = calendar(*self) else { return write!(f, "{} µs", self.0) };
        let (year, era) = match date.year() {
            year @ 1.. => (year, ""),
            year => (1 - year, " BC"),
        };
        write!(f, "{year:04}-{:02}-{:02}", date.month(), date.day())?;
        if micros > 0 {
            let seconds = micros / 1_000_000;
            write!(f, " {:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
        }
        if micros % 1_000_000 > 0 {
            write!(f, ".{:06}", micros % 1_000_000)?;
        }
        f.write_str(era)
    }
}

/// The date, and the microseconds since its midnight.
fn calendar(time: Timestamp) -> Option<(NaiveDate, i64)> {
    let days = i64::from(POSTGRES_EPOCH) + time.0.div_euclid(MICROS_PER_DAY);
    let date = NaiveDate::from_num_days_from_ce_opt(i32::try_from(days).ok()?)?;
    Some((date, time.0.rem_euclid(MICROS_PER_DAY)))
}

/// Parses a date and time, with or without whitespace around it; None for an empty field.
///
/// One space or `T` separates date and time. A fraction of a second, after `.` or `,`, has one to nine digits. It is
/// truncated to microseconds, never rounded, so that a time does not move to the next second. All other forms are
/// rejected: words, another order, a zone or offset (ignoring it would move the trip), second 60, hour 24, year 0.
///
/// # Errors
/// 22007 when the text has another form, 22008 when there is no such date or time.
///
/// ```
/// use trips_core::model::timestamp::{Timestamp, parse};
/// assert_eq!(parse(b"2000-01-01T00:00:00.5"), Ok(Some(Timestamp(500_000))));
/// assert_eq!(parse(b"now").unwrap_err().state.code(), "22007");
/// assert_eq!(parse(b"2018-02-30 10:00:00").unwrap_err().state.code(), "22008");
/// ```
pub fn parse(value: &[u8]) -> Result<Option<Timestamp>, ValueError> {
    let text = value.trim_ascii();
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(time) = prefix(text).filter(|_| text.len() == USUAL) {
        return Ok(Some(time));
    }
    let Some(parts) = Parts::read(text) else {
        return Err(ValueError::new(
            SqlState::InvalidDatetimeFormat,
            format!("{} is not a date and time: expected YYYY-MM-DD HH:MM:SS", quoted(value)),
        ));
    };
    parts.timestamp().map(Some).ok_or_else(|| {
        ValueError::new(
            SqlState::DatetimeFieldOverflow,
            format!("{} is a date or time that does not exist", quoted(value)),
        )
    })
}

/// A date and time of the usual form, `2018-05-28 09:03:40`, that the text begins with: [`USUAL`] bytes. None does not say
/// that there is none.
#[inline]
pub(crate) fn prefix(text: &[u8]) -> Option<Timestamp> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, between, h0, h1, b':', n0, n1, b':', s0, s1] =
        *text.first_chunk::<USUAL>()?
    else {
        return None;
    };
    let two = |tens: u8, ones: u8| {
        let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
        (tens <= 9 && ones <= 9).then(|| u32::from(tens) * 10 + u32::from(ones))
    };
    let year = two(y0, y1)? * 100 + two(y2, y3)?;
    let (month, day) = (two(m0, m1)?, two(d0, d1)?);
    let (hour, minute, second) = (two(h0, h1)?, two(n0, n1)?, two(s0, s1)?);
    if !matches!(between, b' ' | b'T' | b't') || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = i64::from(days(year, month, day)?);
    let seconds = i64::from(hour * 3600 + minute * 60 + second);
    Some(Timestamp(days * MICROS_PER_DAY + seconds * MICROS_PER_SECOND))
}

/// Bytes of the usual form.
pub(crate) const USUAL: usize = 19;

/// Days since 2000-01-01 of a date of the years 1 to 9999; None if there is no such date.
#[inline]
fn days(year: u32, month: u32, day: u32) -> Option<i32> {
    const LENGTHS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = LENGTHS.get(month.wrapping_sub(1) as usize)? + u32::from(is_leap && month == 2);
    if year == 0 || day == 0 || day > length {
        return None;
    }
    // Years that begin in March: the leap day is the last one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before = year * 365 + year / 4 - year / 100 + year / 400;
    let since_march_of_year_0 = before + (month * 306 + 5) / 10 + day - 1;
    Some(since_march_of_year_0.cast_signed() - 730_425)
}

struct Parts {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    micros: u32,
}

impl Parts {
    fn read(text: &[u8]) -> Option<Self> {
        let (main, fraction) = text.split_at_checked(19)?;
        let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
        if !marks.iter().all(|&(at, mark)| main[at] == mark)
            || !matches!(main[10], b' ' | b'T' | b't')
        {
            return None;
        }
        Some(Self {
            year: digits(&main[0..4])?,
            month: digits(&main[5..7])?,
            day: digits(&main[8..10])?,
            hour: digits(&main[11..13])?,
            minute: digits(&main[14..16])?,
            second: digits(&main[17..19])?,
            micros: micros(fraction)?,
        })
    }

    fn timestamp(&self) -> Option<Timestamp> {
        if self.year == 0 || self.hour > 23 || self.minute > 59 || self.second > 59 {
            return None;
        }
        let date = NaiveDate::from_ymd_opt(self.year.try_into().ok()?, self.month, self.day)?;
        let days = date.num_days_from_ce() - POSTGRES_EPOCH;
        let seconds = i64::from(self.hour * 3600 + self.minute * 60 + self.second);
        Some(Timestamp(
            i64::from(days) * MICROS_PER_DAY + seconds * MICROS_PER_SECOND + i64::from(self.micros),
        ))
    }
}

/// A number of decimal digits only.
fn digits(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + u32::from(b - b'0')))
}

/// `.5` is 500000 microseconds; an empty fraction is 0.
fn micros(fraction: &[u8]) -> Option<u32> {
    let Some((mark, text)) = fraction.split_first() else {
        return Some(0);
    };
    if !matches!(mark, b'.' | b',') || !(1..=9).contains(&text.len()) {
        return None;
    }
    let nanos = digits(text)? * 10_u32.pow(9 - u32::try_from(text.len()).ok()?);
    Some(nanos / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // SELECT extract(epoch FROM timestamp '…' - timestamp '2000-01-01') * 1000000
        for (text, micros) in [
            ("2000-01-01 00:00:00", 0),
            ("1999-12-31 23:59:59.999999", -1),
            ("2018-05-28 09:03:40", 580_813_420_000_000),
            ("2016-02-29 00:00:00", 510_019_200_000_000),
            ("0001-01-01 00:00:00", -63_082_281_600_000_000),
            ("9999-12-31 23:59:59", 252_455_615_999_000_000),
            (" 2000-01-01t00:00:01,123456789 ", 1_123_456),
        ] {
            assert_eq!(parse(text.as_bytes()), Ok(Some(Timestamp(micros))), "{text}");
        }
    }

    #[test]
    fn a_text_is_its_time() {
        let last = 252_455_615_999_999_999;
        for micros in (-63_082_281_600_000_000..=last).step_by(7_654_321_987_654_300).chain([last])
        {
            let text = Timestamp(micros).full_text();
            assert_eq!(parse(text.as_bytes()), Ok(Some(Timestamp(micros))), "{text}");
        }
        assert_eq!(Timestamp(500_000).full_text(), "2000-01-01 00:00:00.5");
        assert_eq!(Timestamp(i64::MAX).full_text(), "9223372036854775807 µs");
    }

    #[test]
    fn the_usual_form_is_read_as_all_forms() {
        let mut texts = vec![b"2018-05-28 09:03:40".to_vec()];
        for at in 0..USUAL {
            for byte in
                [b'0', b'1', b'2', b'3', b'5', b'6', b'9', b'/', b':', b' ', b'T', b'-', 0xff]
            {
                for base in ["2018-05-28 09:03:40", "2000-02-29 23:59:59", "0001-01-01 00:00:00"] {
                    let mut text = base.as_bytes().to_vec();
                    text[at] = byte;
                    texts.push(text);
                }
            }
        }
        for text in texts {
            let all = Parts::read(&text).and_then(|parts| parts.timestamp());
            assert_eq!(prefix(&text), all, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        let first = NaiveDate::from_ymd_opt(1, 1, 1).expect("a date");
        for date in first.iter_days().take(366 * 9999).take_while(|date| date.year() <= 9999) {
            let of_date = date.num_days_from_ce() - POSTGRES_EPOCH;
            let year = u32::try_from(date.year()).expect("positive");
            assert_eq!(days(year, date.month(), date.day()), Some(of_date), "{date}");
        }
        for (year, month, day) in
            [(2019, 2, 29), (1900, 2, 29), (2018, 4, 31), (0, 1, 1), (1, 0, 1), (1, 13, 1)]
        {
            assert_eq!(days(year, month, day), None);
        }
    }

    #[test]
    fn not_dates() {
        for text in [
            "now",
            "today",
            "epoch",
            "infinity",
            "-infinity",
            "allballs",
            "05/06/2018",
            "2018-05-28",
            "2018-05-28 09:03",
            "2018-05-28 09:03:40Z",
            "2018-05-28 09:03:40+02",
            "2018-05-28 09:03:40 UTC",
            "2018-05-28  09:03:40",
            "2018-5-28 9:03:40",
            "1527498220",
            "20180528T090340",
            "2018-05-28 09:03:40.",
            "2018-05-28 09:03:40.1234567890",
            "-018-05-28 09:03:40",
            "12018-05-28 09:03:40",
            "２018-05-28 09:03:40",
        ] {
            assert_eq!(parse(text.as_bytes()).expect_err(text).state.code(), "22007", "{text}");
        }
    }

    #[test]
    fn not_in_the_calendar() {
        for text in [
            "2018-02-30 00:00:00",
            "2018-13-01 00:00:00",
            "2018-00-01 00:00:00",
            "2018-01-00 00:00:00",
            "2019-02-29 00:00:00",
            "1900-02-29 00:00:00",
            "2018-01-01 24:00:00",
            "2018-01-01 24:00:01",
            "2018-01-01 10:60:00",
            "2016-12-31 23:59:60",
            "0000-01-01 00:00:00",
        ] {
            assert_eq!(parse(text.as_bytes()).expect_err(text).state.code(), "22008", "{text}");
        }
    }

    #[test]
    fn day_is_the_date() {
        assert_eq!(Timestamp(-1).day(), -1);
        assert_eq!(Timestamp(MICROS_PER_DAY - 1).day(), 0);
        assert_eq!(Timestamp(MICROS_PER_DAY).day(), 1);
    }
}
