//! Values of columns in canonical form.
//!
//! A publisher writes the same value in other ways in its next file: `151` and `151.0`, `5379.10` and `5379.1`,
//! `2,904.0` and `2904`. Keys and `details` are made of canonical values, so the spelling does not matter.

use std::borrow::Cow;

use crate::feed::definition::ColumnKind;
use crate::model::canonical::Canonical;
use crate::model::decimal::DecimalMark;
use crate::model::error::{SqlState, ValueError};
use crate::model::point;
use crate::text::escape::quoted;
use crate::text::whitespace;

/// The most bytes of an id.
pub const MAX_ID: usize = 1000;
/// The most bytes of a number; a longer text is a text.
const MAX_NUMBER: usize = 128;

/// The words of a feed that mean NULL. Their case counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nulls {
    words: Vec<Box<[u8]>>,
    longest: usize,
}

impl Nulls {
    /// These words.
    pub fn new<T: AsRef<str>>(words: &[T]) -> Self {
        let words: Vec<Box<[u8]>> =
            words.iter().map(|word| word.as_ref().as_bytes().into()).collect();
        let longest = words.iter().map(|word| word.len()).max().unwrap_or(0);
        Self { words, longest }
    }

    /// Whether a field, without whitespace around it, is NULL: it is empty, or one of the words.
    #[must_use]
    #[inline]
    pub fn is_null(&self, trimmed: &[u8]) -> bool {
        trimmed.is_empty()
            || (trimmed.len() <= self.longest && self.words.iter().any(|word| **word == *trimmed))
    }

    /// A field without whitespace around it; None if it is NULL.
    #[must_use]
    #[inline]
    pub fn trimmed<'a>(&self, field: &'a [u8]) -> Option<&'a [u8]> {
        let trimmed = whitespace::trim_value(field);
        (!self.is_null(trimmed)).then_some(trimmed)
    }
}

/// The canonical form of a field; None if it is NULL.
///
/// A field that is only borrowed is not copied, unless its canonical form has other characters. The canonical form of a
/// time needs the forms of its feed: here, and where it is no time, it is a text.
///
/// # Errors
/// 22021 when the field is not text in UTF-8 without NUL, 22001 when an id is longer than [`MAX_ID`].
///
/// ```
/// use trips_core::feed::{definition::ColumnKind, value::{Nulls, canonical}};
/// use trips_core::model::{canonical::Canonical, decimal::DecimalMark};
/// let nulls = Nulls::new(&["NULL"]);
/// let of = |field: &'static str, kind| {
///     canonical(field.as_bytes().into(), kind, &nulls, DecimalMark::Point).unwrap()
/// };
/// assert_eq!(of(" NULL ", ColumnKind::Text), None);
/// assert_eq!(of("$2,904.0", ColumnKind::Number), Some(Canonical::Number(2904.0)));
/// let id = ColumnKind::Id { decimals: Some(2), strip_zeros: false };
/// assert_eq!(of("5379.1", id), Some(Canonical::Text("5379.10".into())));
/// assert_eq!(of("3186.0", id), of("3186", id));
/// ```
pub fn canonical<'a>(
    field: Cow<'a, [u8]>,
    kind: ColumnKind,
    nulls: &Nulls,
    decimal: DecimalMark,
) -> Result<Option<Canonical<'a>>, ValueError> {
    match field {
        Cow::Borrowed(bytes) => of_bytes(bytes, kind, nulls, decimal),
        Cow::Owned(bytes) => Ok(of_bytes(&bytes, kind, nulls, decimal)?.map(into_owned)),
    }
}

fn into_owned(value: Canonical<'_>) -> Canonical<'static> {
    match value {
        Canonical::Text(text) => Canonical::Text(text.into_owned().into()),
        Canonical::Json(text) => Canonical::Json(text.into_owned().into()),
        Canonical::Number(number) => Canonical::Number(number),
        Canonical::Time(time) => Canonical::Time(time),
    }
}

fn of_bytes<'a>(
    bytes: &'a [u8],
    kind: ColumnKind,
    nulls: &Nulls,
    decimal: DecimalMark,
) -> Result<Option<Canonical<'a>>, ValueError> {
    let Some(trimmed) = nulls.trimmed(bytes) else { return Ok(None) };
    if kind == ColumnKind::Number
        && let Some(number) = number(trimmed, decimal)
    {
        return Ok(Some(Canonical::Number(number)));
    }
    let text = text(trimmed)?;
    Ok(Some(match kind {
        ColumnKind::Json if is_json(text) => Canonical::Json(text.into()),
        ColumnKind::Id { decimals, strip_zeros } => {
            Canonical::Text(id(text, decimals, strip_zeros, decimal)?)
        }
        _ => Canonical::Text(text.into()),
    }))
}

