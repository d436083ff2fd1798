//! Settings of the session, the role or the database that change how statements are read, values are printed, or where
//! tables are stored: nothing that the extension does depends on them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::sync::{Arc, Mutex};

use postgres::{Client, NoTls};
use trips_tests::{
    Cluster, FIVE_COLUMNS, digest, parts_of, rows_as_csv, server_error, trip_line, until,
};

/// Values that nobody expects, for every setting that could matter; those of a line are set together. A setting that
/// this version of PostgreSQL does not have is passed over.
const ODD: &[&[(&str, &str)]] = &[
    &[
        ("DateStyle", "'SQL, DMY'"),
        ("IntervalStyle", "sql_standard"),
        ("TimeZone", "'Pacific/Apia'"),
    ],
    &[("DateStyle", "'German'"), ("IntervalStyle", "iso_8601"), ("extra_float_digits", "-15")],
    &[("standard_conforming_strings", "off"), ("backslash_quote", "off")],
    &[("quote_all_identifiers", "on")],
    &[("bytea_output", "escape"), ("xmlbinary", "hex"), ("xmloption", "document")],
    &[("array_nulls", "off"), ("transform_null_equals", "on")],
    &[("lc_time", "'C.UTF-8'"), ("lc_numeric", "'C.UTF-8'"), ("lc_monetary", "'C.UTF-8'")],
    &[("search_path", "public")],
    &[("search_path", "''"), ("row_security", "off"), ("default_toast_compression", "pglz")],
    &[("default_tablespace", "elsewhere"), ("temp_tablespaces", "elsewhere")],
    &[("default_tablespace", "pg_global")],
    &[("default_table_access_method", "other_heap")],
    &[("plpgsql.variable_conflict", "use_column"), ("plpgsql.extra_errors", "'all'")],
    &[("plpgsql.variable_conflict", "use_variable"), ("plpgsql.extra_warnings", "'all'")],
    &[("default_transaction_isolation", "serializable"), ("default_transaction_deferrable", "on")],
    &[("default_transaction_isolation", "'repeatable read'")],
    &[
        ("restrict_nonsystem_relation_kind", "'view, foreign-table'"),
        ("createrole_self_grant", "'set, inherit'"),
        ("allow_in_place_tablespaces", "on"),
    ],
    &[("force_parallel_mode", "on"), ("debug_parallel_query", "on"), ("jit_above_cost", "0")],
    &[
        ("work_mem", "64"),
        ("plan_cache_mode", "force_generic_plan"),
        ("cursor_tuple_fraction", "0"),
    ],
    &[("exit_on_error", "on"), ("default_text_search_config", "'pg_catalog.german'")],
];

fn text(client: &mut Client, query: &str) -> String {
    let row = client.query_one(query, &[]).unwrap_or_else(|error| panic!("{query}: {error:?}"));
    row.get::<_, Option<String>>(0).unwrap_or_default()
}

/// A server with what the values of [`ODD`] name, and an inbox.
fn start() -> Cluster {
    let cluster = Cluster::start_bare("");
    let elsewhere = cluster.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let server = fs::metadata(cluster.path("data")).unwrap();
    chown(&elsewhere, Some(server.uid()), Some(server.gid())).unwrap();
    fs::create_dir(cluster.path("inbox")).unwrap();
    fs::set_permissions(cluster.path("inbox"), fs::Permissions::from_mode(0o755)).unwrap();
    cluster.file("a.csv", rows_as_csv(300, 1));
    cluster.file("b.csv", rows_as_csv(300, 2));
    cluster.file("inbox/c.csv", format!("{FIVE_COLUMNS}{}bad,\n", trip_line("Prague", 5)));
    let mut admin = cluster.client_of("postgres");
    admin.batch_execute(&format!("CREATE TABLESPACE elsewhere LOCATION '{elsewhere}'")).unwrap();
    cluster
}

