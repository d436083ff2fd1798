//! Places of feeds: a place is on the earth and in the box of its feed, or NULL, or a matching error.

use trips_core::feed::definition::{BoundingBox, LinePoint};
use trips_core::feed::place::{PlaceRules, PlaceText, geojson, place};
use trips_core::feed::value::Nulls;
use trips_core::model::decimal::DecimalMark;
use trips_core::model::error::SqlState;

use crate::check_reason;
use crate::point::check_canonical;

/// A value in every form of a place.
pub fn check_bytes(value: &[u8]) {
    let half = value.iter().position(|byte| *byte == b'\n').unwrap_or(value.len() / 2);
    let (longitude, latitude) = value.split_at(half);
    let texts = [
        PlaceText::Pair { longitude, latitude },
        PlaceText::Wkt(value),
        PlaceText::LatLon(value),
        PlaceText::GeoJson(value, LinePoint::First),
        PlaceText::GeoJson(value, LinePoint::Last),
    ];
    let bounds = BoundingBox { west: -125.0, south: 24.0, east: -66.0, north: 50.0 };
    for text in texts {
        for decimal in [DecimalMark::Point, DecimalMark::Comma] {
            check(text, None, decimal);
            check(text, Some(bounds), decimal);
        }
    }
    if let Ok(positions) = geojson::positions(value) {
        assert_eq!(positions.first.is_some(), positions.count > 0);
        assert_eq!(positions.last.is_some(), positions.count > 0);
        assert!(positions.count != 1 || positions.first == positions.last);
    }
}

fn check(text: PlaceText<'_>, bounds: Option<BoundingBox>, decimal: DecimalMark) {
    let nulls = Nulls::new(&["NULL"]);
    let rules = PlaceRules { feed: "f", bounds, zero_is_unknown: true, nulls: &nulls, decimal };
    match place(text, &rules) {
        Ok(None) => {}
        Ok(Some(point)) => {
            check_canonical(point);
            assert!(!point.is_zero());
            assert!(bounds.is_none_or(|it| it.contains(point.longitude, point.latitude)));
        }
        Err(error) => {
            check_reason(&error.reason);
            let is_known = [SqlState::InvalidTextRepresentation, SqlState::NumericValueOutOfRange];
            assert!(is_known.contains(&error.state), "{error:?}");
        }
    }
}
