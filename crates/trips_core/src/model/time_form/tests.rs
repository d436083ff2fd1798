//! Every form of time that a known feed has.

use super::*;
use crate::model::timestamp;

pub(super) fn forms(patterns: &[&str], kind: TimeKind, hour_24: bool) -> TimeForms {
    let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
    TimeForms::compile(&patterns, kind, hour_24).expect("patterns")
}

pub(super) fn local(patterns: &[&str]) -> TimeForms {
    forms(patterns, TimeKind::Local, false)
}

pub(super) fn read(forms: &TimeForms, text: &str) -> Result<Option<ParsedTime>, ValueError> {
    forms.parse(text.as_bytes(), forms.first_order())
}

/// A time in the one form of files of five columns.
fn time(text: &str) -> Timestamp {
    timestamp::parse(text.as_bytes()).expect(text).expect("a time")
}

pub(super) fn state(forms: &TimeForms, text: &str) -> &'static str {
    read(forms, text).expect_err(text).state.code()
}

const ISO: &str = "YYYY-MM-DD HH24:MI:SS[.FF]";
const ISO_SHORT: &str = "YYYY-MM-DD HH24:MI[:SS[.FF]]";
const US: &str = "MM/DD/YYYY HH24:MI[:SS]";
const US_12: &str = "MM/DD/YYYY HH12:MI[:SS] AM";
const US_YY: &str = "MM/DD/YY HH24:MI[:SS]";
const UK: &str = "DD/MM/YYYY HH24:MI[:SS]";

#[test]
fn local_forms() {
    for (pattern, text, expected) in [
        // TLC, Lyft, Citi Bike, Bay Wheels, mibici
        (ISO, "2018-05-28 09:03:40", "2018-05-28 09:03:40"),
        (ISO, "2024-05-31 23:59:59.999", "2024-05-31 23:59:59.999"),
        (ISO, "2019-02-01 15:35:02.0820", "2019-02-01 15:35:02.082"),
        (ISO, "2015-04-18T00:15:00.000", "2015-04-18 00:15:00"),
        (ISO, "2015-04-18t00:15:00,5", "2015-04-18 00:15:00.5"),
        (ISO, " 2015-4-8   0:15:00 ", "2015-04-08 00:15:00"),
        (ISO, "2018-05-28 09:03:40.1234567", "2018-05-28 09:03:40.123456"),
        (ISO, "2018-05-28 23:59:59.999999999", "2018-05-28 23:59:59.999999"),
        // BIXI to 2020, Divvy 2013, London since 2022
        (ISO_SHORT, "2014-04-15 00:01", "2014-04-15 00:01:00"),
        (ISO_SHORT, "2021-06-29 17:46:28.653", "2021-06-29 17:46:28.653"),
        // Calgary
        ("YYYY/MM/DD HH24[:MI[:SS]]", "2019/07/01 17", "2019-07-01 17:00:00"),
        ("YYYY/MM/DD HH24[:MI[:SS]]", "2019/07/01 17:05", "2019-07-01 17:05:00"),
        // Uber, Citi Bike 2014 to 2016, Divvy, Hubway, Indego
        (US, "4/1/2014 0:11:00", "2014-04-01 00:11:00"),
        (US, "12/31/2016 23:57:52", "2016-12-31 23:57:52"),
        (US, "1/1/2017 0:15", "2017-01-01 00:15:00"),
        (US, "01/01/2017  00:15", "2017-01-01 00:15:00"),
        // Chicago, Austin, Chattanooga
        (US_12, "04/18/2015 12:00:00 AM", "2015-04-18 00:00:00"),
        (US_12, "04/18/2015 12:15:00 PM", "2015-04-18 12:15:00"),
        (US_12, "04/18/2015 03:00:00 pm", "2015-04-18 15:00:00"),
        (US_12, "4/8/2015 3:00 a.m.", "2015-04-08 03:00:00"),
        (US_12, "4/8/2015 11:59 p. m.", "2015-04-08 23:59:00"),
        (US_12, "4/8/2015 11:59\u{a0}p.\u{a0}m.", "2015-04-08 23:59:00"),
        // London to 2022, Ecobici
        (UK, "10/01/2016 00:04", "2016-01-10 00:04:00"),
        (UK, "31/12/2012 23:59:58", "2012-12-31 23:59:58"),
        // Indego 2015, Vancouver 2019, Ecobici 2022-09
        (US_YY, "4/23/15 7:44", "2015-04-23 07:44:00"),
        (US_YY, "4/30/19 23:51", "2019-04-30 23:51:00"),
        (US_YY, "4/30/69 23:51", "2069-04-30 23:51:00"),
        (US_YY, "4/30/70 23:51", "1970-04-30 23:51:00"),
        ("DD/MM/YY HH24:MI[:SS]", "31/08/22 5:06:07", "2022-08-31 05:06:07"),
        ("MM-DD-YYYY HH24:MI[:SS]", "08-31-2022 5:06:07", "2022-08-31 05:06:07"),
        // Austin MetroBike
        ("YYYY Mon DD HH12:MI:SS AM", "2023 May 24 06:32:11 PM", "2023-05-24 18:32:11"),
        ("YYYY Mon DD HH12:MI:SS AM", "2023 DEC 4 12:32:11 AM", "2023-12-04 00:32:11"),
        // Other ones that a user can define
        ("DD.MM.YYYY HH24\"h\"MI", "1.2.2018 10h30", "2018-02-01 10:30:00"),
        ("YYYYMMDDTHH24MISS", "20180528T090340", "2018-05-28 09:03:40"),
        ("MM/DD/YYYY", "5/6/2018", "2018-05-06 00:00:00"),
        ("[\"on \"]DD/MM/YYYY HH24:MI", "on 6/5/2018 1:00", "2018-05-06 01:00:00"),
    ] {
        let parsed = read(&local(&[pattern]), text).expect(text).expect("a time");
        assert_eq!(parsed, ParsedTime { time: time(expected), is_instant: false, proof: None });
    }
}

