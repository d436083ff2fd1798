//! What a loader or a reader can read about files that others load.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use postgres::Client;
use trips_tests::{Cluster, FIVE_COLUMNS, eventually, server_error, trip_line};

const SECRET: &str = "hunter2";

/// A cluster with a loader and a reader, and an inbox that the loader may load from.
fn with_roles() -> (Cluster, [Client; 2]) {
    let cluster = Cluster::start();
    let inbox = cluster.path("inbox");
    fs::create_dir(&inbox).unwrap();
    fs::set_permissions(&inbox, fs::Permissions::from_mode(0o755)).unwrap();
    cluster
        .client()
        .batch_execute(&format!(
            "CREATE ROLE etl LOGIN; CREATE ROLE analyst LOGIN;
             SELECT trips.grant_loader('etl'), trips.grant_reader('analyst');
             ALTER DATABASE trips SET trips.data_directories = '{inbox}'"
        ))
        .unwrap();
    let others = [cluster.client_as("etl"), cluster.client_as("analyst")];
    (cluster, others)
}

/// Everything that a role may read in the schema, as text.
fn all_that_is_readable(client: &mut Client) -> String {
    let tables = client
        .query(
            "SELECT c.oid::regclass::text FROM pg_class AS c
              WHERE c.relnamespace IN ('trips'::regnamespace, 'trips_internal'::regnamespace) AND c.relkind IN ('r', 'p', 'v', 'm')
                AND has_table_privilege(c.oid, 'SELECT')",
            &[],
        )
        .unwrap();
    assert!(tables.len() >= 4);
    let mut all = String::new();
    for table in tables.iter().map(|row| row.get::<_, String>(0)) {
        let rows = client.query(&format!("SELECT t::text FROM {table} AS t"), &[]).unwrap();
        for row in rows {
            all.push_str(row.get::<_, &str>(0));
        }
    }
    all
}

#[test]
fn the_ledger_repeats_nothing_of_a_file() {
    let (cluster, mut others) = with_roles();
    let mut admin = cluster.client();
    let no_header = cluster.file("secret.txt", format!("password={SECRET}\nmore\n"));
    let bad_line = cluster.file("lines.csv", format!("{FIVE_COLUMNS}A,,,{SECRET},x\n"));
    let staged =
        cluster.file("staged.csv", format!("{FIVE_COLUMNS}{}A,,,{SECRET},x\n", trip_line("A", 1)));
    admin
        .batch_execute(
            "CREATE FUNCTION public.reveal() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN RAISE 'no: %', NEW.raw_line USING DETAIL = NEW.raw_line; END $$;
             CREATE TRIGGER reveal BEFORE INSERT ON trips.stg_trip_data FOR EACH ROW WHEN (NEW.load_id > 4) EXECUTE FUNCTION public.reveal()",
        )
        .unwrap();
    for statement in [
        format!("SELECT trips.ingest('{no_header}')"),
        format!("SELECT trips.ingest('{bad_line}', 'abort')"),
        format!("SELECT trips.ingest('{bad_line}', max_errors => 0)"),
        format!("SELECT trips.ingest('{bad_line}', 'abort', 0)"),
        format!("SELECT trips.ingest('{staged}')"),
    ] {
        let error = admin.simple_query(&statement).expect_err(&statement);
        let error = error.as_db_error().unwrap();
        let shown = format!("{} {}", error.message(), error.detail().unwrap_or_default());
        assert!(shown.contains(SECRET), "not shown to the caller: {shown}");
    }
    let ledger = "SELECT count(*) FROM trips.loads WHERE state = 'failed'";
    assert_eq!(admin.query_one(ledger, &[]).unwrap().get::<_, i64>(0), 5);
    for other in &mut others {
        let shown = all_that_is_readable(other);
        assert!(shown.contains("failed") && !shown.contains(SECRET), "{shown}");
    }
    // The caller and the owner find it again.
    let full =
        "SELECT count(*) FROM trips.load_errors WHERE concat(message, detail) LIKE '%hunter2%'";
    assert_eq!(admin.query_one(full, &[]).unwrap().get::<_, i64>(0), 5);
    let [etl, analyst] = &mut others;
    etl.simple_query("SELECT trips.ingest('/nowhere.csv')").unwrap_err();
    let mine = cluster.file("inbox/mine.csv", "no header");
    etl.query_one("SELECT trips.ingest($1)", &[&mine]).unwrap_err();
    let own = etl.query("SELECT message FROM trips.load_errors", &[]).unwrap();
    assert_eq!(own.len(), 1);
    assert!(own[0].get::<_, &str>(0).contains("mine.csv"));
    // Another role of the same name is another role.
    admin.batch_execute("ALTER ROLE etl RENAME TO gone; CREATE ROLE etl; SELECT trips.grant_loader('etl'); SET ROLE etl").unwrap();
    assert!(admin.query("SELECT FROM trips.load_errors", &[]).unwrap().is_empty());
    admin.batch_execute("RESET ROLE").unwrap();
    for (client, table) in
        [(&mut *etl, "trips_internal.load_failures"), (&mut *analyst, "trips.load_errors")]
    {
        let error = client.query(&format!("SELECT FROM {table}"), &[]).unwrap_err();
        assert_eq!(server_error(&error).0, "42501");
    }
}

