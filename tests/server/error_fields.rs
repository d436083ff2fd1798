//! An error that code of a user raises within the extension reaches the client, the ledger and the log as it was raised.

use postgres::error::DbError;
use postgres::{Client, Error};
use trips_tests::{
    Cluster, Database, FIVE_COLUMNS, eventually, rows_as_csv, stays, text_of, trip_line, until,
};

/// A function for triggers that raises an error with all fields.
const RAISE: &str = "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION 'mine' USING ERRCODE = 'U0001', DETAIL = 'The detail.', HINT = 'Do the other.',
      SCHEMA = 's', TABLE = 't', COLUMN = 'c', DATATYPE = 'd', CONSTRAINT = 'k';
  END $$;";

fn on(table: &str, event: &str) -> String {
    format!(
        "{RAISE} CREATE TRIGGER refuse BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION public.refuse()"
    )
}

fn db_error(error: &Error) -> &DbError {
    error.as_db_error().unwrap_or_else(|| panic!("not an error of the server: {error}"))
}

/// Checks every field of the error that `refuse()` raises, and returns its CONTEXT.
fn assert_mine(error: &Error) -> String {
    let error = db_error(error);
    assert_eq!(error.code().code(), "U0001", "{error:?}");
    assert_eq!(error.message(), "mine");
    assert_eq!((error.detail(), error.hint()), (Some("The detail."), Some("Do the other.")));
    assert_eq!((error.schema(), error.table(), error.column()), (Some("s"), Some("t"), Some("c")));
    assert_eq!((error.datatype(), error.constraint()), (Some("d"), Some("k")));
    let context = error.where_().unwrap_or_default().to_owned();
    assert_eq!(context.matches("refuse() line 3 at RAISE").count(), 1, "{context}");
    context
}

const NEWEST_CODE: &str = "SELECT error_code FROM trips.loads ORDER BY load_id DESC LIMIT 1";

/// Waits until the ledger has the newest load as failed with this code.
fn wait_for_code(client: &mut Client, code: &str) {
    eventually(client, NEWEST_CODE, code);
}

fn good(database: &Database, name: &str) -> String {
    database.file(name, format!("{FIVE_COLUMNS}{}", trip_line("A", 1)))
}

#[test]
fn a_trigger_of_the_user_within_a_load() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(&on("trips.hist_trip_data", "INSERT")).unwrap();
    let path = good(&database, "a.csv");
    let error = client.query_one("SELECT trips.ingest($1)", &[&path]).unwrap_err();
    let context = assert_mine(&error);
    assert!(context.contains("COPY hist_trip_data"), "{context}");
    wait_for_code(&mut client, "U0001");
    let row = client
        .query_one(
            "SELECT l.error, e.error_code, e.message, e.detail, e.hint, e.context, e.schema_name, e.table_name, e.column_name,
                    e.datatype_name, e.constraint_name
               FROM trips.loads AS l JOIN trips.load_errors AS e USING (load_id)",
            &[],
        )
        .unwrap();
    let texts: Vec<String> = (0..11).map(|i| row.get::<_, String>(i)).collect();
    assert_eq!(texts[..5], ["mine", "U0001", "mine", "The detail.", "Do the other."]);
    assert!(texts[5].contains("refuse() line 3 at RAISE"), "{}", texts[5]);
    assert_eq!(texts[6..], ["s", "t", "c", "d", "k"]);
    // The next error of the session has its own fields.
    let error = client.query_one("SELECT trips.ingest('/nowhere.csv')", &[]).unwrap_err();
    let error = db_error(&error);
    assert_eq!((error.code().code(), error.constraint(), error.table()), ("58P01", None, None));
}

