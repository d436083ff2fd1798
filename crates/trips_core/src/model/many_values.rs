//! The quick parsers beside plain functions of libraries, on as many values as one likes. `make test-values` runs these
//! tests with 10^8 values each; `TRIPS_VALUES` changes that.

use std::fmt::Write;

use chrono::NaiveDateTime;

use super::timestamp::{self, USUAL};
use super::{number, point};

/// Random numbers of SplitMix64, which are the same in each run.
pub(crate) struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// The same for an index.
    pub(crate) fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 32).unwrap_or(0) % end
    }

    /// A number of up to 180 degrees, with the digits that a double has, or with some decimals, or with more than it has.
    fn coordinate(&mut self, text: &mut String) {
        let sign = if self.below(3) == 0 { "-" } else { "" };
        let degrees = self.below(180);
        let unit = f64::from(u32::try_from(self.next() >> 32).unwrap_or(0)) / 4_294_967_296.0;
        let decimals = self.index(18);
        match self.below(4) {
            0 => write!(
                text,
                "{}",
                (f64::from(u32::try_from(degrees).unwrap_or(0)) + unit)
                    * if sign.is_empty() { 1.0 } else { -1.0 }
            ),
            1 => write!(
                text,
                "{sign}{degrees}.{:0decimals$}",
                self.below(10_u64.pow(decimals.try_into().unwrap_or(0)))
            ),
            2 => write!(text, "{sign}{degrees}.{:017}", self.below(100_000_000_000_000_000)),
            // Near the middle of two doubles: fifteen digits of one, and then anything.
            _ => write!(
                text,
                "{sign}{:.14}{}",
                f64::from(u32::try_from(degrees).unwrap_or(0)) + unit,
                self.below(1000)
            ),
        }
        .expect("a string takes all");
    }

    /// In one of three texts, a byte becomes another one.
    fn change(&mut self, text: &mut String) {
        const BYTES: &[u8] = b"0123456789.-+eE ,:T/()POINT";
        if self.below(3) == 0 && !text.is_empty() {
            let at = self.index(text.len());
            let byte = BYTES[self.index(BYTES.len())];
            text.replace_range(at..=at, char::from(byte).encode_utf8(&mut [0; 4]));
        }
    }
}

/// How many values each test looks at.
pub(crate) fn count() -> u64 {
    std::env::var("TRIPS_VALUES").map_or(100_000_000, |count| count.parse().expect("a number"))
}

/// Calls `check` for so many texts that `write` makes, some of them changed. It says whether the quick parser has read the
/// text; most texts must be read.
fn for_each(
    seed: u64,
    mut write: impl FnMut(&mut Random, &mut String),
    mut check: impl FnMut(&str) -> bool,
) {
    let wanted = count();
    let (mut random, mut text, mut read) = (Random(seed), String::new(), 0_u64);
    for _ in 0..wanted {
        text.clear();
        write(&mut random, &mut text);
        random.change(&mut text);
        read += u64::from(check(&text));
    }
    assert!(read > wanted / 2, "{read} of {wanted} values were read");
}

#[test]
#[ignore = "many values: make test-values"]
fn numbers_are_those_of_the_library() {
    for_each(1, Random::coordinate, |text| {
        let found = number::whole(text.as_bytes());
        if let Some(found) = found {
            assert_eq!(text.parse().map(f64::to_bits), Ok(found.to_bits()), "{text}");
        }
        found.is_some()
    });
}

#[test]
#[ignore = "many values: make test-values"]
fn points_are_those_of_the_library() {
    let write = |random: &mut Random, text: &mut String| {
        text.push_str("POINT (");
        random.coordinate(text);
        text.push(' ');
        random.coordinate(text);
        text.push(')');
    };
    for_each(2, write, |text| {
        let found = point::prefix(text.as_bytes());
        let Some((point, length)) = found else {
            // A point out of range has the latitude of a longitude.
            return text.len() > 7 && point::parse(text.as_bytes()).is_err();
        };
        let inner =
            text[..length].strip_prefix("POINT").expect("a word").trim_start().strip_prefix('(');
        let (x, y) = inner
            .and_then(|inner| inner.strip_suffix(')'))
            .and_then(|inner| inner.split_once(' '))
            .expect("two");
        let [x, y] = [x, y].map(|text| text.parse::<f64>().expect("a number"));
        // The two names of one meridian, and of zero, are one.
        let x = if x.to_bits() == (-180.0_f64).to_bits() { 180.0 } else { x };
        let expected = [x + 0.0, y + 0.0].map(f64::to_bits);
        assert_eq!([point.longitude, point.latitude].map(f64::to_bits), expected, "{text}");
        true
    });
}

#[test]
#[ignore = "many values: make test-values"]
fn times_are_those_of_the_calendar() {
    let write = |random: &mut Random, text: &mut String| {
        let [year, month, day] =
            [(1, 9999), (1, 12), (1, 31)].map(|(from, to)| from + random.below(to));
        let [hour, minute, second] = [25, 60, 61].map(|end| random.below(end));
        write!(text, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
            .expect("a string takes all");
    };
    for_each(3, write, |text| {
        let found = timestamp::prefix(text.as_bytes()).filter(|_| text.len() == USUAL);
        // Leap seconds are no times of PostgreSQL.
        let form = text.replacen('T', " ", usize::from(text.as_bytes()[10] == b'T'));
        let strict = form
            .bytes()
            .enumerate()
            .all(|(at, byte)| byte.is_ascii_digit() != matches!(at, 4 | 7 | 10 | 13 | 16));
        let library = NaiveDateTime::parse_from_str(&form, "%Y-%m-%d %H:%M:%S").ok();
        let library =
            library.filter(|_| strict && !form.ends_with(":60") && !form.starts_with("0000"));
        let micros = library.map(|time| time.and_utc().timestamp_micros() - 946_684_800_000_000);
        assert_eq!(found.map(|time| time.0), micros, "{text}");
        found.is_some()
    });
}
