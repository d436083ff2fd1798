//! Corrections: the same id with other values, by the policy of the feed.

mod on_change;
mod published;

use postgres::Client;
use trips_tests::{Database, text_of};

/// Rides with ids, in a window of 40 days.
fn feed(policy: &str) -> String {
    format!(
        r#"SELECT trips.create_feed('rides', '{{
             "title": "Rides",
             "columns": {{"Number": {{"type": "id"}}, "When": {{"type": "time"}}, "Kind": {{}}}},
             "versions": {{"1": ["Number", "When", "Kind"]}},
             "time": {{"columns": ["When"], "forms": ["YYYY-MM-DD HH24:MI:SS"]}},
             "region": [{{"constant": "Here"}}],
             "identity": {{"scheme": "source_id", "columns": ["Number"], "window_days": 40, "policy": "{policy}"}},
             "trip_id": "Number", "details": ["Kind"]}}')"#
    )
}

/// A file of rides: number, time, kind.
fn rides(rows: &[(u32, &str, &str)]) -> String {
    let row = |(number, when, kind): &(u32, &str, &str)| format!("{number},{when},{kind}\n");
    "Number,When,Kind\n".to_owned() + &rows.iter().map(row).collect::<String>()
}

/// Rows inserted, duplicate, corrected and staged by a file.
fn load(database: &Database, client: &mut Client, name: &str, text: &str) -> [i64; 4] {
    let path = database.file(name, text);
    counts(&client.query_one("SELECT * FROM trips.ingest($1)", &[&path]).unwrap())
}

fn counts(row: &postgres::Row) -> [i64; 4] {
    ["rows_inserted", "rows_duplicate", "rows_corrected", "rows_staged"].map(|name| row.get(name))
}

/// The trips: id, time, kind, load.
fn history(client: &mut Client) -> String {
    text_of(
        client,
        "SELECT coalesce(string_agg(format('%s %s %s %s', trip_id, date_time, details ->> 'Kind', load_id), ', '
                 ORDER BY trip_id::int, date_time), '') FROM trips.hist_trip_data",
    )
}

/// The corrections: id, old time, old kind, old load, load, new time.
fn corrections(client: &mut Client) -> String {
    text_of(
        client,
        "SELECT coalesce(string_agg(format('%s %s %s %s>%s %s', trip_id, date_time, details ->> 'Kind',
                 corrected_load_id, load_id, new_date_time), ', ' ORDER BY correction_id), '') FROM trips.corrections",
    )
}

fn versions(client: &mut Client) -> String {
    text_of(
        client,
        "SELECT coalesce(string_agg(format('%s %s %s %s %s', trip_id, date_time, details ->> 'Kind', load_id,
                 kept_date_time), ', ' ORDER BY trip_id), '') FROM trips_internal.kept_versions",
    )
}

fn verify(client: &mut Client) {
    let faults = "SELECT coalesce(string_agg(check_name || ': ' || detail, '; '), '') FROM trips.verify() WHERE NOT passed";
    assert_eq!(text_of(client, faults), "");
}

const FIRST: [(u32, &str, &str); 4] = [
    (1, "2024-05-31 10:00:00", "a"),
    (2, "2024-05-31 10:00:00", "a"),
    (3, "2024-05-31 11:00:00", "a"),
    (4, "2024-05-10 11:00:00", "a"),
];
/// The same time, another kind; the same; another time; another partition; a new one.
const SECOND: [(u32, &str, &str); 5] = [
    (1, "2024-05-31 10:00:00", "b"),
    (2, "2024-05-31 10:00:00", "a"),
    (3, "2024-05-31 12:00:00", "a"),
    (4, "2024-06-10 11:00:00", "a"),
    (5, "2024-06-10 11:00:00", "a"),
];

