//! PostgreSQL's `numeric` inside a `jsonb`: decimal digits in groups of four.

use super::container::pad;

const SHORT: u16 = 0x8000;
const SHORT_NEGATIVE: u16 = 0x2000;
const SHORT_SCALE_SHIFT: u32 = 7;
const SHORT_MAX_SCALE: u16 = 0x3F;
const SHORT_WEIGHT_SIGN: u16 = 0x0040;
const SHORT_WEIGHT: u16 = 0x003F;
const LONG_NEGATIVE: u16 = 0x4000;
const LONG_SCALE: u16 = 0x3FFF;
/// A larger exponent is not a number for PostgreSQL, even if the digits are zeros.
const MAX_EXPONENT: i64 = (i32::MAX / 2) as i64;

/// A decimal number, as JSON writes it.
#[derive(Debug)]
pub(super) struct Decimal<'t> {
    is_negative: bool,
    whole: &'t [u8],
    fraction: &'t [u8],
    /// The power of ten of the first digit.
    power: i64,
    /// The first and the last digit that is not 0; None for zero.
    significant: Option<(usize, usize)>,
    /// Number of digits after the decimal point.
    scale: u16,
    /// The power of 10,000 of the first group.
    weight: i16,
}

impl<'t> Decimal<'t> {
    /// None if the text is not a number of JSON, or `numeric` cannot hold it.
    pub(super) fn parse(text: &'t [u8]) -> Option<Self> {
        let (is_negative, rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, text),
        };
        let (whole, rest) = digits(rest);
        if whole.is_empty() || (whole.len() > 1 && whole[0] == b'0') {
            return None;
        }
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => Some(digits(rest)).filter(|(digits, _)| !digits.is_empty())?,
            _ => (&[][..], rest),
        };
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', rest @ ..] => exponent(rest)?,
            _ => return None,
        };
        let power = i64::try_from(whole.len()).ok()? - 1 + exponent;
        let scale = (i64::try_from(fraction.len()).ok()? - exponent).max(0);
        let scale = u16::try_from(scale).ok().filter(|&scale| scale <= LONG_SCALE)?;
        let all = whole.iter().chain(fraction);
        let first = all.clone().position(|&digit| digit != b'0');
        let mut number =
            Self { is_negative, whole, fraction, power, significant: None, scale, weight: 0 };
        if let Some(first) = first {
            let from_end = all.rev().position(|&digit| digit != b'0').unwrap_or(0);
            number.significant = Some((first, whole.len() + fraction.len() - 1 - from_end));
            number.weight = i16::try_from(number.group(first)).ok()?;
        }
        Some(number)
    }

    /// The power of 10,000 of the group of a digit.
    fn group(&self, digit: usize) -> i64 {
        (self.power - i64::try_from(digit).unwrap_or(i64::MAX)).div_euclid(4)
    }

    fn digit(&self, at: i64) -> u16 {
        let digit = usize::try_from(at).ok().and_then(|at| {
            let behind = at.checked_sub(self.whole.len());
            behind.map_or_else(|| self.whole.get(at), |at| self.fraction.get(at))
        });
        digit.map_or(0, |digit| u16::from(digit - b'0'))
    }

    /// Appends it, with the padding before it.
    pub(super) fn write(&self, base: usize, out: &mut Vec<u8>) {
        pad(base, out);
        let (scale, weight) = (self.scale, self.weight);
        let last = self.significant.map(|(_, last)| self.group(last));
        let groups = last.map_or(0, |last| i64::from(weight) - last + 1);
        let is_negative = self.is_negative && groups > 0;
        let is_short = scale <= SHORT_MAX_SCALE && (-64..=63).contains(&weight);
        let length = if is_short { 6 } else { 8 } + 2 * usize::try_from(groups).unwrap_or(0);
        out.extend_from_slice(&varlena_header(length));
        if is_short {
            let sign = if is_negative { SHORT_NEGATIVE } else { 0 };
            let header = SHORT | sign | scale << SHORT_SCALE_SHIFT | short_weight(weight);
            out.extend_from_slice(&header.to_ne_bytes());
        } else {
            let header = scale | if is_negative { LONG_NEGATIVE } else { 0 };
            out.extend_from_slice(&header.to_ne_bytes());
            out.extend_from_slice(&weight.to_ne_bytes());
        }
        for group in 0..groups {
            // The number of its first digit.
            let first = self.power - (i64::from(weight) - group) * 4 - 3;
            let value = (first..first + 4).fold(0, |sum, at| sum * 10 + self.digit(at));
            out.extend_from_slice(&value.to_ne_bytes());
        }
    }
}

