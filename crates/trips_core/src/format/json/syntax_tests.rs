use super::*;

#[test]
fn values_are_accepted() {
    for text in [
        "{}",
        " [ ] ",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1.5",
        "-1e-7",
        "1E+9",
        "\"\"",
        r#""\u00e9\n\/""#,
        r#"{"a": [1, {"b": null}], "c": "\\"}"#,
        "\t{\r\n\"a\":1}\n",
    ] {
        assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
    }
}

#[test]
fn the_place_of_a_fault_is_that_of_the_first_wrong_byte() {
    for (text, at, token) in [
        ("", 0, "a value"),
        ("{", 1, "the name of a member in double quotes"),
        ("{\"a\"", 4, "\":\""),
        ("{\"a\":", 5, "a value"),
        ("{\"a\":1", 6, "\",\" or \"}\""),
        ("{\"a\":1,}", 7, "the name of a member in double quotes"),
        ("[1,]", 3, "a value"),
        ("[1 2]", 3, "\",\" or \"]\""),
        ("{'a':1}", 1, "the name of a member in double quotes"),
        ("{a:1}", 1, "the name of a member in double quotes"),
        ("{\"a\":1} {}", 8, "the end of the record"),
        ("{\"a\":NaN}", 5, "a value"),
        ("{\"a\":tru}", 5, "true"),
        ("{\"a\":None}", 5, "a value"),
        ("{\"a\":01}", 5, "a number without leading zeros"),
        ("{\"a\":1.}", 7, "a digit"),
        ("{\"a\":-}", 6, "a digit"),
        ("{\"a\":+1}", 5, "a value"),
        ("{\"a\":1e}", 7, "a digit"),
        ("{\"a\":\"b}", 8, "a closing quote"),
        ("{\"a\":\"\t\"}", 6, "an escape of the control character"),
        (r#"{"a":"\x"}"#, 6, "an escape"),
        (r#"{"a":"\u12g4"}"#, 6, "\\u and four hexadecimal digits"),
        ("{\"a\":1, // one\n\"b\":2}", 8, "the name of a member in double quotes"),
        ("{\"a\" /* b */ :1}", 5, "\":\""),
        ("{\"a\":1]", 6, "\",\" or \"}\""),
    ] {
        assert_eq!(check(text.as_bytes()), Err(Fault::token(at, token)), "{text}");
    }
}

#[test]
fn levels_are_limited() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(check(nested(64).as_bytes()), Ok(()));
    let fault = check(nested(65).as_bytes()).unwrap_err();
    assert_eq!(fault.expected, Expected::FewerLevels);
    assert_eq!(
        fault.describe(nested(65).as_bytes()),
        "the record has more than 64 levels of objects and arrays"
    );
    assert!(check("[".repeat(1_000_000).as_bytes()).is_err(), "the stack is limited");
}

#[test]
fn faults_in_words() {
    let text = b"{\"a\" \xff 1}";
    assert_eq!(
        check(text).unwrap_err().describe(text),
        r#"the record is not JSON: found "\xff" at its byte 6, expected ":""#
    );
    let text = b"[1";
    assert_eq!(
        check(text).unwrap_err().describe(text),
        r#"the record is not JSON: found the end at its byte 3, expected "," or "]""#
    );
}

#[test]
fn serde_json_accepts_the_same_texts() {
    let alphabet = [
        "{", "}", "[", "]", ",", ":", "\"a\"", "1", "-", "0", ".", "e", "true", " ", "\"\\u00",
        "\"",
    ];
    let mut state = 1_u64;
    for _ in 0..200_000 {
        let mut text = String::new();
        for _ in 0..state >> 60 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.push_str(alphabet[(state >> 33) as usize % alphabet.len()]);
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let expected = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        assert_eq!(check(text.as_bytes()).is_ok(), expected, "{text}");
    }
}