fn text(trimmed: &[u8]) -> Result<&str, ValueError> {
    let not_text = |what: &str| {
        let reason = format!("{} contains {what}", quoted(trimmed));
        ValueError::new(SqlState::CharacterNotInRepertoire, reason)
    };
    if memchr::memchr(0, trimmed).is_some() {
        return Err(not_text("a NUL byte"));
    }
    std::str::from_utf8(trimmed).map_err(|_| not_text("bytes that are not UTF-8"))
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// The canonical form of an id: a text of digits that went through a number gets its own digits back. It has no
/// separators of thousands, and no fraction that is zero. Every other text stays as it is.
///
/// ```
/// use trips_core::{feed::value::id, model::decimal::DecimalMark};
/// for (text, expected) in [("1,317", "1317"), ("1317.0", "1317"), ("AB,12", "AB,12"), ("1,31", "1,31")] {
///     assert_eq!(id(text, None, false, DecimalMark::Point).unwrap(), expected);
/// }
/// ```
///
/// # Errors
/// 22001 when it is longer than [`MAX_ID`].
pub fn id(
    text: &str,
    decimals: Option<u8>,
    strip_zeros: bool,
    decimal: DecimalMark,
) -> Result<Cow<'_, str>, ValueError> {
    if text.len() > MAX_ID {
        let (length, shown) = (text.len(), quoted(text.as_bytes()));
        let reason = format!("{shown} has {length} bytes; the limit of an id is {MAX_ID}");
        return Err(ValueError::new(SqlState::StringDataRightTruncation, reason));
    }
    let text = if strip_zeros { without_leading_zeros(text) } else { text };
    match without_thousands(text, decimal) {
        Some(plain) => {
            Ok(without_empty_fraction(&plain, decimals, DecimalMark::Point).into_owned().into())
        }
        None => Ok(without_empty_fraction(text, decimals, decimal)),
    }
}

/// The digits of an id that has separators of thousands, by the rule of numbers; None for every other text.
fn without_thousands(text: &str, decimal: DecimalMark) -> Option<String> {
    let is_fraction = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    // Nearly all ids end here.
    let [b'1'..=b'9', rest @ ..] = text.as_bytes() else { return None };
    let first = rest.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
    let behind = rest.get(first)?;
    if first > 2
        || behind.is_ascii_alphanumeric()
        || *behind == decimal.byte()
        || text.len() > MAX_NUMBER
    {
        return None;
    }
    let mut plain = [0; MAX_NUMBER];
    let plain = ungrouped(text.as_bytes(), decimal, &mut plain)?;
    plain.iter().all(is_fraction).then(|| String::from_utf8_lossy(plain).into_owned())
}

fn without_empty_fraction(text: &str, decimals: Option<u8>, decimal: DecimalMark) -> Cow<'_, str> {
    // Nearly all ids end here.
    if memchr::memchr2(b'.', decimal.byte(), text.as_bytes()).is_none() {
        return text.into();
    }
    // A program that wrote an id as a number may have written a point, also into a file with decimal commas.
    let parts_at = |mark: DecimalMark| Some((text.split_once(char::from(mark.byte()))?, mark));
    let found = parts_at(decimal).or_else(|| parts_at(DecimalMark::Point));
    let Some(((integer, fraction), decimal)) = found else {
        return text.into();
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if integer.is_empty() || !is_digits(integer) || !is_digits(fraction) {
        return text.into();
    }
    let significant = fraction.trim_end_matches('0');
    if significant.is_empty() {
        return integer.into();
    }
    let Some(width) = decimals.map(usize::from) else {
        return with_point(text, integer, fraction, decimal);
    };
    let kept = fraction.len().min(width.max(significant.len()));
    if kept >= width {
        let end = integer.len() + 1 + kept;
        return with_point(&text[..end], integer, &fraction[..kept], decimal);
    }
    format!("{integer}.{fraction:0<width$}").into()
}

/// The decimal mark of a canonical id is a point.
fn with_point<'a>(
    text: &'a str,
    integer: &str,
    fraction: &str,
    decimal: DecimalMark,
) -> Cow<'a, str> {
    match decimal {
        DecimalMark::Point => text.into(),
        DecimalMark::Comma => format!("{integer}.{fraction}").into(),
    }
}

