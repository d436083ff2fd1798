//! Spellings of places, each with its point or its error.

use proptest::prelude::*;

use super::*;

fn rules(nulls: &Nulls, decimal: DecimalMark) -> PlaceRules<'_> {
    let bounds = Some(BoundingBox { west: -125.0, south: 24.0, east: -66.0, north: 50.0 });
    PlaceRules { feed: "lyft", bounds, zero_is_unknown: true, nulls, decimal }
}

fn of(text: PlaceText<'_>) -> Result<Option<(f64, f64)>, (String, String)> {
    of_decimal(text, DecimalMark::Point)
}

fn of_decimal(
    text: PlaceText<'_>,
    decimal: DecimalMark,
) -> Result<Option<(f64, f64)>, (String, String)> {
    let nulls = Nulls::new(&["NULL", "\\N"]);
    match place(text, &rules(&nulls, decimal)) {
        Ok(point) => Ok(point.map(|point| (point.longitude, point.latitude))),
        Err(error) => Err((error.state.code().to_owned(), error.reason)),
    }
}

fn pair<'a>(longitude: &'a str, latitude: &'a str) -> PlaceText<'a> {
    PlaceText::Pair { longitude: longitude.as_bytes(), latitude: latitude.as_bytes() }
}

const HERE: Result<Option<(f64, f64)>, (String, String)> = Ok(Some((-122.3941, 37.7899)));

#[test]
fn spellings_of_one_place() {
    for text in [
        pair("-122.3941", "37.7899"),
        pair(" -122.39410", "+37.78990 "),
        pair("-1.223941E2", "377899e-4"),
        PlaceText::Wkt(b"POINT (-122.3941 37.7899)"),
        PlaceText::Wkt(b" point(-122.3941  37.7899) "),
        PlaceText::Wkt(b"SRID=4326;POINT(-122.3941 37.7899)"),
        PlaceText::LatLon(b"37.7899,-122.3941"),
        PlaceText::LatLon(b"(37.7899, -122.3941)"),
        PlaceText::LatLon(b"[37.7899;-122.3941]"),
        PlaceText::LatLon(b" 37.7899 -122.3941 "),
        PlaceText::GeoJson(b"[[-122.3941,37.7899]]", LinePoint::Last),
        PlaceText::GeoJson(b"[-122.3941,37.7899,12.5]", LinePoint::First),
        PlaceText::GeoJson(
            b"{\"type\":\"Point\",\"coordinates\":[-122.3941,37.7899]}",
            LinePoint::First,
        ),
    ] {
        assert_eq!(of(text), HERE, "{text:?}");
    }
    for text in [
        pair("-122,3941", "37,7899"),
        pair("-122.3941", "37,78990"),
        pair("-1,223941E2", "377899e-4"),
        PlaceText::LatLon(b"37,7899;-122,3941"),
        PlaceText::LatLon(b"(37,7899 -122,3941)"),
        PlaceText::Wkt(b"POINT (-122.3941 37.7899)"),
    ] {
        assert_eq!(of_decimal(text, DecimalMark::Comma), HERE, "{text:?}");
    }
}

#[test]
fn places_that_are_not_known() {
    for text in [
        pair("", ""),
        pair("-122.3941", ""),
        pair("\\N", "37.7899"),
        pair("NULL", "x"),
        pair("0", "0"),
        pair("-0.0", "0.00"),
        PlaceText::Wkt(b""),
        PlaceText::Wkt(b"NULL"),
        PlaceText::Wkt(b"POINT EMPTY"),
        PlaceText::Wkt(b"point empty "),
        PlaceText::Wkt(b"POINT (0 0)"),
        PlaceText::LatLon(b"0.0,0.0"),
        PlaceText::GeoJson(b"[]", LinePoint::First),
        PlaceText::GeoJson(b" [ ] ", LinePoint::Last),
        PlaceText::GeoJson(b"null", LinePoint::Last),
        PlaceText::GeoJson(b"{\"type\":\"FeatureCollection\",\"features\":[]}", LinePoint::First),
        PlaceText::GeoJson(b"{\"type\":\"Feature\",\"geometry\":null}", LinePoint::First),
    ] {
        assert_eq!(of(text), Ok(None), "{text:?}");
    }
    let nulls = Nulls::default();
    let rules =
        PlaceRules { zero_is_unknown: false, bounds: None, ..rules(&nulls, DecimalMark::Point) };
    assert!(place(pair("0", "0"), &rules).unwrap().unwrap().is_zero());
}

