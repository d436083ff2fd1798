//! What CREATE EXTENSION makes: all of it declared here, commented, and gone with DROP EXTENSION.

use trips_core::columns::{COLUMNS, SqlType, TripColumn};
use trips_core::wire::staged_row;
use trips_tests::{Cluster, Database, FIVE_COLUMNS, text_of, trip_line};

/// Every member of the extension. A new one is added here on purpose, or by mistake nowhere.
const MEMBERS: &[&str] = &[
    "event trigger trips_partitions",
    "event trigger trips_partitions_dropped",
    "event trigger trips_partitions_lock",
    "event trigger trips_refresh",
    "event trigger trips_refresh_lock",
    "function trips.abort_upload(bigint)",
    "function trips.area(double precision,double precision,double precision,double precision)",
    "function trips.cancel(bigint)",
    "function trips.complete_places(text,date,date)",
    "function trips.complete_upload(bigint)",
    "function trips.create_feed(text,jsonb)",
    "function trips.create_upload(text,bytea,bigint,text,text)",
    "function trips.datasource_regions(text)",
    "function trips.delete_trips(text,timestamp without time zone,timestamp without time zone,text,text)",
    "function trips.detect_feed(text)",
    "function trips.diff(text,text,text,text,text,integer)",
    "function trips.drop_feed(text)",
    "function trips.events_since(bigint)",
    "function trips.explain_staged(bigint,integer)",
    "function trips.grant_loader(regrole)",
    "function trips.grant_reader(regrole)",
    "function trips.h3_bounds(text)",
    "function trips.h3_cell(point,integer)",
    "function trips.h3_center(text)",
    "function trips.h3_corners(text)",
    "function trips.h3_number(point,integer)",
    "function trips.ingest(text,text,bigint,boolean,text,text,text,text)",
    "function trips.ingest_new(text,bigint,bigint,bigint,text,text,text,text)",
    "function trips.is_inside(point,box)",
    "function trips.latest_datasource(integer)",
    "function trips.load_stations(text,text,integer)",
    "function trips.merge_staged(bigint)",
    "function trips.metrics()",
    "function trips.partition_bounds()",
    "function trips.preview(text,text,integer,text)",
    "function trips.rebuild()",
    "function trips.repair_partitions()",
    "function trips.replace(text,bigint,text,bigint,boolean,text,text,text,text)",
    "function trips.retract(bigint,boolean)",
    "function trips.retry_staged(bigint,text,boolean,text,boolean,text,text,text,text,text)",
    "function trips.schedule(text,text,text,text,text,text,text)",
    "function trips.similar_to(uuid,integer,interval,date,date,timestamp without time zone)",
    "function trips.similar_trips(text,box,date,date,integer,interval,text,bigint)",
    "function trips.stage(text,text,text,text)",
    "function trips.submit(text,text,bigint,boolean,text,text,text,text)",
    "function trips.trip_key(text,point,point,timestamp without time zone,text)",
    "function trips.unschedule(text)",
    "function trips.upload_part(bigint,bytea)",
    "function trips.verify()",
    "function trips.weekly_avg()",
    "function trips.weekly_avg(box,date,date,text)",
    "function trips.weekly_avg(text,date,date)",
    "function trips.weekly_counts(box,date,date,text)",
    "function trips.weekly_counts(text,date,date)",
    "function trips_internal.builtin_feeds()",
    "function trips_internal.builtin_zones()",
    "function trips_internal.check_area_index()",
    "function trips_internal.check_grouping(integer,interval,text,bigint)",
    "function trips_internal.check_period(date,date)",
    "function trips_internal.check_weeks(date,date)",
    "function trips_internal.ingest_match(text,text,text,text,text,text)",
    "function trips_internal.lock_partitions()",
    "function trips_internal.lock_refresh()",
    "function trips_internal.new_files(text,text,text,text,text,text)",
    "function trips_internal.period_of_region(text,date,date)",
    "function trips_internal.require_pg_cron(text)",
    "function trips_internal.running_loads()",
    "function trips_internal.summary_rows()",
    "function trips_internal.track_changes()",
    "function trips_internal.track_dropped_partitions()",
    "function trips_internal.track_partitions()",
    "function trips_internal.track_refresh()",
    "function trips_internal.try_lock_pattern(text)",
    "materialized view trips.summarized_trip_data",
    "schema trips",
    "schema trips_internal",
    "sequence trips.corrections_correction_id_seq",
    "sequence trips.events_seq_seq",
    "sequence trips.loads_commit_no_seq",
    "sequence trips.loads_load_id_seq",
    "sequence trips_internal.area_segments_seq",
    "sequence trips_internal.claims_claim_no_seq",
    "sequence trips_internal.kept_versions_version_no_seq",
    "table trips.corrections",
    "table trips.daily_trip_counts",
    "table trips.events",
    "table trips.feeds",
    "table trips.hist_trip_data",
    "table trips.load_members",
    "table trips.loads",
    "table trips.queue",
    "table trips.stg_trip_data",
    "table trips.upload_parts",
    "table trips.uploads",
    "table trips.weekly_trip_counts",
    "table trips.zones",
    "table trips_internal.area_directory",
    "table trips_internal.area_pages",
    "table trips_internal.claims",
    "table trips_internal.history_changes",
    "table trips_internal.kept_versions",
    "table trips_internal.load_failures",
    "table trips_internal.load_stations",
    "table trips_internal.queue_roles",
    "view trips.all_feeds",
    "view trips.load_errors",
    "view trips.load_progress",
];

