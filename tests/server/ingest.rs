//! The main job: a file in, once, with everything accounted for.

use postgres::Client;
use trips_tests::{
    Database, FIVE_COLUMNS, Load, eventually, lines_of, real_trips, rows_as_csv, server_error,
    trip_line,
};

fn count(client: &mut Client, table: &str) -> i64 {
    client.query_one(&format!("SELECT count(*) FROM trips.{table}"), &[]).unwrap().get(0)
}

/// All trips of the history as text, without the load, in a fixed order.
fn history(client: &mut Client) -> Vec<String> {
    let query = "SELECT (h.region, h.origin_coord, h.destination_coord, h.date_time, h.datasource, h.trip_key)::text
                   FROM trips.hist_trip_data AS h ORDER BY h.date_time, h.trip_key";
    client.query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn the_real_file_once() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file = real_trips();
    let path = database.file("trips.csv", &file);

    let first = database.ingest(&mut client, &path);
    assert_eq!(first.summary(), ("loaded", [100, 100, 0, 0]));

    let again = database.ingest(&mut client, &path);
    assert_eq!((again.summary(), again.same_as), (("skipped", [0; 4]), Some(first.load_id)));

    let copy = database.file("other-name.csv", &file);
    let copied = database.ingest(&mut client, &copy);
    assert_eq!((copied.summary(), copied.same_as), (("skipped", [0; 4]), Some(first.load_id)));

    assert_eq!(count(&mut client, "hist_trip_data"), 100);
    assert_eq!(count(&mut client, "loads"), 3);
}

#[test]
fn sixty_known_trips_and_forty_new_ones() {
    let database = Database::on_shared();
    let mut client = database.client();
    let all = rows_as_csv(140, 7);
    let first = database.file("first.csv", lines_of(&all, 0..100));
    let second = database.file("second.csv", lines_of(&all, 40..140));
    assert_eq!(database.ingest(&mut client, &first).summary(), ("loaded", [100, 100, 0, 0]));
    assert_eq!(database.ingest(&mut client, &second).summary(), ("loaded", [100, 40, 60, 0]));
    assert_eq!(count(&mut client, "hist_trip_data"), 140);
}

#[test]
fn the_sample_file_is_accounted_for() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("sample.csv", include_bytes!("../../samples/trips_sample.csv"));
    let load = database.ingest(&mut client, &path);
    assert_eq!(load.summary(), ("loaded", [3014, 3000, 6, 8]));
    let bad = client
        .query(
            "SELECT line_no, column_name, error_code FROM trips.stg_trip_data ORDER BY line_no",
            &[],
        )
        .unwrap();
    let bad: Vec<(i64, Option<String>, String)> =
        bad.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let expected = [
        (101, Some("date_time"), "22007"),
        (504, Some("origin_coord"), "22003"),
        (907, Some("region"), "23502"),
        (1209, Some("date_time"), "22008"),
        (1512, None, "22P04"),
        (1815, Some("origin_coord"), "22P02"),
        (2117, None, "22P04"),
        (2420, Some("date_time"), "22007"),
    ];
    let expected: Vec<_> = expected
        .map(|(line, column, code)| (line, column.map(str::to_owned), code.to_owned()))
        .into();
    assert_eq!(bad, expected);
}

#[test]
fn the_ledger_row_has_everything() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file = real_trips();
    let path = database.file("trips.csv", &file);
    let returned = client.query_one("SELECT l::text FROM trips.ingest($1) AS l", &[&path]).unwrap();
    let stored = client
        .query_one(
            "SELECT l::text, source, bytes_read, octet_length(digest), requested_by,
                    requested_at <= started_at AND started_at <= finished_at AND finished_at <= clock_timestamp(),
                    error IS NULL AND error_code IS NULL
               FROM trips.loads AS l",
            &[],
        )
        .unwrap();
    assert_eq!(returned.get::<_, String>(0), stored.get::<_, String>(0));
    assert_eq!(stored.get::<_, String>(1), path);
    assert_eq!(stored.get::<_, i64>(2), i64::try_from(file.len()).unwrap());
    assert_eq!(stored.get::<_, i32>(3), 32);
    assert_eq!(stored.get::<_, String>(4), "postgres");
    assert!(stored.get::<_, bool>(5) && stored.get::<_, bool>(6));
}