#[test]
fn texts_that_are_not_places() {
    for text in [
        pair("x", "37.7"),
        pair("37,7899", "-122,3941"),
        pair("1,317", "37.7"),
        pair("nan", "37.7"),
        pair("-122.3941 37.7899", "37.7899"),
        PlaceText::Wkt(b"POINT (1)"),
        PlaceText::Wkt(b"POINTEMPTIED"),
        PlaceText::LatLon(b"37.7899"),
        PlaceText::LatLon(b"37.7899,"),
        PlaceText::LatLon(b"37.7899,-122.3941,5"),
        PlaceText::LatLon(b"(37.7899,-122.3941"),
        PlaceText::GeoJson(b"[[-122.3941]]", LinePoint::First),
        PlaceText::GeoJson(b"[[-122.3941,37.7899],[1]]", LinePoint::First),
        PlaceText::GeoJson(b"[[-122.3941,37.7899],5]", LinePoint::First),
        PlaceText::GeoJson(b"[[-122.3941,37.7899]", LinePoint::First),
        PlaceText::GeoJson(b"[[-122.3941,37.7899]] x", LinePoint::First),
        PlaceText::GeoJson(b"[[-122.3941,\"37.7899\"]]", LinePoint::First),
        PlaceText::GeoJson(b"5", LinePoint::First),
        PlaceText::GeoJson(b"\"x\"", LinePoint::First),
        PlaceText::GeoJson(b"{\"coordinates\":5}", LinePoint::First),
    ] {
        let error = of(text).expect_err(&format!("{text:?}"));
        assert_eq!(error.0, "22P02", "{text:?}");
    }
    assert_eq!(
        of(pair("x", "37.7")).unwrap_err().1,
        r#"longitude "x" and latitude "37.7" are not two numbers"#
    );
}

#[test]
fn places_outside_of_the_box() {
    let swapped = "; longitude and latitude seem to be swapped";
    for (text, reason) in [
        (
            pair("37.7899", "-85.3941"),
            format!(r#"POINT (37.7899 -85.3941) is outside of the box of feed "lyft"{swapped}"#),
        ),
        (
            pair("37.7899", "-122.3941"),
            format!("latitude -122.3941 is out of range: expected -90 to 90{swapped}"),
        ),
        (
            pair("118.25", "34.05"),
            r#"POINT (118.25 34.05) is outside of the box of feed "lyft"; a sign seems to be wrong"#
                .to_owned(),
        ),
        (
            pair("55.7", "37.6"),
            r#"POINT (55.7 37.6) is outside of the box of feed "lyft""#.to_owned(),
        ),
        (
            pair("0", "40.7"),
            r#"POINT (0 40.7) is outside of the box of feed "lyft""#.to_owned(),
        ),
        (
            pair("-200", "40.7"),
            "longitude -200 is out of range: expected -180 to 180".to_owned(),
        ),
    ] {
        assert_eq!(of(text), Err(("22003".to_owned(), reason)), "{text:?}");
    }
}

#[test]
fn positions_of_documents() {
    let feature = |longitude: f64| {
        format!(
            r#"{{"type":"Feature","properties":{{"timestamp":1,"coordinates":[9,9]}},
                "geometry":{{"type":"Point","coordinates":[{longitude},30.5]}}}}"#
        )
    };
    let route = format!(
        r#"{{"type":"FeatureCollection","features":[{},{},{}]}}"#,
        feature(-97.5),
        feature(-97.6),
        feature(-97.7)
    );
    for (document, first, last, count) in [
        (route.as_str(), Some([-97.5, 30.5]), Some([-97.7, 30.5]), 3),
        ("[[-8.6,41.1],[-8.7,41.2]]", Some([-8.6, 41.1]), Some([-8.7, 41.2]), 2),
        ("[[[1,2],[3,4]],[[5,6]]]", Some([1.0, 2.0]), Some([5.0, 6.0]), 3),
        (
            r#"{"type":"GeometryCollection","geometries":[{"coordinates":[[1,2],[3,4,5]]}]}"#,
            Some([1.0, 2.0]),
            Some([3.0, 4.0]),
            2,
        ),
        ("[]", None, None, 0),
    ] {
        assert_eq!(
            geojson::positions(document.as_bytes()),
            Ok(Positions { first, last, count }),
            "{document}"
        );
    }
}