#[test]
fn date_and_time_in_two_fields() {
    let louisville = forms(&["YYYY-MM-DD HH24:MI[:SS]"], TimeKind::Local, true);
    for (date, clock, expected) in [
        ("2018-12-31", "24:00", "2019-01-01 00:00:00"),
        ("2020-02-28", "24:00:00", "2020-02-29 00:00:00"),
        ("2018-12-31", " 0:15 ", "2018-12-31 00:15:00"),
    ] {
        let joined = JoinedTime::of(date.as_bytes(), clock.as_bytes());
        let parsed = louisville.parse(joined.text(), DayMonthOrder::MonthFirst).unwrap().unwrap();
        assert_eq!(parsed.time, time(expected));
    }
    let parse = |date: &str, time: &str| {
        let joined = JoinedTime::of(date.as_bytes(), time.as_bytes());
        let parsed = louisville.parse(joined.text(), DayMonthOrder::MonthFirst);
        parsed.map_err(|error| error.state.code())
    };
    assert_eq!(parse("", " "), Ok(None));
    assert_eq!(parse("2018-12-31", ""), Err("22007"));
    assert_eq!(parse("", "10:00"), Err("22007"));
    assert_eq!(parse("2018-12-31", "24:01"), Err("22008"));
    assert_eq!(parse("2018-12-31", "25:00"), Err("22008"));
    assert_eq!(parse("9999-12-31", "24:00"), Err("22008"));
    let with_blanks = format!("10:00{}x", " ".repeat(MAX_TEXT));
    assert_eq!(parse("2018-12-31", &with_blanks), Err("22007"));
    // A blank run and a text of exactly the limit.
    let longest = format!("{}10:00", " ".repeat(MAX_TEXT - 16));
    let joined = JoinedTime::of(b"2018-12-31", format!("x{longest}").as_bytes());
    assert_eq!(joined.text().len(), MAX_TEXT);
    let midnight = local(&["YYYY-MM-DD HH24:MI[:SS]"]);
    assert_eq!(state(&midnight, "2018-12-31 24:00"), "22008");
}