#[test]
fn doubles_inside_a_file_count_as_duplicates() {
    let database = Database::on_shared();
    let mut client = database.client();
    // The same trip in other words: blanks, case, number of digits, a negative zero's sign.
    let file = format!(
        "{FIVE_COLUMNS}A,POINT (1 0),,2018-05-01 00:00:00,x\n A ,point( 1.0  -0 ),,2018-05-01T00:00:00.0,x\n\
         A,POINT (1 0),,2018-05-01 00:00:00,y\n"
    );
    let path = database.file("doubles.csv", file);
    assert_eq!(database.ingest(&mut client, &path).summary(), ("loaded", [3, 2, 1, 0]));
}

/// A file with every kind of trouble: quoted values with newlines, duplicates near and far, bad lines,
/// a quote that is never closed; over several chunks and several runs.
fn troubled_file() -> Vec<u8> {
    let mut file = rows_as_csv(60_000, 3);
    let again = lines_of(&file, 10_000..20_000);
    file.extend_from_slice(again.split_once('\n').unwrap().1.as_bytes());
    for i in 0..2000 {
        let line = trip_line(format_args!("\"Two\nlines, {i}\""), i * 40);
        file.extend_from_slice(line.as_bytes());
        if i % 100 == 50 {
            file.extend_from_slice(b"bad line\n");
        }
    }
    file.extend_from_slice(b"\"open,,,2018-05-01 00:00:00,x\n");
    let more = lines_of(&rows_as_csv(20_000, 4), 0..20_000);
    file.extend_from_slice(more.split_once('\n').unwrap().1.as_bytes());
    file
}

/// The result does not depend on the number of threads, nor on the size of a run, nor on whether the
/// index is built at once or row by row.
#[test]
fn threads_and_runs_do_not_matter() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("trips.csv", troubled_file());
    let staged =
        "SELECT string_agg((line_no, error_code, error, raw_line)::text, ';' ORDER BY line_no)
                    FROM trips.stg_trip_data";
    let counted =
        "SELECT string_agg(d::text, ';' ORDER BY d::text) FROM trips.daily_trip_counts AS d";
    let mut expected = None;
    for (threads, memory) in
        [(1, "256MB"), (2, "256MB"), (8, "256MB"), (1, "1MB"), (2, "3MB"), (8, "1MB")]
    {
        client
            .batch_execute(&format!(
                "DROP EXTENSION trips_pipeline; CREATE EXTENSION trips_pipeline; LOAD 'trips_pipeline';
                 SET trips.parse_threads = {threads}; SET trips.work_mem = '{memory}'"
            ))
            .unwrap();
        let one = |query: &str, client: &mut Client| -> String {
            client.query_one(query, &[]).unwrap().get(0)
        };
        let load = database.ingest(&mut client, &path);
        assert_eq!(load.summary(), ("loaded", [92_021, 82_000, 10_000, 21]), "{threads} {memory}");
        // An index that was built at once is in another file than the one it was made with. Smaller
        // runs than the file go into it row by row, behind the first.
        let is_built = "SELECT (pg_relation_filenode(oid) <> oid)::text FROM pg_class
                         WHERE oid = 'trips.hist_trip_data_2018_05_pkey'::regclass";
        assert_eq!(one(is_built, &mut client), "true", "{threads} threads, {memory}");
        let found = (history(&mut client), one(staged, &mut client), one(counted, &mut client));
        let first = expected.get_or_insert_with(|| found.clone());
        assert!(*first == found, "{threads} threads, {memory}");
        client.batch_execute("SET enable_seqscan = off").unwrap();
        let by_index =
            "SELECT count(*)::text FROM trips.hist_trip_data WHERE date_time >= '2000-01-01'";
        assert_eq!(one(by_index, &mut client), "82000");
    }
}

/// Whatever somebody has added to the history: rows are inserted as COPY inserts them.
#[test]
fn a_history_with_additions_is_loaded_by_copy() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("trips.csv", rows_as_csv(60_000, 3));
    for (addition, check) in [
        ("CREATE INDEX added ON trips.hist_trip_data (region)", "true"),
        ("ALTER TABLE trips.hist_trip_data ADD note text DEFAULT 'new'", "bool_and(note = 'new')"),
        ("ALTER TABLE trips.hist_trip_data ADD CHECK (region <> '')", "true"),
        (
            "CREATE TABLE public.seen (n bigint);
             CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
               'BEGIN INSERT INTO public.seen SELECT count(*) FROM added; RETURN NULL; END';
             CREATE TRIGGER see AFTER INSERT ON trips.hist_trip_data REFERENCING NEW TABLE AS added
               FOR EACH STATEMENT EXECUTE FUNCTION see()",
            "(SELECT sum(n) = 60000 FROM seen)",
        ),
    ] {
        client
            .batch_execute("DROP EXTENSION trips_pipeline; CREATE EXTENSION trips_pipeline")
            .unwrap();
        client.batch_execute(addition).unwrap();
        assert_eq!(database.ingest(&mut client, &path).rows[1], 60_000, "{addition}");
        client.batch_execute("SET enable_seqscan = off").unwrap();
        let row = client
            .query_one(
                &format!(
                    "SELECT count(*), {check} FROM trips.hist_trip_data
                      WHERE date_time >= '2000-01-01' AND region >= ''"
                ),
                &[],
            )
            .unwrap();
        assert_eq!((row.get::<_, i64>(0), row.get::<_, bool>(1)), (60_000, true), "{addition}");
    }
}