/// Who may write to the inbox would choose what a superuser's run loads.
#[test]
fn a_run_follows_no_link_out_of_its_directory() {
    let (cluster, _) = with_roles();
    let mut admin = cluster.client();
    let secret = cluster.file("secret.csv", format!("{FIVE_COLUMNS}{}", trip_line(SECRET, 1)));
    cluster.file("inbox/good.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    symlink(&secret, cluster.path("inbox/absolute.csv")).unwrap();
    symlink("../secret.csv", cluster.path("inbox/relative.csv")).unwrap();
    symlink("good.csv", cluster.path("inbox/same.csv")).unwrap();
    symlink("..", cluster.path("inbox/up")).unwrap();
    let inbox = cluster.path("inbox");
    let run = |admin: &mut Client, pattern: &str| {
        let row = admin.query_one(&format!("CALL trips.ingest_new('{inbox}/{pattern}')"), &[]);
        let row = row.unwrap();
        [0, 1, 2].map(|i| row.get::<_, i64>(i))
    };
    assert_eq!(run(&mut admin, "*.csv"), [1, 1, 0]);
    assert_eq!(run(&mut admin, "*/secret.csv"), [0, 0, 0]);
    let seen = "SELECT count(*) FROM trips.hist_trip_data WHERE region = 'hunter2'";
    assert_eq!(admin.query_one(seen, &[]).unwrap().get::<_, i64>(0), 0);
    // The file is looked at again while it is loaded: not only when it is listed.
    let step =
        format!("SELECT trips_internal.ingest_match('{inbox}/*.csv', '{inbox}/absolute.csv')");
    assert_eq!(server_error(&admin.simple_query(&step).unwrap_err()).0, "42501");
    let step = format!("SELECT trips_internal.ingest_match('{inbox}/*.csv', '{secret}')");
    assert_eq!(server_error(&admin.simple_query(&step).unwrap_err()).0, "42501");
    // A directory that is a link is a directory.
    symlink(&inbox, cluster.path("linked")).unwrap();
    cluster.file("inbox/next.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 2)));
    let linked = cluster.path("linked");
    let row = admin.query_one(&format!("CALL trips.ingest_new('{linked}/next.csv')"), &[]).unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
    // By its name, whoever may read it loads it.
    admin.query_one("SELECT trips.ingest($1)", &[&cluster.path("inbox/absolute.csv")]).unwrap();
}

/// The harness starts every server with RUST_BACKTRACE: none is sent to clients.
#[test]
fn no_backtraces() {
    let (cluster, [mut etl, _]) = with_roles();
    let mut admin = cluster.client();
    admin
        .batch_execute(
            "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'mine'; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON trips.hist_trip_data FOR EACH ROW EXECUTE FUNCTION public.refuse()",
        )
        .unwrap();
    let path = cluster.file("inbox/a.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    for client in [&mut admin, &mut etl] {
        let error = client.query_one("SELECT trips.ingest($1)", &[&path]).unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!((error.code().code(), error.message()), ("P0001", "mine"));
        assert_eq!(error.detail(), None);
        assert!(error.where_().unwrap().lines().count() <= 2, "{error:?}");
    }
}

/// Found after the load has been announced: reported with its own cause.
#[test]
fn dates_that_exclude_every_trip() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let path = cluster.file("a.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    client
        .batch_execute(
            "SET trips.earliest_date = '2099-01-01'; SET trips.latest_date = '1970-01-02'",
        )
        .unwrap();
    for function in ["ingest", "stage"] {
        let query = format!("SELECT trips.{function}($1)");
        let error = client.query_one(&query, &[&path]).unwrap_err();
        assert_eq!(server_error(&error).0, "22023");
    }
    // The load monitor has said all that it will when it has ended.
    let monitor = "SELECT count(*) FROM pg_stat_activity
                    WHERE backend_type = 'trips_pipeline monitor' AND datname = current_database()";
    eventually(&mut client, monitor, 0);
    eventually(
        &mut client,
        "SELECT count(*), min(error_code), max(error_code) FROM trips.loads",
        "2|22023|22023",
    );
}