/// Everything else that calls code of a user.
#[test]
fn everywhere_else() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("a.csv", [rows_as_csv(10, 1), b"bad\n".to_vec()].concat());
    client.query_one("SELECT trips.ingest($1)", &[&path]).unwrap();
    let other = good(&database, "b.csv");
    client
        .batch_execute(&format!(
            "{RAISE} INSERT INTO trips.stg_trip_data (region) VALUES ('no trip')"
        ))
        .unwrap();
    for (table, event, statement) in [
        ("trips.stg_trip_data", "INSERT", format!("SELECT trips.stage('{other}')")),
        ("trips.stg_trip_data", "UPDATE", "SELECT trips.merge_staged()".to_owned()),
        ("trips.daily_trip_counts", "INSERT OR UPDATE", format!("SELECT trips.ingest('{other}')")),
        (
            "trips.daily_trip_counts",
            "INSERT OR UPDATE OR DELETE",
            "SELECT trips.rebuild()".to_owned(),
        ),
        (
            "trips.daily_trip_counts",
            "INSERT OR UPDATE OR DELETE",
            "DELETE FROM trips.hist_trip_data".to_owned(),
        ),
        ("trips.loads", "INSERT", format!("SELECT trips.submit('{other}')")),
        ("trips.queue", "INSERT", format!("SELECT trips.submit('{other}')")),
        ("trips.events", "INSERT", format!("SELECT trips.ingest('{other}', force => true)")),
        (
            "trips.uploads",
            "INSERT",
            r"SELECT trips.create_upload('x', decode(repeat('00', 32), 'hex'), 1, 'r')".to_owned(),
        ),
    ] {
        client
            .batch_execute(&format!(
                "CREATE TRIGGER refuse BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION public.refuse()"
            ))
            .unwrap();
        let error = client.simple_query(&statement).expect_err(&statement);
        eprintln!("{statement}: {}", assert_mine(&error));
        client.batch_execute(&format!("DROP TRIGGER refuse ON {table}")).unwrap();
    }
}

#[test]
fn a_constraint_of_the_user() {
    let database = Database::on_shared();
    let mut client = database.client();
    client
        .batch_execute("ALTER TABLE trips.hist_trip_data ADD CONSTRAINT no_a CHECK (region <> 'A')")
        .unwrap();
    let path = good(&database, "a.csv");
    let error = client.query_one("SELECT trips.ingest($1)", &[&path]).unwrap_err();
    let error = db_error(&error);
    assert_eq!((error.code().code(), error.constraint()), ("23514", Some("no_a")));
    assert_eq!(error.schema(), Some("trips"));
    assert!(error.table().unwrap().starts_with("hist_trip_data_"), "{error:?}");
    wait_for_code(&mut client, "23514");
    let name: String =
        client.query_one("SELECT constraint_name FROM trips.load_errors", &[]).unwrap().get(0);
    assert_eq!(name, "no_a");
}

/// A trigger of a load that loads: Rust, C, Rust, C.
#[test]
fn a_load_within_a_load() {
    let database = Database::on_shared();
    let mut client = database.client();
    let (outer, inner) = (good(&database, "outer.csv"), good(&database, "inner.csv"));
    client
        .batch_execute(&format!(
            "{};
             CREATE FUNCTION public.load() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN PERFORM trips.submit('{inner}'); RETURN NEW; END $$;
             CREATE TRIGGER load BEFORE INSERT ON trips.hist_trip_data FOR EACH ROW EXECUTE FUNCTION public.load()",
            on("trips.queue", "INSERT")
        ))
        .unwrap();
    let error = client.query_one("SELECT trips.ingest($1)", &[&outer]).unwrap_err();
    let context = assert_mine(&error);
    let lines: Vec<usize> =
        ["refuse()", "INSERT INTO trips.queue", "load() line 1", "COPY hist_trip_data"]
            .map(|words| context.find(words).unwrap_or_else(|| panic!("{words}: {context}")))
            .to_vec();
    assert!(lines.is_sorted(), "{context}");
    assert_eq!(context.matches("load() line 1").count(), 1, "{context}");
    wait_for_code(&mut client, "U0001");
}