/// One zero is left of a text of zeros.
fn without_leading_zeros(text: &str) -> &str {
    let zeros = text.bytes().take_while(|byte| *byte == b'0').count();
    let is_number = text.as_bytes().get(zeros).is_some_and(u8::is_ascii_digit);
    if is_number { &text[zeros..] } else { &text[zeros.saturating_sub(1)..] }
}

/// A number: a sign, a currency sign before it, a percent sign after it, thousands in groups of three, a fraction and
/// an exponent may be there. None if the text is not a finite number.
///
/// ```
/// use trips_core::{feed::value::number, model::decimal::DecimalMark};
/// assert_eq!(number(b"-1.317,5", DecimalMark::Comma), Some(-1317.5));
/// assert_eq!(number(b"1,31", DecimalMark::Point), None);
/// ```
#[must_use]
pub fn number(text: &[u8], decimal: DecimalMark) -> Option<f64> {
    if text.len() > MAX_NUMBER {
        return None;
    }
    let finite = |number: f64| number.is_finite().then_some(number + 0.0); // -0 + 0 is 0
    if decimal == DecimalMark::Point
        && let Some(number) = point::number(text)
    {
        return finite(number);
    }
    let (is_negative, digits) = undecorated(text);
    // A second sign is a mistake.
    if !digits.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == decimal.byte()) {
        return None;
    }
    let mut plain = [0; MAX_NUMBER];
    let number = point::number(ungrouped(digits, decimal, &mut plain)?)?;
    finite(if is_negative { -number } else { number })
}

/// Whether there is a minus sign, and the text without a sign, currency and percent.
fn undecorated(text: &[u8]) -> (bool, &[u8]) {
    let without_currency = |text| {
        let signs = ["$", "€"];
        let rest = signs.iter().find_map(|sign| <[u8]>::strip_prefix(text, sign.as_bytes()));
        rest.map_or(text, <[u8]>::trim_ascii_start)
    };
    let signed = without_currency(text);
    let (is_negative, rest) = match signed {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, signed),
    };
    let rest = if signed.len() == text.len() { without_currency(rest) } else { rest };
    (is_negative, rest.strip_suffix(b"%").map_or(rest, <[u8]>::trim_ascii_end))
}

/// The digits without separators of thousands, and with a point before the fraction, written to `plain`.
///
/// A number with separators has one to three digits, not beginning with a zero, and then groups of three.
fn ungrouped<'a>(
    digits: &[u8],
    decimal: DecimalMark,
    plain: &'a mut [u8; MAX_NUMBER],
) -> Option<&'a [u8]> {
    let is_end = |byte: &u8| *byte == decimal.byte() || matches!(byte, b'e' | b'E');
    let end = digits.iter().position(is_end).unwrap_or(digits.len());
    let (integer, rest) = digits.split_at(end);
    let mut groups = Groups { rest: integer, decimal };
    let mut length = 0;
    let mut add = |bytes: &[u8]| {
        let room = plain.get_mut(length..length + bytes.len())?;
        room.copy_from_slice(bytes);
        length += bytes.len();
        Some(())
    };
    let first = groups.next()?;
    add(first)?;
    let has_groups = !groups.rest.is_empty();
    if has_groups && (!(1..=3).contains(&first.len()) || first[0] == b'0') {
        return None;
    }
    while !groups.rest.is_empty() {
        add(groups.next().filter(|group| group.len() == 3)?)?;
    }
    if let [first, behind @ ..] = rest {
        add(if *first == decimal.byte() { b"." } else { b"e" })?;
        // The mark may not be there twice.
        if behind.contains(&b',') {
            return None;
        }
        add(behind)?;
    }
    Some(&plain[..length])
}

/// The groups of digits of an integer.
struct Groups<'a> {
    rest: &'a [u8],
    decimal: DecimalMark,
}

impl<'a> Groups<'a> {
    /// The digits up to a separator, which is skipped. None for a character that is neither, or when no digit follows.
    fn next(&mut self) -> Option<&'a [u8]> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (group, behind) = self.rest.split_at(count);
        self.rest = match behind {
            [] => behind,
            [mark, tail @ ..] if *mark == self.decimal.thousands() => non_empty(tail)?,
            // A space, a no-break space or a narrow one.
            [b' ', tail @ ..] | [0xc2, 0xa0, tail @ ..] | [0xe2, 0x80, 0xaf, tail @ ..] => {
                non_empty(tail)?
            }
            _ => return None,
        };
        Some(group)
    }
}

fn non_empty(bytes: &[u8]) -> Option<&[u8]> {
    (!bytes.is_empty()).then_some(bytes)
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
