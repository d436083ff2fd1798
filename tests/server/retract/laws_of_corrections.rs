//! The laws of retracts with loads that correct: random files of rides with ids, in random orders.

use postgres::Client;
use trips_tests::{Database, server_error};

use super::laws::Numbers;
use super::{count, number_of, reset, state};

const SEED: u64 = 23;
const NUMBER_OF_CASES: usize = 16;

fn feed(policy: &str) -> String {
    format!(
        r#"SELECT trips.create_feed('rides', '{{
             "title": "Rides",
             "columns": {{"Number": {{"type": "id"}}, "When": {{"type": "time"}}, "Kind": {{}}}},
             "versions": {{"1": ["Number", "When", "Kind"]}},
             "time": {{"columns": ["When"], "forms": ["YYYY-MM-DD HH24:MI:SS"]}},
             "region": [{{"constant": "Here"}}],
             "identity": {{"scheme": "source_id", "columns": ["Number"], "window_days": 45, "policy": "{policy}"}},
             "trip_id": "Number", "details": ["Kind"]}}')"#
    )
}

/// Some of a few rides, each up to `most` times, at one of a few times in two months, with one of two kinds.
fn random_file(numbers: &mut Numbers, name: &str, most: u64) -> String {
    let mut file = "Number,When,Kind\n".to_owned();
    for ride in 0..5_u64 {
        for _ in 0..numbers.below(most + 1) {
            let (day, kind) = (numbers.below(3), numbers.below(2));
            let date = ["2024-05-30", "2024-05-31", "2024-06-02"][usize::try_from(day).unwrap()];
            file += &format!("{ride},{date} 08:00:{ride:02},k{kind}\n");
        }
    }
    // No two files have the same bytes, or the same rides only.
    file + &format!("9{name},2024-06-10 08:00:00,x\n")
}

/// A file, and the argument `on_change` of its load.
struct Load {
    name: String,
    path: String,
    on_change: &'static str,
}

fn load(client: &mut Client, loads: &[&Load]) {
    reset(client);
    client.batch_execute(&feed("keep")).unwrap();
    for Load { path, on_change, .. } in loads {
        client.execute("SELECT trips.ingest($1, on_change => $2)", &[path, on_change]).unwrap();
    }
}

/// Whether a load was retracted. Otherwise later loads rest on it, and nothing has changed.
fn try_retract(client: &mut Client, load_id: i64) -> bool {
    let before = state(client);
    match client.execute("SELECT trips.retract($1)", &[&load_id]) {
        Ok(_) => true,
        Err(error) => {
            let (code, message, _) = server_error(&error);
            assert_eq!((&*code, message.contains("has corrected")), ("55000", true), "{message}");
            assert_eq!(state(client), before);
            false
        }
    }
}

/// Words of `on_change`, and how many loads a case has.
const CASES: [(&[&str], u64); 4] =
    [(&["replace"], 3), (&["keep"], 3), (&["keep", "replace"], 4), (&["keep"], 4)];

/// After each retract, in any order, everything is as the other loads alone would have made it. A load whose trips another
/// one has corrected is retracted after that one.
#[test]
fn corrections_of_random_files_are_undone() {
    let database = Database::on_shared();
    let alone = Database::on_shared();
    let (mut client, mut other) = (database.client(), alone.client());
    let mut numbers = Numbers(SEED);
    let (mut refused, mut retracted) = (0, 0);
    for case in 0..NUMBER_OF_CASES {
        let (words, many) = CASES[case % CASES.len()];
        let loads: Vec<Load> = (0..many)
            .map(|i| {
                let name = format!("{case}_{i}.csv");
                let path =
                    database.file(&name, random_file(&mut numbers, &format!("{case}{i}"), 2));
                let word = numbers.below(words.len() as u64);
                Load { name, path, on_change: words[usize::try_from(word).unwrap()] }
            })
            .collect();
        let mut left: Vec<&Load> = loads.iter().collect();
        load(&mut client, &left);
        let mut order = format!("case {case}, seed {SEED}:");
        while !left.is_empty() {
            let one = usize::try_from(numbers.below(left.len() as u64)).unwrap();
            let number = number_of(&mut client, &left[one].name);
            if !try_retract(&mut client, number) {
                refused += 1;
                continue;
            }
            retracted += 1;
            let gone = left.remove(one);
            order += &format!(" {}", gone.name);
            load(&mut other, &left);
            assert_eq!(state(&mut client), state(&mut other), "{order}");
        }
        load(&mut client, &loads.iter().collect::<Vec<_>>());
        let one = usize::try_from(numbers.below(many)).unwrap();
        let number = number_of(&mut client, &loads[one].name);
        client.execute("SELECT trips.retract($1, cascade => true)", &[&number]).unwrap();
        let failed = "SELECT count(*) FROM trips.verify() WHERE NOT passed";
        assert_eq!(count(&mut client, failed), 0, "case {case}: cascade");
    }
    assert!(refused > 0 && retracted > 0, "{refused} refused, {retracted} retracted");
}
