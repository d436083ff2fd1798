//! Many random sets of partitions: no trip is misplaced, by bulk or by COPY, and dumps are restored equal.
//!
//! `TRIPS_BOUND_SETS` is the number of sets (12 unless it is set); `make test-reliability` tries 200.

use trips_tests::{Cluster, random_bounds};

use crate::{setting, turn};

#[test]
fn random_partitions_misplace_nothing() {
    let _turn = turn();
    let sets = setting("TRIPS_BOUND_SETS", 12);
    let cluster = Cluster::start();
    let (mut loads, mut trips, mut refused) = (0, 0, 0);
    for seed in 1000..1000 + u64::from(sets) {
        let seen = random_bounds::check(&cluster, seed);
        loads += seen.loads;
        trips += seen.trips;
        refused += seen.refused;
    }
    println!(
        "{sets} sets of partitions: {loads} loads of {trips} trips, {refused} refused, 0 misplaced"
    );
    assert!(loads > usize::try_from(sets).expect("small"));
}
