//! Patterns to programs.

use crate::model::time_form::epoch::Unit;
use crate::model::time_form::fast::Fast;
use crate::model::time_form::program::Op;
use crate::model::time_form::{DayMonthOrder, Form, FormError, Reader, TimeKind};

/// The longest pattern, bytes.
const MAX_PATTERN: usize = 100;
/// The most patterns of a feed: each one is tried on a text that none can read.
const MAX_PATTERNS: usize = 32;
/// The most brackets inside each other.
const MAX_DEPTH: usize = 8;

const TOKENS: [(&str, Op); 12] = [
    ("YYYY", Op::Year),
    ("YY", Op::ShortYear),
    ("MM", Op::Month),
    ("MI", Op::Minute),
    ("Mon", Op::MonthName),
    ("DD", Op::Day),
    ("HH24", Op::Hour24),
    ("HH12", Op::Hour12),
    ("SS", Op::Second),
    ("AM", Op::Meridiem),
    ("TZ", Op::Zone),
    (" ", Op::Blank),
];

/// The forms of these patterns, in their order.
pub(super) fn forms(patterns: &[String], kind: TimeKind) -> Result<Vec<Form>, FormError> {
    if patterns.is_empty() || patterns.len() > MAX_PATTERNS {
        return Err(FormError { index: 0, expected: "a list of 1 to 32 patterns" });
    }
    let mut forms = Vec::with_capacity(patterns.len());
    let mut dates = Vec::with_capacity(patterns.len());
    for (index, pattern) in patterns.iter().enumerate() {
        let error = |expected| FormError { index, expected };
        let (reader, date) = compile(pattern, kind).map_err(error)?;
        let order = date.as_ref().map(|(_, order)| *order);
        forms.push(Form { pattern: pattern.clone(), reader, order, is_by_file: false });
        dates.push(date.map(|(date, _)| date));
    }
    for i in 0..forms.len() {
        let is_twin = |j: usize| dates[j] == dates[i] && forms[j].order != forms[i].order;
        forms[i].is_by_file = dates[i].is_some() && (0..forms.len()).any(is_twin);
    }
    Ok(forms)
}

/// The reader of a pattern; the form of its date without the order of day and month, and this order.
type Compiled = (Reader, Option<(String, DayMonthOrder)>);

fn compile(pattern: &str, kind: TimeKind) -> Result<Compiled, &'static str> {
    let unit = match pattern {
        "epoch" => Some(Unit::Seconds),
        "epoch_ms" => Some(Unit::Milliseconds),
        "epoch_us" => Some(Unit::Microseconds),
        _ => None,
    };
    if let Some(unit) = unit {
        return match kind {
            TimeKind::Utc => Ok((Reader::Epoch(unit), None)),
            _ => Err("epoch, epoch_ms and epoch_us with the kind utc"),
        };
    }
    let ops = ops(pattern)?;
    check(&ops, kind)?;
    let order = order(&ops);
    let fast = Fast::of(&ops);
    Ok((Reader::Pattern { fast, ops: ops.into() }, order))
}

/// The steps of a pattern.
fn ops(pattern: &str) -> Result<Vec<Op>, &'static str> {
    if pattern.len() > MAX_PATTERN {
        return Err("a pattern of up to 100 bytes");
    }
    let mut ops = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let (mut rest, mut is_quoted) = (pattern, false);
    while let Some(first) = rest.chars().next() {
        let (op, len) = match first {
            '"' => {
                is_quoted = !is_quoted;
                (None, 1)
            }
            ' '..='~' if is_quoted => (u8::try_from(first).ok().map(Op::Byte), 1),
            '[' => {
                if open.len() == MAX_DEPTH {
                    return Err("up to 8 brackets inside each other");
                }
                open.push(ops.len());
                (Some(Op::Optional(0)), 1)
            }
            ']' => {
                let begin = open.pop().ok_or("a [ before each ]")?;
                let inner = ops.len() - begin - 1;
                ops[begin] = Op::Optional(u8::try_from(inner).unwrap_or(u8::MAX));
                (None, 1)
            }
            _ => token(rest).map(|(op, len)| (Some(op), len))?,
        };
        ops.extend(op);
        rest = &rest[len..];
    }
    if !open.is_empty() || is_quoted {
        return Err("a ] after each [, and quotes in pairs");
    }
    Ok(ops)
}