/// What a user's code has caught itself is not taken for what fails later, and what it raises again is itself.
#[test]
fn errors_that_were_caught() {
    let database = Database::on_shared();
    let mut client = database.client();
    client
        .batch_execute(
            "CREATE FUNCTION public.careful() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
               FOR i IN 1..50 LOOP
                 BEGIN
                   RAISE EXCEPTION 'caught' USING ERRCODE = 'U0002', CONSTRAINT = 'wrong', DETAIL = repeat('x', 100000);
                 EXCEPTION WHEN SQLSTATE 'U0002' THEN NULL;
                 END;
               END LOOP;
               IF NEW.region = 'A' THEN RETURN NULL; END IF;
               BEGIN
                 RAISE EXCEPTION 'mine' USING ERRCODE = 'U0001', CONSTRAINT = 'k';
               EXCEPTION WHEN OTHERS THEN
                 BEGIN
                   PERFORM 1 / 0;
                 EXCEPTION WHEN division_by_zero THEN NULL;
                 END;
                 RAISE;
               END;
             END $$;
             CREATE TRIGGER careful BEFORE INSERT ON trips.hist_trip_data FOR EACH ROW EXECUTE FUNCTION public.careful()",
        )
        .unwrap();
    let path = good(&database, "a.csv");
    let error = client.query_one("SELECT trips.ingest($1)", &[&path]).unwrap_err();
    let error = db_error(&error);
    // Ours: the trigger has suppressed the row.
    assert_eq!((error.code().code(), error.constraint()), ("09000", None));
    assert_eq!(error.detail(), None);
    let path = database.file("b.csv", format!("{FIVE_COLUMNS}{}", trip_line("B", 1)));
    let error = client.query_one("SELECT trips.ingest($1)", &[&path]).unwrap_err();
    let error = db_error(&error);
    assert_eq!((error.code().code(), error.constraint()), ("U0001", Some("k")));
    let context = error.where_().unwrap_or_default();
    assert_eq!(context.matches("careful()").count(), 1, "{context}");
}

/// The worker of the queue has the true code, too, and so has its log.
#[test]
fn a_queued_load() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    client.batch_execute(&on("trips.hist_trip_data", "INSERT")).unwrap();
    let path = good(&cluster, "a.csv");
    client.query_one("SELECT trips.submit($1)", &[&path]).unwrap();
    wait_for_code(&mut client, "U0001");
    let name: String =
        client.query_one("SELECT constraint_name FROM trips.load_errors", &[]).unwrap().get(0);
    assert_eq!(name, "k");
    until("the log does not have the error", || cluster.log().contains("mine").then_some(()));
    assert!(!cluster.log().contains("XX000"), "{}", cluster.log());
}

/// A deferred trigger runs when the load is over; the worker ends the transaction, and records the true end.
#[test]
fn a_queued_load_that_fails_at_its_end() {
    let database = Database::on_shared();
    let mut client = database.client();
    let trigger =
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT OR UPDATE ON trips.daily_trip_counts
                     DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.refuse()";
    client.batch_execute(&format!("{RAISE} {trigger}")).unwrap();
    let path = good(&database, "a.csv");
    client.query_one("SELECT trips.submit($1)", &[&path]).unwrap();
    wait_for_code(&mut client, "U0001");
    // Nobody says later that the load was lost.
    stays("U0001".to_owned(), || text_of(&mut client, NEWEST_CODE));
}

