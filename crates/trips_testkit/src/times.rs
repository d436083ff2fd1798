//! The forms of times: what chrono writes in a form is read as the same time; no text and no pattern panics.

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta};
use trips_core::model::error::SqlState;
use trips_core::model::time_form::DayMonthOrder::{DayFirst, MonthFirst};
use trips_core::model::time_form::{DayMonthOrder, ParsedTime, Proof, TimeForms, TimeKind};
use trips_core::model::timestamp::{self, Timestamp};
use trips_core::model::zone::{TimeZone, ZoneClock};

use crate::check_reason;

/// Forms as feeds have them. The first is that of files of five columns.
const FEEDS: [(TimeKind, &[&str]); 8] = [
    (TimeKind::Local, &["YYYY-MM-DD HH24:MI:SS[.FF]"]),
    (
        TimeKind::Local,
        &[
            "YYYY-MM-DD HH24:MI[:SS[.FF]]",
            "MM/DD/YYYY HH24:MI[:SS[.FF]]",
            "DD/MM/YYYY HH24:MI[:SS]",
            "MM/DD/YY HH24:MI[:SS]",
            "DD/MM/YY HH24:MI[:SS[.FF]]",
        ],
    ),
    (TimeKind::Local, &["YYYY Mon DD HH12:MI:SS AM", "MM/DD/YYYY HH12:MI[:SS] AM"]),
    (
        TimeKind::Local,
        &["DD/MM/YY HH24:MI[:SS]", "MM-DD-YYYY HH24:MI[:SS]", "DD/MM/YYYY HH12:MI:SS AM"],
    ),
    (TimeKind::Local, &["YYYY/MM/DD HH24[:MI[:SS]]", "YYYYMMDDTHH24MISS", "DD.MM.YYYY"]),
    (TimeKind::Offset, &["YYYY-MM-DD HH24:MI:SS[.FF][ ]TZ"]),
    (TimeKind::Utc, &["YYYY-MM-DD HH24:MI:SS[.FF][[ ]TZ]", "MM/DD/YYYY HH24:MI[:SS]"]),
    (TimeKind::Utc, &["epoch", "epoch_ms", "epoch_us"]),
];

/// 1970-01-01 to 2069-12-31, the years of two digits.
const WRITTEN: std::ops::Range<i64> = -946_684_800_000_000..2_208_988_800_000_000;

/// The first byte is the feed. The others are a text, a time that is written in its forms, and a pattern with its text.
pub fn check_bytes(bytes: &[u8]) {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let (kind, patterns) = FEEDS[usize::from(first % 8)];
    let hour_24 = first >= 128;
    let forms = compile(patterns, kind, hour_24);
    check_text(&forms, kind, rest);
    if first % 8 == 0 && !hour_24 {
        check_as_five_columns(&forms, rest);
    }
    if let Some(&micros) = rest.first_chunk() {
        let micros = i64::from_be_bytes(micros).rem_euclid(WRITTEN.end - WRITTEN.start);
        let time = Timestamp(WRITTEN.start + micros);
        patterns.iter().for_each(|pattern| check_written(&forms, pattern, time));
        check_zones(time);
    }
    check_pattern(rest);
}

fn compile(patterns: &[&str], kind: TimeKind, hour_24: bool) -> TimeForms {
    let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
    TimeForms::compile(&patterns, kind, hour_24).expect("patterns")
}

/// A text is a time, or NULL, or a matching error; in both orders of day and month the same, if it proves one.
fn check_text(forms: &TimeForms, kind: TimeKind, text: &[u8]) {
    let [in_month_first, in_day_first] =
        [MonthFirst, DayFirst].map(|order| forms.parse(text, order));
    for (order, parsed) in [(MonthFirst, &in_month_first), (DayFirst, &in_day_first)] {
        match parsed {
            Ok(None) => assert!(text.trim_ascii().is_empty()),
            Ok(Some(parsed)) => {
                assert_eq!(parsed.is_instant, kind != TimeKind::Local);
                assert!(year_is_known(parsed.time), "{parsed:?}");
                let around = [b" \t", text, b"\r\n"].concat();
                assert_eq!(forms.parse(&around, order), Ok(Some(*parsed)));
                if let Some(Proof::Order(_)) = parsed.proof {
                    assert!(forms.needs_order());
                    assert_eq!(in_month_first, in_day_first);
                }
            }
            Err(error) => {
                check_reason(&error.reason);
                assert!(matches!(
                    error.state,
                    SqlState::InvalidDatetimeFormat | SqlState::DatetimeFieldOverflow
                ));
            }
        }
    }
    if !forms.needs_order() {
        assert_eq!(in_month_first, in_day_first);
    }
    let (proven, is_ambiguous) = forms.proven_order(text);
    assert!(!is_ambiguous || (proven.is_none() && in_month_first != in_day_first));
    if let Some(order) = proven {
        assert_eq!(in_month_first.unwrap().unwrap().proof, Some(Proof::Order(order)));
    }
}

fn year_is_known(time: Timestamp) -> bool {
    let known = [b"0001-01-01 00:00:00".as_slice(), b"9999-12-31 23:59:59.999999"];
    let [first, last] = known.map(|text| timestamp::parse(text).unwrap().unwrap());
    (first..=last).contains(&time)
}