/// The step at the beginning of a pattern outside quotes, and its length.
fn token(rest: &str) -> Result<(Op, usize), &'static str> {
    if rest.starts_with(".FF") || rest.starts_with(",FF") {
        return Ok((Op::Fraction, 3));
    }
    for (name, op) in TOKENS {
        if rest.starts_with(name) {
            let len =
                if op == Op::Blank { rest.len() - rest.trim_start().len() } else { name.len() };
            return Ok((op, len));
        }
    }
    match rest.as_bytes().first() {
        Some(b'T') => Ok((Op::Blank, 1)),
        Some(&byte @ b'!'..=b'~') if !byte.is_ascii_alphabetic() => Ok((Op::Byte(byte), 1)),
        _ => Err(
            "a pattern of YYYY YY MM Mon DD HH24 HH12 MI SS .FF AM TZ [ ], other letters in double quotes; or epoch, \
             epoch_ms, epoch_us",
        ),
    }
}

/// Every part once, the date outside brackets, and an offset as the kind says.
fn check(ops: &[Op], kind: TimeKind) -> Result<(), &'static str> {
    let count = |wanted: &[Op]| ops.iter().filter(|op| wanted.contains(op)).count();
    let dates = [Op::Year, Op::ShortYear, Op::Month, Op::MonthName, Op::Day];
    let is_date = |op: &Op| dates.contains(op);
    if count(&dates[..2]) != 1 || count(&dates[2..4]) != 1 || count(&dates[4..]) != 1 {
        return Err("one year (YYYY or YY), one month (MM or Mon) and one DD");
    }
    if optional(ops).any(|op| is_date(&op)) {
        return Err("year, month and day outside brackets");
    }
    let (hours, half) = (count(&[Op::Hour24, Op::Hour12]), count(&[Op::Meridiem]));
    if hours > 1 || half > 1 || count(&[Op::Hour12]) != half {
        return Err("one hour: HH24, or HH12 and AM");
    }
    let (minutes, seconds) = (count(&[Op::Minute]), count(&[Op::Second]));
    let fractions = count(&[Op::Fraction]);
    if hours < minutes || minutes < seconds || seconds < fractions || minutes > 1 {
        return Err("MI after an hour, SS after MI, .FF after SS, each once");
    }
    if half == 1 && optional(ops).any(|op| matches!(op, Op::Meridiem | Op::Hour12)) {
        return Err("HH12 and AM outside brackets");
    }
    let (zones, is_optional) = (count(&[Op::Zone]), optional(ops).any(|op| op == Op::Zone));
    match kind {
        TimeKind::Local if zones > 0 => Err("no TZ with the kind local"),
        TimeKind::Offset if zones != 1 || is_optional => {
            Err("one TZ, outside brackets, with the kind offset")
        }
        _ if zones > 1 => Err("one TZ"),
        _ => Ok(()),
    }
}

/// The steps inside brackets.
fn optional(ops: &[Op]) -> impl Iterator<Item = Op> {
    let mut left = 0_usize;
    ops.iter().filter_map(move |&op| {
        let is_inside = left > 0;
        left = left.saturating_sub(1);
        if let Op::Optional(count) = op {
            left = left.max(usize::from(count));
        }
        is_inside.then_some(op)
    })
}

/// The date's form without the order of day and month, and this order; None if no text can contradict it: the month
/// is a word, or the year and then the month come first, as in ISO 8601.
fn order(ops: &[Op]) -> Option<(String, DayMonthOrder)> {
    let at = |wanted: &[Op]| ops.iter().position(|op| wanted.contains(op));
    let (month, day) = (at(&[Op::Month])?, at(&[Op::Day])?);
    let year = at(&[Op::Year, Op::ShortYear])?;
    if year < month && month < day {
        return None;
    }
    let order = if month < day { DayMonthOrder::MonthFirst } else { DayMonthOrder::DayFirst };
    let (begin, end) = (month.min(day).min(year), month.max(day).max(year));
    let date = ops[begin..=end].iter().map(|op| match op {
        Op::Month | Op::Day => "#".to_owned(),
        op => format!("{op:?}"),
    });
    Some((date.collect(), order))
}
