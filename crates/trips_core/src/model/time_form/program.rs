//! A pattern as a small program: it reads a text from left to right, without allocation.

use crate::model::timestamp::{MICROS_PER_DAY, Timestamp};

/// Days from 0001-01-01 to 2000-01-01.
const DAYS_TO_EPOCH: i32 = 730_119;
const MICROS_PER_SECOND: i64 = 1_000_000;
/// The largest offset that PostgreSQL reads is ±15:59:59.
const MAX_OFFSET_HOURS: u8 = 15;

/// One step of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    /// This byte.
    Byte(u8),
    /// A run of blanks, or one `T`.
    Blank,
    /// Four digits.
    Year,
    /// Two digits.
    ShortYear,
    /// One digit or two.
    Month,
    /// `Jan` to `Dec`, in any case.
    MonthName,
    /// One digit or two.
    Day,
    /// One digit or two, 0 to 23.
    Hour24,
    /// One digit or two, 1 to 12.
    Hour12,
    /// Two digits: `12:3` can be the beginning of `12:34`.
    Minute,
    /// Two digits.
    Second,
    /// `.` or `,`, then one to nine digits.
    Fraction,
    /// `AM` or `PM`, in any case and with or without points.
    Meridiem,
    /// `Z`, `UTC`, `+HH`, `+HHMM` or `+HH:MM`.
    Zone,
    /// The next steps, this many, are read if all of them match.
    Optional(u8),
}

/// Which half of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Morning,
    Afternoon,
}

/// What a text says, before the calendar is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) year: u16,
    pub(super) month: u8,
    pub(super) day: u8,
    pub(super) hour: u8,
    pub(super) minute: u8,
    pub(super) second: u8,
    pub(super) micros: u32,
    pub(super) half: Option<Half>,
    /// Seconds east of UTC.
    pub(super) offset: Option<i32>,
}

impl Fields {
    /// The date and time; None if there is none. Hour 24 is allowed as the end of a day if `hour_24`.
    #[inline(always)]
    pub(super) fn time(&self, hour_24: bool) -> Option<Timestamp> {
        let days = days(self.year, self.month, self.day)?;
        let hour = match self.half {
            None => self.hour,
            Some(_) if !(1..=12).contains(&self.hour) => return None,
            Some(Half::Morning) => self.hour % 12,
            Some(Half::Afternoon) => self.hour % 12 + 12,
        };
        let is_end_of_day = || {
            (hour_24 && self.half.is_none())
                && (hour, self.minute, self.second, self.micros) == (24, 0, 0, 0)
        };
        if self.minute > 59 || self.second > 59 || (hour > 23 && !is_end_of_day()) {
            return None;
        }
        let minutes = i64::from(hour) * 60 + i64::from(self.minute);
        let seconds = minutes * 60 + i64::from(self.second);
        let micros = seconds * MICROS_PER_SECOND + i64::from(self.micros);
        Some(Timestamp(i64::from(days) * MICROS_PER_DAY + micros))
    }

    /// The same with month and day exchanged.
    pub(super) fn swapped(mut self) -> Self {
        std::mem::swap(&mut self.month, &mut self.day);
        self
    }
}

/// Days since 2000-01-01 in the Gregorian calendar; None if the date does not exist. Years are 1 to 9999.
#[inline(always)]
fn days(year: u16, month: u8, day: u8) -> Option<i32> {
    /// Days of a common year before each month, and of the month.
    const MONTHS: [(u16, u8); 12] = [
        (0, 31),
        (31, 28),
        (59, 31),
        (90, 30),
        (120, 31),
        (151, 30),
        (181, 31),
        (212, 31),
        (243, 30),
        (273, 31),
        (304, 30),
        (334, 31),
    ];
    let (before_month, length) = *MONTHS.get(usize::from(month).checked_sub(1)?)?;
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = length + u8::from(is_leap && month == 2);
    if day == 0 || day > length || !(1..=9999).contains(&year) {
        return None;
    }
    let past = i32::from(year) - 1;
    let before_year = past * 365 + past / 4 - past / 100 + past / 400;
    let in_year = i32::from(before_month) + i32::from(day) - 1 + i32::from(is_leap && month > 2);
    Some(before_year + in_year - DAYS_TO_EPOCH)
}

/// Reads the whole text by the program.
pub(super) fn read(ops: &[Op], text: &[u8], fields: &mut Fields) -> Option<()> {
    run(ops, text, fields)?.is_empty().then_some(())
}

/// Reads by these steps; returns the remaining text. Optional steps are nested to a small depth, which the compiler
/// of patterns bounds.
fn run<'t>(ops: &[Op], text: &'t [u8], fields: &mut Fields) -> Option<&'t [u8]> {
    let (mut ops, mut rest) = (ops, text);
    while let Some((&op, later)) = ops.split_first() {
        ops = later;
        if let Op::Optional(count) = op {
            let (inner, after) = ops.split_at_checked(usize::from(count))?;
            ops = after;
            let before = *fields;
            match run(inner, rest, fields) {
                Some(remaining) => rest = remaining,
                None => *fields = before,
            }
        } else {
            rest = step(op, rest, fields)?;
        }
    }
    Some(rest)
}