#[test]
fn features_with_times_are_in_their_order() {
    let feature = |properties: &str, x: u8| {
        format!(r#"{{"properties":{properties},"geometry":{{"coordinates":[{x},{x}]}}}}"#)
    };
    let ends = |features: &[(&str, u8)]| {
        let features: Vec<String> = features.iter().map(|(p, x)| feature(p, *x)).collect();
        let document = format!(r#"{{"features":[{}]}}"#, features.join(","));
        let found = geojson::positions(document.as_bytes()).expect("positions");
        assert_eq!(found.count, features.len() as u64);
        [found.first, found.last].map(|position| position.expect("a position")[0])
    };
    let (one, two, three) =
        (r#"{"timestamp":1}"#, r#"{"a":{"timestamp":9},"timestamp":2.5}"#, r#"{"timestamp":3}"#);
    assert_eq!(ends(&[(one, 1), (two, 2), (three, 3)]), [1.0, 3.0]);
    assert_eq!(ends(&[(two, 2), (three, 3), (one, 1)]), [1.0, 3.0]);
    assert_eq!(ends(&[(three, 3), (one, 1), (two, 2)]), [1.0, 3.0]);
    // Equal times are in the order of the document.
    assert_eq!(ends(&[(one, 1), (one, 2), (one, 3)]), [1.0, 3.0]);
    // Without the time of one, nobody knows the order.
    for none in ["null", "{}", r#"{"timestamp":null}"#, r#"{"timestamp":"1"}"#, "[1]", "1", "true"]
    {
        assert_eq!(ends(&[(three, 3), (none, 1), (two, 2)]), [3.0, 2.0], "{none}");
    }
}

/// The stack is limited.
#[test]
fn a_deep_document_is_an_error() {
    for deep in ["[".repeat(1_000_000), r#"{"geometry":"#.repeat(100_000)] {
        assert_eq!(geojson::positions(deep.as_bytes()).unwrap_err().state.code(), "22P02");
    }
}

proptest! {
    #[test]
    fn the_spelling_of_a_place_does_not_matter(
        longitude in -124.0..-67.0_f64, latitude in 25.0..49.0_f64,
    ) {
        let expected = Ok(Some((longitude, latitude)));
        let (x, y) = (longitude.to_string(), latitude.to_string());
        prop_assert_eq!(&of(pair(&x, &y)), &expected);
        prop_assert_eq!(&of(PlaceText::LatLon(format!("({y}, {x})").as_bytes())), &expected);
        prop_assert_eq!(&of(PlaceText::Wkt(format!("POINT({x} {y})").as_bytes())), &expected);
        let line = format!("[[0.5,0.5],[{x},{y}]]");
        prop_assert_eq!(&of(PlaceText::GeoJson(line.as_bytes(), LinePoint::Last)), &expected);
        let (x, y) = (x.replace('.', ","), y.replace('.', ","));
        prop_assert_eq!(&of_decimal(pair(&x, &y), DecimalMark::Comma), &expected);
        let text = format!("{y};{x}");
        prop_assert_eq!(&of_decimal(PlaceText::LatLon(text.as_bytes()), DecimalMark::Comma), &expected);
    }

    #[test]
    fn any_bytes_are_a_place_or_null_or_an_error(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            "[-0-9eE.,;() \\[\\]{}\":PONTcordiates]{0,30}".prop_map(String::into_bytes),
        ],
    ) {
        trips_testkit::place::check_bytes(&bytes);
    }
}
