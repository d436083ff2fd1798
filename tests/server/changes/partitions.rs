//! Partitions that are made, attached, detached and dropped by hand, and the commands of people who have nothing to
//! do with them.

use std::time::Duration;

use postgres::Client;
use trips_tests::{Cluster, Database, FIVE_COLUMNS, eventually, month_as_csv, server_error};

use super::{check, check_all};

const JUNE: &str = "FOR VALUES FROM ('2018-06-01') TO ('2018-07-01')";

fn months(database: &Database, client: &mut Client) {
    for (name, month) in [("may", "2018-05-01"), ("june", "2018-06-04"), ("july", "2018-07-02")] {
        let path = database.file(name, month_as_csv(2_000, 1, month));
        database.ingest(client, &path);
    }
}

fn table_of(name: &str) -> String {
    format!("CREATE TABLE {name} (LIKE trips.hist_trip_data, PRIMARY KEY (date_time, trip_key))")
}

/// Rows for a table of the history's columns: a trip at this time.
fn trip_at(table: &str, time: &str) -> String {
    format!(
        "INSERT INTO {table} VALUES ('Cork', point(1, 50), NULL, '{time}', 'hand', gen_random_uuid(), 0)"
    )
}

/// A role without any right on the schema trips does what it does everywhere: nothing of ours is in its way.
#[test]
fn commands_of_strangers_are_theirs() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    months(&cluster, &mut client);
    client
        .batch_execute(
            "CREATE ROLE stranger LOGIN; CREATE SCHEMA theirs AUTHORIZATION stranger;
             CREATE FUNCTION theirs.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        )
        .unwrap();
    let mut stranger = cluster.client_as("stranger");
    // Somebody holds the history against loads, and all else: nobody waits for that.
    client
        .batch_execute(
            "BEGIN; LOCK TABLE trips.hist_trip_data; DELETE FROM trips.hist_trip_data WHERE false",
        )
        .unwrap();
    stranger
        .batch_execute(
            "SET lock_timeout = '1s';
             CREATE TABLE theirs.t (a int) PARTITION BY RANGE (a);
             ALTER TABLE theirs.t ADD b int;
             CREATE TABLE theirs.one PARTITION OF theirs.t FOR VALUES FROM (0) TO (1);
             CREATE TABLE theirs.two (a int, b int);
             ALTER TABLE theirs.t ATTACH PARTITION theirs.two FOR VALUES FROM (1) TO (2);
             ALTER TABLE theirs.t DETACH PARTITION theirs.two",
        )
        .unwrap();
    stranger
        .batch_execute("ALTER TABLE theirs.t DETACH PARTITION theirs.one CONCURRENTLY")
        .unwrap();
    stranger
        .batch_execute(
            "CREATE TRIGGER trips_track AFTER INSERT ON theirs.two FOR EACH STATEMENT EXECUTE FUNCTION theirs.nothing();
             DROP TABLE theirs.two;
             SET search_path = theirs; CREATE TABLE hist_trip_data (a int); ALTER TABLE hist_trip_data ADD b int;
             DROP TABLE hist_trip_data; DROP TABLE theirs.t, theirs.one; DROP OWNED BY stranger CASCADE",
        )
        .unwrap();
    client.batch_execute("ROLLBACK; CREATE TABLE public.part (LIKE trips.hist_trip_data); ALTER TABLE public.part OWNER TO stranger").unwrap();
    // A change without the rights gets PostgreSQL's own error, and blocks nobody.
    client.batch_execute("GRANT USAGE ON SCHEMA trips TO stranger; BEGIN; DELETE FROM trips.hist_trip_data WHERE false").unwrap();
    let attach = format!(
        "SET lock_timeout = '1s'; ALTER TABLE trips.hist_trip_data ATTACH PARTITION public.part {JUNE}"
    );
    let error = stranger.batch_execute(&attach).unwrap_err();
    assert_eq!(server_error(&error).0, "42501", "{error:?}");
    client.batch_execute("ROLLBACK").unwrap();
    check_all(&mut client, "strangers");
}

