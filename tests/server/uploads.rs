//! Files that outside readers upload in parts: the result is that of `ingest`.

use postgres::Client;
use trips_tests::{
    Cluster, Database, FIVE_COLUMNS, Load, database_state, digest, eventually, parts_of,
    real_trips, rows_as_csv, server_error, trip_line,
};

const SAMPLE: &[u8] = include_bytes!("../../samples/trips_sample.csv");

fn open(client: &mut Client, file: &[u8], reader_options: &str) -> Load {
    let bytes = i64::try_from(file.len()).unwrap();
    let query = "SELECT * FROM trips.create_upload('somewhere', $1, $2, $3)";
    Load::from_row(&client.query_one(query, &[&digest(file), &bytes, &reader_options]).unwrap())
}

fn stage(client: &mut Client, load_id: i64, part: &[u8]) -> Result<bool, postgres::Error> {
    client.query_one("SELECT trips.upload_part($1, $2)", &[&load_id, &part]).map(|row| row.get(0))
}

fn merge(client: &mut Client, load_id: i64) -> Load {
    Load::from_row(
        &client.query_one("SELECT * FROM trips.complete_upload($1)", &[&load_id]).unwrap(),
    )
}

fn code(result: Result<impl std::fmt::Debug, postgres::Error>) -> String {
    server_error(&result.unwrap_err()).0
}

fn count(client: &mut Client, table: &str) -> i64 {
    client.query_one(&format!("SELECT count(*) FROM trips.{table}"), &[]).unwrap().get(0)
}

/// History without the numbers of loads, staging, roll-up and summary as text.
fn state(client: &mut Client) -> Vec<String> {
    [
        "SELECT string_agg((region, origin_coord::text, destination_coord::text, date_time, datasource, trip_key, load_id)::text,
                           ';' ORDER BY date_time, trip_key) FROM trips.hist_trip_data",
        "SELECT string_agg(s::text, ';' ORDER BY load_id, line_no) FROM trips.stg_trip_data AS s",
        "SELECT string_agg(d::text, ';' ORDER BY d::text) FROM trips.daily_trip_counts AS d",
        "SELECT string_agg(s::text, ';' ORDER BY s::text) FROM trips.summarized_trip_data AS s",
        "SELECT string_agg((load_id, digest, bytes_read, state, rows_read, rows_inserted, rows_duplicate, rows_staged)::text,
                           ';' ORDER BY load_id) FROM trips.loads",
    ]
    .map(|query| client.query_one(query, &[]).unwrap().get::<_, Option<String>>(0).unwrap_or_default())
    .into()
}

/// Files that overlap, have doubles and dirt: the same history, staging, counts and query results either way.
#[test]
fn an_upload_is_what_ingesting_is() {
    let mut dirty = b"DATETIME,region,origin_coord,destination_coord,datasource,more\r\n".to_vec();
    dirty.extend_from_slice(
        b"2018-05-01 00:00:00,A\0B,,,x,\r\n,\"a\nb\",,,x,\r\nPlze\xf2\r\n\"open\r\n",
    );
    let files = [real_trips(), SAMPLE.to_vec(), dirty, [SAMPLE, b"\n\n"].concat()];
    let (database, other) = (Database::on_shared(), Database::on_shared());
    let (mut one, mut two) = (database.client(), other.client());
    for file in &files {
        let ingested = database.ingest(&mut one, &database.file("trips.csv", file));
        // Numbers of loads are a part of what is compared; merging by itself takes one, too.
        two.execute("SELECT setval('trips.loads_load_id_seq', $1, false)", &[&ingested.load_id])
            .unwrap();
        let opened = open(&mut two, file, "one");
        assert_eq!((opened.state.as_str(), opened.load_id), ("running", ingested.load_id));
        // In whatever order they come, and however often.
        let mut parts = parts_of(file, opened.load_id, 20_000);
        parts.reverse();
        for part in &parts {
            assert!(stage(&mut two, opened.load_id, part).unwrap());
            assert!(!stage(&mut two, opened.load_id, part).unwrap());
        }
        assert_eq!(merge(&mut two, opened.load_id), ingested);
        assert_eq!(merge(&mut two, opened.load_id).rows, ingested.rows);
        assert_eq!(count(&mut two, "uploads") + count(&mut two, "upload_parts"), 0);
    }
    assert_eq!(state(&mut one), state(&mut two));
    // The ledger has times, and is compared above.
    let but_ledger = |client| {
        let is_ledger =
            |result: &Option<String>| result.as_ref().is_some_and(|a| a.contains("loaded"));
        database_state(client).into_iter().filter(|result| !is_ledger(result)).collect::<Vec<_>>()
    };
    assert_eq!(but_ledger(&mut one), but_ledger(&mut two));
}

