//! What records show that no second reading mends.

use std::sync::LazyLock;

use super::cause;
use crate::format::delimited::record::RecordReader;
use crate::mend::rules::Times;
use crate::text::encoding::Encoding;

/// Feeds that are tried: their bits follow those of the causes.
pub(super) const FEEDS: u8 = 4;
const FIRST: u8 = cause::COUNT + FEEDS;

/// The bits of a set of facts, above those of causes and feeds.
pub(super) const SERIAL: u64 = 1 << FIRST;
pub(super) const OFFSET: u64 = 1 << (FIRST + 1);
pub(super) const ROUNDED_ID: u64 = 1 << (FIRST + 2);
pub(super) const FEWER: u64 = 1 << (FIRST + 3);
pub(super) const MORE: u64 = 1 << (FIRST + 4);
pub(super) const KNOWN_ID: u64 = 1 << (FIRST + 5);
const DELIMITER: u8 = FIRST + 6;
const ENCODING: u8 = DELIMITER + 4;

const DELIMITERS: [(u8, &str); 4] =
    [(b',', "a comma"), (b';', "a semicolon"), (b'\t', "a tab"), (b'|', "a vertical bar")];
const ENCODINGS: [Encoding; 3] = [Encoding::Windows1252, Encoding::Latin1, Encoding::EucKr];
/// Days since 1899-12-30 from 1954 to 2119, as spreadsheets count.
const SERIALS: std::ops::Range<f64> = 20_000.0..80_000.0;
/// Bytes of a record that are looked at.
const LOOKED_AT: usize = 64 * 1024;

static WITH_OFFSET: LazyLock<Option<Times>> =
    LazyLock::new(|| Times::of_pattern("YYYY-MM-DD HH24:MI[:SS[.FF]][ ]TZ").ok());

/// The bit of a feed that was tried.
pub(super) fn of_feed(number: usize) -> u64 {
    1 << (usize::from(cause::COUNT) + number)
}

/// What a text shows that is no time.
pub(super) fn of_time(text: &str) -> u64 {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let serial = text.parse().is_ok_and(|days: f64| is_number && SERIALS.contains(&days));
    let offset = WITH_OFFSET.as_ref().is_some_and(|form| form.canonical(text.as_bytes()).is_some());
    (u64::from(serial) * SERIAL) | (u64::from(offset) * OFFSET)
}

/// Whether a spreadsheet has rounded an id: it wrote `1.23E+15`.
pub(super) fn of_id(text: &str) -> u64 {
    let is_rounded = || {
        let (number, exponent) = text.trim().split_once(['e', 'E'])?;
        let exponent: u8 = exponent.strip_prefix('+')?.parse().ok()?;
        let (whole, fraction) = number.split_once(['.', ',']).unwrap_or((number, "0"));
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        (whole.len() == 1 && is_digits(whole) && is_digits(fraction) && exponent > 1).then_some(())
    };
    if is_rounded().is_some() { ROUNDED_ID } else { 0 }
}

/// What a record shows that has another number of fields than its header.
pub(super) fn of_fields(raw: &[u8], reason: &str) -> u64 {
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<usize>().ok());
    let Some(rest) = reason.strip_prefix("the record has ") else { return 0 };
    let found = number(rest.split(' ').next());
    let expected = number(reason.rsplit(' ').next());
    let Some((found, expected)) = found.zip(expected) else { return 0 };
    let mut facts = if found < expected { FEWER } else { MORE };
    for (number, (delimiter, _)) in (DELIMITER..).zip(DELIMITERS) {
        let is_it =
            expected > 1 && raw.len() <= LOOKED_AT && count(raw, delimiter) == Some(expected);
        facts |= u64::from(is_it) << number;
    }
    facts
}

fn count(raw: &[u8], delimiter: u8) -> Option<usize> {
    let mut reader = RecordReader::of_bytes(raw.to_vec(), 1, LOOKED_AT, delimiter);
    let record = reader.next_record().ok().flatten()?;
    record.error.is_none().then(|| record.len())
}

/// The encodings in which bytes are text that are not UTF-8.
pub(super) fn of_bytes(raw: &[u8]) -> u64 {
    let raw = &raw[..raw.len().min(LOOKED_AT)];
    if raw.contains(&0) {
        return 0;
    }
    let valid = (ENCODING..).zip(ENCODINGS).filter(|(_, encoding)| encoding.is_valid(raw));
    valid.fold(0, |facts, (number, _)| facts | 1 << number)
}

/// The delimiters of a set of facts, in words.
pub(super) fn delimiters(facts: u64) -> Vec<&'static str> {
    let all = (DELIMITER..).zip(DELIMITERS);
    all.filter(|(number, _)| facts >> number & 1 == 1).map(|(_, (_, name))| name).collect()
}

/// The encodings of a set of facts.
pub(super) fn encodings(facts: u64) -> Vec<&'static str> {
    let all = (ENCODING..).zip(ENCODINGS);
    all.filter(|(number, _)| facts >> number & 1 == 1)
        .map(|(_, encoding)| encoding.name())
        .collect()
}

// Each encoding has a bit.
const _: () = assert!(ENCODING as usize + ENCODINGS.len() <= 64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_ids_of_spreadsheets() {
        for text in ["45446.3368", "20000", "79999.9"] {
            assert_eq!(of_time(text), SERIAL, "{text}");
        }
        for text in
            ["2018-06-05T09:00:00Z", "2018-06-05 09:00 +02:00", "2018-06-05 09:00:00.5+0200"]
        {
            assert_eq!(of_time(text), OFFSET, "{text}");
        }
        for text in ["19999", "80000", "4e4", "x", "", "2018-06-05 09:00"] {
            assert_eq!(of_time(text), 0, "{text}");
        }
        for text in ["1.23E+15", " 9E+11", "1,5e+09"] {
            assert_eq!(of_id(text), ROUNDED_ID, "{text}");
        }
        for text in ["12E+15", "E+15", "1.E+15", "1E15", "1E-15", "1E+1", "A1E+15", "1.5"] {
            assert_eq!(of_id(text), 0, "{text}");
        }
    }

    #[test]
    fn fields() {
        let facts = |raw: &str, found| {
            of_fields(raw.as_bytes(), &format!("the record has {found} fields, expected 3"))
        };
        assert_eq!(delimiters(facts("a;b,5;c", 2)), ["a semicolon"]);
        assert_eq!(facts("a;b,5;c", 2) & (FEWER | MORE), FEWER);
        assert_eq!(delimiters(facts("a,b", 2)), [""; 0]);
        assert_eq!(delimiters(facts("\"a;b\";c;d\n", 1)), ["a semicolon"]);
        assert_eq!(facts("a,b,c,d", 4), MORE);
        assert_eq!(of_fields(b"a", "the quote is not closed"), 0);
    }

    #[test]
    fn bytes() {
        assert_eq!(encodings(of_bytes(b"Plze\xf2")), ["windows-1252", "iso-8859-1"]);
        assert_eq!(encodings(of_bytes(b"a\0")), [""; 0]);
    }
}
