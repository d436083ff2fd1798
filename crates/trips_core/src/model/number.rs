//! Decimal numbers of the usual form, eight digits at a time.
//!
//! A number is digits, at most 19, with or without a point among them and a minus before them. Its double is the nearest
//! one, as the standard library's: the tests compare both. Other forms are left to the library.

/// ASCII zeros.
const ZEROS: u64 = 0x3030_3030_3030_3030;
/// Digits of a number that fit 64 bits.
const MOST_DIGITS: usize = 19;
/// Powers of ten that fit 64 bits. Up to 10^22, a double represents them exactly.
const POWERS: [u64; MOST_DIGITS + 1] = {
    let (mut powers, mut i) = ([1; MOST_DIGITS + 1], 1);
    while i < powers.len() {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// The same as doubles.
#[expect(
    clippy::cast_precision_loss,
    reason = "each is a power of five of under 53 bits, times one of two"
)]
const DOUBLES: [f64; MOST_DIGITS + 1] = {
    let (mut doubles, mut i) = ([1.0; MOST_DIGITS + 1], 1);
    while i < doubles.len() {
        doubles[i] = POWERS[i] as f64;
        i += 1;
    }
    doubles
};
/// Bytes that a number of the most usual form has at most, with one behind it: three digits, a point, 15 digits, and eight
/// that are read together.
const USUAL: usize = 24;

/// The first eight bytes; zeros behind the end.
#[inline]
fn eight(text: &[u8]) -> u64 {
    if let Some(bytes) = text.first_chunk() {
        return u64::from_le_bytes(*bytes);
    }
    let mut bytes = [0; 8];
    bytes[..text.len()].copy_from_slice(text);
    u64::from_le_bytes(bytes)
}

/// How many of eight bytes are digits before the first that is none; zeros are subtracted, and the first byte is the lowest.
#[inline]
fn count_of(values: u64) -> usize {
    // A digit's byte is at most 9: with 0x76 it is under 0x80. Bytes behind one that is no digit do not matter.
    let others = (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
    others.trailing_zeros() as usize / 8
}

/// The number of eight digits, the first of which is in the lowest byte: pairs, then fours, then all.
#[inline]
fn number_of(values: u64) -> u64 {
    let pairs = (values.wrapping_mul(10 << 8 | 1) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100 << 16 | 1) >> 16) & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(10_000 << 32 | 1) >> 32
}

/// The number of the digits that the text begins with, up to eight, and their count.
#[inline]
fn digits(text: &[u8]) -> (u64, usize) {
    let values = eight(text) ^ ZEROS;
    let count = count_of(values);
    // Zeros in the lower bytes are digits before it.
    if count == 0 { (0, 0) } else { (number_of(values << (64 - 8 * count)), count) }
}

/// The number that the text begins with, and its length. None does not say that there is none.
#[inline]
pub(crate) fn prefix(text: &[u8]) -> Option<(f64, usize)> {
    match usual(text) {
        None => other(text),
        usual => usual,
    }
}

/// The same for one to three digits, a point, eight to fifteen digits, and 53 bits: most coordinates, without a loop.
#[expect(clippy::cast_precision_loss, reason = "exact: under 53 bits")]
#[inline]
fn usual(text: &[u8]) -> Option<(f64, usize)> {
    let is_negative = *text.first()? == b'-';
    let sign = usize::from(is_negative);
    let bytes: &[u8; USUAL] = text.get(sign..)?.first_chunk()?;
    let values = |from: usize| Some(u64::from_le_bytes(*bytes.get(from..)?.first_chunk()?) ^ ZEROS);
    let integer = values(0)?;
    let digits = count_of(integer);
    if digits.wrapping_sub(1) >= 3 || bytes[digits] != b'.' {
        return None;
    }
    let (high, low) = (values(digits + 1)?, values(digits + 9)?);
    let more = count_of(low);
    if count_of(high) < 8 || more == 8 {
        return None;
    }
    // In two steps: without more digits, nothing is left.
    let low = number_of(low << 8 << (56 - 8 * more));
    let decimals = number_of(high) * POWERS[more] + low;
    let whole = number_of(integer << (64 - 8 * digits)) * POWERS[8 + more] + decimals;
    // Both are exact, and the quotient of two doubles is rounded once.
    let number = (whole < 1 << 53).then(|| whole.cast_signed() as f64 / DOUBLES[8 + more])?;
    Some((if is_negative { -number } else { number }, sign + digits + 9 + more))
}