#[test]
fn the_policy_replace() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(&feed("replace")).unwrap();
    assert_eq!(load(&database, &mut client, "1.csv", &rides(&FIRST)), [4, 0, 0, 0]);
    assert_eq!(load(&database, &mut client, "2.csv", &rides(&SECOND)), [1, 1, 3, 0]);
    assert_eq!(
        history(&mut client),
        "1 2024-05-31 10:00:00 b 2, 2 2024-05-31 10:00:00 a 1, 3 2024-05-31 12:00:00 a 2, \
         4 2024-06-10 11:00:00 a 2, 5 2024-06-10 11:00:00 a 2"
    );
    assert_eq!(
        corrections(&mut client),
        "4 2024-05-10 11:00:00 a 1>2 2024-06-10 11:00:00, 1 2024-05-31 10:00:00 a 1>2 2024-05-31 10:00:00, \
         3 2024-05-31 11:00:00 a 1>2 2024-05-31 12:00:00"
    );
    let days = "SELECT string_agg(format('%s %s', day, trips), ', ' ORDER BY day) FROM trips.daily_trip_counts WHERE trips > 0";
    assert_eq!(text_of(&mut client, days), "2024-05-31 3, 2024-06-10 2");
    verify(&mut client);
    // The old values come back as a correction of the correction.
    assert_eq!(load(&database, &mut client, "3.csv", &rides(&FIRST[..1])), [0, 0, 1, 0]);
    verify(&mut client);
}

#[test]
fn the_policy_keep() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(&feed("keep")).unwrap();
    load(&database, &mut client, "1.csv", &rides(&FIRST));
    let before = history(&mut client);
    assert_eq!(load(&database, &mut client, "2.csv", &rides(&SECOND)), [1, 4, 0, 0]);
    assert_eq!(history(&mut client), format!("{before}, 5 2024-06-10 11:00:00 a 2"));
    assert_eq!(
        versions(&mut client),
        "1 2024-05-31 10:00:00 b 2 2024-05-31 10:00:00, 3 2024-05-31 12:00:00 a 2 2024-05-31 11:00:00, \
         4 2024-06-10 11:00:00 a 2 2024-05-10 11:00:00"
    );
    assert_eq!(corrections(&mut client), "");
    verify(&mut client);
}

#[test]
fn the_policy_stage() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(&feed("stage")).unwrap();
    load(&database, &mut client, "1.csv", &rides(&FIRST));
    let before = history(&mut client);
    assert_eq!(load(&database, &mut client, "2.csv", &rides(&SECOND)), [1, 1, 0, 3]);
    assert_eq!(history(&mut client), format!("{before}, 5 2024-06-10 11:00:00 a 2"));
    let staged = "SELECT string_agg(format('%s %s', line_no, error_code), ', ' ORDER BY line_no) FROM trips.stg_trip_data";
    assert_eq!(text_of(&mut client, staged), "2 23505, 4 23505, 5 23505");
    verify(&mut client);
    // They stay while the trips are there, and become trips without them.
    let merge = "SELECT * FROM trips.merge_staged(2)";
    assert_eq!(counts(&client.query_one(merge, &[]).unwrap()), [1, 1, 0, 3]);
    client.batch_execute("DELETE FROM trips.hist_trip_data WHERE load_id = 1").unwrap();
    assert_eq!(counts(&client.query_one(merge, &[]).unwrap()), [4, 1, 0, 0]);
}

/// A file has the result of its parts, one after the other; so have many small runs.
#[test]
fn within_one_file() {
    let rows = [
        (1, "2024-05-31 10:00:00", "a"),
        (1, "2024-05-31 10:00:00", "b"),
        (1, "2024-06-01 10:00:00", "b"),
        (1, "2024-06-01 10:00:00", "b"),
        (1, "2024-05-31 10:00:00", "a"),
        (2, "2024-05-31 10:00:00", "a"),
    ];
    for (policy, expected, kind) in
        [("replace", [2, 1, 3, 0], "a"), ("keep", [2, 4, 0, 0], "a"), ("stage", [2, 1, 0, 3], "a")]
    {
        let database = Database::on_shared();
        let mut client = database.client();
        client.batch_execute(&feed(policy)).unwrap();
        assert_eq!(load(&database, &mut client, "1.csv", &rides(&rows)), expected, "{policy}");
        assert_eq!(
            history(&mut client),
            format!("1 2024-05-31 10:00:00 {kind} 1, 2 2024-05-31 10:00:00 a 1"),
            "{policy}"
        );
        if policy == "replace" {
            assert_eq!(
                corrections(&mut client),
                "1 2024-05-31 10:00:00 a 1>1 2024-05-31 10:00:00, 1 2024-05-31 10:00:00 b 1>1 2024-06-01 10:00:00, \
                 1 2024-06-01 10:00:00 b 1>1 2024-05-31 10:00:00"
            );
        }
        verify(&mut client);
    }
}