/// A new database whose sessions, and workers, have these settings.
fn database(cluster: &Cluster, name: &str, settings: &[(&str, &str)]) {
    let mut admin = cluster.client_of("postgres");
    admin.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
    let mut client = cluster.client_of(name);
    client
        .batch_execute(
            "CREATE EXTENSION trips_pipeline;
             CREATE ACCESS METHOD other_heap TYPE TABLE HANDLER pg_catalog.heap_tableam_handler",
        )
        .unwrap();
    for (setting, value) in settings {
        let query = format!(
            "SELECT count(*)::text FROM pg_settings WHERE lower(name) = lower('{setting}')"
        );
        if setting.contains('.') || text(&mut admin, &query) == "1" {
            let set = format!("ALTER DATABASE {name} SET {setting} = {value}");
            admin.batch_execute(&set).unwrap_or_else(|error| panic!("{set}: {error}"));
        }
    }
}

fn wait_for_load(client: &mut Client, load_id: i64) -> String {
    let query =
        format!("SELECT concat_ws(' ', state, error) FROM trips.loads WHERE load_id = {load_id}");
    until("a load does not end", || {
        let state = text(client, &query);
        (!state.starts_with("queued") && !state.starts_with("running")).then_some(state)
    })
}

/// Changes by hand.
const CHANGES: [&str; 10] = [
    "INSERT INTO trips.hist_trip_data SELECT 'Prague', NULL, NULL, t, NULL,
            trips.trip_key('Prague', NULL, NULL, t, NULL), 0
       FROM (VALUES (timestamp '2031-02-04 00:00:00'), ('2031-02-05 00:00:00')) AS v (t)",
    "INSERT INTO trips.hist_trip_data_2031_02 SELECT 'Graz', NULL, NULL, t, NULL,
            trips.trip_key('Graz', NULL, NULL, t, NULL), 0
       FROM (VALUES (timestamp '2031-02-06 00:00:00'), ('2031-02-07 00:00:00')) AS v (t)",
    "UPDATE trips.hist_trip_data SET date_time = date_time + interval '1 hour',
            trip_key = trips.trip_key(region, NULL, NULL, date_time + interval '1 hour', NULL)
      WHERE date_time = '2031-02-06 00:00:00'",
    "DELETE FROM trips.hist_trip_data WHERE date_time = '2031-02-07 00:00:00'",
    "SET default_tablespace = ''; CREATE TABLE public.march (LIKE trips.hist_trip_data INCLUDING ALL, PRIMARY KEY (date_time, trip_key)); RESET default_tablespace",
    "INSERT INTO public.march SELECT 'Brno', NULL, NULL, t, NULL,
            trips.trip_key('Brno', NULL, NULL, t, NULL), 0
       FROM (VALUES (timestamp '2031-03-06 00:00:00'), ('2031-03-07 00:00:00')) AS v (t)",
    "ALTER TABLE trips.hist_trip_data ATTACH PARTITION public.march FOR VALUES FROM ('2031-03-01') TO ('2031-04-01')",
    "DELETE FROM public.march WHERE date_time = '2031-03-07 00:00:00'",
    "TRUNCATE public.march",
    "ALTER TABLE trips.hist_trip_data DETACH PARTITION trips.hist_trip_data_2031_02",
];

/// What came of everything.
const QUESTIONS: [&str; 9] = [
    "SELECT md5(string_agg(concat_ws(' ', region, origin_coord[0], date_time, datasource, trip_key), ';' ORDER BY date_time, trip_key COLLATE \"C\"))
       FROM (SELECT h.region, h.origin_coord, h.date_time, h.datasource, h.trip_key::text FROM trips.hist_trip_data AS h) AS h",
    "SELECT md5(string_agg(d::text, ';' ORDER BY d::text COLLATE \"C\")) FROM trips.daily_trip_counts AS d",
    "SELECT string_agg(w::text, ';') FROM trips.weekly_avg() AS w",
    "SELECT trips.weekly_avg('Prague') || ', ' || string_agg(w::text, ';') FROM trips.weekly_counts('Prague', '2031-01-01') AS w",
    "SELECT count(*)::text FROM trips.similar_trips(at_least => 1)",
    "SELECT string_agg(w::text, ';') FROM trips.weekly_counts(trips.area(4, 45, 15, 52), match => 'either') AS w WHERE w.trips > 0",
    "SELECT string_agg(concat_ws(' ', line_no, error_code, column_name), ';') FROM trips.stg_trip_data",
    "SELECT string_agg(concat_ws(' ', state, rows_read, rows_inserted, rows_staged), ';' ORDER BY load_id) FROM trips.loads",
    "SELECT string_agg(concat_ws(' ', c.relname, (SELECT spcname FROM pg_tablespace AS t WHERE t.oid = c.reltablespace),
                                 (SELECT amname FROM pg_am AS a WHERE a.oid = c.relam)), ';' ORDER BY c.relname)
       FROM pg_class AS c WHERE c.relname LIKE 'hist_trip_data_%'",
];