fn step<'t>(op: Op, text: &'t [u8], fields: &mut Fields) -> Option<&'t [u8]> {
    let (value, rest) = match op {
        Op::Byte(byte) => return text.strip_prefix(&[byte]),
        Op::Blank => return blank(text),
        Op::Fraction => {
            let (micros, rest) = fraction(text)?;
            fields.micros = micros;
            return Some(rest);
        }
        Op::Zone => {
            let (offset, rest) = zone(text)?;
            fields.offset = Some(offset);
            return Some(rest);
        }
        Op::Meridiem => {
            let (half, rest) = meridiem(text)?;
            fields.half = Some(half);
            return Some(rest);
        }
        Op::Year => {
            let (&[a, b, c, d], rest) = text.split_first_chunk()?;
            fields.year = u16::from(two(a, b)?) * 100 + u16::from(two(c, d)?);
            return Some(rest);
        }
        Op::ShortYear => {
            let (&[a, b], rest) = text.split_first_chunk()?;
            fields.year = full_year(two(a, b)?);
            return Some(rest);
        }
        Op::MonthName => month_name(text)?,
        Op::Minute | Op::Second => {
            let (&[tens, units], rest) = text.split_first_chunk()?;
            (two(tens, units)?, rest)
        }
        _ => one_or_two(text)?,
    };
    match op {
        Op::Month | Op::MonthName => fields.month = value,
        Op::Day => fields.day = value,
        Op::Hour24 | Op::Hour12 => fields.hour = value,
        Op::Minute => fields.minute = value,
        _ => fields.second = value,
    }
    Some(rest)
}

/// A number of two digits.
#[inline(always)]
pub(super) fn two(tens: u8, units: u8) -> Option<u8> {
    let (tens, units) = (tens.wrapping_sub(b'0'), units.wrapping_sub(b'0'));
    if tens <= 9 && units <= 9 { Some(tens * 10 + units) } else { None }
}

/// A number of one digit or two, and the remaining text.
#[inline(always)]
pub(super) fn one_or_two(text: &[u8]) -> Option<(u8, &[u8])> {
    match *text {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', ref rest @ ..] => {
            Some(((a - b'0') * 10 + (b - b'0'), rest))
        }
        [a @ b'0'..=b'9', ref rest @ ..] => Some((a - b'0', rest)),
        _ => None,
    }
}

/// The year of two digits: 1970 to 2069, as PostgreSQL reads it.
#[inline]
pub(super) fn full_year(short: u8) -> u16 {
    u16::from(short) + if short < 70 { 2000 } else { 1900 }
}

/// Passes over one `T`, or a run of blanks.
pub(super) fn blank(text: &[u8]) -> Option<&[u8]> {
    if let [b'T' | b't', rest @ ..] = text {
        return Some(rest);
    }
    let rest = blanks(text);
    (rest.len() < text.len()).then_some(rest)
}

/// Passes over blanks, no-break spaces included: spreadsheets write them between a time and `a. m.`.
fn blanks(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while let [b' ' | b'\t', inner @ ..]
    | [0xc2, 0xa0, inner @ ..]
    | [0xe2, 0x80, 0xaf, inner @ ..] = rest
    {
        rest = inner;
    }
    rest
}

/// Microseconds of `.` or `,` and one to nine digits; what is finer is cut off.
#[inline]
pub(super) fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let (b'.' | b',', digits) = text.split_first()? else { return None };
    let (mut micros, mut unit, mut count) = (0, 100_000, 0);
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        micros += u32::from(digit) * unit;
        unit /= 10;
        count += 1;
    }
    (1..=9).contains(&count).then(|| (micros, &digits[count..]))
}

fn meridiem(text: &[u8]) -> Option<(Half, &[u8])> {
    let (half, rest) = match text {
        [b'A' | b'a', rest @ ..] => (Half::Morning, rest),
        [b'P' | b'p', rest @ ..] => (Half::Afternoon, rest),
        _ => return None,
    };
    let rest = rest.strip_prefix(b".").map_or(rest, blanks);
    let [b'M' | b'm', rest @ ..] = rest else { return None };
    Some((half, rest.strip_prefix(b".").unwrap_or(rest)))
}

fn month_name(text: &[u8]) -> Option<(u8, &[u8])> {
    const NAMES: [&[u8; 3]; 12] = [
        b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov",
        b"dec",
    ];
    let (name, rest) = text.split_first_chunk()?;
    let name: [u8; 3] = name.map(|byte| byte.to_ascii_lowercase());
    (1..).zip(NAMES).find(|&(_, known)| *known == name).map(|(month, _)| (month, rest))
}

/// Seconds east of UTC, and the remaining text.
pub(super) fn zone(text: &[u8]) -> Option<(i32, &[u8])> {
    let (sign, rest) = match text {
        [b'Z' | b'z', rest @ ..] => return Some((0, rest)),
        [b'U', b'T', b'C', rest @ ..] => return Some((0, rest)),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (&[a, b], rest) = rest.split_first_chunk()?;
    let hours = two(a, b)?;
    let (minutes, rest) = match *rest {
        [b':', a, b, ref rest @ ..] => (two(a, b)?, rest),
        [a @ b'0'..=b'9', b, ref rest @ ..] => (two(a, b)?, rest),
        _ => (0, rest),
    };
    if hours > MAX_OFFSET_HOURS || minutes > 59 {
        return None;
    }
    Some((sign * (i32::from(hours) * 60 + i32::from(minutes)) * 60, rest))
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, NaiveDate};

    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let first = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap().num_days_from_ce();
        for year in 0..=10_000_u16 {
            for month in 0..=13 {
                for day in [0, 1, 2, 27, 28, 29, 30, 31, 32] {
                    let date = NaiveDate::from_ymd_opt(i32::from(year), month, day)
                        .filter(|date| (1..=9999).contains(&date.year()));
                    let (month, day) = (u8::try_from(month).unwrap(), u8::try_from(day).unwrap());
                    let expected = date.map(|date| date.num_days_from_ce() - first);
                    assert_eq!(days(year, month, day), expected, "{year}-{month}-{day}");
                }
            }
        }
    }
}