#[test]
fn members_are_declared_and_commented() {
    let database = Database::on_shared();
    let mut client = database.client();
    let rows = client
        .query(
            "SELECT pg_describe_object(classid, objid, 0), obj_description(objid, classid::regclass::name)
               FROM pg_depend
              WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = 'trips_pipeline')
                AND deptype = 'e' AND classid <> 'pg_type'::regclass
              ORDER BY 1",
            &[],
        )
        .unwrap();
    let members: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let declared = MEMBERS;
    assert_eq!(members, declared);
    for row in &rows {
        let (name, comment): (String, Option<String>) = (row.get(0), row.get(1));
        assert!(comment.is_some(), "{name} has no comment");
    }
    let columns = client
        .query(
            "SELECT attrelid::regclass || '.' || attname FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid
              WHERE relnamespace IN ('trips'::regnamespace, 'trips_internal'::regnamespace) AND relkind IN ('r', 'p', 'v', 'm') AND attnum > 0
                AND col_description(attrelid, attnum) IS NULL",
            &[],
        )
        .unwrap();
    let columns: Vec<String> = columns.iter().map(|row| row.get(0)).collect();
    assert_eq!(columns, Vec::<String>::new(), "columns without a comment");
}

/// The core's table of columns is the history's, and its list of staging columns are columns of staging.
#[test]
fn the_table_of_columns_is_that_of_the_catalogue() {
    let database = Database::on_shared();
    let mut client = database.client();
    let mut attributes = |table: &str| -> Vec<(String, String, bool)> {
        let rows = client.query(
            "SELECT attname::text, atttypid::regtype::text, attnotnull FROM pg_attribute
              WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            &[&table],
        );
        rows.unwrap().iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
    };
    let expected = COLUMNS.map(|column| {
        let name = column.name.to_str().unwrap().to_owned();
        let type_name = match column.kind {
            SqlType::Text => "text",
            SqlType::Point => "point",
            SqlType::Timestamp => "timestamp without time zone",
            SqlType::Uuid => "uuid",
            SqlType::Int8 => "bigint",
            SqlType::Jsonb => "jsonb",
        };
        (name, type_name.to_owned(), column.is_required)
    });
    assert_eq!(attributes("trips.hist_trip_data"), expected);
    let staging = attributes("trips.stg_trip_data");
    for name in staged_row::COLUMNS {
        let name = name.to_str().unwrap();
        assert!(staging.iter().any(|(found, ..)| found == name), "{name}");
    }
    for column in TripColumn::ALL {
        let is_text = |(name, kind, is_required): &(String, String, bool)| {
            name == column.name() && (kind == "text" || kind == "character varying") && !is_required
        };
        assert!(staging.iter().any(is_text), "{column} is a text in staging");
    }
}

/// Also a function that ALTER EXTENSION UPDATE adds: its script needs the REVOKE.
#[test]
fn public_may_execute_no_internal_function() {
    let database = Database::on_shared();
    let mut client = database.client();
    let mut executable = || -> Vec<String> {
        let rows = client.query(
            "SELECT p.oid::regprocedure::text FROM pg_proc AS p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
              WHERE p.pronamespace = 'trips_internal'::regnamespace AND a.grantee = 0 AND a.privilege_type = 'EXECUTE'",
            &[],
        );
        rows.unwrap().iter().map(|row| row.get(0)).collect()
    };
    assert_eq!(executable(), Vec::<String>::new());
    database
        .client()
        .batch_execute(
            "CREATE FUNCTION trips_internal.added() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        )
        .unwrap();
    assert_eq!(executable(), ["trips_internal.added()"]);
}

/// A publication of all tables must not make a load fail: UPDATE and DELETE of a published table need it.
#[test]
fn each_table_has_a_replica_identity() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("a.csv", [FIVE_COLUMNS, &trip_line("a", 1)].concat());
    database.ingest(&mut client, &path);
    let without = "SELECT coalesce(string_agg(c.oid::regclass::text, ' '), '') FROM pg_class AS c
                    WHERE c.relnamespace IN ('trips'::regnamespace, 'trips_internal'::regnamespace)
                      AND c.relkind = 'r' AND c.relreplident <> 'f'
                      AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary)";
    assert_eq!(text_of(&mut client, without), "");
}