/// What is a time in a file of five columns is the same time in a feed with that form.
fn check_as_five_columns(forms: &TimeForms, text: &[u8]) {
    if let Ok(Some(time)) = timestamp::parse(text) {
        let expected = ParsedTime { time, is_instant: false, proof: None };
        assert_eq!(forms.parse(text, MonthFirst), Ok(Some(expected)));
    }
}

/// A time that chrono writes in every variant of a form is read as the same one, truncated to what is written.
fn check_written(forms: &TimeForms, pattern: &str, time: Timestamp) {
    let day_first = pattern.find("DD").zip(pattern.find("MM")).is_some_and(|(d, m)| d < m);
    let order = if day_first { DayFirst } else { MonthFirst };
    if let Some((_, per_second)) = EPOCHS.iter().find(|(name, _)| *name == pattern) {
        let since_1970 = time.0 - WRITTEN.start;
        let unit = 1_000_000 / per_second;
        let number = since_1970 / unit;
        for text in [number.to_string(), format!("{number}.0"), format!("{:e}", number)] {
            // All numbers that are written are before 2070.
            if wall(time).year() >= 1990 {
                let written = Timestamp(time.0 - since_1970 % unit);
                check_read(forms, &text, order, written);
            } else if let Err(error) = forms.parse(text.as_bytes(), order) {
                assert_eq!(error.state, SqlState::DatetimeFieldOverflow, "{text}");
            }
        }
        return;
    }
    let mut variants = Vec::new();
    variants_of(pattern, &mut variants);
    for variant in variants {
        let precision = [(".FF", 1), ("SS", 1_000_000), ("MI", 60_000_000), ("HH", 3_600_000_000)];
        let has = |(part, _): &&(&str, i64)| variant.contains(part);
        let unit = precision.iter().find(has).map_or(86_400_000_000, |(_, unit)| *unit);
        let written = Timestamp(time.0 - time.0.rem_euclid(unit));
        check_read(forms, &wall(written).format(&for_chrono(&variant)).to_string(), order, written);
    }
}

fn check_read(forms: &TimeForms, text: &str, order: DayMonthOrder, expected: Timestamp) {
    let parsed = forms.parse(text.as_bytes(), order).expect(text).expect(text);
    assert_eq!(parsed.time, expected, "{text}");
    let is_other = |proof| matches!(proof, Proof::Order(proven) if proven != order);
    assert!(parsed.proof.is_none_or(|proof| matches!(proof, Proof::Order(_)) && !is_other(proof)));
}

/// Names of numbers since 1970, and how many there are in a second.
const EPOCHS: [(&str, i64); 3] = [("epoch", 1), ("epoch_ms", 1_000), ("epoch_us", 1_000_000)];

/// The pattern with and without each of its brackets.
fn variants_of(pattern: &str, variants: &mut Vec<String>) {
    let Some(close) = pattern.find(']') else {
        variants.push(pattern.to_owned());
        return;
    };
    let (head, tail) = (&pattern[..close], &pattern[close + 1..]);
    let open = head.rfind('[').expect("a [ before each ]");
    variants_of(&format!("{}{}{tail}", &head[..open], &head[open + 1..]), variants);
    variants_of(&format!("{}{tail}", &head[..open]), variants);
}

fn for_chrono(pattern: &str) -> String {
    let parts = [
        ("YYYY", "%Y"),
        ("YY", "%y"),
        ("Mon", "%b"),
        ("MM", "%m"),
        ("MI", "%M"),
        ("DD", "%d"),
        ("HH24", "%H"),
        ("HH12", "%I"),
        ("SS", "%S"),
        (".FF", ".%6f"),
        ("AM", "%p"),
        ("TZ", "+00:00"),
    ];
    parts.iter().fold(pattern.to_owned(), |text, (part, chrono)| text.replace(part, chrono))
}

fn wall(time: Timestamp) -> NaiveDateTime {
    let epoch = NaiveDate::from_ymd_opt(2000, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
    epoch.expect("a date") + TimeDelta::microseconds(time.0)
}

/// A local time is its offset from the instant, and equal instants have equal local times.
fn check_zones(time: Timestamp) {
    for name in ["America/New_York", "Europe/London", "Asia/Kolkata"] {
        let mut clock = ZoneClock::new(TimeZone::of(name).expect("a zone"));
        for near in [-86_400_000_000, 0, 3_599_999_999, 40 * 86_400_000_000, 0] {
            let instant = Timestamp(time.0 + near);
            let local = clock.local(instant).expect("a year that is known");
            assert_eq!(local.wall.0 - instant.0, i64::from(local.offset_seconds) * 1_000_000);
            let alone = ZoneClock::new(TimeZone::of(name).expect("a zone")).local(instant);
            assert_eq!(alone, Ok(local));
        }
    }
}

/// The first line as a pattern, the others as its text.
fn check_pattern(bytes: &[u8]) {
    let mut lines = bytes.splitn(2, |&byte| byte == b'\n');
    let pattern = lines.next().and_then(|line| std::str::from_utf8(line).ok()).unwrap_or("");
    let text = lines.next().unwrap_or(b"");
    for kind in [TimeKind::Local, TimeKind::Utc, TimeKind::Offset] {
        match TimeForms::compile(&[pattern.to_owned()], kind, false) {
            Ok(forms) => check_text(&forms, kind, text),
            Err(error) => {
                assert_eq!(error.index, 0);
                assert!(!error.expected.is_empty());
            }
        }
    }
}
