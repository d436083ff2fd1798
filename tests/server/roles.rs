//! Rights belong to roles, not to names: a role that is dropped takes them with it, one that is renamed keeps them.

use postgres::Client;
use trips_tests::{
    Cluster, FIVE_COLUMNS, digest, rows_as_csv, server_error, text_of, trip_line, until,
};

fn code(client: &mut Client, query: &str) -> String {
    server_error(&client.query(query, &[]).expect_err(query)).0
}

fn make_loader(admin: &mut Client, name: &str) {
    let create = format!("CREATE ROLE {name} LOGIN; SELECT trips.grant_loader('{name}')");
    admin.batch_execute(&create).unwrap();
}

/// Drops a role, and makes another of the same name with the same rights.
fn replace(admin: &mut Client, name: &str) {
    admin.batch_execute(&format!("DROP OWNED BY {name}; DROP ROLE {name}")).unwrap();
    make_loader(admin, name);
}

/// The load's state and SQLSTATE when it is over.
fn outcome(cluster: &Cluster, load_id: i64) -> String {
    let mut client = cluster.client();
    let query = format!(
        "SELECT concat_ws(' ', state, error_code) FROM trips.loads WHERE load_id = {load_id}"
    );
    until("a load does not end", || {
        let state = text_of(&mut client, &query);
        (!state.starts_with("queued") && !state.starts_with("running")).then_some(state)
    })
}

#[test]
fn an_upload_belongs_to_the_role_and_to_nobody_else_of_its_name() {
    let cluster = Cluster::start();
    let mut admin = cluster.client();
    make_loader(&mut admin, "eve");
    make_loader(&mut admin, "bob");
    let file = rows_as_csv(10, 1);
    let bytes = i64::try_from(file.len()).unwrap();
    let open = |client: &mut Client| -> i64 {
        let query = "SELECT load_id FROM trips.create_upload('a', $1, $2, 'r')";
        client.query_one(query, &[&digest(&file), &bytes]).unwrap().get(0)
    };
    let of_eve = open(&mut cluster.client_as("eve"));
    // It is renamed, and goes on.
    admin.batch_execute("ALTER ROLE eve RENAME TO eva").unwrap();
    assert_eq!(open(&mut cluster.client_as("eva")), of_eve);
    admin.batch_execute("ALTER ROLE eva RENAME TO eve").unwrap();
    // Nobody else is kept from bringing the same file.
    let of_bob = open(&mut cluster.client_as("bob"));
    assert_ne!(of_bob, of_eve);
    let drop = |load_id: i64| format!("SELECT trips.abort_upload({load_id})");
    assert_eq!(code(&mut cluster.client_as("bob"), &drop(of_eve)), "42501");
    replace(&mut admin, "eve");
    let mut eve = cluster.client_as("eve");
    for call in [drop(of_eve), format!("SELECT trips.complete_upload({of_eve})")] {
        assert_eq!(code(&mut eve, &call), "42501", "{call}");
    }
    let of_new_eve = open(&mut eve);
    assert!(of_new_eve != of_eve && of_new_eve != of_bob);
    // What is nobody's any more, superusers take away; members go on with their role's.
    admin.query_one(&drop(of_eve), &[]).unwrap();
    admin.batch_execute("GRANT bob TO eve").unwrap();
    eve.query_one(&drop(of_bob), &[]).unwrap();
}

#[test]
fn a_queued_load_belongs_to_the_role_that_submitted_it() {
    let mut cluster = Cluster::start_bare("");
    cluster.client().batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
    // Nothing is loaded before the roles have changed.
    cluster.restart(|cluster| {
        cluster.configure("trips.max_workers = 0\nshared_preload_libraries = 'trips_pipeline'")
    });
    let mut admin = cluster.client();
    let inbox = cluster.path("");
    let set = format!("ALTER DATABASE trips SET trips.data_directories = '{inbox}'");
    admin.batch_execute(&set).unwrap();
    let mut submit = |name: &str| -> i64 {
        make_loader(&mut admin, name);
        let path =
            cluster.file(&format!("{name}.csv"), format!("{FIVE_COLUMNS}{}", trip_line(name, 1)));
        let query = format!("SELECT trips.submit('{path}')");
        cluster.client_as(name).query_one(&query, &[]).unwrap().get(0)
    };
    let [renamed, replaced, restored, dropped, cancelled] =
        ["renamed", "replaced", "restored", "dropped", "cancelled"].map(&mut submit);
    admin.batch_execute("ALTER ROLE renamed RENAME TO of_another_name").unwrap();
    replace(&mut admin, "replaced");
    replace(&mut admin, "cancelled");
    admin.batch_execute("DROP OWNED BY dropped; DROP ROLE dropped").unwrap();
    let cancel = format!("SELECT trips.cancel({cancelled})");
    assert_eq!(code(&mut cluster.client_as("cancelled"), &cancel), "42501");
    admin.query_one(&cancel, &[]).unwrap();
    let cancel = format!("SELECT trips.cancel({renamed})");
    assert_eq!(code(&mut cluster.client_as("replaced"), &cancel), "42501");
    // A dump has the queue, and no numbers of roles.
    let dump = cluster.tool("pg_dump", &["trips"]);
    let dump = String::from_utf8_lossy(&dump.stdout).into_owned();
    assert!(
        dump.contains("COPY trips.queue (") && !dump.contains("COPY trips_internal.queue_roles")
    );
    admin
        .execute("DELETE FROM trips_internal.queue_roles WHERE load_id = $1", &[&restored])
        .unwrap();
    drop(admin);
    cluster.restart(|cluster| cluster.configure("trips.max_workers = 1"));
    let expected = [
        (renamed, "loaded"),
        (replaced, "failed 42501"),
        (restored, "loaded"),
        (dropped, "failed 42501"),
        (cancelled, "failed 57014"),
    ];
    for (load_id, state) in expected {
        assert_eq!(outcome(&cluster, load_id), state, "{load_id} of {expected:?}");
    }
    let left = "SELECT (SELECT count(*) FROM trips.queue) + (SELECT count(*) FROM trips_internal.queue_roles)";
    assert_eq!(cluster.client().query_one(left, &[]).unwrap().get::<_, i64>(0), 0);
}

