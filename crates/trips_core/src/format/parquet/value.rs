//! Values as text, as numbers, as times.

use std::fmt::Write;

use super::kind::{Kind, Unit};
use crate::feed::fields::FieldTime;
use crate::model::error::{SqlState, ValueError};
use crate::model::time_form::in_range;

/// Microseconds from 1970 to 2000, where a [`Timestamp`] begins.
const EPOCH: i64 = 946_684_800_000_000;
const DAY: i64 = 86_400_000_000;
/// The number of 1970-01-01 in the count of days of INT96.
const JULIAN_EPOCH: i128 = 2_440_588;
/// Digits of the longest decimal of bytes that is read: more are not a number.
const MAX_DECIMAL_BYTES: usize = 16;

/// The microseconds since 1970 of a time with this day and these nanoseconds, the greatest or least number if they are
/// more.
pub(super) fn int96_micros(parts: &[u32]) -> i64 {
    let [low, high, day] = *parts else { return i64::MAX };
    let nanos = i128::from(high) << u32::BITS | i128::from(low);
    // The nanoseconds have a sign.
    let nanos = if nanos > i128::from(i64::MAX) { nanos - (1 << u64::BITS) } else { nanos };
    let micros = (i128::from(day) - JULIAN_EPOCH) * i128::from(DAY) + nanos.div_euclid(1000);
    i64::try_from(micros).unwrap_or(if micros > 0 { i64::MAX } else { i64::MIN })
}

/// The time of an integer, which is not before the year 1 and not after 9999. None if the kind is no time.
pub(super) fn time(kind: Kind, value: i64) -> Option<Result<FieldTime, ValueError>> {
    let micros = match kind {
        Kind::Timestamp { unit, .. } => micros(unit, value).and_then(|it| it.checked_sub(EPOCH)),
        Kind::Int96 => value.checked_sub(EPOCH),
        Kind::Date => value.checked_mul(DAY).and_then(|it| it.checked_sub(EPOCH)),
        // A time of day: the date is in another column.
        Kind::Time(unit) => micros(unit, value).filter(|it| (0..DAY).contains(it)),
        _ => return None,
    };
    let is_instant = matches!(kind, Kind::Timestamp { is_instant: true, .. });
    let time = micros.and_then(in_range);
    Some(time.map(|time| FieldTime { time, is_instant }).ok_or_else(|| out_of_range(kind, value)))
}

fn micros(unit: Unit, value: i64) -> Option<i64> {
    match unit {
        Unit::Millis => value.checked_mul(1000),
        Unit::Micros => Some(value),
        // As the fraction of a text: without its last digits.
        Unit::Nanos => Some(value.div_euclid(1000)),
    }
}

#[cold]
fn out_of_range(kind: Kind, value: i64) -> ValueError {
    let unit = match kind {
        Kind::Timestamp { unit: Unit::Millis, .. } | Kind::Time(Unit::Millis) => "milliseconds",
        Kind::Timestamp { unit: Unit::Nanos, .. } | Kind::Time(Unit::Nanos) => "nanoseconds",
        Kind::Date => "days",
        _ => "microseconds",
    };
    let reason = match kind {
        Kind::Time(_) => format!("{value} {unit} since midnight are not a time of day"),
        _ => format!("{value} {unit} since 1970 are not in the years 1 to 9999"),
    };
    ValueError::new(SqlState::DatetimeFieldOverflow, reason)
}

/// Appends the text of an integer.
pub(super) fn int_text(kind: Kind, value: i64, out: &mut Vec<u8>) {
    match kind {
        Kind::Bool => out.extend_from_slice(if value == 0 { b"false" } else { b"true" }),
        Kind::Decimal(scale) => decimal_text(i128::from(value), scale, out),
        Kind::Unsigned => {
            let mut digits = itoa::Buffer::new();
            out.extend_from_slice(digits.format(value.cast_unsigned()).as_bytes());
        }
        _ => match time(kind, value) {
            Some(Ok(time)) => time_text(kind, time, out),
            // Also a time out of range.
            _ => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
        },
    }
}

fn time_text(kind: Kind, of: FieldTime, out: &mut Vec<u8>) {
    let begin = out.len();
    of.time.append_full_text(out);
    match kind {
        Kind::Date => out.truncate(begin + 10),
        Kind::Time(_) => drop(out.drain(begin..begin + 11)),
        _ => {}
    }
    out.extend_from_slice(if of.is_instant { b"Z" } else { b"" });
}

/// Appends the shortest text that is this number. NaN is NULL, so its text is empty.
pub(super) fn number_text(value: impl Into<f64> + std::fmt::Display, out: &mut Vec<u8>) {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write!(text, "{value}");
    if !value.into().is_nan() {
        out.extend_from_slice(text.as_bytes());
    }
}

/// Appends the text of a decimal: `-0.05` is -5 with two digits behind the point.
pub(super) fn decimal_text(value: i128, scale: u32, out: &mut Vec<u8>) {
    let digits = value.unsigned_abs().to_string();
    let scale = scale as usize;
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (integer, fraction) = digits.split_at(digits.len() - scale);
    out.extend_from_slice(if value < 0 { b"-" } else { b"" });
    out.extend_from_slice(integer.as_bytes());
    if !fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(fraction.as_bytes());
    }
}

