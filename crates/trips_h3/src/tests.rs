use proptest::prelude::*;

use super::*;

fn coord() -> impl Strategy<Value = Point> {
    let edges =
        prop_oneof![Just(-180.0), Just(180.0), Just(179.999), Just(-179.999), -180.0..180.0];
    let poles = prop_oneof![Just(-90.0), Just(90.0), Just(89.99), -90.0..90.0];
    (edges, poles).prop_map(|(longitude, latitude)| Point { longitude, latitude })
}

fn resolution() -> impl Strategy<Value = Resolution> {
    (0..=15).prop_map(|number| Resolution::try_from(number).unwrap())
}

proptest! {
    #[test]
    fn a_coord_lies_in_the_bounds_of_its_cell(coord in coord(), resolution in resolution()) {
        let cell = Cell::of(coord, resolution).unwrap();
        let CellBounds { west, south, east, north } = cell.bounds();
        prop_assert!((west..=east).contains(&coord.longitude), "{cell:?} {:?}", cell.bounds());
        prop_assert!((south..=north).contains(&coord.latitude), "{cell:?} {:?}", cell.bounds());
    }

    #[test]
    fn names_and_numbers_come_back(coord in coord(), resolution in resolution()) {
        let cell = Cell::of(coord, resolution).unwrap();
        prop_assert!(cell.number() > 0);
        prop_assert_eq!(Cell::from_name(&cell.name()), Ok(cell));
        prop_assert_eq!(CellIndex::try_from(cell.number().cast_unsigned()), Ok(cell.0));
    }

    #[test]
    fn the_middle_of_a_cell_is_in_it(coord in coord(), resolution in resolution()) {
        let cell = Cell::of(coord, resolution).unwrap();
        prop_assert_eq!(Cell::of(cell.center(), resolution), Some(cell));
    }

    #[test]
    fn any_name_is_a_cell_or_an_error(name in ".{0,20}") {
        if let Ok(cell) = Cell::from_name(&name) {
            prop_assert_eq!(cell.name(), name.trim_start_matches('0').to_lowercase());
        }
    }
}

/// The example of H3's own documentation (`h3 latLngToCell --lat 45 --lng 40 -r 2`).
#[test]
fn a_known_cell() {
    let cell =
        Cell::of(Point { longitude: 40.0, latitude: 45.0 }, Resolution::try_from(2).unwrap())
            .unwrap();
    assert_eq!(cell.name(), "822d57fffffffff");
    assert_eq!(cell.corners().len(), 6);
}

#[test]
fn what_is_not_on_the_earth_has_no_cell() {
    let resolution = 9.try_into().unwrap();
    for (longitude, latitude) in [(180.1, 0.0), (0.0, -90.1), (f64::NAN, 0.0), (0.0, f64::INFINITY)]
    {
        assert_eq!(Cell::of(Point { longitude, latitude }, resolution), None);
    }
    // The meridian with two names.
    let [east, west] = [180.0, -180.0].map(|longitude| Point { longitude, latitude: 1.0 });
    assert_eq!(Cell::of(east, resolution), Cell::of(west, resolution));
}

#[test]
fn resolutions() {
    assert_eq!(Resolution::try_from(16), Err(H3Error::Resolution(16)));
    assert_eq!(Resolution::try_from(-1), Err(H3Error::Resolution(-1)));
    for name in ["", "+89283082837ffff", "8928308283", "ffffffffffffffff", "xyz"] {
        assert_eq!(Cell::from_name(name), Err(H3Error::Name), "{name}");
    }
}
