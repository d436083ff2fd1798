//! Workers end their transactions as a superuser: nothing that the owner of a table has put off to the end runs
//! then, whatever way he has found to put it off.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use postgres::Client;
use trips_tests::{Cluster, FIVE_COLUMNS, eventually, server_error, trip_line};

/// A role without rights, `own`, and what he does in the name of his tables: he writes down who he is, and makes
/// himself a superuser when he can. Deferred triggers defer again; cursors stay open over the end.
const TRAPS: &str = "
CREATE ROLE own;
CREATE TABLE public.seen (what text, who text, session text);
CREATE TABLE public.later (n int);
ALTER TABLE public.later OWNER TO own;
GRANT ALL ON public.seen, public.later TO PUBLIC;
GRANT ALL ON SCHEMA trips, trips_internal, public TO own;
SET ROLE own;
CREATE FUNCTION public.look(what text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO public.seen VALUES (what, current_user, session_user);
  IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AND session_user <> 'own' THEN
    ALTER ROLE own SUPERUSER;
  END IF;
  RETURN 1;
END $$;
CREATE FUNCTION public.climb() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM public.look(TG_TABLE_NAME);
  EXECUTE 'SET CONSTRAINTS ALL DEFERRED';
  IF TG_TABLE_NAME <> 'later' THEN INSERT INTO public.later VALUES (1); END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION public.hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF session_user = 'postgres' THEN
    EXECUTE format('DECLARE %I CURSOR WITH HOLD FOR SELECT public.look(%L)', gen_random_uuid(), TG_TABLE_NAME || ' held');
  END IF;
  EXECUTE 'SET CONSTRAINTS ALL DEFERRED';
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER climb AFTER INSERT ON public.later DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION public.climb();
RESET ROLE";

fn give_away(client: &mut Client, tables: &[String]) {
    for table in tables {
        client.batch_execute(&format!("ALTER TABLE {table} OWNER TO own")).unwrap();
    }
    let untrapped = ["trips.hist_trip_data", "trips.summarized_trip_data"];
    for table in tables.iter().filter(|table| !untrapped.contains(&table.as_str())) {
        client
            .batch_execute(&format!(
                "SET ROLE own;
                 CREATE CONSTRAINT TRIGGER climb AFTER INSERT OR UPDATE OR DELETE ON {table}
                   DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.climb();
                 CREATE TRIGGER hold AFTER INSERT OR UPDATE OR DELETE ON {table}
                   FOR EACH STATEMENT EXECUTE FUNCTION public.hold();
                 RESET ROLE"
            ))
            .unwrap();
    }
}

/// A server with one load done, the traps laid, and a folder that loads may come from.
fn start(configuration: &str) -> (Cluster, Client) {
    let mut cluster = Cluster::start();
    let inbox = cluster.path("inbox");
    fs::create_dir(&inbox).unwrap();
    fs::set_permissions(&inbox, fs::Permissions::from_mode(0o755)).unwrap();
    let first = cluster.file("first.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    let mut client = cluster.client();
    cluster.ingest(&mut client, &first);
    client.batch_execute(TRAPS).unwrap();
    client
        .batch_execute(&format!(
            "ALTER DATABASE trips SET trips.data_directories = '{inbox}'; CREATE ROLE etl LOGIN;
             SELECT trips.grant_loader('etl')"
        ))
        .unwrap();
    if !configuration.is_empty() {
        drop(client);
        let lines = configuration.replace("{inbox}", &inbox);
        cluster.restart(|cluster| cluster.configure(&lines));
        client = cluster.client();
    }
    (cluster, client)
}

/// All tables of the extension, and the partition.
fn all_tables(client: &mut Client) -> Vec<String> {
    let query = "SELECT oid::regclass::text FROM pg_class
                  WHERE relnamespace IN ('trips'::regnamespace, 'trips_internal'::regnamespace)
                    AND relkind IN ('r', 'p', 'm')";
    client.query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

fn wait_for_loads(client: &mut Client, loads: &[(&str, i64)]) {
    let expected: Vec<String> =
        loads.iter().map(|(state, count)| format!("{state}|{count}")).collect();
    let query = "SELECT state, count(*) FROM trips.loads GROUP BY state ORDER BY state";
    eventually(client, query, expected.join("\n"));
    // Events, and the last report of the load monitor, follow later.
    let workers = "SELECT count(*) FROM pg_stat_activity
                    WHERE backend_type IN ('trips_pipeline monitor', 'trips_pipeline queue')";
    eventually(client, workers, 0);
}

/// What ran in workers, all of it as `own`, who has not got any further.
fn ran_in_workers(client: &mut Client) -> BTreeSet<String> {
    let query = "SELECT what, who FROM public.seen WHERE session = 'postgres'";
    let seen: BTreeSet<(String, String)> =
        client.query(query, &[]).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
    assert!(seen.iter().all(|(_, who)| who == "own"), "{seen:?}");
    let climbed = "SELECT rolsuper FROM pg_roles WHERE rolname = 'own'";
    assert!(!client.query_one(climbed, &[]).unwrap().get::<_, bool>(0), "{seen:?}");
    seen.into_iter().map(|(what, _)| what).collect()
}

fn file(cluster: &Cluster, name: &str, second: u32) -> String {
    cluster.file(name, format!("{FIVE_COLUMNS}{}bad\n", trip_line("B", second)))
}

/// One load by the queue's worker, one that fails in a session and is entered by the load monitor.
fn load_and_fail(cluster: &Cluster, client: &mut Client) {
    let good = file(cluster, "inbox/good.csv", 1);
    let bad = cluster.file("inbox/bad.csv", "region\n1\n");
    let mut etl = cluster.client_as("etl");
    etl.query_one("SELECT trips.submit($1)", &[&good]).unwrap();
    wait_for_loads(client, &[("loaded", 2)]);
    etl.query_one("SELECT trips.ingest($1)", &[&bad]).unwrap_err();
    wait_for_loads(client, &[("failed", 1), ("loaded", 2)]);
}

#[test]
fn of_all_tables_in_the_queue_and_the_monitor() {
    let (cluster, mut client) = start("");
    let tables = all_tables(&mut client);
    give_away(&mut client, &tables);
    load_and_fail(&cluster, &mut client);
    let seen = ran_in_workers(&mut client);
    for what in ["queue", "events", "loads", "stg_trip_data", "hist_trip_data_2018_05", "later"] {
        assert!(seen.contains(what), "{what} is not in {seen:?}");
    }
    for what in ["queue held", "events held", "loads held"] {
        assert!(seen.contains(what), "{what} is not in {seen:?}");
    }
}

#[test]
fn of_one_table_in_the_queue_and_the_monitor() {
    for table in ["trips.events", "trips.queue", "trips.loads"] {
        let (cluster, mut client) = start("");
        give_away(&mut client, &[table.to_owned()]);
        if table == "trips.loads" {
            // Whose ledger it is writes the other tables, too.
            client
                .batch_execute("GRANT ALL ON ALL TABLES IN SCHEMA trips, trips_internal TO own")
                .unwrap();
            let bad = cluster.file("inbox/bad.csv", "region\n1\n");
            let mut etl = cluster.client_as("etl");
            etl.query_one("SELECT trips.ingest($1)", &[&bad]).unwrap_err();
            wait_for_loads(&mut client, &[("failed", 1), ("loaded", 1)]);
        } else {
            load_and_fail(&cluster, &mut client);
        }
        let seen = ran_in_workers(&mut client);
        let name = table.trim_start_matches("trips.");
        assert!(seen.contains(name) && seen.contains("later"), "{table}: {seen:?}");
    }
}

/// The triggers of one table's owner would run as the ledger's: nothing is loaded then, wherever.
#[test]
fn a_load_into_another_owners_table_is_refused() {
    for table in ["trips.hist_trip_data_2018_05", "trips.stg_trip_data", "trips.daily_trip_counts"]
    {
        let (cluster, mut client) = start("");
        give_away(&mut client, &[table.to_owned()]);
        let good = file(&cluster, "inbox/good.csv", 1);
        let mut etl = cluster.client_as("etl");
        let error = etl.query_one("SELECT trips.ingest($1)", &[&good]).unwrap_err();
        let (code, message, hint) = server_error(&error);
        assert_eq!(code, "55000", "{message}");
        assert!(
            message.starts_with(&format!("table {table} is owned by own,")) && !hint.is_empty()
        );
        assert_eq!(
            server_error(&etl.query_one("SELECT trips.submit($1)", &[&good]).unwrap_err()).0,
            "55000"
        );
        assert!(ran_in_workers(&mut client).is_empty());
        // A role that has these rights anyway may own what it likes.
        client.batch_execute("GRANT postgres TO own").unwrap();
        etl.query_one("SELECT trips.ingest($1)", &[&good]).unwrap();
    }
}

#[test]
fn of_all_tables_in_the_watched_folder() {
    let (cluster, mut client) = start(
        "shared_preload_libraries = 'trips_pipeline'\ntrips.watch_database = 'trips'
         trips.watch_directory = '{inbox}'",
    );
    let tables = all_tables(&mut client);
    give_away(&mut client, &tables);
    file(&cluster, "inbox/good.csv", 1);
    wait_for_loads(&mut client, &[("loaded", 2)]);
    let seen = ran_in_workers(&mut client);
    for what in ["events", "loads", "stg_trip_data", "hist_trip_data_2018_05", "later"] {
        assert!(seen.contains(what), "{what} is not in {seen:?}");
    }
    let by = "SELECT requested_by FROM trips.loads ORDER BY load_id DESC LIMIT 1";
    assert_eq!(client.query_one(by, &[]).unwrap().get::<_, &str>(0), "own");
}
