//! Dirt inside the values.

use super::clean::{Fate, Kind, Row, kind};

/// The value of the variant's column, with a text in its middle.
fn with_inside(row: &Row<'_>, text: &str) -> Fate {
    let (head, tail) = row.value().split_at(row.value().len() / 2);
    row.is_text_only(&[head, text, tail].concat())
}

pub const BYTES: &[Kind] = &[
    kind("NUL", |row| row.staged(row.with_bytes(b"\0"))),
    kind("a byte of no encoding", |row| row.staged(row.with_bytes(b"\xff"))),
    kind("Latin-1", |row| row.staged(row.with_bytes(b"\xe9"))),
    kind("an overlong form", |row| row.staged(row.with_bytes(b"\xc0\xaf"))),
    kind("a surrogate", |row| row.staged(row.with_bytes(b"\xed\xa0\x80"))),
    kind("a character cut", |row| row.staged(row.with_bytes(b"\xe2\x82"))),
    kind("codes of terminals", |row| with_inside(row, "\x1b[31m\x07\x08")),
    kind("a tab", |row| with_inside(row, "\t")),
    kind("other controls", |row| with_inside(row, row.one_of(&["\x01", "\x0b", "\x7f", "\u{9b}"]))),
    kind("a blank of Unicode", |row| with_inside(row, row.one_of(&["\u{a0}", "\u{2009}"]))),
    kind("no width", |row| with_inside(row, row.one_of(&["\u{200b}", "\u{ad}", "\u{2060}"]))),
    kind("a mark in the middle", |row| with_inside(row, "\u{feff}")),
    kind("from right to left", |row| with_inside(row, "\u{202e}")),
    kind("a combining mark", |row| with_inside(row, "\u{308}")),
    kind("an emoji", |row| with_inside(row, "\u{1f6b2}")),
    kind("a replacement character", |row| with_inside(row, "\u{fffd}")),
    kind("a mark in front of the row", |row| row.stays(format!("\u{feff}{}", row.line()))),
    kind("letters of other widths", |row| {
        let wide = |c: char| match c {
            '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c),
            _ => c,
        };
        row.is_text_only(&row.value().chars().map(wide).collect::<String>())
    }),
];

const ORIGIN: usize = 1;
const TIME: usize = 3;

/// Another value for one of the points, or the time, that it cannot be.
fn bad_point(row: &Row<'_>, points: &[&str]) -> Fate {
    let trip = row.trip().with(ORIGIN + row.pick % 2, row.one_of(points));
    row.staged(trip.line(row.style))
}

fn bad_time(row: &Row<'_>, times: &[&str]) -> Fate {
    row.staged(row.trip().with(TIME, row.one_of(times)).line(row.style))
}

/// Another spelling of the same value.
fn same(row: &Row<'_>, column: usize, value: &str) -> Fate {
    row.stays(row.trip().with(column, value).line(row.style))
}

#[rustfmt::skip]
pub const VALUES: &[Kind] = &[
    kind("an empty value", |row| row.is_nothing(row.trip().with(row.column(), "").line(row.style))),
    kind("a value of blanks", |row| row.is_nothing(row.trip().with(row.column(), " \t").line(row.style))),
    kind("words for nothing", |row| {
        row.is_text_only(row.one_of(&["NULL", "\\N", "N/A", "NaN", "None", "-", "nil", "#N/A", "?"]))
    }),
    kind("blanks around a value", |row| same(row, row.column(), &format!(" \t{} ", row.value()))),
    kind("blanks of Unicode around a value", |row| {
        row.is_text_only(&format!("\u{a0}{}\u{3000}", row.value()))
    }),
    kind("a value in other case", |row| {
        let value = row.trip().0[0].to_uppercase();
        row.becomes(row.trip().with(0, &value).line(row.style), row.trip().with(0, value))
    }),
    kind("a name as long as it may be", |row| {
        let trip = row.trip().with(4 * (row.pick % 2), "x".repeat(1000));
        row.becomes(trip.line(row.style), trip)
    }),
    kind("a name that is too long", |row| {
        row.staged(row.trip().with(4 * (row.pick % 2), "x".repeat(1001)).line(row.style))
    }),
    kind("text of ill will", |row| {
        row.is_text_only(row.one_of(&["=cmd|' /C calc'!A0", "'); DROP TABLE trips.loads; --", "${jndi:x}"]))
    }),
    kind("the name of the column", |row| {
        let names = ["region", "origin_coord", "destination_coord", "date_time", "datasource"];
        row.is_text_only(names[row.column()])
    }),
    kind("a point in other words", |row| bad_point(row, &[
        "POINT (1 2", "POINT 1 2", "(1,2)", "POINT Z (1 2 3)", "POINT EMPTY", "MULTIPOINT (1 2)",
        "SRID=3857;POINT (1 2)", "LINESTRING (1 2, 3 4)", "POINT (1 2) POINT (3 4)",
    ])),
    kind("a point of bad numbers", |row| bad_point(row, &[
        "POINT (NaN 2)", "POINT (1 inf)", "POINT (1,5 2,5)", "POINT (0x1A 2)", "POINT (1_0 2)",
        "POINT (1e400 2)", "POINT (1.2.3 4)", "POINT (--1 2)", "POINT (1)",
    ])),
    kind("a point off the earth", |row| bad_point(row, &[
        "POINT (181 2)", "POINT (-180.1 2)", "POINT (1 91)", "POINT (1 -90.1)", "POINT (50.1 114.4)",
        "POINT (1e9 1e9)", "POINT (999 999)",
    ])),
    kind("a point in another spelling", |row| {
        let point = &row.trip().0[ORIGIN];
        let spelling = match row.pick % 4 {
            0 => point.replace("POINT (", "point("),
            1 => format!("SRID=4326;{point}"),
            2 => point.replace(' ', " \t "),
            _ => point.replace(')', "000 )").replace('(', "(+"),
        };
        same(row, ORIGIN, &spelling)
    }),
    kind("a time in another form", |row| bad_time(row, &[
        "05/06/2018 09:00:00", "01.05.2018 09:00:00", "2018-05-01", "2018-05-01 09:00", "20180501T090000",
        "1525132800", "43221.375", "2018-05-01 9:00:00 AM", "09:00:00",
    ])),
    kind("a time of another zone", |row| bad_time(row, &[
        "2018-05-01 09:00:00Z", "2018-05-01 09:00:00+02", "2018-05-01 09:00:00 UTC",
        "2018-05-01T09:00:00.5-0330", "2018-05-01 09:00:00 Europe/Prague",
    ])),
    kind("a word for a time", |row| bad_time(row, &[
        "now", "today", "epoch", "infinity", "-infinity", "yesterday", "allballs",
    ])),
    kind("a time that does not exist", |row| bad_time(row, &[
        "2018-02-30 09:00:00", "2019-02-29 09:00:00", "2018-13-01 09:00:00", "2018-00-10 09:00:00",
        "2018-05-01 24:00:00", "2018-05-01 09:60:00", "2016-12-31 23:59:60", "0000-01-01 09:00:00",
    ])),
    kind("a time in another spelling", |row| {
        let time = &row.trip().0[TIME];
        let spelling = match row.pick % 4 {
            0 => time.replace(' ', "T"),
            1 => format!("{time}.000"),
            2 => format!("{time},0"),
            _ => format!("{time}.000000999"),
        };
        same(row, TIME, &spelling)
    }),
];