/// No thread is left behind, whether a load ends well, badly, or is cancelled.
#[test]
fn no_thread_outlives_a_load() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("trips.csv", rows_as_csv(200_000, 1));
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let threads = || std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().count();
    assert_eq!(threads(), 1);
    for timeout in [20, 100, 0] {
        client.batch_execute(&format!("SET statement_timeout = {timeout}")).unwrap();
        let result = client.query_one("SELECT trips.ingest($1, 'abort')", &[&path]);
        assert_eq!(result.is_ok(), timeout == 0);
        assert_eq!(threads(), 1);
    }
    let bad = database.file("bad.csv", [rows_as_csv(50_000, 2), b"bad\n".to_vec()].concat());
    client.query_one("SELECT trips.ingest($1, 'abort')", &[&bad]).unwrap_err();
    assert_eq!(threads(), 1);
}

/// New trips between, before and after known ones, one second apart: every step and every leap of
/// the comparison with the index.
#[test]
fn known_and_new_trips_interleave() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file = |seconds: &mut dyn Iterator<Item = u32>| {
        FIVE_COLUMNS.to_owned() + &seconds.map(|s| trip_line("A", s)).collect::<String>()
    };
    // Dense, then a long range of time that the second file does not touch, then sparse.
    let known = file(&mut (1000..9000).chain((9000..80_000).step_by(7)));
    let mixed = file(&mut (0..2000).chain([8500, 50_004, 79_998]).chain(79_999..80_100));
    let path = database.file("known.csv", known);
    assert_eq!(database.ingest(&mut client, &path).rows[1], 8000 + 10_143);
    let path = database.file("mixed.csv", mixed);
    let in_known = |s: u32| {
        (1000..9000).contains(&s) || ((9000..80_000).contains(&s) && (s - 9000).is_multiple_of(7))
    };
    let all: Vec<u32> = (0..2000).chain([8500, 50_004, 79_998]).chain(79_999..80_100).collect();
    let duplicates = i64::try_from(all.iter().filter(|s| in_known(**s)).count()).unwrap();
    let read = i64::try_from(all.len()).unwrap();
    assert!(duplicates > 1000);
    assert_eq!(
        database.ingest(&mut client, &path).summary(),
        ("loaded", [read, read - duplicates, duplicates, 0])
    );
}

/// Many trips at one moment: the comparison cannot leap by time.
#[test]
fn many_trips_at_the_same_moment() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file = |range: std::ops::Range<u32>| {
        FIVE_COLUMNS.to_owned()
            + &range.map(|i| trip_line(format!("region {i}"), 0)).collect::<String>()
    };
    let path = database.file("a.csv", file(0..5000));
    assert_eq!(database.ingest(&mut client, &path).rows, [5000, 5000, 0, 0]);
    let path = database.file("b.csv", file(2500..7500));
    assert_eq!(database.ingest(&mut client, &path).rows, [5000, 2500, 2500, 0]);
}

/// Rows that are gone are not known any more, whether vacuum has been there or not.
#[test]
fn deleted_trips_can_come_again() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("trips.csv", rows_as_csv(500, 1));
    database.ingest(&mut client, &path);
    client.batch_execute("DELETE FROM trips.hist_trip_data WHERE region = 'Prague'").unwrap();
    let force = |client: &mut Client| {
        Load::from_row(
            &client.query_one("SELECT * FROM trips.ingest($1, force => true)", &[&path]).unwrap(),
        )
    };
    let again = force(&mut client);
    assert!(again.rows[1] > 0 && again.rows[1] + again.rows[2] == 500, "{again:?}");
    client.batch_execute("VACUUM trips.hist_trip_data").unwrap();
    assert_eq!(force(&mut client).rows, [500, 0, 500, 0]);
    assert_eq!(count(&mut client, "hist_trip_data"), 500);
}