#[test]
fn the_extension_is_as_its_control_file_says() {
    let database = Database::on_shared();
    let mut client = database.client();
    let row = client
        .query_one(
            "SELECT version, superuser, trusted, relocatable, comment <> '' FROM pg_available_extension_versions
              WHERE name = 'trips_pipeline' AND installed",
            &[],
        )
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), env!("CARGO_PKG_VERSION"));
    let flags: [bool; 4] = [1, 2, 3, 4].map(|i| row.get(i));
    assert_eq!(flags, [true, false, false, true]);
}

#[test]
fn drop_extension_leaves_nothing_and_it_can_come_again() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute("DROP EXTENSION trips_pipeline").unwrap();
    let left: i64 = client
        .query_one("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'trips%'", &[])
        .unwrap()
        .get(0);
    assert_eq!(left, 0);
    client.batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
}

/// The extension is not a part of public: resetting that schema costs no history.
#[test]
fn dropping_public_leaves_the_extension() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute("DROP SCHEMA public CASCADE").unwrap();
    client.query("SELECT * FROM trips.hist_trip_data", &[]).unwrap();
}

/// A schema that somebody has made before is not adopted.
#[test]
fn a_squatted_schema_is_refused() {
    let cluster = Cluster::start_bare("");
    let mut client = cluster.client();
    client.batch_execute("CREATE SCHEMA trips").unwrap();
    let error = client.batch_execute("CREATE EXTENSION trips_pipeline").unwrap_err();
    assert_eq!(trips_tests::server_error(&error).0, "42P06");
}

/// The constraint that the counts of the ledger need.
#[test]
fn the_ledger_must_balance() {
    let database = Database::on_shared();
    let mut client = database.client();
    let error = client
        .batch_execute(
            "INSERT INTO trips.loads (source, state, rows_read, rows_inserted, requested_by, requested_at)
             VALUES ('x', 'loaded', 3, 2, 'me', now())",
        )
        .unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!((error.code().code(), error.constraint()), ("23514", Some("loads_balance_check")));
}

#[test]
fn settings_have_units_and_bounds() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute("LOAD 'trips_pipeline'").unwrap();
    let rows = client
        .query("SELECT name, unit, context, short_desc <> '' FROM pg_settings WHERE name LIKE 'trips.%' ORDER BY 1", &[])
        .unwrap();
    let settings: Vec<(&str, Option<&str>, &str, bool)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect();
    assert_eq!(
        settings,
        [
            ("trips.allowed_urls", None, "superuser", true),
            ("trips.data_directories", None, "superuser", true),
            ("trips.earliest_date", None, "user", true),
            ("trips.event_retention", Some("min"), "superuser", true),
            ("trips.latest_date", None, "user", true),
            ("trips.maintain_area_index", None, "superuser", true),
            ("trips.max_archive_depth", None, "superuser", true),
            ("trips.max_archive_members", None, "superuser", true),
            ("trips.max_compression_ratio", None, "superuser", true),
            ("trips.max_errors", None, "user", true),
            ("trips.max_new_partitions", None, "superuser", true),
            ("trips.max_record_size", Some("B"), "superuser", true),
            ("trips.max_unpacked_size", Some("kB"), "superuser", true),
            ("trips.max_workers", None, "sighup", true),
            ("trips.notice_interval", Some("ms"), "user", true),
            ("trips.parse_threads", None, "superuser", true),
            ("trips.watch_database", None, "sighup", true),
            ("trips.watch_directory", None, "sighup", true),
            ("trips.watch_interval", Some("ms"), "sighup", true),
            ("trips.watch_pattern", None, "sighup", true),
            ("trips.work_mem", Some("kB"), "superuser", true),
            ("trips.zero_coordinates", None, "user", true),
        ]
    );
    for (setting, code) in [("trips.work_mem = '1kB'", "22023"), ("trips.mistyped = 1", "42602")] {
        let error = client.batch_execute(&format!("SET {setting}")).unwrap_err();
        assert_eq!(trips_tests::server_error(&error).0, code, "{setting}");
    }
}
