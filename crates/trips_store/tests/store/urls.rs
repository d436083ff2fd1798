//! Addresses of any text.

use proptest::prelude::*;
use trips_store::{Pattern, Policy, Url, UrlError, is_url};

#[test]
fn addresses_have_one_form() {
    for (text, normal) in [
        ("s3://trips/a/b.csv", "s3://trips/a/b.csv"),
        ("S3://trips/a%2E.csv", "s3://trips/a%2E.csv"),
        ("HTTPS://EXAMPLE.com:443/a%2eb/%7e/ä", "https://example.com/a.b/~/%C3%A4"),
        ("https://example.com:8443/a%3f", "https://example.com:8443/a%3F"),
        ("https://[::1]:80/a", "https://[::1]:80/a"),
    ] {
        assert_eq!(Url::parse(text).unwrap().to_string(), normal);
    }
    for (text, error) in [
        ("/data/a.csv", UrlError::Scheme),
        ("file:///etc/passwd", UrlError::Scheme),
        ("s3://trips", UrlError::Component),
        ("s3://trips/", UrlError::Component),
        ("s3://trips/a/", UrlError::Component),
        ("s3://trips//a", UrlError::Component),
        ("s3://trips/./a", UrlError::Component),
        ("s3:///a", UrlError::Authority),
        ("s3://-x/a", UrlError::Authority),
        ("s3://a..b/a", UrlError::Authority),
        ("s3://key:secret@trips/a", UrlError::User),
        ("https://u:p@example.com/a", UrlError::User),
        ("https://example.com/a?sig=x", UrlError::Query),
        ("s3://trips/a#b", UrlError::Query),
        ("https://example.com/a%2fb", UrlError::Character),
        ("https://example.com/a%0ab", UrlError::Character),
        ("https://example.com/a%zz", UrlError::Character),
        ("s3://trips/a\nb", UrlError::Character),
        ("https:///a", UrlError::Authority),
    ] {
        assert_eq!(Url::parse(text), Err(error), "{text}");
        assert!(!error.to_string().contains("secret"));
    }
    assert!(is_url("s3://a") && is_url("ftp://x") && !is_url("/a://b") && !is_url("://b"));
}

proptest! {
    #[test]
    fn a_normal_form_is_its_own(text in "(s3|https|HTTP|gs)://[a-zA-Z0-9.:@-]{1,12}/[a-zA-Z0-9./%?#\\\\ ä~]{0,20}") {
        if let Ok(url) = Url::parse(&text) {
            prop_assert_eq!(Url::parse(&url.to_string()), Ok(url.clone()));
            let key = url.key();
            let is_bad = |part: &str| matches!(part, "" | "." | "..");
            prop_assert!(!key.split('/').any(is_bad), "{}", url);
        }
    }

    #[test]
    fn what_is_allowed_continues_the_prefix(
        prefix in "s3://(a|b)(/[ab]{1,2}){0,3}",
        text in "s3://(a|b)(/[ab.]{1,2}){1,4}",
    ) {
        let policy = Policy::parse([&prefix]).unwrap();
        if let Ok(url) = Url::parse(&text) {
            let expected = url.to_string() == prefix || url.to_string().starts_with(&format!("{prefix}/"));
            prop_assert_eq!(policy.allows(&url), expected);
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        let _ = Url::parse(&text);
        let _ = Pattern::parse(&text);
        let _ = Policy::parse([&text]);
        let _ = Url::parse(&format!("https://{text}"));
        let _ = Pattern::parse(&format!("s3://b/{text}"));
    }
}