#[test]
fn force_loads_known_bytes() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("trips.csv", real_trips());
    let first = database.ingest(&mut client, &path);
    let row = client.query_one("SELECT * FROM trips.ingest($1, force => true)", &[&path]).unwrap();
    let forced = Load::from_row(&row);
    assert_eq!(
        (forced.summary(), forced.same_as),
        (("loaded", [100, 0, 100, 0]), Some(first.load_id))
    );
}

#[test]
fn a_file_with_only_a_header_is_loaded_with_zeros() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("header.csv", format!("{FIVE_COLUMNS}\n\n"));
    assert_eq!(database.ingest(&mut client, &path).summary(), ("loaded", [0; 4]));
    assert_eq!(database.ingest(&mut client, &path).summary(), ("skipped", [0; 4]));
}

/// One file is one transaction: a rollback of the caller removes its rows. The ledger records the load.
#[test]
fn a_rolled_back_load_leaves_nothing() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("trips.csv", format!("{FIVE_COLUMNS}{}bad\n", trip_line("A", 1)));
    let mut transaction = client.transaction().unwrap();
    let row = transaction.query_one("SELECT * FROM trips.ingest($1)", &[&path]).unwrap();
    assert_eq!(Load::from_row(&row).rows, [2, 1, 0, 1]);
    transaction.rollback().unwrap();
    for table in ["hist_trip_data", "stg_trip_data", "daily_trip_counts", "summarized_trip_data"] {
        assert_eq!(count(&mut client, table), 0, "{table}");
    }
    let failed = "SELECT count(*) FROM trips.loads WHERE state = 'failed' AND error_code = '40000'";
    eventually(&mut client, failed, 1);
    assert_eq!(database.ingest(&mut client, &path).rows, [2, 1, 0, 1]);
}

#[test]
fn abort_refuses_the_file_at_the_first_bad_line() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file =
        format!("{FIVE_COLUMNS}{}A,,,05/06/2018,x\n{}", trip_line("A", 1), trip_line("B", 2));
    let path = database.file("bad.csv", file);
    let error = client.query_one("SELECT * FROM trips.ingest($1, 'abort')", &[&path]).unwrap_err();
    let (code, message, hint) = server_error(&error);
    assert_eq!(code, "22007");
    assert_eq!(
        message,
        format!(
            "could not load file \"{path}\": line 3, column date_time: \"05/06/2018\" is not a date and time: expected YYYY-MM-DD HH:MM:SS"
        )
    );
    assert!(hint.contains("stage"), "{hint}");
    assert_eq!((count(&mut client, "hist_trip_data"), count(&mut client, "stg_trip_data")), (0, 0));
    let failed = client.query_one("SELECT * FROM trips.loads", &[]).unwrap();
    assert_eq!(Load::from_row(&failed).summary(), ("failed", [0; 4]));
    assert_eq!(failed.get::<_, String>("error_code"), "22007");
    assert!(failed.get::<_, String>("error").contains("line 3, column date_time"));
    // A file that was refused is not known: corrected or not, it can be loaded.
    assert_eq!(database.ingest(&mut client, &path).summary(), ("loaded", [3, 2, 0, 1]));
}

#[test]
fn more_bad_lines_than_allowed_refuse_the_file() {
    let database = Database::on_shared();
    let mut client = database.client();
    let bad = "A,,,never,x\n".repeat(3);
    let path = database.file("bad.csv", format!("{FIVE_COLUMNS}{}{bad}", trip_line("A", 1)));

    let error = client.query_one("SELECT trips.ingest($1, max_errors => 2)", &[&path]).unwrap_err();
    let (code, message, _) = server_error(&error);
    assert_eq!(code, "22P04");
    assert!(message.ends_with(": more than 2 bad rows"), "{message}");
    let failed = client.query_one("SELECT * FROM trips.loads WHERE state = 'failed'", &[]).unwrap();
    let text: String = failed.get("error");
    for line in ["line 3", "line 4", "line 5"] {
        assert!(text.contains(line), "{text}");
    }
    assert_eq!((count(&mut client, "hist_trip_data"), count(&mut client, "stg_trip_data")), (0, 0));

    client.batch_execute("SET trips.max_errors = 0").unwrap();
    let error = client.query_one("SELECT trips.ingest($1)", &[&path]).unwrap_err();
    assert_eq!(server_error(&error).0, "22P04");
    // The argument goes before the setting.
    let row =
        client.query_one("SELECT * FROM trips.ingest($1, max_errors => 3)", &[&path]).unwrap();
    assert_eq!(Load::from_row(&row).summary(), ("loaded", [4, 1, 0, 3]));
}