/// Appends the text of a value of bytes.
pub(super) fn bytes_text(kind: Kind, bytes: &[u8], out: &mut Vec<u8>) {
    match kind {
        Kind::Decimal(scale) => match big_endian(bytes) {
            Some(value) => decimal_text(value, scale, out),
            None => bytes.iter().for_each(|byte| hex(*byte, out)),
        },
        Kind::Uuid => {
            for (at, byte) in bytes.iter().enumerate() {
                out.extend_from_slice(if matches!(at, 4 | 6 | 8 | 10) { b"-" } else { b"" });
                hex(*byte, out);
            }
        }
        _ => out.extend_from_slice(bytes),
    }
}

fn hex(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xf)]]);
}

/// A number in two's complement; None if it has too many bytes.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let sign = if bytes.first()? & 0x80 == 0 { 0 } else { 0xff };
    // Longer numbers may begin with bytes of the sign.
    let extra = bytes.len().saturating_sub(MAX_DECIMAL_BYTES);
    let (leading, last) = bytes.split_at(extra);
    let is_same_sign = last.first().is_some_and(|byte| (byte & 0x80 == 0) == (sign == 0));
    if leading.iter().any(|byte| *byte != sign) || (extra > 0 && !is_same_sign) {
        return None;
    }
    let mut value = [sign; MAX_DECIMAL_BYTES];
    value[MAX_DECIMAL_BYTES - last.len()..].copy_from_slice(last);
    Some(i128::from_be_bytes(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(kind: Kind, value: i64) -> String {
        let mut out = Vec::new();
        int_text(kind, value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn integers_of_all_kinds_have_a_text() {
        let wall = |unit| Kind::Timestamp { unit, is_instant: false };
        for (kind, value, expected) in [
            (Kind::Bool, 1, "true"),
            (Kind::Int, -5, "-5"),
            (Kind::Unsigned, -1, "18446744073709551615"),
            (Kind::Decimal(2), -5, "-0.05"),
            (Kind::Decimal(0), 17, "17"),
            (Kind::Date, -1, "1969-12-31"),
            (Kind::Time(Unit::Millis), 8_100_500, "02:15:00.5"),
            (wall(Unit::Millis), 1_546_303_600_123, "2019-01-01 00:46:40.123"),
            (wall(Unit::Nanos), -1, "1969-12-31 23:59:59.999999"),
            (Kind::Timestamp { unit: Unit::Micros, is_instant: true }, 0, "1970-01-01 00:00:00Z"),
            (wall(Unit::Micros), i64::MAX, "9223372036854775807"),
        ] {
            assert_eq!(text(kind, value), expected, "{kind:?}");
        }
        assert!(time(Kind::Time(Unit::Micros), DAY).unwrap().is_err());
        assert!(time(wall(Unit::Millis), i64::MAX).unwrap().is_err());
        assert!(time(Kind::Date, i64::from(i32::MIN)).unwrap().is_err());
    }

    #[test]
    fn int96_does_not_wrap() {
        assert_eq!(int96_micros(&[0, 0, 2_440_588]), 0);
        assert_eq!(int96_micros(&[1_500, 0, 2_440_589]), DAY + 1);
        assert_eq!(int96_micros(&[0, 0, u32::MAX]), i64::MAX);
        assert_eq!(int96_micros(&[u32::MAX, u32::MAX, 2_440_588]), -1);
        // 9999-12-31, which does not fit 64 bits of nanoseconds.
        let micros = int96_micros(&[0, 0, 5_373_484]);
        let time = time(Kind::Int96, micros).unwrap().unwrap().time;
        assert_eq!(time.full_text(), "9999-12-31 00:00:00");
    }

    #[test]
    fn bytes_are_decimals_and_uuids() {
        let text = |kind, bytes: &[u8]| {
            let mut out = Vec::new();
            bytes_text(kind, bytes, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(Kind::Decimal(2), &[0x04, 0xd2]), "12.34");
        assert_eq!(text(Kind::Decimal(1), &[0xff]), "-0.1");
        assert_eq!(text(Kind::Decimal(0), &[0xff; 20]), "-1");
        assert_eq!(text(Kind::Decimal(0), &[0x7f; 17]), "7f".repeat(17));
        assert_eq!(text(Kind::Decimal(0), &[]), "");
        let uuid: Vec<u8> = (0..16).collect();
        assert_eq!(text(Kind::Uuid, &uuid), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    }

    #[test]
    fn numbers_have_the_shortest_text() {
        let text = |value: f64| {
            let mut out = Vec::new();
            number_text(value, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            (text(264.0), text(0.1), text(f64::NAN)),
            ("264".into(), "0.1".into(), "".into())
        );
        let mut out = Vec::new();
        number_text(0.1_f32, &mut out);
        assert_eq!(out, b"0.1");
    }
}