/// Appends a number that has at most four digits after its point and 15 in all, without writing its text. Returns false, and
/// appends nothing, for other numbers.
///
/// A decimal of at most 15 digits is the only one of its double. So it is the shortest text of that double.
pub(super) fn write_short(number: f64, base: usize, out: &mut Vec<u8>) -> bool {
    let scaled = (number * 10_000.0).round();
    // The division gives the double nearest to the decimal. NaN is equal to nothing.
    if scaled.abs() >= 1e15 || scaled / 10_000.0 != number {
        return false;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number below 10^15")]
    let scaled = scaled as i64;
    let magnitude = scaled.unsigned_abs();
    let group = |value: u64| u16::try_from(value % 10_000).unwrap_or(0);
    let groups = [
        group(magnitude / 1_000_000_000_000),
        group(magnitude / 100_000_000),
        group(magnitude / 10_000),
        group(magnitude),
    ];
    let scale = match groups[3] {
        0 => 0,
        fraction if fraction.is_multiple_of(1000) => 1,
        fraction if fraction.is_multiple_of(100) => 2,
        fraction if fraction.is_multiple_of(10) => 3,
        _ => 4,
    };
    let first = groups.iter().position(|group| *group != 0);
    let last = groups.iter().rposition(|group| *group != 0);
    let (groups, weight) = match first.zip(last) {
        // The power of 10,000 of the first group.
        Some((first, last)) => (&groups[first..=last], [2, 1, 0, -1_i16][first]),
        None => (&[][..], 0),
    };
    pad(base, out);
    out.extend_from_slice(&varlena_header(6 + 2 * groups.len()));
    let sign = if scaled < 0 { SHORT_NEGATIVE } else { 0 };
    let header = SHORT | sign | scale << SHORT_SCALE_SHIFT | short_weight(weight);
    out.extend_from_slice(&header.to_ne_bytes());
    groups.iter().for_each(|group| out.extend_from_slice(&group.to_ne_bytes()));
    true
}

/// The bits of a weight in a short header.
fn short_weight(weight: i16) -> u16 {
    let sign = if weight < 0 { SHORT_WEIGHT_SIGN } else { 0 };
    sign | weight.cast_unsigned() & SHORT_WEIGHT
}

/// A length with the two lowest bits (the two highest on a big-endian machine) zero: not compressed.
fn varlena_header(length: usize) -> [u8; 4] {
    let length = u32::try_from(length).unwrap_or(0);
    if cfg!(target_endian = "little") { length << 2 } else { length }.to_ne_bytes()
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.split_at(length)
}

fn exponent(text: &[u8]) -> Option<i64> {
    let (is_negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (digits, rest) = digits(text);
    if digits.is_empty() || !rest.is_empty() {
        return None;
    }
    let value = digits
        .iter()
        .fold(0_i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    (value < MAX_EXPONENT).then_some(if is_negative { -value } else { value })
}

/// Appends the decimal text of a number behind its varlena header; None if it is not one.
pub(super) fn text_of(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let word = |at: usize| {
        bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|bytes| u16::from_ne_bytes(*bytes))
    };
    let header = word(0)?;
    let (is_negative, scale, weight, groups) = if header & 0xC000 == SHORT {
        let weight = header & SHORT_WEIGHT;
        let sign_bits = if header & SHORT_WEIGHT_SIGN == 0 { 0 } else { !SHORT_WEIGHT };
        let scale = header >> SHORT_SCALE_SHIFT & SHORT_MAX_SCALE;
        (header & SHORT_NEGATIVE != 0, scale, (weight | sign_bits).cast_signed(), 2)
    } else if header & 0x8000 == 0 {
        (header & LONG_NEGATIVE != 0, header & LONG_SCALE, word(2)?.cast_signed(), 4)
    } else {
        return None;
    };
    let group = |power: i32| {
        let number = usize::try_from(i32::from(weight) - power).ok();
        number.and_then(|number| word(groups + 2 * number)).unwrap_or(0)
    };
    if is_negative {
        out.push(b'-');
    }
    let start = out.len();
    for power in (0..=i32::from(weight)).rev() {
        push_group(group(power), out);
    }
    let zeros = out[start..].iter().take_while(|&&digit| digit == b'0').count();
    out.drain(start..start + zeros);
    if out.len() == start {
        out.push(b'0');
    }
    if scale > 0 {
        out.push(b'.');
        let start = out.len();
        for power in 1..=i32::from(scale.div_ceil(4)) {
            push_group(group(-power), out);
        }
        out.truncate(start + usize::from(scale));
    }
    Some(())
}

fn push_group(value: u16, out: &mut Vec<u8>) {
    let value = value.min(9999);
    let digit = |number: u16| u8::try_from(number % 10).unwrap_or(0) + b'0';
    out.extend_from_slice(&[
        digit(value / 1000),
        digit(value / 100),
        digit(value / 10),
        digit(value),
    ]);
}
