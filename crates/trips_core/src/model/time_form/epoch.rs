//! Numbers of seconds since 1970, or of parts of a second.

use crate::model::time_form::in_range;
use crate::model::timestamp::Timestamp;

/// Microseconds from 1970-01-01 to 2000-01-01.
const UNIX_TO_POSTGRES: i64 = 946_684_800_000_000;

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
    let fraction = (billionths * micros).div_euclid(1_000_000_000);
    let since_1970 = whole.checked_mul(micros)?.checked_add(fraction)?;
    in_range(since_1970.checked_sub(UNIX_TO_POSTGRES)?)
}

/// A decimal number, as a whole number and billionths of one, with one sign: of up to 18 and up to 9 digits.
pub(super) fn number(text: &[u8]) -> Option<(i64, i64)> {
    let (sign, text) = match text {
        [b'-', rest @ ..] => (-1, rest),
        rest => (1, rest),
    };
    let (whole, rest) = digits(text, 18)?;
    let billionths = match rest {
        [] => 0,
        [b'.', fraction @ ..] => {
            let (number, rest) = digits(fraction, 9)?;
            let missing = u32::try_from(9 - fraction.len()).ok().filter(|_| rest.is_empty())?;
            number * 10_i64.pow(missing)
        }
        _ => return None,
    };
    Some((sign * whole, sign * billionths))
}

/// The number of the digits at the beginning of a text, one to `most`, and the remaining text.
fn digits(text: &[u8], most: usize) -> Option<(i64, &[u8])> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(count);
    let number = || digits.iter().fold(0, |sum, byte| sum * 10 + i64::from(byte - b'0'));
    (1..=most).contains(&count).then(|| (number(), rest))
}
