//! The forms of nearly all files, read at fixed positions. What they do not read is left to the program.

use crate::model::time_form::program::{
    Fields, Half, Op, blank, fraction, full_year, one_or_two, two, zone,
};

/// Whether a part of a form is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Never,
    Maybe,
    Always,
}

/// A form with a reader of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fast {
    /// `YYYY-MM-DD HH24:MI[:SS[.FF]][TZ]`.
    Iso(Iso),
    /// `MM/DD/YYYY HH24:MI[:SS[.FF]]`, also with the day first, of a short year, and with `AM`.
    Slashes(Slashes),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Iso {
    seconds: Part,
    has_fraction: bool,
    zone: Part,
    is_blank_before_zone: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slashes {
    is_day_first: bool,
    is_short_year: bool,
    seconds: Part,
    has_fraction: bool,
    is_half_day: bool,
}

impl Fast {
    /// The reader for this program, if there is one.
    pub(super) fn of(ops: &[Op]) -> Option<Self> {
        iso(ops).map(Self::Iso).or_else(|| slashes(ops).map(Self::Slashes))
    }

    /// Reads the whole text; None does not say that the program cannot read it.
    #[inline(always)]
    pub(super) fn read(self, text: &[u8], fields: &mut Fields) -> Option<()> {
        match self {
            Self::Iso(form) => form.read(text, fields),
            Self::Slashes(form) => form.read(text, fields),
        }
    }
}

/// Seconds after `:`, whether they may have a fraction, and the remaining steps.
fn seconds(ops: &[Op]) -> (Part, bool, &[Op]) {
    use Op::{Byte, Fraction, Optional, Second};
    match ops {
        [Byte(b':'), Second, Optional(1), Fraction, rest @ ..] => (Part::Always, true, rest),
        [Byte(b':'), Second, rest @ ..] => (Part::Always, false, rest),
        [Optional(4), Byte(b':'), Second, Optional(1), Fraction, rest @ ..] => {
            (Part::Maybe, true, rest)
        }
        [Optional(2), Byte(b':'), Second, rest @ ..] => (Part::Maybe, false, rest),
        rest => (Part::Never, false, rest),
    }
}

fn iso(ops: &[Op]) -> Option<Iso> {
    use Op::{Blank, Byte, Day, Hour24, Minute, Month, Optional, Year, Zone};
    let (dash, colon) = (Byte(b'-'), Byte(b':'));
    let head = [Year, dash, Month, dash, Day, Blank, Hour24, colon, Minute];
    let rest = ops.strip_prefix(&head)?;
    let (seconds, has_fraction, rest) = seconds(rest);
    let (zone, is_blank_before_zone) = match rest {
        [] => (Part::Never, false),
        [Zone] => (Part::Always, false),
        [Optional(1), Zone] => (Part::Maybe, false),
        [Optional(1), Blank, Zone] => (Part::Always, true),
        [Optional(3), Optional(1), Blank, Zone] => (Part::Maybe, true),
        _ => return None,
    };
    Some(Iso { seconds, has_fraction, zone, is_blank_before_zone })
}

impl Iso {
    #[inline(always)]
    fn read(self, text: &[u8], fields: &mut Fields) -> Option<()> {
        let (head, mut rest) = text.split_first_chunk::<16>()?;
        let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, between, h0, h1, b':', n0, n1] = *head
        else {
            return None;
        };
        if !matches!(between, b' ' | b'T' | b't') {
            return None;
        }
        fields.year = u16::from(two(y0, y1)?) * 100 + u16::from(two(y2, y3)?);
        fields.month = two(m0, m1)?;
        fields.day = two(d0, d1)?;
        fields.hour = two(h0, h1)?;
        fields.minute = two(n0, n1)?;
        if self.seconds != Part::Never {
            if let [b':', s0, s1, ref after @ ..] = *rest {
                fields.second = two(s0, s1)?;
                rest = after;
                if self.has_fraction && matches!(rest, [b'.' | b',', ..]) {
                    (fields.micros, rest) = fraction(rest)?;
                }
            } else if self.seconds == Part::Always {
                return None;
            }
        }
        if self.zone != Part::Never && !(self.zone == Part::Maybe && rest.is_empty()) {
            if self.is_blank_before_zone {
                rest = blank(rest).unwrap_or(rest);
            }
            let (offset, after) = zone(rest)?;
            (fields.offset, rest) = (Some(offset), after);
        }
        rest.is_empty().then_some(())
    }
}

