//! Broken, cut and long records, and files that are not JSON.

use trips_core::format::position::PositionKind;

use super::{at_once, feed, one, open, records};

#[test]
fn a_broken_line_is_one_rejected_record() {
    for (line, reason) in [
        (
            r#"{"id":1,"at":2"#,
            "the record is not JSON: found the end at its byte 15, expected \",\" or \"}\"",
        ),
        (r#"{"id":1,"at":2,}"#, "found \"}\" at its byte 16, expected the name of a member"),
        (r#"{"id":1,"at":2} {}"#, "found \"{\" at its byte 17, expected the end of the record"),
        (r#"{"id":1,"at":2},"#, "found \",\" at its byte 16, expected the end of the record"),
        (r#"{"id":1,"at":NaN}"#, "found \"N\" at its byte 14, expected a value"),
        (r#"{"id":1,"at":2} // first"#, "found \"/\" at its byte 17"),
        (r#"{'id':1,"at":2}"#, "found \"'\" at its byte 2"),
        (r#"[{"id":1}]"#, "found \"[\" at its byte 1, expected an object"),
        ("17", "expected an object"),
        (r#"{"id":1,"at":2,"x":"\ud83d"}"#, "member \"x\" has a surrogate without its pair"),
    ] {
        let reason_of = one(line).expect_err(line);
        assert!(reason_of.contains(reason), "{line}: {reason_of}");
        // Also between other lines.
        let file = format!("{{\"id\":1,\"at\":2}}\r\n\r\n{line}\r\n{{\"id\":3,\"at\":2}}");
        let (found, error) = at_once(&file);
        assert_eq!(error, None, "{line}");
        assert_eq!(found.iter().map(|record| record.0).collect::<Vec<_>>(), [1, 3, 4], "{line}");
        assert_eq!(found.iter().filter(|record| record.1.is_ok()).count(), 2, "{line}");
    }
}

#[test]
fn levels_are_limited() {
    let nested = |levels: usize| {
        let inner = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        format!(r#"{{"id":1,"at":2,"other":{inner}}}"#)
    };
    assert!(one(&nested(63)).is_ok());
    let reason = "the record has more than 64 levels of objects and arrays";
    for record in [nested(64), nested(10_000)] {
        assert_eq!(one(&record), Err(reason.to_owned()));
        let list = format!(r#"[{{"id":1,"at":2}},{record},{{"id":3,"at":2}}]"#);
        let (found, error) = at_once(&list);
        assert_eq!((found.len(), error), (3, None));
        assert_eq!(found[1], (2, Err(reason.to_owned())));
    }
}

#[test]
fn a_cut_list_is_not_taken_for_a_whole_one() {
    let page = r#"{"data":{"rides":[{"id":1,"at":2},{"id":2,"at":2}]},"links":{"next":null}}"#;
    for end in 18..page.len() {
        let (found, error) = at_once(&page[..end]);
        // A file without a whole record is refused.
        if error.is_some() {
            assert!(end < 33, "{end}");
            continue;
        }
        let (last, whole) = found.split_last().expect("a record");
        let reason = last.1.clone().expect_err("it is cut");
        assert!(reason.starts_with("the file ends "), "{reason}");
        assert_eq!(whole.len(), usize::from(end >= 33) + usize::from(end >= 49), "{end}");
        assert!(whole.iter().all(|record| record.1.is_ok()), "{end}");
    }
    assert_eq!(at_once(page).0.len(), 2);
}

#[test]
fn what_hides_the_end_of_a_record_ends_the_load() {
    let first = r#"{"id":1,"at":2}"#;
    for (behind, place, expected) in [
        (",]", "line 1, column 18", "a record"),
        (" {}]", "line 1, column 18", "\",\" or \"]\""),
        (", // none\n{}]", "line 1, column 19", "a record"),
        (",{\"a\":[1}]", "line 1, column 25", "\"]\""),
        (",\n{\"a\":{]}]", "line 2, column 7", "\"}\""),
        (",{\"a\":\"b\n\"}]", "line 1, column 25", "a closing quote"),
        ("]]", "line 1, column 18", "a list of records"),
        ("] garbage", "line 1, column 19", "a list of records"),
    ] {
        let (found, error) = at_once(&format!("[{first}{behind}"));
        let error = error.unwrap_or_else(|| panic!("{behind}: {found:?}"));
        assert!(
            error.contains(place) && error.ends_with(&format!("expected {expected}")),
            "{behind}: {error}"
        );
    }
    for (page, expected) in [
        (
            format!(r#"{{"rides":[{first}]}} {{"error":"none"}}"#),
            "member \"rides\" with the list of records",
        ),
        (format!(r#"{{"rides":[{first}]}} {{"rides":{{}}}}"#), "a list of records"),
        (format!(r#"{{"rides":[{first}],}}"#), "the name of a member in double quotes"),
        (format!(r#"{{"rides":[{first}],"a":tru}}"#), "a value"),
        (format!(r#"{{"rides":[{first}],"a" 1}}"#), "\":\""),
    ] {
        let error = at_once(&page).1.expect(&page);
        assert!(error.ends_with(&format!("expected {expected}")), "{page}: {error}");
    }
}

#[test]
fn a_record_that_ends_with_its_line_costs_no_other() {
    for broken in [
        "{\"id\":2,\"at\":2",
        "{\"id\":2,\"at\":\"2}",
        "{\"id\":2,\"at\":[2}",
        "{\"id\":2,\"at\":{\"a\":1}",
    ] {
        let file = format!(
            "[{{\"id\":1,\"at\":2}},\n{broken},\n{{\"id\":3,\"at\":2}},\n{{\"id\":4,\"at\":2}}\n]"
        );
        let (found, error) = at_once(&file);
        assert_eq!(error, None, "{broken}");
        let are_good: Vec<bool> = found.iter().map(|record| record.1.is_ok()).collect();
        assert_eq!(are_good, [true, false, true, true], "{broken}");
        // The last one.
        let file = format!("[\n{{\"id\":1,\"at\":2}},\n{broken}\n]\n");
        let (found, error) = at_once(&file);
        assert_eq!((found.len(), error), (2, None), "{broken}");
        // In one line, nothing proves where it ends.
        let file = format!("[{{\"id\":1,\"at\":2}},{broken},{{\"id\":3,\"at\":2}}]");
        assert!(at_once(&file).1.is_some(), "{broken}");
    }
}

#[test]
fn a_record_that_is_too_long_is_cut_and_the_next_one_is_read() {
    let long = format!(r#"{{"id":1,"at":2,"x":"{}"}}"#, "y".repeat(1000));
    let short = r#"{"id":3,"at":2}"#;
    for (file, kind) in [
        (format!("{short}\n{long}\n{short}"), PositionKind::Line),
        (format!("[{short},{long},{short}]"), PositionKind::Record),
        (format!("{short}{long}{short}"), PositionKind::Record),
        (format!("{{\"rides\":[{short},{long},{short}]}}"), PositionKind::Record),
    ] {
        for chunk in [1, 100, 1 << 20] {
            for read in [1, 7, 1 << 20] {
                let (found, error) = records(file.as_bytes(), (&feed(), 64), (chunk, read));
                assert_eq!((found.len(), error), (3, None), "{file}");
                assert_eq!(
                    found[1],
                    (2, Err("the record is longer than 64 bytes and was truncated".into()))
                );
            }
        }
        let (reader, _) = open(file.as_bytes(), &feed(), 64).expect("JSON");
        assert_eq!(reader.position_kind(), kind);
    }
}