/// What has left a partition for the rest, or a part of a day, is not counted any more.
#[test]
fn no_count_of_a_partition_stays() {
    let database = Database::on_shared();
    let mut client = database.client();
    months(&database, &mut client);
    let part_of_a_day = "FOR VALUES FROM ('2018-08-01 06:00') TO ('2018-08-01 18:00')";
    for statement in [
        "CREATE TABLE public.rest PARTITION OF trips.hist_trip_data DEFAULT".to_owned(),
        "ALTER TABLE public.rest ADD PRIMARY KEY (date_time, trip_key)".into(),
        trip_at("trips.hist_trip_data", "2018-09-09 12:00"),
        "ALTER TABLE trips.hist_trip_data DETACH PARTITION trips.hist_trip_data_2018_06".into(),
        "DROP TABLE trips.hist_trip_data_2018_05".into(),
        // Trips of June go to the rest now, and June cannot come back with them there.
        trip_at("trips.hist_trip_data", "2018-06-15 12:00"),
        "DELETE FROM public.rest WHERE date_time::date = '2018-06-15'".into(),
        format!(
            "ALTER TABLE trips.hist_trip_data ATTACH PARTITION trips.hist_trip_data_2018_06 {JUNE}"
        ),
        format!("CREATE TABLE public.hours PARTITION OF trips.hist_trip_data {part_of_a_day}"),
        trip_at("public.hours", "2018-08-01 12:00"),
        trip_at("trips.hist_trip_data", "2018-08-01 05:59"),
        trip_at("trips.hist_trip_data", "2018-08-01 06:00"),
        "ALTER TABLE trips.hist_trip_data DETACH PARTITION public.hours".into(),
        format!("ALTER TABLE trips.hist_trip_data ATTACH PARTITION public.hours {part_of_a_day}"),
        "ALTER TABLE trips.hist_trip_data DETACH PARTITION public.rest".into(),
        "DROP TABLE public.hours, public.rest".into(),
    ] {
        client.batch_execute(&statement).unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        check_all(&mut client, &statement);
    }
}

/// CREATE TABLE … PARTITION OF: what goes in there is counted, whichever way, and goes with it.
#[test]
fn partitions_that_are_made_by_hand_are_followed() {
    let database = Database::on_shared();
    let mut client = database.client();
    for statement in [
        // The first partition that there is.
        format!(
            "CREATE TABLE public.june PARTITION OF trips.hist_trip_data (PRIMARY KEY (date_time, trip_key)) {JUNE}"
        ),
        trip_at("trips.hist_trip_data", "2018-06-15 12:00"),
        trip_at("public.june", "2018-06-16 12:00"),
        "DROP TABLE public.june".into(),
        format!("CREATE SCHEMA s CREATE TABLE june PARTITION OF trips.hist_trip_data {JUNE}"),
        trip_at("s.june", "2018-06-16 12:00"),
        "DROP SCHEMA s CASCADE".into(),
        // Nobody follows it; it is counted through the history, and must not be when it is gone.
        "SET session_replication_role = replica".into(),
        format!("CREATE TABLE public.june PARTITION OF trips.hist_trip_data {JUNE}"),
        "RESET session_replication_role".into(),
        trip_at("trips.hist_trip_data", "2018-06-15 12:00"),
        "DROP TABLE public.june".into(),
    ] {
        client.batch_execute(&statement).unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        check(&mut client, &statement);
    }
    let counted = "SELECT count(*) FROM trips.daily_trip_counts";
    assert_eq!(client.query_one(counted, &[]).unwrap().get::<_, i64>(0), 0);
}

