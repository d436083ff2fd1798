//! The laws of retracts with loads that correct: random files of rides with ids, in random orders.

use postgres::Client;
use trips_tests::{Database, server_error};

use super::laws::Numbers;
use super::{count, number_of, reset, retract, state};

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

fn load(client: &mut Client, policy: &str, files: &[(String, String)]) {
    reset(client);
    client.batch_execute(&feed(policy)).unwrap();
    for (_, path) in files {
        client.execute("SELECT trips.ingest($1)", &[path]).unwrap();
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

/// A retract of the last load restores; that of another one leaves what the others alone would have made. With `keep`,
/// there are two files, and each ride is once in a file: an equal record goes before an earlier one with other values.
#[test]
fn corrections_of_random_files_are_undone() {
    let database = Database::on_shared();
    let mut client = database.client();
    let mut numbers = Numbers(23);
    let (mut refused, mut retracted) = (0, 0);
    for case in 0..16 {
        let (policy, many, most) = if case % 2 == 0 { ("replace", 3, 2) } else { ("keep", 2, 1) };
        let files: Vec<(String, String)> = (0..many)
            .map(|i| {
                let name = format!("{case}{i}.csv");
                let path =
                    database.file(&name, random_file(&mut numbers, &format!("{case}{i}"), most));
                (name, path)
            })
            .collect();
        load(&mut client, policy, &files[..many - 1]);
        let without_last = state(&mut client);
        let failed = "SELECT count(*) FROM trips.verify() WHERE NOT passed";
        load(&mut client, policy, &files);
        assert_eq!(count(&mut client, failed), 0, "case {case}");
        let last = number_of(&mut client, &files[many - 1].0);
        retract(&mut client, last);
        assert_eq!(
            state(&mut client),
            without_last,
            "case {case}, {policy}: corrections are restored"
        );

        let one = usize::try_from(numbers.below(many as u64 - 1)).unwrap();
        load(&mut client, policy, &files);
        let number = number_of(&mut client, &files[one].0);
        if !try_retract(&mut client, number) {
            refused += 1;
            let cascade = "SELECT trips.retract($1, cascade => true)";
            client.execute(cascade, &[&number]).unwrap();
            assert_eq!(count(&mut client, failed), 0, "case {case}, {policy}: cascade");
            continue;
        }
        retracted += 1;
        let after = state(&mut client);
        let others = files.iter().enumerate().filter(|(i, _)| *i != one);
        let others: Vec<_> = others.map(|(_, file)| file.clone()).collect();
        load(&mut client, policy, &others);
        assert_eq!(after, state(&mut client), "case {case}, {policy}: without file {one}");
    }
    assert!(refused > 0 && retracted > 0, "{refused} refused, {retracted} retracted");
}
