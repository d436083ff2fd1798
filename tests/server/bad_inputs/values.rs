//! Kinds of values: numbers, points, dates and times, words for nothing, texts of ill will.

use super::case::{Case, row_with, rows};

pub fn cases() -> Vec<Case> {
    let bad = BAD.iter().map(|&(kind, column, value, code)| {
        let good = super::case::ROW.replace("A,", "good,");
        rows(kind, format!("{column} {value:?}"), format!("{}\n{good}\n", row_with(column, value)))
            .loads([2, 1, 0, 1])
            .stages(&[(2, code, Some(column))])
    });
    let good = GOOD.iter().map(|&(kind, column, value, stored)| {
        rows(kind, format!("{column} {value:?}"), row_with(column, value))
            .loads([1, 1, 0, 0])
            .stores_as(&format!("coalesce({column}::text, 'NULL')"), &[stored])
    });
    bad.chain(good).chain(zones()).chain(forgeries()).collect()
}

const ORIGIN: &str = "origin_coord";
const TIME: &str = "date_time";

/// Kind, column, a value that is staged, and the code.
#[rustfmt::skip]
const BAD: &[(u8, &str, &str, &str)] = &[
    // Required values: the words of other systems for nothing are not dates either.
    (19, "region", "", "23502"), (19, "region", " \t ", "23502"), (19, TIME, "", "23502"),
    (19, TIME, "NULL", "22007"), (19, TIME, "\\N", "22007"), (19, TIME, "N/A", "22007"),
    (19, ORIGIN, "NULL", "22P02"), (19, ORIGIN, "\\N", "22P02"), (19, "destination_coord", "N/A", "22P02"),
    (25, ORIGIN, "POINT (NaN 2)", "22P02"), (25, ORIGIN, "POINT (Infinity 2)", "22P02"),
    (25, ORIGIN, "POINT (1 -inf)", "22P02"), (25, ORIGIN, "POINT (1e400 2)", "22003"),
    (25, ORIGIN, "POINT (0x1A 2)", "22P02"), (25, ORIGIN, "POINT (1_000 2)", "22P02"),
    (25, ORIGIN, "POINT (1,5 2,5)", "22P02"), (25, ORIGIN, "POINT (\u{ff11} \u{ff12})", "22P02"),
    (25, ORIGIN, "POINT (\u{2212}1 2)", "22P02"), (25, ORIGIN, "POINT (1.2.3 4)", "22P02"),
    (26, ORIGIN, "POINT (181 2)", "22003"), (26, ORIGIN, "POINT (-180.0001 2)", "22003"),
    (26, ORIGIN, "POINT (1 90.0001)", "22003"), (26, "destination_coord", "POINT (1 -91)", "22003"),
    // Swapped: seen where the latitude is impossible, and then the message says so.
    (26, ORIGIN, "POINT (50.1 114.4)", "22003"),
    (27, ORIGIN, "POINT Z (1 2 3)", "22P02"), (27, ORIGIN, "POINT (1 2 3)", "22P02"),
    (27, ORIGIN, "POINT EMPTY", "22P02"), (27, ORIGIN, "MULTIPOINT (1 2)", "22P02"),
    (27, ORIGIN, "POINT (1 2) x", "22P02"), (27, ORIGIN, "SRID=3857;POINT (1 2)", "22P02"),
    (27, ORIGIN, "POINT (1 2", "22P02"), (27, ORIGIN, "(1,2)", "22P02"), (27, ORIGIN, "1 2", "22P02"),
    (27, ORIGIN, "0101000000000000000000F03F0000000000000040", "22P02"),
    (28, TIME, "2018-02-30 00:00:00", "22008"), (28, TIME, "2019-02-29 00:00:00", "22008"),
    (28, TIME, "1900-02-29 00:00:00", "22008"), (28, TIME, "2018-13-01 00:00:00", "22008"),
    (28, TIME, "2018-00-01 00:00:00", "22008"), (28, TIME, "2018-05-00 00:00:00", "22008"),
    (28, TIME, "2018-05-01 24:00:00", "22008"), (28, TIME, "2018-05-01 24:00:01", "22008"),
    (28, TIME, "2018-05-01 00:60:00", "22008"),
    (29, TIME, "now", "22007"), (29, TIME, "today", "22007"), (29, TIME, "yesterday", "22007"),
    (29, TIME, "epoch", "22007"), (29, TIME, "infinity", "22007"), (29, TIME, "-infinity", "22007"),
    (29, TIME, "2018-05-01 allballs", "22007"),
    // Rolled over, a leap second would be the same trip as one of the next second: it is staged.
    (30, TIME, "2016-12-31 23:59:60", "22008"), (30, TIME, "2016-12-31 23:59:60.5", "22008"),
    // An offset is staged and not converted: which local time is meant, the feed must say.
    (32, TIME, "2018-05-01 00:00:00Z", "22007"), (32, TIME, "2018-05-01T00:00:00z", "22007"),
    (32, TIME, "2018-05-01 00:00:00+02", "22007"), (32, TIME, "2018-05-01 00:00:00+0530", "22007"),
    (32, TIME, "2018-05-01 00:00:00-03:00", "22007"), (32, TIME, "2018-05-01 00:00:00 UTC", "22007"),
    (32, TIME, "2018-05-01 00:00:00 Europe/Prague", "22007"),
    (33, TIME, "05/06/2018", "22007"), (33, TIME, "05/06/2018 00:00:00", "22007"),
    (33, TIME, "01.05.2018 00:00:00", "22007"), (33, TIME, "1 May 2018 00:00:00", "22007"),
    (33, TIME, "2018/05/01 00:00:00", "22007"), (33, TIME, "20180501T000000", "22007"),
    (33, TIME, "2018-05-01", "22007"), (33, TIME, "2018-05-01 00:00", "22007"),
    (33, TIME, "2018-5-1 0:00:00", "22007"), (33, TIME, "2018-05-01  00:00:00", "22007"),
    (33, TIME, "2018-05-01 12:00:00 PM", "22007"),
    (34, TIME, "0000-01-01 00:00:00", "22008"), (34, TIME, "-0001-01-01 00:00:00", "22007"),
    (34, TIME, "10000-01-01 00:00:00", "22007"), (34, TIME, "2018-05-01 00:00:00 BC", "22007"),
    (34, TIME, "1525132800", "22007"), (34, TIME, "1525132800000", "22007"), (34, TIME, "43221.5", "22007"),
    (35, TIME, "2018-05-01 00:00:00.", "22007"), (35, TIME, "2018-05-01 00:00:00.1234567890", "22007"),
    (36, TIME, "2018-05-01\u{a0}00:00:00", "22007"), (36, TIME, "\u{ff12}018-05-01 00:00:00", "22007"),
    (36, ORIGIN, "POINT\u{a0}(1 2)", "22P02"), (36, ORIGIN, "\u{feff}POINT (1 2)", "22P02"),
    (38, ORIGIN, "\x1b[2JPOINT (1 2)\nFORGED: x", "22P02"), (38, TIME, "\x1b[2J\nFORGED: x", "22007"),
];