/// More than one run.
#[test]
fn an_upload_larger_than_the_memory_of_a_load() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute("SET trips.work_mem = '1MB'").unwrap();
    let file = rows_as_csv(40_000, 7);
    let load_id = open(&mut client, &file, "one").load_id;
    for part in parts_of(&file, load_id, 500_000) {
        stage(&mut client, load_id, &part).unwrap();
    }
    assert_eq!(merge(&mut client, load_id).rows, [40_000, 40_000, 0, 0]);
}

/// A part is there once, whoever writes it at the same time, and not when its transaction is lost.
#[test]
fn repeated_and_doubled_parts() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file = real_trips();
    let load_id = open(&mut client, &file, "one").load_id;
    let parts = parts_of(&file, load_id, usize::MAX >> 1);
    let part = &parts[0][..];
    let (mut first, mut second) = (database.client(), database.client());
    let mut transaction = first.transaction().unwrap();
    let query = "SELECT trips.upload_part($1, $2)";
    assert!(transaction.query_one(query, &[&load_id, &part]).unwrap().get::<_, bool>(0));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| stage(&mut second, load_id, part).unwrap());
        wait_for_a_waiter(&mut client);
        // The upload is not merged under the feet of who writes.
        assert_eq!(code(client.query("SELECT trips.complete_upload($1)", &[&load_id])), "55P03");
        transaction.rollback().unwrap();
        assert!(waiting.join().unwrap(), "the first attempt is lost, the second is not");
    });
    assert!(!stage(&mut client, load_id, part).unwrap());
    assert_eq!(merge(&mut client, load_id).rows, [100, 100, 0, 0]);
    // A task that comes back from the dead.
    assert_eq!(code(stage(&mut client, load_id, part)), "42704");
}

fn wait_for_a_waiter(client: &mut Client) {
    let query = "SELECT count(*) > 0 FROM pg_stat_activity
                  WHERE wait_event_type = 'Lock' AND datname = current_database()";
    eventually(client, query, "t");
}

#[test]
fn an_upload_that_is_not_complete_is_not_merged() {
    let database = Database::on_shared();
    let mut client = database.client();
    let load_id = open(&mut client, SAMPLE, "one").load_id;
    let parts = parts_of(SAMPLE, load_id, 50_000);
    assert!(parts.len() > 3, "{} parts", parts.len());
    let merge_it = |client: &mut Client| {
        let error = client.query("SELECT trips.complete_upload($1)", &[&load_id]).unwrap_err();
        server_error(&error)
    };
    let error = client.query("SELECT trips.merge_staged($1)", &[&load_id]).unwrap_err();
    let (state, message, hint) = server_error(&error);
    assert_eq!((state.as_str(), message), ("42809", format!("load {load_id} is an upload")));
    assert!(hint.contains("trips.complete_upload"), "{hint}");
    let (state, message, hint) = merge_it(&mut client);
    let expected = format!("upload {load_id} of file \"somewhere\" is not complete");
    assert_eq!((state.as_str(), message), ("55000", expected));
    assert!(hint.contains("trips.upload_part"), "{hint}");
    for missing in [0, 1, parts.len() - 1] {
        for (_, part) in parts.iter().enumerate().filter(|(i, _)| *i != missing) {
            stage(&mut client, load_id, part).unwrap();
        }
        assert_eq!(merge_it(&mut client).0, "55000", "without part {missing}");
        client.execute("DELETE FROM trips.upload_parts", &[]).unwrap();
    }
    // Parts of another cut that overlap.
    for part in parts.iter().chain(&parts_of(SAMPLE, load_id, 70_000)) {
        stage(&mut client, load_id, part).unwrap();
    }
    assert_eq!(merge_it(&mut client).0, "55000");
    assert_eq!(count(&mut client, "hist_trip_data") + count(&mut client, "loads"), 0);
}

/// Opened again, it goes on; in another reading, it begins anew; dropped, it is gone.
#[test]
fn uploads_that_are_opened_again() {
    let database = Database::on_shared();
    let mut client = database.client();
    let first = open(&mut client, SAMPLE, "one");
    let parts = parts_of(SAMPLE, first.load_id, 50_000);
    stage(&mut client, first.load_id, &parts[0]).unwrap();
    assert_eq!(open(&mut client, SAMPLE, "one"), first);
    assert!(!stage(&mut client, first.load_id, &parts[0]).unwrap());

    let other = open(&mut client, SAMPLE, "another");
    assert_ne!(other.load_id, first.load_id);
    assert_eq!(count(&mut client, "upload_parts"), 0);
    assert_eq!(code(stage(&mut client, first.load_id, &parts[1])), "42704");

    let drop = "SELECT trips.abort_upload($1)";
    assert!(client.query_one(drop, &[&other.load_id]).unwrap().get::<_, bool>(0));
    assert!(!client.query_one(drop, &[&other.load_id]).unwrap().get::<_, bool>(0));
    assert_eq!(count(&mut client, "uploads"), 0);
}

