//! `trips.diff` of archives: ids are those of the file, records without ids are numbered in each member.

use trips_tests::{Database, database_state, text_of};

use super::{Random, create_feeds, diff, file};
use crate::containers::zip_of;

#[test]
fn a_load_of_an_archive_does_what_the_diff_says() {
    for seed in 0..12 {
        let mut random = Random(seed);
        let database = Database::on_shared();
        let mut client = database.client();
        create_feeds(&mut client);
        let work_mem = ["1MB", "64MB"][usize::from(seed % 4 == 3)];
        client.batch_execute(&format!("SET trips.work_mem = '{work_mem}'")).unwrap();
        let feed = [1, 1, 2][usize::try_from(seed % 3).unwrap()];
        let policies = [None, Some("keep"), Some("replace"), Some("stage")];
        let on_change = policies[usize::try_from(seed / 3).unwrap()];
        for number in 0..2 {
            let small = |n: u64| u8::try_from(n).unwrap();
            let members: Vec<(String, String)> = (0..2 + random.below(3))
                .map(|member| {
                    let records: Vec<(u8, u8, bool)> = (0..1 + random.below(5))
                        .map(|_| {
                            (small(random.below(14)), small(random.below(4)), random.below(10) > 0)
                        })
                        .collect();
                    let times = usize::try_from(1 + random.below(3_000)).unwrap();
                    (format!("{member}.csv"), file(feed, &records, times))
                })
                .collect();
            let path = database.file(&format!("{number}.zip"), zip_of(&members));
            let before = database_state(&mut client);
            let found = diff(&mut client, &path, on_change);
            assert_eq!(before, database_state(&mut client));
            let load = "SELECT rows_inserted, rows_corrected, rows_duplicate, rows_staged
                          FROM trips.ingest($1, force => true, on_change => $2)";
            let load = client.query_one(load, &[&path, &on_change]).unwrap();
            let counts = [0, 1, 2, 3].map(|at| load.get::<_, i64>(at));
            assert_eq!(found, counts, "seed {seed}, archive {number}, {on_change:?}");
        }
        let corrected = "SELECT sum(rows_corrected) > 0 FROM trips.loads";
        assert!(
            on_change != Some("replace") || feed != 1 || text_of(&mut client, corrected) == "t",
            "seed {seed}: no trip is corrected"
        );
    }
}

/// The second member corrects a trip of the history and one of the first member.
#[test]
fn examples_name_their_member() {
    let database = Database::on_shared();
    let mut client = database.client();
    create_feeds(&mut client);
    let rides = |text: &str| format!("Number,When,Kind\n{text}");
    let first = database.file("first.csv", rides("7,2024-01-01 08:00:00,a\n"));
    database.ingest(&mut client, &first);
    let members = [
        ("a.csv", rides("8,2024-01-01 08:00:00,a\n7,2024-01-01 08:00:00,a\n")),
        ("b.csv", rides("8,2024-01-03 08:00:00,a\n7,2024-01-02 08:00:00,a\n9,x,\n")),
    ];
    let path = database.file("both.zip", zip_of(&members));
    assert_eq!(diff(&mut client, &path, None), [1, 0, 3, 1]);
    assert_eq!(diff(&mut client, &path, Some("replace")), [1, 2, 1, 1]);
    let query = format!(
        "SELECT string_agg(format('%s %s %s', e ->> 'member', e ->> 'line', e ->> 'trip_id'), ', '
                           ORDER BY d.change, e ->> 'line')
           FROM trips.diff('{path}', on_change => 'replace') AS d,
                jsonb_array_elements(d.examples) AS e"
    );
    assert_eq!(text_of(&mut client, &query), "b.csv 2 8, b.csv 3 7, b.csv 4 ");
    let query = format!(
        "SELECT e -> 'values' -> 0 ->> 'old' FROM trips.diff('{path}', on_change => 'replace') AS d,
                jsonb_array_elements(d.examples) AS e WHERE e ->> 'trip_id' = '7'"
    );
    assert_eq!(text_of(&mut client, &query), "2024-01-01 08:00:00");
}
