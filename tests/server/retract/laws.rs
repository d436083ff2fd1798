//! After a retract, everything is as if the load had never been: random files in random orders.

use std::collections::BTreeSet;

use postgres::Client;
use trips_tests::{Database, FIVE_COLUMNS, trip_line};

use super::{count, number_of, reset, retract, state};

/// Numbers that look random and are the same in each run.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// A file of some of a few trips, with doubled and bad lines. Its trips are in two months.
fn random_file(numbers: &mut Numbers, name: &str) -> String {
    let mut file = FIVE_COLUMNS.to_owned();
    let density = numbers.below(4);
    for trip in 0..40_u64 {
        for _ in 0..=numbers.below(2) {
            if numbers.below(4) > density {
                continue;
            }
            let (month, day) = (5 + trip % 2, 1 + trip * 7 % 28);
            let (x, region) = (trip % 5, ["Prague", "Turin"][usize::try_from(trip % 2).unwrap()]);
            file += &format!(
                "{region},POINT ({x} 45.5),POINT (7.25 {x}),2018-{month:02}-{day:02} 08:00:{:02},s{}\n",
                trip % 60,
                trip % 3
            );
        }
    }
    if numbers.below(2) == 0 {
        file += &format!("bad line of {name}\n");
    }
    // No two files have the same bytes.
    file + &trip_line(name, 1)
}

/// Loads these files, and retracts some of them at some time.
fn law(numbers: &mut Numbers, database: &Database, client: &mut Client, case: u32) {
    let names: Vec<String> = (0..3).map(|i| format!("case{case}_{i}.csv")).collect();
    let paths: Vec<String> =
        names.iter().map(|name| database.file(name, random_file(numbers, name))).collect();
    reset(client);
    let before = state(client);
    let mut retracted = BTreeSet::new();
    let mut loaded: Vec<usize> = Vec::new();
    for (i, path) in paths.iter().enumerate() {
        database.ingest(client, path);
        loaded.push(i);
        while numbers.below(3) == 0 && !loaded.is_empty() {
            let one = usize::try_from(numbers.below(loaded.len() as u64)).unwrap();
            let one = loaded.remove(one);
            let number = number_of(client, &names[one]);
            assert_eq!(retract(client, number), "retracted");
            retracted.insert(one);
            assert_eq!(state(client)[7], None, "case {case}");
        }
    }
    let one = usize::try_from(numbers.below(3)).unwrap();
    if retracted.insert(one) {
        let number = number_of(client, &names[one]);
        retract(client, number);
    }
    let after = state(client);
    // The same without the retracted files.
    reset(client);
    for (i, path) in paths.iter().enumerate() {
        if !retracted.contains(&i) {
            database.ingest(client, path);
        }
    }
    assert_eq!(after, state(client), "case {case}: without {retracted:?}");
    for name in names.iter().enumerate().filter(|(i, _)| !retracted.contains(i)).map(|(_, n)| n) {
        let number = number_of(client, name);
        retract(client, number);
    }
    assert_eq!(state(client), before, "case {case}: the identity");
    assert_eq!(count(client, "SELECT count(*) FROM trips_internal.claims"), 0);
}

#[test]
fn a_retracted_load_has_never_been() {
    let database = Database::on_shared();
    let mut client = database.client();
    let mut numbers = Numbers(17);
    for case in 0..20 {
        // COPY, and small runs with claims that are written early.
        let memory = if case % 2 == 0 { "64MB" } else { "1MB" };
        client
            .batch_execute(&format!("LOAD 'trips_pipeline'; SET trips.work_mem = '{memory}'"))
            .unwrap();
        law(&mut numbers, &database, &mut client, case);
    }
}