#[test]
fn instants() {
    let utc = |pattern| forms(&[pattern], TimeKind::Utc, false);
    let oslo = forms(&["YYYY-MM-DD HH24:MI:SS[.FF][ ]TZ"], TimeKind::Offset, false);
    let minneapolis = utc("YYYY-MM-DD HH24:MI:SS[.FF][[ ]TZ]");
    for (forms, text, expected) in [
        (&utc("epoch"), "1372636858", "2013-07-01 00:00:58"),
        (&utc("epoch"), "1372636858.25", "2013-07-01 00:00:58.25"),
        (&utc("epoch"), "1372636858.9999999", "2013-07-01 00:00:58.999999"),
        (&utc("epoch"), "1372636858.0", "2013-07-01 00:00:58"),
        (&utc("epoch"), "1.372636858E9", "2013-07-01 00:00:58"),
        (&utc("epoch"), "1e9", "2001-09-09 01:46:40"),
        (&utc("epoch"), "631152000", "1990-01-01 00:00:00"),
        (&utc("epoch"), "4102444799.999999", "2099-12-31 23:59:59.999999"),
        (&utc("epoch_ms"), "1.52e12", "2018-03-02 14:13:20"),
        (&utc("epoch_ms"), "1.647835140123e+12", "2022-03-21 03:59:00.123"),
        (&utc("epoch_ms"), "1.647835140123E12", "2022-03-21 03:59:00.123"),
        (&utc("epoch_us"), "1.647835140123456E15", "2022-03-21 03:59:00.123456"),
        (&utc("epoch_ms"), "1647835140123", "2022-03-21 03:59:00.123"),
        (&utc("epoch_ms"), "1647835140123.4567", "2022-03-21 03:59:00.123456"),
        (&utc("epoch_ms"), "1647835140123.0", "2022-03-21 03:59:00.123"),
        (&utc("epoch_us"), "1647835140123456", "2022-03-21 03:59:00.123456"),
        (&oslo, "2021-04-01 04:00:54.381000+00:00", "2021-04-01 04:00:54.381"),
        (&oslo, "2016-10-01 06:00:08 +0200", "2016-10-01 04:00:08"),
        (&oslo, "2019-12-31T23:50:00+01:00", "2019-12-31 22:50:00"),
        (&oslo, "2019-12-31T23:50:00-0500", "2020-01-01 04:50:00"),
        (&oslo, "2019-12-31T23:50:00-05", "2020-01-01 04:50:00"),
        (&oslo, "2019-12-31T23:50:00Z", "2019-12-31 23:50:00"),
        (&oslo, "2014-01-01 00:00:00 UTC", "2014-01-01 00:00:00"),
        (&oslo, "2021-04-01 4:00:54+05:45", "2021-03-31 22:15:54"),
        (&minneapolis, "2021-04-01 04:00:54", "2021-04-01 04:00:54"),
        (&minneapolis, "2021-04-01 04:00:54 +01", "2021-04-01 03:00:54"),
        (&minneapolis, "2021-04-01 04:00:54.5Z", "2021-04-01 04:00:54.5"),
    ] {
        let parsed = read(forms, text).expect(text).expect("a time");
        let expected = ParsedTime { time: time(expected), is_instant: true, proof: None };
        assert_eq!(parsed, expected, "{text}");
    }
    // Seconds and milliseconds in one feed: the year says which they are.
    let mds = forms(&["epoch", "epoch_ms"], TimeKind::Utc, false);
    for text in ["1647835140", "1647835140000"] {
        let parsed = read(&mds, text).unwrap().unwrap();
        assert_eq!(parsed.time, time("2022-03-21 03:59:00"), "{text}");
    }
    for text in
        ["", "x", "+1", "1_0", "1.", ".5", "--1", "1e", "1e+", "1e-9", "1e999", "0x10", "1 0"]
    {
        let error = read(&utc("epoch"), text).map_err(|error| error.state.code());
        let expected = if text.is_empty() { Ok(None) } else { Err("22007") };
        assert_eq!(error, expected, "{text}");
    }
}