/// A partition that is divided itself, or is another server's, is refused: loads could not write into it.
#[test]
fn partitions_must_be_plain_tables() {
    let database = Database::on_shared();
    let mut client = database.client();
    months(&database, &mut client);
    client
        .batch_execute(
            "CREATE FOREIGN DATA WRAPPER none; CREATE SERVER other FOREIGN DATA WRAPPER none;
             CREATE TABLE public.august (LIKE trips.hist_trip_data) PARTITION BY RANGE (date_time);
             CREATE TABLE public.days PARTITION OF public.august FOR VALUES FROM ('2018-08-01') TO ('2018-08-09')",
        )
        .unwrap();
    client.batch_execute(&trip_at("public.august", "2018-08-03 12:00")).unwrap();
    let august = "FOR VALUES FROM ('2018-08-01') TO ('2018-09-01')";
    for statement in [
        format!("ALTER TABLE trips.hist_trip_data ATTACH PARTITION public.august {august}"),
        format!(
            "CREATE TABLE public.a PARTITION OF trips.hist_trip_data {august} PARTITION BY RANGE (date_time)"
        ),
        format!(
            "CREATE FOREIGN TABLE public.f PARTITION OF trips.hist_trip_data {august} SERVER other"
        ),
    ] {
        let error = client.batch_execute(&statement).unwrap_err();
        assert_eq!(server_error(&error).0, "42809", "{statement}: {error:?}");
        check_all(&mut client, &statement);
    }
}

/// Who attaches a partition waits for the load that is at work, before it takes a lock that the load may need.
#[test]
fn a_load_does_not_lose_against_attach() {
    let database = Database::on_shared();
    let (mut loader, mut other) = (database.client(), database.client());
    for client in [&mut loader, &mut other] {
        client.batch_execute("SET deadlock_timeout = '100ms'").unwrap();
    }
    loader.batch_execute(&table_of("public.old")).unwrap();
    let may = database.file("may", month_as_csv(500, 1, "2018-05-01"));
    let june = database.file("june", month_as_csv(500, 1, "2018-06-04"));
    loader.batch_execute("BEGIN").unwrap();
    database.ingest(&mut loader, &may);
    let attaching = std::thread::spawn(move || {
        other.batch_execute(
            "ALTER TABLE trips.hist_trip_data ATTACH PARTITION public.old FOR VALUES FROM ('2017-01-01') TO ('2018-01-01')",
        )
    });
    let mut watcher = database.client();
    let waits = "SELECT count(*) FROM pg_locks JOIN pg_database AS d ON d.oid = database
                  WHERE NOT granted AND locktype = 'object' AND datname = current_database()";
    eventually(&mut watcher, waits, 1);
    // Longer than deadlock_timeout: nobody may be ended.
    std::thread::sleep(Duration::from_millis(300));
    database.ingest(&mut loader, &june);
    loader.batch_execute("COMMIT").unwrap();
    attaching.join().unwrap().unwrap();
    check_all(&mut loader, "a load beside ATTACH");
}

/// Where the waiting cannot come first (DETACH CONCURRENTLY, whose second half is a transaction of its own), the
/// command gives up.
#[test]
fn a_load_does_not_lose_against_who_has_the_lock_already() {
    let database = Database::on_shared();
    let (mut loader, mut other) = (database.client(), database.client());
    loader.batch_execute(&table_of("public.old")).unwrap();
    loader.batch_execute(&table_of("public.older")).unwrap();
    let may = database.file("may", month_as_csv(500, 1, "2018-05-01"));
    let june = database.file("june", month_as_csv(500, 1, "2018-06-04"));
    loader.batch_execute("ALTER EVENT TRIGGER trips_partitions_lock DISABLE; BEGIN").unwrap();
    database.ingest(&mut loader, &may);
    // The load holds the lock of its own partition until it commits.
    loader.batch_execute("COMMIT; BEGIN; DELETE FROM trips.hist_trip_data WHERE false").unwrap();
    let pid: i32 = other.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let attaching = std::thread::spawn(move || {
        other.batch_execute(
            "ALTER TABLE trips.hist_trip_data ATTACH PARTITION public.old FOR VALUES FROM ('2017-01-01') TO ('2018-01-01')",
        )
    });
    let waits = format!("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = {pid}");
    eventually(&mut database.client(), &waits, 1);
    database.ingest(&mut loader, &june);
    let error = attaching.join().unwrap().unwrap_err();
    assert_eq!(server_error(&error).0, "55P03", "{error:?}");
    loader.batch_execute("COMMIT; ALTER EVENT TRIGGER trips_partitions_lock ENABLE").unwrap();
    check_all(&mut loader, "a load beside ATTACH");
}

