//! The argument `on_change` counts before the policy of the feed.

use postgres::Client;
use trips_tests::{Database, FIVE_COLUMNS, eventually, server_error, text_of, trip_line};

use super::{FIRST, SECOND, corrections, counts, feed, load, rides, verify};

/// Counts of the second publication by each word.
const WORDS: [(&str, [i64; 4]); 3] =
    [("keep", [1, 4, 0, 0]), ("replace", [1, 1, 3, 0]), ("stage", [1, 1, 0, 3])];

fn loaded(client: &mut Client, load_id: i64) -> [i64; 4] {
    counts(&client.query_one("SELECT * FROM trips.loads WHERE load_id = $1", &[&load_id]).unwrap())
}

/// Each way of a load, with each word, whatever the feed says.
#[test]
fn it_counts_before_the_feed() {
    for (word, expected) in WORDS {
        let of_feed = if word == "keep" { "replace" } else { "keep" };
        for way in ["ingest", "submit", "ingest_new"] {
            let database = Database::on_shared();
            let mut client = database.client();
            client.batch_execute(&feed(of_feed)).unwrap();
            load(&database, &mut client, "1.csv", &rides(&FIRST));
            let path = database.file("2.csv", rides(&SECOND));
            let call = match way {
                "ingest_new" => format!("CALL trips.ingest_new('{path}', on_change => '{word}')"),
                way => format!("SELECT trips.{way}('{path}', on_change => '{word}')"),
            };
            client.batch_execute(&call).unwrap();
            eventually(&mut client, "SELECT state FROM trips.loads WHERE load_id = 2", "loaded");
            assert_eq!(loaded(&mut client, 2), expected, "{way} {word}");
            let options = "SELECT options ->> 'on_change' FROM trips.loads WHERE load_id = 2";
            assert_eq!(text_of(&mut client, options), word, "{way}");
            verify(&mut client);
        }
    }
}

/// The first load is replaced by one that corrects what the second has.
#[test]
fn a_replaced_load_has_it() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(&feed("keep")).unwrap();
    load(&database, &mut client, "1.csv", &rides(&FIRST[..1]));
    load(&database, &mut client, "2.csv", &rides(&FIRST[1..]));
    let path = database.file("3.csv", rides(&SECOND));
    let replace = "SELECT * FROM trips.replace($1, 1, on_change => 'replace')";
    let row = client.query_one(replace, &[&path]).unwrap();
    assert_eq!(counts(&row), [2, 1, 2, 0]);
    verify(&mut client);
}

/// A merge has the policy of its load, unless the call gives another one.
#[test]
fn merges_follow_their_load() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(&feed("keep")).unwrap();
    load(&database, &mut client, "1.csv", &rides(&FIRST));
    let path = database.file("2.csv", rides(&SECOND));
    let ingest = "SELECT * FROM trips.ingest($1, on_change => 'stage')";
    assert_eq!(counts(&client.query_one(ingest, &[&path]).unwrap()), [1, 1, 0, 3]);
    let merge = "SELECT * FROM trips.merge_staged(2)";
    assert_eq!(counts(&client.query_one(merge, &[]).unwrap()), [1, 1, 0, 3]);
    let retry = |word: &str| format!("SELECT * FROM trips.retry_staged(2, on_change => '{word}')");
    client.batch_execute("BEGIN").unwrap();
    assert_eq!(counts(&client.query_one(&retry("keep"), &[]).unwrap()), [1, 4, 0, 0]);
    client.batch_execute("ROLLBACK").unwrap();
    assert_eq!(counts(&client.query_one(&retry("replace"), &[]).unwrap()), [1, 1, 3, 0]);
    assert_eq!(text_of(&mut client, "SELECT count(*) FROM trips.stg_trip_data"), "0");
    assert_eq!(corrections(&mut client).matches("1>2").count(), 3);
    verify(&mut client);
}

#[test]
fn other_words_are_refused() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("1.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    for call in [
        "SELECT trips.ingest('PATH', on_change => 'WORD')",
        "SELECT trips.submit('PATH', on_change => 'WORD')",
        "SELECT * FROM trips.preview('PATH', on_change => 'WORD')",
        "SELECT trips.replace('PATH', 1, on_change => 'WORD')",
        "SELECT trips.retry_staged(1, on_change => 'WORD')",
        "SELECT trips.create_upload('PATH', decode(repeat('00', 32), 'hex'), 1, '', on_change => 'WORD')",
        "CALL trips.ingest_new('PATH', on_change => 'WORD')",
    ] {
        for word in ["update", "", "REPLACE"] {
            let call = call.replace("PATH", &path).replace("WORD", word);
            let error = client.batch_execute(&call).expect_err(&call);
            let (code, message, hint) = server_error(&error);
            assert_eq!(
                (&*code, message),
                ("22023", format!("invalid value for argument on_change: \"{word}\"")),
                "{call}"
            );
            assert!(hint.contains("'keep', 'replace' or 'stage'"), "{call}: {hint}");
        }
    }
    assert_eq!(text_of(&mut client, "SELECT count(*) FROM trips.loads"), "0");
    // Trips without ids have no corrections; NULL is the policy of the feed.
    for (word, expected) in [("'replace'", [1, 0, 0, 0]), ("NULL", [0, 1, 0, 0])] {
        let again = database.file(&format!("{}.csv", word.len()), trip_file(word));
        let ingest = format!("SELECT * FROM trips.ingest('{again}', on_change => {word})");
        assert_eq!(counts(&client.query_one(&ingest, &[]).unwrap()), expected);
    }
}

/// The same trip, in files of other bytes.
fn trip_file(ending: &str) -> String {
    format!("{FIVE_COLUMNS}{}{}", trip_line("A", 1), "\n".repeat(ending.len()))
}

#[test]
fn a_preview_says_what_it_does() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(&feed("keep")).unwrap();
    let note = |client: &mut Client, path: &str| {
        let query = format!(
            "SELECT string_agg(note, '; ') FROM trips.preview('{path}', on_change => 'stage') WHERE kind = 'on_change'"
        );
        text_of(client, &query)
    };
    let path = database.file("1.csv", rides(&FIRST));
    assert_eq!(note(&mut client, &path), "records with a known id and other values: stage");
    let path = database.file("2.csv", trip_file(""));
    assert_eq!(
        note(&mut client, &path),
        "the trips of the feed have no ids: on_change has no effect"
    );
}