/// Kind, column, a value that is loaded, and what the history has of it.
#[rustfmt::skip]
const GOOD: &[(u8, &str, &str, &str)] = &[
    // A name may be any text: nobody's word for nothing is taken for it. Empty is nothing.
    (19, "region", "NULL", "NULL"), (19, "region", "\\N", "\\N"), (19, "datasource", "N/A", "N/A"),
    (19, "datasource", "", "NULL"), (19, "datasource", " ", "NULL"), (19, ORIGIN, "", "NULL"),
    (25, ORIGIN, "POINT (-0 -0.0)", "(0,0)"), (25, ORIGIN, "POINT (+5 .5)", "(5,0.5)"),
    (25, ORIGIN, "POINT (5. -.5)", "(5,-0.5)"), (25, ORIGIN, "POINT (1e1 2.5E-1)", "(10,0.25)"),
    (25, ORIGIN, "POINT (0.30000000000000004 1e-400)", "(0.30000000000000004,0)"),
    // The meridian with two names has one here, so that equal places are equal trips.
    (26, ORIGIN, "POINT (-180 -90)", "(180,-90)"), (26, ORIGIN, "POINT (180 90)", "(180,90)"),
    (27, ORIGIN, "POINT(1 2)", "(1,2)"), (27, ORIGIN, "point (1 2)", "(1,2)"),
    (27, ORIGIN, " Point\t( 1\t2 ) ", "(1,2)"), (27, ORIGIN, "SRID=4326;POINT (1 2)", "(1,2)"),
    (28, TIME, "2016-02-29 23:59:59", "2016-02-29 23:59:59"),
    (28, TIME, "2000-02-29 00:00:00", "2000-02-29 00:00:00"),
    (34, TIME, "1970-01-01 00:00:00", "1970-01-01 00:00:00"),
    (34, TIME, "2099-12-31 23:59:59", "2099-12-31 23:59:59"),
    // A fraction is cut, not rounded: the last one here would be in the next year.
    (35, TIME, "2018-05-01T00:00:00", "2018-05-01 00:00:00"),
    (35, TIME, "2018-05-01 00:00:00.5", "2018-05-01 00:00:00.5"),
    (35, TIME, "2018-05-01 00:00:00,123456", "2018-05-01 00:00:00.123456"),
    (35, TIME, "2018-12-31 23:59:59.999999999", "2018-12-31 23:59:59.999999"),
    (36, "region", " \tPraha ", "Praha"), (36, "region", "\u{a0}Praha", "\u{a0}Praha"),
    // What a spreadsheet or a terminal might run is text, and stays it.
    (38, "region", "=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"), (38, "region", "@SUM(1+1)", "@SUM(1+1)"),
    (38, "datasource", "+1", "+1"), (38, "datasource", "-1\x1b[2J", "-1\x1b[2J"),
    (38, "region", "'; DROP TABLE trips.loads; --", "'; DROP TABLE trips.loads; --"),
    (38, "region", "A\nFORGED: x", "A\nFORGED: x"),
];

