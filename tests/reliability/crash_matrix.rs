//! Strikes at many points of a load, in every way that a load can be ended.

use std::time::Duration;

use trips_tests::{Cluster, Load};

use crate::strike::{STRIKES, Strike, on_two_servers};
use crate::subject::{Before, Subject};
use crate::{setting, turn};

#[derive(Debug, Default)]
struct Tally {
    strikes: u32,
    in_all: u32,
    not_at_all: u32,
    /// Loads that did not get in, and that the ledger has as failed.
    recorded_failures: i64,
    orphans_after_crashes: usize,
}

#[test]
fn the_crash_matrix() {
    let _turn = turn();
    let strikes = setting("TRIPS_STRIKES", 60).max(6);
    let tallies = on_two_servers(|cluster, _| run(cluster, strikes.div_ceil(2)));
    let sum = |f: fn(&Tally) -> u32| tallies.iter().map(f).sum::<u32>();
    println!(
        "crash matrix: {} strikes, {} loads in, {} not, 0 lost, 0 doubled; {} recorded as failed; \
         {} files left by crashes of the server",
        sum(|t| t.strikes),
        sum(|t| t.in_all),
        sum(|t| t.not_at_all),
        tallies.iter().map(|t| t.recorded_failures).sum::<i64>(),
        tallies.iter().map(|t| t.orphans_after_crashes).sum::<usize>(),
    );
    assert!(sum(|t| t.not_at_all) > strikes / 4, "most strikes come too late to say anything");
}

fn run(cluster: &mut Cluster, strikes: u32) -> Tally {
    let subject = Subject::new(cluster);
    let mut tally = Tally::default();
    for number in 0..strikes {
        let kind = number as usize % STRIKES.len();
        let before = if number / 6 % 2 == 0 { Before::Nothing } else { Before::Half };
        // The points are spread evenly over each way's strikes, from its start to a little behind its end.
        let point = f64::from(number / 6) / f64::from(strikes.div_ceil(6)) * 1.1;
        let delay = subject.duration.mul_f64(point);
        strike(cluster, &subject, STRIKES[kind], before, delay, &mut tally);
    }
    tally
}

fn strike(
    cluster: &mut Cluster,
    subject: &Subject,
    strike: Strike,
    before: Before,
    delay: Duration,
    tally: &mut Tally,
) {
    subject.reset(cluster, &mut cluster.client(), before);
    let mut struck = strike.hit(cluster, &subject.query(), delay);
    if let Ok(row) = &struck.result {
        assert_eq!(Load::from_row(row).state, "loaded");
    }
    let is_in = subject.is_in(&mut struck.client, before);
    struck.assert_result(is_in);
    let recorded = subject.complete(cluster, &mut struck.client, is_in);
    assert!(!is_in || recorded == 0, "{}: a load that is in is recorded as failed", struck.name());
    tally.strikes += 1;
    tally.in_all += u32::from(is_in);
    tally.not_at_all += u32::from(!is_in);
    tally.recorded_failures += recorded;
    tally.orphans_after_crashes += struck.files;
}