fn slashes(ops: &[Op]) -> Option<Slashes> {
    use Op::{Blank, Byte, Day, Hour12, Hour24, Meridiem, Minute, Month};
    let slash = Byte(b'/');
    let (&[first, s1, second, s2, year, Blank, hour, Byte(b':'), Minute], rest) =
        ops.split_first_chunk()?
    else {
        return None;
    };
    let is_day_first = match (first, second) {
        (Month, Day) => false,
        (Day, Month) => true,
        _ => return None,
    };
    let (is_half_day, rest) = match (hour, rest) {
        (Hour24, rest) => (false, rest),
        (Hour12, [rest @ .., Blank, Meridiem]) => (true, rest),
        _ => return None,
    };
    let (seconds, has_fraction, rest) = seconds(rest);
    let is_short_year = match year {
        Op::Year => false,
        Op::ShortYear => true,
        _ => return None,
    };
    (s1 == slash && s2 == slash && rest.is_empty()).then_some(Slashes {
        is_day_first,
        is_short_year,
        seconds,
        has_fraction,
        is_half_day,
    })
}

impl Slashes {
    #[inline(always)]
    fn read(self, text: &[u8], fields: &mut Fields) -> Option<()> {
        let (first, rest) = one_or_two(text)?;
        let (second, rest) = one_or_two(rest.strip_prefix(b"/")?)?;
        let rest = rest.strip_prefix(b"/")?;
        (fields.month, fields.day) =
            if self.is_day_first { (second, first) } else { (first, second) };
        let (year, rest) = if self.is_short_year {
            let (&[y0, y1], rest) = rest.split_first_chunk()?;
            (full_year(two(y0, y1)?), rest)
        } else {
            let (&[y0, y1, y2, y3], rest) = rest.split_first_chunk()?;
            (u16::from(two(y0, y1)?) * 100 + u16::from(two(y2, y3)?), rest)
        };
        let (hour, rest) = one_or_two(rest.strip_prefix(b" ")?)?;
        let [b':', n0, n1, ref rest @ ..] = *rest else { return None };
        let mut rest = rest;
        (fields.year, fields.hour, fields.minute) = (year, hour, two(n0, n1)?);
        if self.seconds != Part::Never {
            if let [b':', s0, s1, ref after @ ..] = *rest {
                fields.second = two(s0, s1)?;
                rest = after;
                if self.has_fraction && matches!(rest, [b'.' | b',', ..]) {
                    (fields.micros, rest) = fraction(rest)?;
                }
            } else if self.seconds == Part::Always {
                return None;
            }
        }
        if self.is_half_day {
            fields.half = match rest {
                [b' ', b'A' | b'a', b'M' | b'm'] => Some(Half::Morning),
                [b' ', b'P' | b'p', b'M' | b'm'] => Some(Half::Afternoon),
                _ => return None,
            };
            return Some(());
        }
        rest.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::model::many_values::{self, Random};
    use crate::model::time_form::program::{self, Fields};
    use crate::model::time_form::{Reader, TimeForms, TimeKind};

    const PATTERNS: [&str; 16] = [
        "YYYY-MM-DD HH24:MI:SS[.FF]",
        "YYYY-MM-DD HH24:MI[:SS[.FF]]",
        "YYYY-MM-DD HH24:MI[:SS]",
        "YYYY-MM-DD HH24:MI",
        "YYYY-MM-DD HH24:MI:SS[.FF][ ]TZ",
        "YYYY-MM-DD HH24:MI[:SS][[ ]TZ]",
        "YYYY-MM-DD HH24:MI:SS[TZ]",
        "MM/DD/YYYY HH24:MI[:SS]",
        "DD/MM/YY HH24:MI",
        "MM/DD/YYYY HH24:MI:SS",
        "MM/DD/YYYY HH12:MI[:SS] AM",
        "DD/MM/YY HH12:MI:SS AM",
        "MM/DD/YYYY HH24:MI[:SS[.FF]]",
        "DD/MM/YY HH24:MI:SS[.FF]",
        "MM/DD/YYYY HH12:MI[:SS[.FF]] AM",
        "MM/DD/YY HH12:MI:SS[.FF] AM",
    ];

    /// Times, nearly times, and other texts of the same characters.
    fn text() -> impl Strategy<Value = String> {
        let end = "(:[0-9]{1,2})?([.,][0-9]{0,10})?[ T]{0,2}([+-][0-9]{2}:?[0-9]{0,2}|Z|UTC|AM|p\\. ?m\\.|)";
        prop_oneof![
            "[0-9]{3,4}-[0-9]{1,2}-[0-9]{1,2}[ Tt]{0,2}[0-9]{1,2}:[0-9]{1,2}"
                .prop_flat_map(move |begin| end.prop_map(move |end| format!("{begin}{end}"))),
            "[0-9]{1,2}/[0-9]{1,2}/([0-9]{2}){1,2}[ T]{0,2}[0-9]{1,2}:[0-9]{1,2}"
                .prop_flat_map(move |begin| end.prop_map(move |end| format!("{begin}{end}"))),
            "[-0-9:/. TZ+AMPm]{0,30}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn a_reader_at_fixed_positions_reads_what_the_program_reads(text in text()) {
            for pattern in PATTERNS {
                let forms = TimeForms::compile(&[pattern.to_owned()], TimeKind::Utc, false).unwrap();
                let Reader::Pattern { fast: Some(fast), ops } = &forms.forms[0].reader else {
                    panic!("{pattern} has no reader at fixed positions");
                };
                let [mut fields, mut expected] = [Fields::default(); 2];
                if fast.read(text.as_bytes(), &mut fields).is_some() {
                    program::read(ops, text.as_bytes(), &mut expected).expect(pattern);
                    prop_assert_eq!(fields, expected, "{}", pattern);
                }
            }
        }
    }

    /// As many values as one likes: `make test-values`.
    #[test]
    #[ignore = "many values: make test-values"]
    fn many_times_are_those_of_the_program() {
        let count = many_values::count();
        let forms = PATTERNS.map(|pattern| {
            TimeForms::compile(&[pattern.to_owned()], TimeKind::Utc, false).unwrap()
        });
        let mut read = 0_u64;
        let mut random = Random(1);
        let mut below = |end| random.index(end);
        for _ in 0..count / 16 {
            let [year, month, day] = [2100, 14, 33].map(&mut below);
            let [hour, minute, second] = [25, 61, 62].map(&mut below);
            let date = match below(3) {
                0 => format!("{year:04}-{month:02}-{day:02}"),
                1 => format!("{month:02}/{day:02}/{year:04}"),
                _ => format!("{day}/{month}/{:02}", year % 100),
            };
            let end = ["", ":07", ":59.5", ":00.123456", "Z", "+01:30", " UTC", " PM", ":11 AM"]
                [below(9)];
            let between = [" ", "T", "t", "  "][below(4)];
            let mut text = format!("{date}{between}{hour:02}:{minute:02}{end}");
            if second > 50 {
                text.push(char::from(b"0:+-Z. "[below(7)]));
            }
            // Sixteen patterns are sixteen values.
            for (form, pattern) in forms.iter().zip(PATTERNS) {
                let Reader::Pattern { fast: Some(fast), ops } = &form.forms[0].reader else {
                    panic!("{pattern}")
                };
                let [mut fields, mut expected] = [Fields::default(); 2];
                if fast.read(text.as_bytes(), &mut fields).is_some() {
                    program::read(ops, text.as_bytes(), &mut expected).expect(pattern);
                    assert_eq!(fields, expected, "{pattern}: {text}");
                    read += 1;
                }
            }
        }
        // A text has the form of few patterns.
        assert!(read > count / 50, "{read} values were read");
    }
}
