//! Numbers of seconds since 1970, or of parts of a second.

use crate::model::time_form::in_range;
use crate::model::timestamp::Timestamp;

/// Microseconds from 1970-01-01 to 2000-01-01.
const UNIX_TO_POSTGRES: i128 = 946_684_800_000_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
}

/// A number of units since 1970; a fraction of a microsecond is cut off.
pub(super) fn read(text: &[u8], unit: Unit) -> Option<Timestamp> {
    let (whole, billionths) = number(text)?;
    let micros = match unit {
        Unit::Seconds => 1_000_000,
        Unit::Milliseconds => 1_000,
        Unit::Microseconds => 1,
    };
    // Divided by rounding down: a time before 1970 is cut off in the same direction as all others.
    let since_1970 = (whole * micros) + (billionths * micros).div_euclid(1_000_000_000);
    in_range(i64::try_from(since_1970 - UNIX_TO_POSTGRES).ok()?)
}

/// A decimal number, as a whole number and billionths of one, with one sign: of up to 18 and up to 9 digits.
pub(super) fn number(text: &[u8]) -> Option<(i128, i128)> {
    let (sign, text) = match text {
        [b'-', rest @ ..] => (-1, rest),
        rest => (1, rest),
    };
    let point = text.iter().position(|&byte| byte == b'.').unwrap_or(text.len());
    let (whole, fraction) = text.split_at(point);
    let fraction = fraction.strip_prefix(b".").unwrap_or(b"0");
    if !(1..=18).contains(&whole.len()) || !(1..=9).contains(&fraction.len()) {
        return None;
    }
    let digits = |text: &[u8]| {
        text.iter().try_fold(0_i128, |sum, byte| {
            byte.is_ascii_digit().then(|| sum * 10 + i128::from(byte - b'0'))
        })
    };
    let missing = u32::try_from(9 - fraction.len()).ok()?;
    Some((sign * digits(whole)?, sign * digits(fraction)? * 10_i128.pow(missing)))
}