#[test]
fn the_first_form_that_reads_a_time_counts() {
    let citibike = local(&[ISO, ISO_SHORT, US]);
    for (text, expected) in [
        ("2014-09-01 00:00:25", "2014-09-01 00:00:25"),
        ("2014-09-01 00:00", "2014-09-01 00:00:00"),
        ("9/1/2014 00:00:25", "2014-09-01 00:00:25"),
    ] {
        assert_eq!(read(&citibike, text).unwrap().unwrap().time, time(expected));
    }
    let both = local(&["DD-MM-YY HH24:MI", "YY-MM-DD HH24:MI"]);
    assert_eq!(read(&both, "31-12-18 10:00").unwrap().unwrap().time, time("2018-12-31 10:00:00"));
    assert_eq!(read(&both, "18-12-31 10:00").unwrap().unwrap().proof, None);
}

#[test]
fn errors_say_what_was_expected() {
    let both = local(&[ISO, US]);
    let error = read(&both, "28.5.2018 09:03").unwrap_err();
    assert_eq!(error.state.code(), "22007");
    assert_eq!(
        error.reason,
        "\"28.5.2018 09:03\" is not a date and time: expected YYYY-MM-DD HH24:MI:SS[.FF] or MM/DD/YYYY HH24:MI[:SS]"
    );
    let error = read(&both, "2018-02-30 10:00:00").unwrap_err();
    assert_eq!(error.state.code(), "22008");
    assert_eq!(error.reason, "\"2018-02-30 10:00:00\" is a date or time that does not exist");
    let many = local(&[ISO, ISO_SHORT, US, UK]);
    let error = read(&many, "\u{1b}[1m").unwrap_err();
    assert_eq!(
        error.reason,
        format!("\"\\x1b[1m\" is not a date and time: expected {ISO}, {ISO_SHORT}, {US}, …")
    );
}

#[test]
fn texts_of_other_forms() {
    let both = local(&[ISO, US]);
    for text in [
        "now",
        "infinity",
        "allballs",
        "2018-05-28",
        "2018-05-28 09:03",
        "05/06/18 10:00",
        "1527498220",
        "2018-05-28 09:03:40.",
        "2018-05-28 09:03:40.1234567890",
        "2018-05-28 09:03:40 AM",
        "12018-05-28 09:03:40",
        "-018-05-28 09:03:40",
        "２018-05-28 09:03:40",
        "2018-05-28 09:03:400",
        "5/6/2018 10:0a",
        "5//2018 10:00",
        "5/6/2018T10:00:",
        "05:30.0",
        "2018-05-28 05:30.0",
        "2018-05-2809:03:40",
        "\u{a0}2018-05-28 09:03:40x",
    ] {
        assert_eq!(state(&both, text), "22007", "{text}");
    }
}

#[test]
fn times_that_do_not_exist() {
    let both = local(&[ISO, US]);
    for text in [
        "2018-13-01 00:00:00",
        "2018-00-01 00:00:00",
        "2018-01-00 00:00:00",
        "1900-02-29 00:00:00",
        "2018-01-01 24:00:00",
        "2018-01-01 10:60:00",
        "2016-12-31 23:59:60",
        "0000-01-01 00:00:00",
        "13/32/2018 10:00",
        "4/31/2018 10:00",
        "31/2/2018 10:00",
        "0/5/2018 10:00",
        "13/4/2018 25:00",
    ] {
        assert_eq!(state(&both, text), "22008", "{text}");
    }
    let half = local(&[US_12]);
    for text in ["4/8/2015 0:15 AM", "4/8/2015 13:00 PM", "4/8/2015 12:60 AM"] {
        assert_eq!(state(&half, text), "22008", "{text}");
    }
    for text in ["4/8/2015 12:15", "4/8/2015 12:15 XM", "4/8/2015 12:15 A", "4/8/2015 12:15 AMx"] {
        assert_eq!(state(&half, text), "22007", "{text}");
    }
}