/// A month is published again, with other values of each trip: over many runs, beside additional columns and triggers.
#[test]
fn a_month_is_published_again() {
    const TRIPS: usize = 30_000;
    let month = |kind: &str, shift: usize| {
        let row = |i: usize| {
            let (day, second) = (i % 28 + 1, (i * 7 + shift) % 86_400);
            let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
            format!("{i},2024-05-{day:02} {hour:02}:{minute:02}:{second:02},{kind}\n")
        };
        "Number,When,Kind\n".to_owned() + &(0..TRIPS).map(row).collect::<String>()
    };
    let (first, second) = (month("a", 0), month("b", 1800));
    let alterations = [
        "",
        "ALTER TABLE trips.hist_trip_data ADD COLUMN note text DEFAULT 'x'",
        "CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN coalesce(NEW, OLD); END';
         CREATE TRIGGER see BEFORE INSERT OR DELETE ON trips.hist_trip_data FOR EACH ROW EXECUTE FUNCTION public.see()",
        "CREATE TABLE trips.rest PARTITION OF trips.hist_trip_data DEFAULT;
         ALTER TABLE trips.rest ADD PRIMARY KEY (date_time, trip_key)",
    ];
    for alteration in alterations {
        let database = Database::on_shared();
        let mut client = database.client();
        client.batch_execute(&feed("replace")).unwrap();
        client.batch_execute(alteration).unwrap();
        client.batch_execute("SET trips.work_mem = '4MB'").unwrap();
        let all = i64::try_from(TRIPS).unwrap();
        assert_eq!(load(&database, &mut client, "1.csv", &first), [all, 0, 0, 0], "{alteration}");
        assert_eq!(load(&database, &mut client, "2.csv", &second), [0, 0, all, 0], "{alteration}");
        let of_second = "SELECT count(*) FROM trips.hist_trip_data WHERE load_id = 2 AND details ->> 'Kind' = 'b'";
        assert_eq!(text_of(&mut client, of_second), all.to_string());
        let kept = "SELECT count(*), count(DISTINCT trip_key) FROM trips.corrections
                     WHERE corrected_load_id = 1 AND load_id = 2 AND details ->> 'Kind' = 'a'";
        assert_eq!(text_of(&mut client, kept), format!("{all}|{all}"));
        verify(&mut client);
    }
}

/// What a failed or rolled back load has corrected stays as it was.
#[test]
fn a_rolled_back_load_corrects_nothing() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(&feed("replace")).unwrap();
    load(&database, &mut client, "1.csv", &rides(&FIRST));
    let before = history(&mut client);
    let bad = database.file("bad.csv", &(rides(&SECOND) + "6,never,a\n"));
    client.query_one("SELECT trips.ingest($1, 'abort')", &[&bad]).unwrap_err();
    let good = database.file("good.csv", rides(&SECOND));
    let mut transaction = client.transaction().unwrap();
    let row = transaction.query_one("SELECT * FROM trips.ingest($1)", &[&good]).unwrap();
    assert_eq!(counts(&row), [1, 1, 3, 0]);
    transaction.rollback().unwrap();
    assert_eq!(history(&mut client), before);
    assert_eq!(corrections(&mut client), "");
    verify(&mut client);
}

/// Staged records that are mended correct trips when they are merged.
#[test]
fn a_merge_corrects() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(&feed("replace")).unwrap();
    load(&database, &mut client, "1.csv", &rides(&FIRST));
    let text = rides(&[(1, "never", "b"), (9, "2024-05-31 10:00:00", "b")]);
    assert_eq!(load(&database, &mut client, "2.csv", &text), [1, 0, 0, 1]);
    client
        .batch_execute(r#"UPDATE trips.stg_trip_data SET record = record || '{"When": "2024-06-02 10:00:00"}'"#)
        .unwrap();
    let row = client.query_one("SELECT * FROM trips.merge_staged(2)", &[]).unwrap();
    assert_eq!(counts(&row), [1, 0, 1, 0]);
    assert_eq!(corrections(&mut client), "1 2024-05-31 10:00:00 a 1>2 2024-06-02 10:00:00");
    verify(&mut client);
}
