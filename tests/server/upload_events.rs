//! Events and ledger rows of uploads: under their own numbers, from beginning to end.

use postgres::Client;
use serde_json::Value;
use trips_tests::{
    Database, FIVE_COLUMNS, Load, digest, notifications_until, parts_of, real_trips, rows_as_csv,
    server_error, trip_line,
};

const MERGE: &str = "SELECT * FROM trips.complete_upload($1)";

fn listener(database: &Database) -> Client {
    let mut listener = database.client();
    listener.batch_execute("LISTEN trips_ingest").unwrap();
    listener
}

/// The number and the state of each event, until one in this state.
fn events_until(listener: &mut Client, state: &str) -> Vec<(i64, String)> {
    let event = |payload: &str| {
        let value: Value = serde_json::from_str(payload).unwrap();
        (value["load_id"].as_i64().unwrap(), value["state"].as_str().unwrap().to_owned())
    };
    let received = notifications_until(listener, |last| event(last.payload()).1 == state);
    received.iter().map(|notification| event(notification.payload())).collect()
}

fn open(client: &mut Client, file: &[u8]) -> Load {
    let bytes = i64::try_from(file.len()).unwrap();
    let query = "SELECT * FROM trips.create_upload('somewhere', $1, $2, 'one')";
    Load::from_row(&client.query_one(query, &[&digest(file), &bytes]).unwrap())
}

/// Opens an upload and stages all of it.
fn stage_upload(client: &mut Client, file: &[u8]) -> i64 {
    let load_id = open(client, file).load_id;
    for part in parts_of(file, load_id, 1 << 20) {
        client.execute("SELECT trips.upload_part($1, $2)", &[&load_id, &part]).unwrap();
    }
    load_id
}

/// State, error code and text of a load in the ledger.
fn entry(client: &mut Client, load_id: i64) -> Option<(String, Option<String>, Option<String>)> {
    let query = "SELECT state, error_code, error FROM trips.loads WHERE load_id = $1";
    let row = client.query_opt(query, &[&load_id]).unwrap()?;
    Some((row.get(0), row.get(1), row.get(2)))
}

#[test]
fn a_merge_runs_and_ends_under_the_number_of_its_upload() {
    let database = Database::on_shared();
    let (mut client, mut watcher) = (database.client(), database.client());
    let load_id = stage_upload(&mut client, &rows_as_csv(300_000, 1));
    let mut listener = listener(&database);
    let (commit, may_commit) = std::sync::mpsc::channel();
    let merging = std::thread::spawn(move || {
        let mut transaction = client.transaction().unwrap();
        let merged = Load::from_row(&transaction.query_one(MERGE, &[&load_id]).unwrap());
        may_commit.recv().unwrap();
        transaction.commit().unwrap();
        merged
    });
    let events = events_until(&mut listener, "running");
    assert_eq!(events, [(load_id, "running".to_owned())]);
    assert_eq!(entry(&mut watcher, load_id).unwrap().0, "running");
    commit.send(()).unwrap();
    let events = events_until(&mut listener, "loaded");
    let (last, before) = events.split_last().unwrap();
    assert!(before.iter().all(|event| *event == (load_id, "running".to_owned())), "{events:?}");
    assert_eq!(*last, (load_id, "loaded".to_owned()));
    assert_eq!(merging.join().unwrap().summary(), ("loaded", [300_000, 300_000, 0, 0]));
    let query = "SELECT array_agg(DISTINCT load_id) FROM trips.events";
    assert_eq!(watcher.query_one(query, &[]).unwrap().get::<_, Vec<i64>>(0), [load_id]);
}

/// Known bytes: when the upload is opened, and when it is merged.
#[test]
fn skipped_uploads_are_reported() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file = real_trips();
    let waiting = stage_upload(&mut client, &file);
    database.ingest(&mut client, &database.file("trips.csv", &file));
    let mut listener = listener(&database);
    client.execute(MERGE, &[&waiting]).unwrap();
    assert_eq!(events_until(&mut listener, "skipped"), [(waiting, "skipped".to_owned())]);
    let skipped = open(&mut client, &file);
    assert_eq!(skipped.state, "skipped");
    let expected = [(skipped.load_id, "skipped".to_owned())];
    assert_eq!(events_until(&mut listener, "skipped"), expected);
}

/// Failures are in the ledger, whatever their cause, and the upload may be merged after them.
#[test]
fn a_merge_that_fails_is_recorded_and_may_be_tried_again() {
    let database = Database::on_shared();
    let (mut client, mut holder) = (database.client(), database.client());
    let file = format!("{FIVE_COLUMNS}{}ragged\nragged\n", trip_line("A", 1));
    let load_id = stage_upload(&mut client, file.as_bytes());
    let mut listener = listener(&database);
    let fails = |client: &mut Client, listener: &mut Client, setting: &str, code: &str| {
        client.batch_execute(setting).unwrap();
        let error = client.query(MERGE, &[&load_id]).unwrap_err();
        assert_eq!(server_error(&error).0, code);
        let expected = (load_id, "failed".to_owned());
        assert_eq!(events_until(listener, "failed").last(), Some(&expected));
        let (state, error_code, text) = entry(client, load_id).unwrap();
        assert_eq!((state.as_str(), error_code.as_deref()), ("failed", Some(code)), "{text:?}");
        text.unwrap()
    };
    let text = fails(&mut client, &mut listener, "SET trips.max_errors = 1", "22P04");
    assert_eq!(text, "could not load file \"somewhere\": more than 1 bad row");
    // An error of PostgreSQL's: what is locked is not waited for.
    let mut transaction = holder.transaction().unwrap();
    transaction.batch_execute("LOCK TABLE trips.hist_trip_data IN ACCESS EXCLUSIVE MODE").unwrap();
    let setting = "SET trips.max_errors = 2; SET lock_timeout = '50ms'";
    // A failure after a failure is in the ledger. Listeners get no event for it, unless they got one for the new beginning.
    let query = "SELECT count(*) FROM (
                   SELECT state, lag(state) OVER (ORDER BY seq) AS before FROM trips.events) AS e
                  WHERE state = 'failed' AND before = 'failed'";
    client.batch_execute(setting).unwrap();
    let error = client.query(MERGE, &[&load_id]).unwrap_err();
    assert_eq!(server_error(&error).0, "55P03");
    assert_eq!(entry(&mut client, load_id).unwrap().1.as_deref(), Some("55P03"));
    assert_eq!(client.query_one(query, &[]).unwrap().get::<_, i64>(0), 0);
    transaction.rollback().unwrap();
    let merged = Load::from_row(&client.query_one(MERGE, &[&load_id]).unwrap());
    assert_eq!(merged.summary(), ("loaded", [3, 1, 0, 2]));
    assert_eq!(entry(&mut client, load_id).unwrap(), ("loaded".into(), None, None));
    let events = events_until(&mut listener, "loaded");
    assert!(events.iter().all(|(load, _)| *load == load_id), "{events:?}");
    assert_ne!(events[0].1, "failed");
}

/// Too early is no failure: the ledger does not know the load before it is complete.
#[test]
fn an_upload_that_is_merged_too_early_is_not_in_the_ledger() {
    let database = Database::on_shared();
    let mut client = database.client();
    let load_id = open(&mut client, &real_trips()).load_id;
    let error = client.query(MERGE, &[&load_id]).unwrap_err();
    assert_eq!(server_error(&error).0, "55000");
    assert_eq!(entry(&mut client, load_id), None);
}