/// Bytes that the ledger has are skipped, before and after the parts have come.
#[test]
fn known_bytes() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file = real_trips();
    let opened = open(&mut client, &file, "one");
    for part in parts_of(&file, opened.load_id, 2_000) {
        stage(&mut client, opened.load_id, &part).unwrap();
    }
    let ingested = database.ingest(&mut client, &database.file("trips.csv", &file));
    let skipped = merge(&mut client, opened.load_id);
    assert_eq!((skipped.summary(), skipped.same_as), (("skipped", [0; 4]), Some(ingested.load_id)));
    assert_eq!(count(&mut client, "uploads") + count(&mut client, "upload_parts"), 0);
    let again = open(&mut client, &file, "one");
    assert_eq!((again.state.as_str(), again.same_as), ("skipped", Some(ingested.load_id)));
    assert_eq!(count(&mut client, "hist_trip_data"), 100);
}

/// What is no part, or not of this upload.
#[test]
fn parts_that_are_refused() {
    let database = Database::on_shared();
    let mut client = database.client();
    let (file, other) = (real_trips(), rows_as_csv(10, 3));
    let load_id = open(&mut client, &file, "one").load_id;
    let small = open(&mut client, &other, "one").load_id;
    let part = parts_of(&file, load_id, usize::MAX >> 1).remove(0);
    for cut in [0, 7, 8, 100, part.len() - 1] {
        assert_eq!(code(stage(&mut client, load_id, &part[..cut])), "22P03");
    }
    assert_eq!(code(stage(&mut client, small, &part)), "22P03");
    // As large as the other file, it would end behind this one.
    let part = parts_of(&file, small, usize::MAX >> 1).remove(0);
    assert_eq!(code(stage(&mut client, small, &part)), "22P03");
    // Larger than any reader of ours makes it; nothing of it is looked at.
    for (settings, limit) in [("'1MB'", 64), ("'10MB'", 152)] {
        client.batch_execute(&format!("SET trips.max_record_size = {settings}")).unwrap();
        let query =
            "SELECT trips.upload_part($1, convert_to(repeat('x', ($2 << 20) + 131072), 'UTF8'))";
        assert_eq!(code(client.query(query, &[&load_id, &limit])), "54000", "{limit} MB");
        let query = "SELECT trips.upload_part($1, convert_to(repeat('x', $2 << 20), 'UTF8'))";
        assert_eq!(code(client.query(query, &[&load_id, &limit])), "22P03", "{limit} MB");
    }
    client.batch_execute("RESET trips.max_record_size").unwrap();
    client.batch_execute("SET trips.latest_date = '2017-12-31'").unwrap();
    let part = parts_of(&file, load_id, usize::MAX >> 1).remove(0);
    assert_eq!(code(stage(&mut client, load_id, &part)), "22P03");
    assert_eq!(count(&mut client, "upload_parts"), 0);
    for (query, expected) in [
        ("SELECT trips.create_upload('x', '\\x00', 1, 'r')", "22023"),
        ("SELECT trips.create_upload('x', sha256('x'), -1, 'r')", "22023"),
        ("SELECT trips.create_upload(NULL, sha256('x'), 1, 'r')", "22004"),
        ("SELECT trips.create_upload('x', sha256('x'), 1, NULL)", "22004"),
        ("SELECT trips.upload_part(NULL, '')", "22004"),
        ("SELECT trips.upload_part(1000, '')", "42704"),
        ("SELECT trips.abort_upload(NULL)", "22004"),
    ] {
        assert_eq!(code(client.query(query, &[])), expected, "{query}");
    }
}

#[test]
fn more_bad_lines_than_allowed() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file = format!("{FIVE_COLUMNS}{}ragged\nragged\n", trip_line("A", 1));
    let load_id = open(&mut client, file.as_bytes(), "one").load_id;
    for part in parts_of(file.as_bytes(), load_id, 10) {
        stage(&mut client, load_id, &part).unwrap();
    }
    client.batch_execute("SET trips.max_errors = 1").unwrap();
    assert_eq!(code(client.query("SELECT trips.complete_upload($1)", &[&load_id])), "22P04");
    client.batch_execute("SET trips.max_errors = 2").unwrap();
    assert_eq!(merge(&mut client, load_id).rows, [3, 1, 0, 2]);
}

