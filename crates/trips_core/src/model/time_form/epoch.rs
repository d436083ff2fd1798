//! Numbers of seconds since 1970, or of parts of a second.
//!
//! A number of any unit is some instant. So a number that lost its last digits, or counts another unit, would be a
//! time of 1970. Only instants of the years 1990 to 2099 are times here: in them, a number has as many digits in one
//! unit as it has in no other, and it has more digits than any of its beginnings.

use crate::model::timestamp::Timestamp;
use crate::text::escape::quoted;

/// Microseconds from 1970-01-01 to 2000-01-01.
const UNIX_TO_POSTGRES: i128 = 946_684_800_000_000;
/// 1990-01-01 and 2100-01-01 UTC, microseconds since 2000-01-01.
const PLAUSIBLE: std::ops::Range<i128> = -315_532_800_000_000..3_155_760_000_000_000;
const NANOS_PER_MICRO: i128 = 1_000;
/// The most digits of a number that surely fits 64 bits.
const MAX_WHOLE: usize = 18;
/// The most digits of a number, and the greatest power of ten in its exponent.
const MAX_DIGITS: usize = 30;
/// Programs that cut a number to six digits write `1.64784E+12`.
const CUT_FRACTION: u32 = 5;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
    /// No feed has them: they are for messages.
    Nanoseconds,
}

impl Unit {
    const ALL: [Self; 4] =
        [Self::Seconds, Self::Milliseconds, Self::Microseconds, Self::Nanoseconds];

    const fn nanos(self) -> i128 {
        match self {
            Self::Seconds => 1_000_000_000,
            Self::Milliseconds => 1_000_000,
            Self::Microseconds => 1_000,
            Self::Nanoseconds => 1,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
            Self::Microseconds => "microseconds",
            Self::Nanoseconds => "nanoseconds",
        }
    }
}

/// A plausible number of units since 1970; a fraction of a microsecond is cut off.
pub(super) fn read(text: &[u8], unit: Unit) -> Option<Timestamp> {
    if let Some(whole) = whole(text) {
        return plausible(i128::from(whole) * unit.nanos() / NANOS_PER_MICRO);
    }
    let number = Number::of(text)?;
    if number.is_cut { None } else { number.time(unit) }
}

/// A number that is digits alone, as in nearly all files.
fn whole(text: &[u8]) -> Option<i64> {
    let add =
        |sum: i64, byte: &u8| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0'));
    let is_short = (1..=MAX_WHOLE).contains(&text.len());
    if is_short { text.iter().try_fold(0, add) } else { None }
}

/// The time so many microseconds after 1970-01-01 UTC, if it is plausible.
fn plausible(micros: i128) -> Option<Timestamp> {
    let since_2000 = micros.checked_sub(UNIX_TO_POSTGRES)?;
    let time = Some(since_2000).filter(|micros| PLAUSIBLE.contains(micros));
    time.and_then(|micros| i64::try_from(micros).ok()).map(Timestamp)
}

/// Why a number is no time; None if the text is no number. `units` are those of the feed.
#[cold]
pub(super) fn fault(text: &[u8], units: &[Unit]) -> Option<String> {
    let number = Number::of(text)?;
    let shown = quoted(text);
    let names: Vec<&str> = units.iter().map(|unit| unit.name()).collect();
    let expected = names.join(" or ");
    let looks_like = Unit::ALL.into_iter().find(|unit| number.time(*unit).is_some());
    Some(match looks_like {
        Some(_) if number.is_cut => {
            format!("{shown} has lost its last digits: expected {expected}")
        }
        Some(unit) => format!("{shown} looks like {}, expected {expected}", unit.name()),
        None => format!(
            "{shown} is not a plausible number of {expected} since 1970: expected the years 1990 to 2099"
        ),
    })
}

/// A decimal number, with or without a sign, a fraction and an exponent.
struct Number {
    digits: i128,
    /// The number is the digits times this power of ten.
    exponent: i32,
    /// It has the form in which programs write six digits of a longer number.
    is_cut: bool,
}

impl Number {
    fn of(text: &[u8]) -> Option<Self> {
        let (is_negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let (mut digits, mut rest) = run_of_digits(text, 0)?;
        let mut fraction = 0;
        if let [b'.', behind @ ..] = rest {
            let (with_fraction, after) = run_of_digits(behind, digits)?;
            fraction = u32::try_from(behind.len() - after.len()).ok()?;
            (digits, rest) = (with_fraction, after);
        }
        if text.len() - rest.len() > MAX_DIGITS {
            return None;
        }
        let (power, has_plus) = match rest {
            [] => (0, false),
            [b'e' | b'E', b'+', power @ ..] => (power_of_ten(power)?, true),
            [b'e' | b'E', power @ ..] => (power_of_ten(power)?, false),
            _ => return None,
        };
        let exponent = power.checked_sub_unsigned(fraction)?;
        let is_cut = has_plus && fraction <= CUT_FRACTION;
        Some(Self { digits: if is_negative { -digits } else { digits }, exponent, is_cut })
    }

    /// The instant of so many units since 1970, if it is plausible.
    fn time(&self, unit: Unit) -> Option<Timestamp> {
        let nanos = self.digits.checked_mul(unit.nanos())?;
        let power = 10_i128.checked_pow(self.exponent.unsigned_abs())?;
        // Divided by rounding down: a time is cut off, never moved to the next microsecond.
        let micros = match self.exponent < 0 {
            true => nanos.div_euclid(power.checked_mul(NANOS_PER_MICRO)?),
            false => nanos.checked_mul(power)?.div_euclid(NANOS_PER_MICRO),
        };
        plausible(micros)
    }
}

/// The number that the digits at the beginning of a text make behind others, at least one; and the remaining text.
fn run_of_digits(text: &[u8], before: i128) -> Option<(i128, &[u8])> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(count);
    let add = |sum: i128, byte: &u8| sum.checked_mul(10)?.checked_add(i128::from(byte - b'0'));
    Some((digits.iter().try_fold(before, add).filter(|_| count > 0)?, rest))
}

/// One digit or two.
fn power_of_ten(text: &[u8]) -> Option<i32> {
    let (power, rest) = super::program::one_or_two(text)?;
    rest.is_empty().then_some(i32::from(power))
}