#[test]
fn a_value_that_contradicts_the_feed_is_a_proof() {
    let [month_first, day_first] = [DayMonthOrder::MonthFirst, DayMonthOrder::DayFirst];
    let proof = |forms: &TimeForms, text: &str, order| {
        let parsed = forms.parse(text.as_bytes(), order).expect(text).expect("a time");
        (parsed.time, parsed.proof)
    };
    let uber = local(&[US]);
    assert!(!uber.needs_order());
    let expected = (time("2014-04-13 10:00:00"), Some(Proof::OtherOrder(day_first)));
    assert_eq!(proof(&uber, "13/4/2014 10:00", month_first), expected);
    assert_eq!(proof(&uber, "4/13/2014 10:00", month_first), (expected.0, None));
    // A feed may have one order for each separator.
    let ecobici = local(&[ISO, UK, "MM-DD-YYYY HH24:MI"]);
    assert!(!ecobici.needs_order());
    let (of_dashes, of_slashes) = (Proof::OtherOrder(day_first), Proof::OtherOrder(month_first));
    assert_eq!(proof(&ecobici, "13-04-2014 10:00", month_first).1, Some(of_dashes));
    assert_eq!(proof(&ecobici, "04/13/2014 10:00", month_first).1, Some(of_slashes));
    // In ISO 8601 nothing is to be proved.
    assert_eq!(state(&ecobici, "2014-13-04 10:00:00"), "22008");

    let toronto = local(&[ISO_SHORT, US, UK, US_YY, "DD/MM/YY HH24:MI[:SS]"]);
    assert!(toronto.needs_order());
    assert_eq!(toronto.first_order(), month_first);
    for (text, in_month_first, in_day_first, proven) in [
        ("4/13/2017 10:00", "2017-04-13 10:00:00", "2017-04-13 10:00:00", Some(month_first)),
        ("13/4/17 10:00", "2017-04-13 10:00:00", "2017-04-13 10:00:00", Some(day_first)),
        ("3/4/2017 10:00", "2017-03-04 10:00:00", "2017-04-03 10:00:00", None),
        ("3/4/17 10:00", "2017-03-04 10:00:00", "2017-04-03 10:00:00", None),
        ("2017-03-04 10:00", "2017-03-04 10:00:00", "2017-03-04 10:00:00", None),
    ] {
        let proven = proven.map(Proof::Order);
        assert_eq!(proof(&toronto, text, month_first), (time(in_month_first), proven), "{text}");
        assert_eq!(proof(&toronto, text, day_first), (time(in_day_first), proven), "{text}");
    }
    assert_eq!(toronto.proven_order(b"13/4/2017 10:00"), (Some(day_first), false));
    assert_eq!(toronto.proven_order(b" 4/13/17 10:00"), (Some(month_first), false));
    assert_eq!(toronto.proven_order(b"3/4/2017 10:00"), (None, true));
    for neither in ["2017-03-04 10:00", "31/31/2017 10:00", "", "x"] {
        assert_eq!(toronto.proven_order(neither.as_bytes()), (None, false), "{neither}");
    }
}

#[test]
fn an_offset_where_none_is_expected_is_a_proof() {
    let proof = |forms: &TimeForms, text: &str| {
        let parsed = read(forms, text).expect(text).expect("a time");
        (parsed.time, parsed.proof)
    };
    let local = local(&[ISO, US]);
    let at = time("2021-03-01 10:00:00");
    for text in [
        "2021-03-01 10:00:00Z",
        "2021-03-01T10:00:00+00:00",
        "2021-03-01 10:00:00 UTC",
        "2021-03-01 10:00:00-0500",
        "3/1/2021 10:00 +02",
    ] {
        assert_eq!(proof(&local, text), (at, Some(Proof::HasOffset)), "{text}");
    }
    for text in
        ["2021-03-01 10:00:00+", "2021-03-01 10:00:00+16", "2021-03-01 10:00:00+01:0", "x-05"]
    {
        assert_eq!(state(&local, text), "22007", "{text}");
    }
    let utc = forms(&[ISO], TimeKind::Utc, false);
    assert_eq!(proof(&utc, "2021-03-01 10:00:00Z"), (at, None));
    assert_eq!(proof(&utc, "2021-03-01 10:00:00+01"), (at, Some(Proof::HasOffset)));
    let oslo = forms(&["YYYY-MM-DD HH24:MI:SS[.FF][ ]TZ"], TimeKind::Offset, false);
    assert_eq!(proof(&oslo, "2021-03-01 10:00:00.0"), (at, Some(Proof::NoOffset)));
    assert_eq!(state(&oslo, "2021-03-01 10:00"), "22007");
    assert_eq!(state(&oslo, &" 2021-03-01 10:00:00".repeat(MAX_TEXT)), "22007");
}