/// A policy that keeps trips from a reader keeps them out of derived results.
#[test]
fn row_level_security_of_the_history_is_kept() {
    let cluster = Cluster::start();
    let mut admin = cluster.client();
    let path = cluster.file("a.csv", rows_as_csv(500, 1));
    cluster.ingest(&mut admin, &path);
    admin
        .batch_execute(
            "CREATE ROLE analyst LOGIN; SELECT trips.grant_reader('analyst');
             ALTER TABLE trips.hist_trip_data ENABLE ROW LEVEL SECURITY;
             CREATE POLICY p ON trips.hist_trip_data FOR SELECT TO analyst USING (region = 'Prague')",
        )
        .unwrap();
    let count =
        |client: &mut Client, query: &str| -> i64 { client.query_one(query, &[]).unwrap().get(0) };
    let visible = "SELECT count(*) FROM trips.hist_trip_data";
    let of_area = "SELECT coalesce(sum(trips), 0)::bigint FROM trips.weekly_counts(trips.area(-180, -90, 180, 90))";
    let mut analyst = cluster.client_as("analyst");
    let (all, some) = (count(&mut admin, visible), count(&mut analyst, visible));
    assert!(some > 0 && some < all);
    assert_eq!((count(&mut admin, of_area), count(&mut analyst, of_area)), (all, some));
    // The roll-up has policies of its own.
    admin
        .batch_execute(
            "ALTER TABLE trips.daily_trip_counts ENABLE ROW LEVEL SECURITY;
             CREATE POLICY p ON trips.daily_trip_counts FOR SELECT TO analyst USING (region = 'Prague')",
        )
        .unwrap();
    let of_regions =
        "SELECT count(DISTINCT r)::bigint FROM unnest(ARRAY['Prague', 'Turin', 'Hamburg']) AS r,
                             LATERAL trips.weekly_counts(r) AS w";
    assert_eq!(count(&mut analyst, of_regions), 1);
    assert!(count(&mut admin, of_regions) > 0);
    // Loads are as before; what the owner himself may not see, he cannot count.
    let path = cluster.file("b.csv", rows_as_csv(500, 2));
    cluster.ingest(&mut admin, &path);
    admin
        .batch_execute(
            "CREATE ROLE keeper; GRANT USAGE, CREATE ON SCHEMA trips, trips_internal TO keeper;
             DO $$ DECLARE name text; BEGIN
               FOR name IN SELECT c.oid::regclass::text FROM pg_class AS c
                            WHERE c.relnamespace IN ('trips'::regnamespace, 'trips_internal'::regnamespace) AND c.relkind IN ('r', 'p', 'm', 'S')
                              AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i')
                                                                          AND c.relkind = 'S') LOOP
                 EXECUTE format('ALTER TABLE %s OWNER TO keeper', name);
               END LOOP;
             END $$;
             ALTER TABLE trips.hist_trip_data FORCE ROW LEVEL SECURITY",
        )
        .unwrap();
    let path = cluster.file("c.csv", rows_as_csv(500, 3));
    let (code, message, hint) =
        server_error(&admin.query("SELECT trips.ingest($1)", &[&path]).unwrap_err());
    assert!(
        code == "55000" && message.contains("row-level security") && !hint.is_empty(),
        "{code} {message}"
    );
    let (code, ..) = server_error(&admin.query("SELECT trips.rebuild()", &[]).unwrap_err());
    assert_eq!(code, "55000");
}