/// A function that PostgreSQL calls and that does not preserve errors loses what they say.
#[test]
fn every_function_preserves_errors() {
    // Arithmetic on its arguments: nothing of a user's is called.
    const PURE: [&str; 13] = [
        "area",
        "is_inside",
        "trip_key",
        "check_period",
        "check_weeks",
        "check_grouping",
        "h3_cell",
        "h3_number",
        "h3_center",
        "h3_corners",
        "h3_bounds",
        "builtin_feeds",
        "builtin_zones",
    ];
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../src");
    let mut files = vec![source.join("api.rs")];
    files.extend(std::fs::read_dir(source.join("api")).unwrap().map(|entry| entry.unwrap().path()));
    let mut count = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let functions = text.split("\n#[pg_").skip(1).filter(|text| text.contains("sql = false"));
        for function in functions {
            let name = function.split("fn ").nth(1).unwrap().split(['(', '<']).next().unwrap();
            let body = function.split("\n}").next().unwrap();
            let preserves = body.contains("error_fields::preserve()");
            assert!(preserves || PURE.contains(&name), "{}: {name}", file.display());
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

/// Errors that end a function in the middle leave nothing behind, whatever they are.
#[test]
fn many_errors_in_one_session() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(&on("trips.queue", "INSERT")).unwrap();
    let path = good(&database, "a.csv");
    client
        .batch_execute(&format!(
            "CREATE FUNCTION public.endless() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN PERFORM trips.submit('{path}'); RETURN NEW; END $$;
             DO $$
             DECLARE code text; name text;
             BEGIN
               FOR i IN 1..2000 LOOP
                 BEGIN
                   IF i % 2 = 0 THEN PERFORM trips.submit('{path}'); ELSE PERFORM trips.submit('/nowhere'); END IF;
                   RAISE 'no error';
                 EXCEPTION WHEN OTHERS THEN
                   GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, name = CONSTRAINT_NAME;
                   IF (code || name <> CASE i % 2 WHEN 0 THEN 'U0001k' ELSE '58P01' END) THEN
                     RAISE 'attempt %: % %', i, code, name;
                   END IF;
                 END;
               END LOOP;
             END $$;
             DROP TRIGGER refuse ON trips.queue;
             CREATE TRIGGER endless BEFORE INSERT ON trips.loads FOR EACH ROW EXECUTE FUNCTION public.endless()"
        ))
        .unwrap();
    // Rust and C, one within the other, until the stack is full.
    let error = client.query_one("SELECT trips.submit($1)", &[&path]).unwrap_err();
    let error = db_error(&error);
    assert_eq!(error.code().code(), "54001", "{error:?}");
    assert!(error.where_().unwrap().contains("endless()"));
    let error = client.query_one("SELECT trips.submit('/nowhere')", &[]).unwrap_err();
    assert_eq!((db_error(&error).code().code(), db_error(&error).where_()), ("58P01", None));
}

/// A message of any size passes; the ledger keeps the beginning.
#[test]
fn a_large_error() {
    let database = Database::on_shared();
    let mut client = database.client();
    client
        .batch_execute(
            "CREATE FUNCTION public.large() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
               RAISE EXCEPTION '%', repeat('m', 20000000) USING ERRCODE = 'U0001', DETAIL = repeat(E'\\x01', 5000000),
                 CONSTRAINT = repeat('c', 100000);
             END $$;
             CREATE TRIGGER large BEFORE INSERT ON trips.hist_trip_data FOR EACH ROW EXECUTE FUNCTION public.large()",
        )
        .unwrap();
    let path = good(&database, "a.csv");
    let error = client.query_one("SELECT trips.ingest($1)", &[&path]).unwrap_err();
    let error = db_error(&error);
    assert_eq!((error.code().code(), error.message().len()), ("U0001", 20_000_000));
    assert_eq!(error.detail().map(str::len), Some(5_000_000));
    assert_eq!(error.constraint().map(str::len), Some(100_000));
    wait_for_code(&mut client, "U0001");
    let row = client
        .query_one("SELECT octet_length(message), octet_length(detail), octet_length(constraint_name) FROM trips.load_errors", &[])
        .unwrap();
    assert_eq!([0, 1, 2].map(|i| row.get::<_, i32>(i)), [4003, 4003, 259]);
}

/// In a database of another encoding an error is in the client's encoding as it was raised.
#[test]
fn an_error_in_latin1() {
    let cluster = Cluster::start_bare("");
    cluster
        .client()
        .batch_execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
        .unwrap();
    let mut client = cluster.client_of("latin");
    client
        .batch_execute(
            "CREATE EXTENSION trips_pipeline;
             CREATE TABLE public.may PARTITION OF trips.hist_trip_data (PRIMARY KEY (date_time, trip_key))
               FOR VALUES FROM ('2018-05-01') TO ('2018-06-01');
             CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN RAISE 'café' USING ERRCODE = 'U0001', DETAIL = 'à', HINT = 'ü', CONSTRAINT = 'é'; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON trips.daily_trip_counts FOR EACH ROW EXECUTE FUNCTION public.refuse()",
        )
        .unwrap();
    let error = client
        .batch_execute(
            "INSERT INTO trips.hist_trip_data VALUES ('x', NULL, NULL, '2018-05-01', NULL, gen_random_uuid(), 0)",
        )
        .unwrap_err();
    let error = db_error(&error);
    assert_eq!((error.code().code(), error.message()), ("U0001", "café"));
    assert_eq!(
        (error.detail(), error.hint(), error.constraint()),
        (Some("à"), Some("ü"), Some("é"))
    );
}