/// A partition that somebody has made and filled is counted by the first load into it.
#[test]
fn partitions_of_others_are_adopted() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    client
        .batch_execute(&format!(
            "{}; {}; SET check_function_bodies = off;
             ALTER TABLE trips.hist_trip_data ATTACH PARTITION public.archive FOR VALUES FROM ('2017-01-01') TO ('2018-01-01');
             RESET check_function_bodies",
            table_of("public.archive"),
            trip_at("public.archive", "2017-05-05 10:00:00"),
        ))
        .unwrap();
    let path = cluster.file("a.csv", format!("{FIVE_COLUMNS}New,,,2017-06-06 10:00:00,s\n"));
    assert_eq!(cluster.ingest(&mut client, &path).rows, [1, 1, 0, 0]);
    check(&mut client, "adopted");
    client.batch_execute("DELETE FROM public.archive WHERE region = 'Cork'").unwrap();
    check(&mut client, "followed");
    // Without rights on what is derived, a writer's change is followed all the same.
    client
        .batch_execute(
            "CREATE ROLE writer; GRANT USAGE ON SCHEMA trips TO writer;
             GRANT SELECT, DELETE ON trips.hist_trip_data TO writer; SET ROLE writer;
             DELETE FROM trips.hist_trip_data; RESET ROLE",
        )
        .unwrap();
    check(&mut client, "another role");
}

/// Partitions that are detached, attached and dropped by hand take their trips with them, and are followed, or
/// not, from then on.
#[test]
fn partitions_that_come_and_go_are_followed() {
    let database = Database::on_shared();
    let mut client = database.client();
    months(&database, &mut client);
    for statement in [
        "ALTER TABLE trips.hist_trip_data DETACH PARTITION trips.hist_trip_data_2018_06".to_owned(),
        // It is nobody's but the user's now: what happens to it is not counted.
        "DELETE FROM trips.hist_trip_data_2018_06 WHERE region = 'Lyon'".into(),
        "INSERT INTO trips.hist_trip_data_2018_06 SELECT * FROM trips.hist_trip_data_2018_07 LIMIT 0".into(),
        format!("ALTER TABLE trips.hist_trip_data ATTACH PARTITION trips.hist_trip_data_2018_06 {JUNE}"),
        "DELETE FROM trips.hist_trip_data_2018_06 WHERE region = 'Turin'".into(),
        "ALTER TABLE trips.hist_trip_data_2018_07 RENAME TO other".into(),
        "DROP TABLE trips.hist_trip_data_2018_05".into(),
        format!(
            "BEGIN; {}; {};
             ALTER TABLE trips.hist_trip_data ATTACH PARTITION public.old FOR VALUES FROM ('2017-01-01') TO ('2018-01-01');
             COMMIT",
            table_of("public.old"),
            trip_at("public.old", "2017-01-09 12:00:00"),
        ),
        "DELETE FROM public.old".into(),
        "ALTER TABLE trips.hist_trip_data DETACH PARTITION public.old CONCURRENTLY".into(),
        "DROP TABLE public.old, trips.other".into(),
    ] {
        client.batch_execute(&statement).unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        check_all(&mut client, &statement);
    }
}
