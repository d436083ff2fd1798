//! Texts that lost their end, and numbers that count another unit, are no times.

use super::TimeKind;
use super::tests::{forms, local, read, state};

/// A number that lost its end, or that counts another unit, is no time of 1970.
#[test]
fn a_number_since_1970_is_plausible() {
    let utc = |patterns: &[&str]| forms(patterns, TimeKind::Utc, false);
    let (seconds, millis, micros) = (utc(&["epoch"]), utc(&["epoch_ms"]), utc(&["epoch_us"]));
    let both = utc(&["epoch", "epoch_ms"]);
    for (forms, text, reason) in [
        (&millis, "1647835140", "looks like seconds, expected milliseconds"),
        (&millis, "1647835140.0", "looks like seconds, expected milliseconds"),
        (&millis, "1.64783514E9", "looks like seconds, expected milliseconds"),
        (&millis, "1647835140123456", "looks like microseconds, expected milliseconds"),
        (&seconds, "1647835140123", "looks like milliseconds, expected seconds"),
        (&both, "1647835140123456789", "looks like nanoseconds, expected seconds or milliseconds"),
        (&micros, "1647835140123", "looks like milliseconds, expected microseconds"),
        (&millis, "1.64784E+12", "has lost its last digits: expected milliseconds"),
        (&seconds, "1.64784e+09", "has lost its last digits: expected seconds"),
        (&both, "16478351401", PLAUSIBLE_OF_BOTH),
        (&both, "0", PLAUSIBLE_OF_BOTH),
        (&both, "-1647835140", PLAUSIBLE_OF_BOTH),
        (&both, "631151999", PLAUSIBLE_OF_BOTH),
        (&both, "4102444800000", PLAUSIBLE_OF_BOTH),
        (&both, "999999999999999999999999999999", PLAUSIBLE_OF_BOTH),
        (&both, "1e99", PLAUSIBLE_OF_BOTH),
    ] {
        let error = read(forms, text).expect_err(text);
        assert_eq!(error.state.code(), "22008", "{text}");
        assert_eq!(error.reason, format!("\"{text}\" {reason}"));
    }
}

const PLAUSIBLE_OF_BOTH: &str = "is not a plausible number of seconds or milliseconds since 1970: expected the years \
                                 1990 to 2099";

/// No beginning of a number is a time of another second.
#[test]
fn a_number_that_is_cut_is_no_time() {
    for patterns in [&["epoch"][..], &["epoch_ms"], &["epoch_us"], &["epoch", "epoch_ms"]] {
        let forms = forms(patterns, TimeKind::Utc, false);
        for whole in
            ["631152000", "1372636858", "1647835140123", "4102444799999", "1647835140123456"]
        {
            let Ok(Some(time)) = read(&forms, whole) else { continue };
            for end in 1..whole.len() {
                if let Ok(Some(cut)) = read(&forms, &whole[..end]) {
                    assert_eq!(cut.time.0, time.time.0.div_euclid(1_000_000) * 1_000_000, "{end}");
                }
            }
        }
    }
}

#[test]
fn a_minute_or_second_that_is_cut_is_no_time() {
    let all = local(&[
        "YYYY-MM-DD HH24[:MI[:SS[.FF]]]",
        "MM/DD/YYYY HH24:MI[:SS[.FF]]",
        "MM/DD/YY HH12:MI[:SS] AM",
    ]);
    for text in [
        "2019-02-01 12:3",
        "2019-02-01 12:30:4",
        "2019-02-01 12:",
        "2019-02-01 12:30:",
        "2019-02-01 12:30:45.",
        "2/1/2019 12:3",
        "2/1/2019 12:30:4",
        "2/1/2019 12:30:45.",
        "2/1/2019 12",
        "2/1/2019",
        "2/1/20",
        "2/1/19 1:5 PM",
        "2/1/19 1:05 P",
        "2/1/19 1:05:3 PM",
    ] {
        assert_eq!(state(&all, text), "22007", "{text}");
    }
}