#[test]
fn invalid_patterns() {
    for (pattern, expected) in [
        ("", "one year"),
        ("YYYY-MM-DD HH24:MI:SS[.FF", "a ] after each ["),
        ("YYYY-MM-DD HH24:MI:SS.FF]", "a [ before each ]"),
        ("YYYY-MM-DD\" HH24", "quotes in pairs"),
        ("yyyy-mm-dd hh24:mi", "a pattern of"),
        ("YYYY-MM-DD HH24hMI", "a pattern of"),
        ("YYYY-MM-DD HH24:MI é", "a pattern of"),
        ("YYYY-MM-DD HH24:MI FF", "a pattern of"),
        ("YYYY-MM HH24", "one year"),
        ("YYYY-MM-DD YY", "one year"),
        ("YYYY-[MM-]DD", "outside brackets"),
        ("YYYY-MM-DD HH12:MI", "one hour"),
        ("YYYY-MM-DD HH24:MI AM", "one hour"),
        ("YYYY-MM-DD HH24:HH24", "one hour"),
        ("YYYY-MM-DD HH12:MI[ AM]", "HH12 and AM"),
        ("YYYY-MM-DD MI", "MI after an hour"),
        ("YYYY-MM-DD HH24:SS", "MI after an hour"),
        ("YYYY-MM-DD HH24:MI.FF", "MI after an hour"),
        ("YYYY-MM-DD HH24:MI TZ", "no TZ"),
        ("[[[[[[[[[YYYY-MM-DD]]]]]]]]]", "up to 8"),
        ("epoch", "epoch"),
        (&format!("YYYY-MM-DD{}", " ".repeat(100)), "100 bytes"),
    ] {
        let patterns = [ISO.to_owned(), pattern.to_owned()];
        let error = TimeForms::compile(&patterns, TimeKind::Local, false).expect_err(pattern);
        assert_eq!(error.index, 1);
        assert!(error.expected.contains(expected), "{pattern}: {}", error.expected);
    }
    assert!(TimeForms::compile(&[], TimeKind::Local, false).is_err());
    assert!(TimeForms::compile(&vec![ISO.to_owned(); 33], TimeKind::Local, false).is_err());
    for (pattern, kind) in [
        (ISO, TimeKind::Offset),
        ("YYYY-MM-DD HH24:MI[TZ]", TimeKind::Offset),
        ("epoch", TimeKind::Offset),
        ("YYYY-MM-DD HH24:MI TZ TZ", TimeKind::Utc),
    ] {
        assert!(TimeForms::compile(&[pattern.to_owned()], kind, false).is_err(), "{pattern}");
    }
}

#[test]
fn forms_of_most_files_have_readers_at_fixed_positions() {
    for pattern in [ISO, ISO_SHORT, "YYYY-MM-DD HH24:MI[:SS]", US, US_12, US_YY, UK] {
        let form = &local(&[pattern]).forms[0];
        assert!(matches!(form.reader, Reader::Pattern { fast: Some(_), .. }), "{pattern}");
    }
    for pattern in ["YYYY-MM-DD HH24:MI:SS[.FF][ ]TZ", "YYYY-MM-DD HH24:MI:SS[.FF]TZ"] {
        let form = &forms(&[pattern], TimeKind::Offset, false).forms[0];
        assert!(matches!(form.reader, Reader::Pattern { fast: Some(_), .. }), "{pattern}");
    }
}