/// A file that comes in parts.
fn upload(client: &mut Client) -> String {
    let file = rows_as_csv(50, 3);
    let query = "SELECT load_id FROM trips.create_upload('far', $1, $2, 'r')";
    let bytes = i64::try_from(file.len()).unwrap();
    let load_id: i64 = client.query_one(query, &[&digest(&file), &bytes]).unwrap().get(0);
    for part in parts_of(&file, load_id, 1000) {
        client.query_one("SELECT trips.upload_part($1, $2)", &[&load_id, &part]).unwrap();
    }
    let merge = format!(
        "SELECT concat_ws(' ', state, rows_inserted) FROM trips.complete_upload({load_id})"
    );
    text(client, &merge)
}

/// Everything that the extension does, and what came of it; and the warnings.
fn everything(cluster: &Cluster, name: &str) -> Vec<String> {
    let warnings = Arc::new(Mutex::new(Vec::new()));
    let received = warnings.clone();
    let mut config = cluster.config_of(name);
    config.notice_callback(move |notice| {
        if notice.severity() == "WARNING" {
            received.lock().unwrap().push(notice.message().to_owned());
        }
    });
    let client = &mut config.connect(NoTls).unwrap();
    let mut done = Vec::new();
    let (a, b, inbox) = (cluster.path("a.csv"), cluster.path("b.csv"), cluster.path("inbox"));
    let ingest = format!(
        "SELECT concat_ws(' ', state, rows_inserted, rows_staged) FROM trips.ingest('{a}')"
    );
    done.push(text(client, &ingest));
    let load_id = text(client, &format!("SELECT trips.submit('{b}')::text")).parse().unwrap();
    done.push(wait_for_load(client, load_id));
    client.batch_execute(&format!("CALL trips.ingest_new('{inbox}/*.csv')")).unwrap();
    client
        .batch_execute(
            "INSERT INTO trips.stg_trip_data (region, origin_coord, destination_coord, date_time, datasource)
             VALUES ('Prague', 'POINT (1 2)', 'POINT (3 4)', '2031-02-03 04:05:06', 'by hand')",
        )
        .unwrap();
    done.push(text(
        client,
        "SELECT concat_ws(' ', state, rows_inserted) FROM trips.merge_staged()",
    ));
    done.push(upload(client));
    for change in CHANGES {
        let changed = client.batch_execute(change).map_err(|error| server_error(&error));
        done.push(format!("{changed:?}"));
    }
    let verify = "SELECT string_agg(concat_ws(': ', check_name, detail), '; ') FROM trips.verify()
                   WHERE NOT passed AND check_name <> 'ledger'";
    done.push(text(client, verify));
    client.batch_execute("SELECT trips.rebuild()").unwrap();
    done.push(text(client, verify));
    client
        .batch_execute("SET DateStyle = 'ISO'; SET TimeZone = 'UTC'; SET extra_float_digits = 1")
        .unwrap();
    done.extend(QUESTIONS.map(|question| text(client, question)));
    done.push(format!("{:?}", warnings.lock().unwrap()));
    done
}