/// A loader may write only to its own uploads; other roles may not upload.
#[test]
fn uploads_belong_to_their_role() {
    let cluster = Cluster::start();
    let mut admin = cluster.client();
    admin
        .batch_execute(
            "CREATE ROLE one LOGIN; CREATE ROLE two LOGIN; CREATE ROLE nobody LOGIN;
             SELECT trips.grant_loader('one'); SELECT trips.grant_loader('two');
             GRANT USAGE ON SCHEMA trips TO nobody",
        )
        .unwrap();
    let mut one = cluster.client_as("one");
    let file = real_trips();
    let load_id = open(&mut one, &file, "r").load_id;
    let parts = parts_of(&file, load_id, 3_000);
    for role in ["two", "nobody"] {
        let mut other = cluster.client_as(role);
        assert_eq!(code(stage(&mut other, load_id, &parts[0])), "42501", "{role}");
        for query in ["SELECT trips.complete_upload($1)", "SELECT trips.abort_upload($1)"] {
            assert_eq!(code(other.query(query, &[&load_id])), "42501", "{role}: {query}");
        }
        // A loader may upload the same file again.
        let query = "SELECT trips.create_upload('x', $1, 1, 'another')";
        let opened = other.query(query, &[&digest(&file)]);
        assert_eq!(opened.is_ok(), role == "two", "{role}: {opened:?}");
        let content = "SELECT content FROM trips.upload_parts";
        assert_eq!(code(other.query(content, &[])), "42501", "{role}");
    }
    for part in &parts {
        stage(&mut one, load_id, part).unwrap();
    }
    let arrived = "SELECT count(*) FROM trips.upload_parts WHERE first_byte >= 0";
    let arrived: i64 = one.query_one(arrived, &[]).unwrap().get(0);
    assert_eq!(usize::try_from(arrived).unwrap(), parts.len());
    for query in ["DELETE FROM trips.uploads", "UPDATE trips.upload_parts SET bytes = 1"] {
        assert_eq!(code(one.query(query, &[])), "42501", "{query}");
    }
    assert_eq!(merge(&mut one, load_id).rows, [100, 100, 0, 0]);
}

/// After a crash, uploads are gone with their parts, and the file can be uploaded again.
#[test]
fn a_crash_removes_whole_uploads() {
    let mut cluster = Cluster::start();
    let mut client = cluster.client();
    let file = real_trips();
    let opened = open(&mut client, &file, "one");
    let parts = parts_of(&file, opened.load_id, 3_000);
    stage(&mut client, opened.load_id, &parts[0]).unwrap();
    client.batch_execute("CHECKPOINT").unwrap();
    cluster.signal_server(libc::SIGKILL);
    cluster.start_again();
    let mut client = cluster.client();
    assert_eq!(count(&mut client, "uploads") + count(&mut client, "upload_parts"), 0);
    assert_eq!(code(stage(&mut client, opened.load_id, &parts[1])), "42704");
    let again = open(&mut client, &file, "one").load_id;
    for part in parts_of(&file, again, 3_000) {
        stage(&mut client, again, &part).unwrap();
    }
    assert_eq!(merge(&mut client, again).rows, [100, 100, 0, 0]);
}

/// Who claims the digest of a file with another size costs nobody that file.
#[test]
fn a_claimed_digest_of_another_size_is_no_other_file() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file = rows_as_csv(100, 1);
    let path = database.file("d.csv", &file);
    let claim = "SELECT load_id FROM trips.create_upload('/evil', $1, $2, 'r')";
    let error = client.query_one(claim, &[&digest(&file), &0_i64]).unwrap_err();
    let (code, _, hint) = server_error(&error);
    assert!(code == "22023" && !hint.is_empty(), "{code}: {hint}");
    // A part that covers the bytes that were claimed, and has no trips.
    let other = format!("{FIVE_COLUMNS}\n").into_bytes();
    let bytes = i64::try_from(other.len()).unwrap();
    let load_id: i64 = client.query_one(claim, &[&digest(&file), &bytes]).unwrap().get(0);
    for part in parts_of(&other, load_id, 1 << 20) {
        stage(&mut client, load_id, &part).unwrap();
    }
    assert_eq!(merge(&mut client, load_id).summary(), ("loaded", [0, 0, 0, 0]));
    let load = database.ingest(&mut client, &path);
    assert_eq!((load.summary(), load.same_as), (("loaded", [100, 100, 0, 0]), None));
    let again = database.ingest(&mut client, &path);
    assert_eq!((again.state.as_str(), again.same_as), ("skipped", Some(load.load_id)));
    let query = "SELECT * FROM trips.ingest($1, force => true)";
    let forced = Load::from_row(&client.query_one(query, &[&path]).unwrap());
    assert_eq!(
        (forced.summary(), forced.same_as),
        (("loaded", [100, 0, 100, 0]), Some(load.load_id))
    );
    // The claim is known, too, as what it was.
    let claimed = Load::from_row(
        &client
            .query_one(
                "SELECT * FROM trips.create_upload('/evil', $1, $2, 'r')",
                &[&digest(&file), &bytes],
            )
            .unwrap(),
    );
    assert_eq!((claimed.state.as_str(), claimed.same_as), ("skipped", Some(load_id)));
}