/// A time is the wall clock's: no zone, and no setting of the session, moves it.
#[rustfmt::skip]
fn zones() -> Vec<Case> {
    let setup = "SET TimeZone = 'Europe/Prague'; SET DateStyle = 'SQL, DMY'";
    [("in the gap of spring", "2018-03-25 02:30:00"), ("in the hour that comes twice", "2018-10-28 02:30:00")]
        .map(|(name, time)| {
            rows(31, name, row_with(TIME, time)).after(setup).loads([1, 1, 0, 0])
                .stores_as("to_char(date_time, 'YYYY-MM-DD HH24:MI:SS')", &[time])
        })
        .into_iter()
        .chain([rows(33, "day and month, with a DateStyle that has them", row_with(TIME, "05/06/2018 00:00:00"))
            .after(setup).loads([1, 0, 0, 1]).stages(&[(2, "22007", Some(TIME))])])
        .collect()
}

/// An error quotes a value, and the value cannot look like more than a value.
#[rustfmt::skip]
fn forgeries() -> Vec<Case> {
    let value = "\x1b]0;x\x07\u{202e}\nFORGED: x\r\nFORGED: y\u{85}\u{9b}2J";
    ["region", ORIGIN, "destination_coord", TIME, "datasource"].map(|column| {
        let long = format!("{value}{}", "\u{1b}".repeat(2000));
        let code = match column { "region" | "datasource" => "22001", TIME => "22007", _ => "22P02" };
        rows(38, format!("codes and forged lines in {column}"), row_with(column, &long))
            .or_abort().refuses(code, "\\nFORGED: x\\r\\nFORGED: y", "on_error => 'stage'")
    }).into()
}

/// What the settings of plausible values decide.
#[rustfmt::skip]
pub fn cases_of_settings() -> Vec<Case> {
    let nowhere = || rows(26, "0 0", row_with(ORIGIN, "POINT (0 -0.0)"));
    let at = |time: &str| rows(34, time, row_with(TIME, time));
    let text = "to_char(date_time, 'YYYY-MM-DD HH24:MI:SS')";
    let loads = |time: &str| at(time).loads([1, 1, 0, 0]).stores_as(text, &[time]);
    let stages = |time: &str| at(time).loads([1, 0, 0, 1]).stages(&[(2, "22008", Some(TIME))]);
    vec![
        nowhere().loads([1, 1, 0, 0]).says("0 0"),
        nowhere().after("SET trips.zero_coordinates = 'warn'").loads([1, 1, 0, 0]).says("0 0"),
        nowhere().after("SET trips.zero_coordinates = 'keep'").loads([1, 1, 0, 0]),
        nowhere().after("SET trips.zero_coordinates = 'stage'").loads([1, 0, 0, 1])
            .stages(&[(2, "22003", Some(ORIGIN))]),
        stages("1969-12-31 23:59:59"),
        loads("1970-01-01 00:00:00"),
        loads("2099-12-31 23:59:59"),
        stages("2100-01-01 00:00:00"),
        stages("9999-12-31 23:59:59"),
        loads("9999-12-31 23:59:59").after("SET trips.latest_date = '9999-12-31'"),
        loads("0001-01-01 00:00:00").after("SET trips.earliest_date = '0001-01-01'"),
        stages("2018-05-01 00:00:00").after("SET trips.earliest_date = '2018-05-02'"),
        loads("2018-05-02 00:00:00").after("SET trips.earliest_date = '2018-05-02'"),
    ]
}