/// One setting after the other is odd: in the session and, because the database has it, in the workers.
#[test]
fn nothing_depends_on_settings_of_the_session() {
    let cluster = start();
    database(&cluster, "plain", &[]);
    let expected = everything(&cluster, "plain");
    assert!(expected.iter().all(|line| !line.contains("Err(")), "{expected:#?}");
    assert_eq!(expected[14..16], ["", ""], "{expected:#?}");
    let mut wrong = Vec::new();
    for (number, settings) in ODD.iter().enumerate() {
        let name = format!("odd_{number}");
        database(&cluster, &name, settings);
        let found = std::panic::catch_unwind(|| everything(&cluster, &name));
        let Ok(found) = found else {
            wrong.push(format!("{settings:?}: refused"));
            continue;
        };
        let others = found.iter().zip(&expected).filter(|(found, expected)| found != expected);
        wrong.extend(
            others.map(|(found, expected)| format!("{settings:?}: {found} instead of {expected}")),
        );
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), cluster.log());
}

/// A partition gets the tablespace that the owner of the history has set, not that of the caller's session.
#[test]
fn partitions_lie_where_the_history_does() {
    let cluster = start();
    let mut admin = cluster.client();
    admin
        .batch_execute(
            "CREATE EXTENSION trips_pipeline; CREATE ROLE etl LOGIN; SELECT trips.grant_loader('etl')",
        )
        .unwrap();
    let set = format!("ALTER DATABASE trips SET trips.data_directories = '{}'", cluster.path(""));
    admin.batch_execute(&set).unwrap();
    let mut etl = cluster.client_as("etl");
    etl.batch_execute("SET default_tablespace = elsewhere").unwrap();
    let path = cluster.file("may.csv", format!("{FIVE_COLUMNS}{}", trip_line("Prague", 1)));
    text(&mut etl, &format!("SELECT state FROM trips.ingest('{path}')"));
    let places = "SELECT string_agg(concat_ws(' ', c.relname, t.spcname), ', ' ORDER BY c.relname)
                    FROM pg_class AS c LEFT JOIN pg_tablespace AS t ON t.oid = c.reltablespace
                   WHERE c.relname LIKE 'hist_trip_data_%'";
    assert_eq!(text(&mut admin, places), "hist_trip_data_2018_05, hist_trip_data_2018_05_pkey");
    // What the session has set is as it was.
    assert_eq!(text(&mut etl, "SHOW default_tablespace"), "elsewhere");
    admin
        .batch_execute(
            "ALTER TABLE trips.hist_trip_data SET TABLESPACE elsewhere; DROP TABLE trips.hist_trip_data_2018_05",
        )
        .unwrap();
    text(&mut etl, &format!("SELECT state FROM trips.ingest('{path}', force => true)"));
    assert_eq!(
        text(&mut admin, places),
        "hist_trip_data_2018_05 elsewhere, hist_trip_data_2018_05_pkey elsewhere"
    );
}

/// A wrong value of a text is refused when it is set, wherever that is.
#[test]
fn a_wrong_value_is_refused_when_it_is_set() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    client.batch_execute("LOAD 'trips_pipeline'").unwrap();
    for (setting, value) in [
        ("earliest_date", "nonsense"),
        ("earliest_date", ""),
        ("earliest_date", "2018-02-30"),
        ("latest_date", "infinity"),
        ("latest_date", "2018-05-01 00:00:00"),
        ("latest_date", "10000-01-01"),
        ("data_directories", "inbox"),
        ("data_directories", "/inbox, other"),
        ("data_directories", "/inbox,"),
    ] {
        for set in ["SET", "SET LOCAL", "ALTER DATABASE trips SET", "ALTER SYSTEM SET"] {
            let statement = format!("{set} trips.{setting} = '{value}'");
            let error = client.batch_execute(&statement).expect_err(&statement);
            assert_eq!(server_error(&error).0, "22023", "{statement}");
        }
    }
    for setting in ["watch_database = ''", "watch_database = 'repeat'", "watch_directory = 'inbox'"]
    {
        let name = "x".repeat(64);
        let statement = format!("ALTER SYSTEM SET trips.{}", setting.replace("repeat", &name));
        let error = client.batch_execute(&statement).expect_err(&statement);
        assert_eq!(server_error(&error).0, "22023", "{statement}");
    }
    client
        .batch_execute(
            "SET trips.earliest_date = '0001-01-01'; SET trips.latest_date = '9999-12-31';
             SET trips.data_directories = ' /a b , /c '; SET trips.data_directories = ''",
        )
        .unwrap();
}