/// The same for any form.
fn other(text: &[u8]) -> Option<(f64, usize)> {
    let is_negative = text.first() == Some(&b'-');
    let mut at = usize::from(is_negative);
    let (mut whole, count) = digits(&text[at..]);
    if count == 8 {
        return None;
    }
    at += count;
    let mut decimals = 0;
    if text.get(at) == Some(&b'.') {
        at += 1;
        loop {
            let (more, more_count) = digits(&text[at..]);
            if count + decimals + more_count > MOST_DIGITS {
                return None;
            }
            whole = whole * POWERS[more_count] + more;
            decimals += more_count;
            at += more_count;
            if more_count < 8 {
                break;
            }
        }
    }
    if count + decimals == 0 {
        return None;
    }
    let number = nearest(whole, decimals);
    Some((if is_negative { -number } else { number }, at))
}

/// A number that is the whole text. None does not say that it is none.
#[inline]
pub(crate) fn whole(text: &[u8]) -> Option<f64> {
    prefix(text).filter(|&(_, length)| length == text.len()).map(|(number, _)| number)
}

/// The double nearest to a number of this many decimals.
#[expect(clippy::cast_precision_loss, reason = "exact, or rounded as it must be")]
#[inline]
fn nearest(whole: u64, decimals: usize) -> f64 {
    let power = POWERS[decimals];
    if whole < 1 << 53 {
        // Both are exact, and the quotient of two doubles is rounded once. From 10^16 on, a power has trailing zero bits.
        return whole as f64 / power as f64;
    }
    if decimals == 0 {
        return whole as f64;
    }
    // At least 55 bits of the quotient, and one that says whether there are more: then it is rounded once, to 53.
    let shift = (56 + whole.leading_zeros()).saturating_sub(power.leading_zeros());
    let (shifted, power) = (u128::from(whole) << shift, u128::from(power));
    let quotient = shifted / power;
    let rest = u128::from(quotient * power != shifted);
    let quotient = u64::try_from(quotient | rest).unwrap_or(u64::MAX);
    quotient as f64 * f64::from_bits(u64::from(1023 - shift) << 52)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Compares with the library.
    fn check(text: &str) {
        let library: Option<f64> = text.parse().ok();
        if let Some(number) = whole(text.as_bytes()) {
            assert_eq!(Some(number.to_bits()), library.map(f64::to_bits), "{text}");
        }
        let behind = format!("{text} 9");
        let (number, length) = prefix(behind.as_bytes()).unzip();
        assert_eq!(number.map(f64::to_bits), prefix(text.as_bytes()).map(|(n, _)| n.to_bits()));
        assert!(length.is_none_or(|length| length <= text.len()), "{text}");
    }

    #[test]
    fn usual_numbers_are_read() {
        for text in [
            "0",
            "-0",
            "1.",
            ".5",
            "-.5",
            "007.250",
            "14.4973794438195",
            "-122.40825",
            "53.44309492972679",
            "9.99775242717005",
            "14.497379443819512",
            "0.30000000000000004",
            "90.071992547409915",
            "180.0000000000000000",
        ] {
            assert!(whole(text.as_bytes()).is_some(), "{text}");
            check(text);
        }
        for text in [
            "",
            "-",
            ".",
            "+1",
            "1e5",
            "--1",
            "1.2.3",
            "1-",
            " 1",
            "12345678",
            "0.12345678901234567890",
        ] {
            assert_eq!(whole(text.as_bytes()), None, "{text}");
        }
    }

    /// Numbers of which the last bit is hard to find: near the middle of two doubles.
    #[test]
    fn near_the_middle_of_two_doubles() {
        for exponent in -40..8 {
            for i in 0..2_000_u64 {
                let mantissa = (1 << 52) + i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (1 << 52);
                let below = f64::from_bits(
                    u64::from_i(1075 + exponent - 52 - 30) << 52 | mantissa & ((1 << 52) - 1),
                );
                let above = f64::from_bits(below.to_bits() + 1);
                for digits in [15, 16, 17, 18, 19] {
                    check(&format!("{:.*}", digits, below));
                    check(&format!("{:.*}", digits, f64::midpoint(below, above)));
                }
            }
        }
    }

    trait FromI {
        fn from_i(i: i32) -> Self;
    }

    impl FromI for u64 {
        fn from_i(i: i32) -> Self {
            Self::try_from(i).unwrap()
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn random_numbers(text in "-?[0-9]{0,7}(\\.[0-9]{0,20})?") {
            check(&text);
        }

        #[test]
        fn near_misses(text in "[-+.0-9eE ]{0,24}") {
            check(&text);
        }

        #[test]
        fn coordinates(number in -180.0..180.0_f64) {
            check(&number.to_string());
        }
    }
}
