//! Who may what: nobody anything, unless it was granted; and nobody more than that.

use postgres::Client;
use trips_tests::{Cluster, FIVE_COLUMNS, Load, real_trips, server_error, trip_line};

fn code(client: &mut Client, query: &str) -> String {
    client.query(query, &[]).map_or_else(|error| server_error(&error).0, |_| "ok".to_owned())
}

#[test]
fn nothing_is_granted_to_public() {
    let cluster = Cluster::start();
    let path = cluster.file("trips.csv", real_trips());
    let mut admin = cluster.client();
    admin.batch_execute("CREATE ROLE somebody LOGIN").unwrap();
    let mut somebody = cluster.client_as("somebody");
    for query in [
        format!("SELECT trips.ingest('{path}')"),
        "SELECT trips.merge_staged()".into(),
        "SELECT * FROM trips.hist_trip_data".into(),
        "SELECT * FROM trips.weekly_avg()".into(),
    ] {
        assert_eq!(code(&mut somebody, &query), "42501", "{query}");
    }
    // Not with the schema open, either.
    admin.batch_execute("GRANT USAGE ON SCHEMA trips TO somebody").unwrap();
    for query in [
        format!("SELECT trips.ingest('{path}')"),
        format!("SELECT trips.stage('{path}')"),
        "SELECT trips.merge_staged()".into(),
        "SELECT * FROM trips.weekly_avg()".into(),
        "DELETE FROM trips.loads".into(),
        "INSERT INTO trips.stg_trip_data (region) VALUES ('x')".into(),
        "SELECT nextval('trips.loads_load_id_seq')".into(),
    ] {
        assert_eq!(code(&mut somebody, &query), "42501", "{query}");
    }
    let granted: i64 = admin
        .query_one(
            "SELECT count(*) FROM pg_class AS c, aclexplode(c.relacl) AS a
              WHERE c.relnamespace IN ('trips'::regnamespace, 'trips_internal'::regnamespace) AND a.grantee = 0",
            &[],
        )
        .unwrap()
        .get(0);
    assert_eq!(granted, 0);
}

#[test]
fn a_file_needs_pg_read_server_files() {
    let cluster = Cluster::start();
    let path = cluster.file("trips.csv", real_trips());
    let mut admin = cluster.client();
    admin
        .batch_execute(
            "CREATE ROLE loader LOGIN;
             GRANT USAGE ON SCHEMA trips TO loader;
             GRANT EXECUTE ON FUNCTION trips.ingest, trips.stage TO loader",
        )
        .unwrap();
    let mut loader = cluster.client_as("loader");
    for call in ["ingest", "stage"] {
        let error = loader.query_one(&format!("SELECT trips.{call}($1)"), &[&path]).unwrap_err();
        let (code, message, hint) = server_error(&error);
        assert_eq!(code, "42501", "{message}");
        assert!(message.contains("permission denied to load file"), "{message}");
        assert!(hint.contains("pg_read_server_files"), "{hint}");
    }
    let attempts: i64 = admin.query_one("SELECT count(*) FROM trips.loads", &[]).unwrap().get(0);
    assert_eq!(attempts, 0);

    // With it, no right on any table is needed: the functions write, not their callers.
    admin.batch_execute("GRANT pg_read_server_files TO loader").unwrap();
    let row = loader.query_one("SELECT * FROM trips.ingest($1)", &[&path]).unwrap();
    assert_eq!(Load::from_row(&row).rows, [100, 100, 0, 0]);
    assert_eq!(row.get::<_, String>("requested_by"), "loader");
    assert_eq!(code(&mut loader, "SELECT * FROM trips.hist_trip_data"), "42501");
    let who = loader.query_one("SELECT current_user::text", &[]).unwrap();
    assert_eq!(who.get::<_, String>(0), "loader");
    // And after an error, in the same transaction, the rights are the caller's again.
    loader
        .batch_execute(
            "DO $$ BEGIN PERFORM trips.ingest('/nowhere.csv'); EXCEPTION WHEN undefined_file THEN
               IF current_user <> 'loader' THEN RAISE 'still %', current_user; END IF; END $$",
        )
        .unwrap();
}

/// A caller's own operators and functions, earlier in the search path than PostgreSQL's, are not run
/// with the rights of the owner.
#[test]
fn the_callers_search_path_has_no_say() {
    let cluster = Cluster::start();
    let mut admin = cluster.client();
    admin
        .batch_execute(
            "CREATE ROLE loader LOGIN;
             GRANT USAGE ON SCHEMA trips TO loader;
             GRANT EXECUTE ON FUNCTION trips.ingest, trips.stage, trips.merge_staged TO loader;
             GRANT pg_read_server_files TO loader;
             CREATE SCHEMA evil AUTHORIZATION loader",
        )
        .unwrap();
    let mut loader = cluster.client_as("loader");
    loader
        .batch_execute(
            "CREATE FUNCTION evil.trap(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS
               $$ BEGIN RAISE 'trapped as %', current_user; END $$;
             CREATE OPERATOR evil.= (FUNCTION = evil.trap, LEFTARG = bigint, RIGHTARG = bigint);
             CREATE FUNCTION evil.trap2(bigint, bigint) RETURNS bigint LANGUAGE plpgsql AS
               $$ BEGIN RAISE 'trapped as %', current_user; END $$;
             CREATE OPERATOR evil.+ (FUNCTION = evil.trap2, LEFTARG = bigint, RIGHTARG = bigint);
             CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS
               $$ BEGIN RAISE 'trapped as %', current_user; END $$;
             CREATE FUNCTION evil.nextval(regclass) RETURNS bigint LANGUAGE plpgsql AS
               $$ BEGIN RAISE 'trapped as %', current_user; END $$;
             SET search_path = evil, pg_catalog",
        )
        .unwrap();
    // The trap works for who walks into it.
    let error = loader.query_one("SELECT 1::bigint = 1::bigint", &[]).unwrap_err();
    assert!(server_error(&error).1.contains("trapped"));
    let path = cluster.file("1.csv", format!("{FIVE_COLUMNS}{}bad\n", trip_line("A", 1)));
    loader.query_one("SELECT trips.ingest($1)", &[&path]).unwrap();
    let path = cluster.file("2.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 2)));
    loader.query_one("SELECT trips.stage($1)", &[&path]).unwrap();
    loader.query_one("SELECT trips.merge_staged()", &[]).unwrap();
    loader.query_one("SELECT trips.ingest('/nowhere.csv')", &[]).unwrap_err();
    assert!(!cluster.log().contains("trapped as postgres"));
}
