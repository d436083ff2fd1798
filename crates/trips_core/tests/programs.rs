//! Any fields of any version of any built-in feed are a trip, or a rejection that names a column.

use proptest::prelude::*;
use trips_testkit::feed_fixtures::fixtures;
use trips_testkit::program;

/// Texts that fields of files have, texts near them, and other bytes.
fn field() -> impl Strategy<Value = Vec<u8>> {
    let values: Vec<Vec<u8>> = fixtures()
        .iter()
        .flat_map(|fixture| {
            fixture
                .bytes
                .split(|byte| b",;\n\r\"".contains(byte))
                .map(<[u8]>::to_vec)
                .collect::<Vec<_>>()
        })
        .collect();
    let values = prop::sample::select(values);
    prop_oneof![
        4 => values.clone(),
        1 => (values, any::<prop::sample::Index>()).prop_map(|(mut value, end)| {
            value.truncate(end.index(value.len() + 1));
            value
        }),
        1 => "[-+0-9/:. TZ,APMe$%]{0,24}".prop_map(String::into_bytes),
        1 => "(POINT|\\[\\[|\\{|\\() ?-?[0-9.]{0,9}[ ,]-?[0-9.]{0,9}[\\])}]{0,2}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]
    #[test]
    fn any_fields_are_a_trip_or_a_rejection_that_names_a_column(
        fields in proptest::collection::vec(field(), 1..30),
    ) {
        let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
        for plan in 0..program::count() {
            program::check(plan, &fields);
        }
    }
}

/// The fields of the fixtures, in every order: most of these records are trips.
#[test]
fn fields_of_fixtures_in_other_columns() {
    for fixture in fixtures() {
        let lines = fixture.bytes.split(|byte| *byte == b'\n').skip(1);
        for line in lines {
            let fields: Vec<&[u8]> = line.split(|byte| b",;".contains(byte)).collect();
            for plan in 0..program::count() {
                program::check(plan, &fields);
            }
        }
    }
}

#[test]
fn every_version_with_a_program_is_tested() {
    let versions: usize =
        trips_core::feed::builtin::all().iter().map(|feed| feed.versions.len()).sum();
    // The five columns have no program; two headers of each other version.
    assert_eq!(program::count(), 2 * (versions - 1));
}
