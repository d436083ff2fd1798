//! `trips.retract` and `trips.replace`: loads that are taken back.

mod corrections;
mod jit;
mod laws;
mod laws_of_corrections;
mod rewrite;

use postgres::{Client, NoTls};
use trips_tests::{
    Cluster, Database, FIVE_COLUMNS, database_state, eventually, month_as_csv, server_error,
    trip_line,
};

/// What a history has, whatever the numbers of its loads are.
fn state(client: &mut Client) -> Vec<Option<String>> {
    client.batch_execute("SET TimeZone = 'UTC'").unwrap();
    [
        "SELECT string_agg(t::text, ';' ORDER BY t::text)
           FROM (SELECT regexp_replace(l.source, '.*/', ''), h.region, h.origin_coord, h.destination_coord,
                        h.date_time, h.datasource, h.trip_key, h.ended_at, h.trip_id, h.details
                   FROM trips.hist_trip_data AS h LEFT JOIN trips.loads AS l USING (load_id)) AS t",
        "SELECT string_agg(t::text, ';' ORDER BY t::text)
           FROM (SELECT regexp_replace(source, '.*/', ''), rows_read, rows_inserted, rows_duplicate, rows_corrected,
                        rows_staged
                   FROM trips.loads WHERE state = 'loaded') AS t",
        "SELECT string_agg(t::text, ';' ORDER BY t::text)
           FROM (SELECT s.line_no, s.raw_line, s.error_code FROM trips.stg_trip_data AS s) AS t",
        "SELECT string_agg(d::text, ';' ORDER BY d::text) FROM trips.daily_trip_counts AS d WHERE trips > 0",
        "SELECT string_agg(w::text, ';' ORDER BY w::text) FROM trips.weekly_trip_counts AS w",
        "SELECT string_agg(w::text, ';' ORDER BY w::text) FROM trips.summarized_trip_data AS w",
        "SELECT string_agg(w::text, ';') FROM trips.weekly_counts(trips.area(-180, -90, 180, 90), match => 'either') AS w
          WHERE w.trips > 0",
        "SELECT string_agg(v::text, ', ') FROM trips.verify() AS v WHERE NOT v.passed",
        "SELECT string_agg(t::text, ';' ORDER BY t::text)
           FROM (SELECT regexp_replace(l.source, '.*/', ''), regexp_replace(o.source, '.*/', ''), c.new_date_time,
                        c.region, c.origin_coord, c.destination_coord, c.date_time, c.datasource, c.trip_key, c.ended_at,
                        c.trip_id, c.details
                   FROM trips.corrections AS c LEFT JOIN trips.loads AS l USING (load_id)
                   LEFT JOIN trips.loads AS o ON o.load_id = c.corrected_load_id) AS t",
    ]
    .map(|query| client.query_one(query, &[]).expect(query).get(0))
    .into()
}

fn retract(client: &mut Client, load_id: i64) -> String {
    client.query_one("SELECT (trips.retract($1)).state", &[&load_id]).unwrap().get(0)
}

fn error(client: &mut Client, query: &str) -> (String, String, String) {
    server_error(&client.execute(query, &[]).expect_err(query))
}

fn count(client: &mut Client, query: &str) -> i64 {
    client.query_one(query, &[]).unwrap_or_else(|error| panic!("{query}: {error:?}")).get(0)
}

fn number_of(client: &mut Client, name: &str) -> i64 {
    let query =
        "SELECT max(load_id) FROM trips.loads WHERE source LIKE '%/' || $1 AND state = 'loaded'";
    client.query_one(query, &[&name]).unwrap().get(0)
}

/// A cluster in which no other session locks partitions. The shared one looks for tables to vacuum each second.
fn without_autovacuum() -> Cluster {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    client.batch_execute("ALTER SYSTEM SET autovacuum = off").unwrap();
    client.batch_execute("SELECT pg_reload_conf()").unwrap();
    eventually(
        &mut cluster.client(),
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'",
        0,
    );
    cluster
}

fn reset(client: &mut Client) {
    client.batch_execute("DROP EXTENSION trips_pipeline; CREATE EXTENSION trips_pipeline").unwrap();
}

#[test]
fn a_month_passes_to_the_load_that_has_it_too() {
    let database = Database::on_shared();
    let mut client = database.client();
    let month = month_as_csv(30_000, 5, "2018-05-01");
    let first = database.file("first.csv", &month);
    let second = database.file("second.csv", [&month[..], trip_line("x", 1).as_bytes()].concat());
    let first = database.ingest(&mut client, &first);
    let second = database.ingest(&mut client, &second);
    assert_eq!(second.rows[2], first.rows[1] + first.rows[2]);
    assert!(count(&mut client, "SELECT sum(trips) FROM trips_internal.claims") >= first.rows[1]);
    let trips = count(&mut client, "SELECT count(*) FROM trips.hist_trip_data");
    retract(&mut client, first.load_id);
    assert_eq!(count(&mut client, "SELECT count(*) FROM trips.hist_trip_data"), trips);
    let others =
        format!("SELECT count(*) FROM trips.hist_trip_data WHERE load_id <> {}", second.load_id);
    assert_eq!(count(&mut client, &others), 0);
    assert_eq!(count(&mut client, "SELECT count(*) FROM trips.verify() WHERE NOT passed"), 0);
    retract(&mut client, second.load_id);
    assert_eq!(count(&mut client, "SELECT count(*) FROM trips.hist_trip_data"), 0);
    assert_eq!(count(&mut client, "SELECT count(*) FROM trips.verify() WHERE NOT passed"), 0);
}

#[test]
fn the_same_bytes_can_be_loaded_again() {
    let database = Database::on_shared();
    let mut client = database.client();
    std::fs::create_dir(database.path("retracted")).unwrap();
    let path = database.file("retracted/a.csv", [FIVE_COLUMNS, &trip_line("a", 1)].concat());
    let pattern = path.replace("a.csv", "*.csv");
    let first = database.ingest(&mut client, &path);
    retract(&mut client, first.load_id);
    let call = |client: &mut Client| -> [i64; 3] {
        let row = client.query_one(&format!("CALL trips.ingest_new('{pattern}')"), &[]).unwrap();
        [0, 1, 2].map(|i| row.get(i))
    };
    assert_eq!(call(&mut client), [0, 0, 0], "a retracted file is not new");
    // The same bytes under another name, and with another time of change.
    database.file("retracted/b.csv", [FIVE_COLUMNS, &trip_line("a", 1)].concat());
    assert_eq!(call(&mut client), [0, 1, 0]);
    let same_as = "SELECT same_as FROM trips.loads WHERE state = 'skipped'";
    assert_eq!(count(&mut client, same_as), first.load_id);
    database.file("retracted/a.csv", [FIVE_COLUMNS, &trip_line("a", 2)].concat());
    assert_eq!(call(&mut client), [1, 0, 0], "other bytes are new");
    let again = database.file("again.csv", [FIVE_COLUMNS, &trip_line("a", 1)].concat());
    let again = database.ingest(&mut client, &again);
    assert_eq!(again.summary(), ("loaded", [1, 1, 0, 0]));
    let forced = "SELECT (trips.ingest($1, force => true)).load_id";
    let path = database.path("again.csv");
    let forced: i64 = client.query_one(forced, &[&path]).unwrap().get(0);
    retract(&mut client, again.load_id);
    // The forced load is the first of these bytes now.
    let row = client
        .query_one("SELECT same_as, rows_inserted FROM trips.loads WHERE load_id = $1", &[&forced]);
    let row = row.unwrap();
    assert_eq!((row.get::<_, Option<i64>>(0), row.get::<_, i64>(1)), (None, 1));
    assert_eq!(database.ingest(&mut client, &path).same_as, Some(forced));
}

#[test]
fn only_loaded_loads_are_retracted() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("one.csv", [FIVE_COLUMNS, &trip_line("a", 1)].concat());
    let load = database.ingest(&mut client, &path).load_id;
    let skipped = database.ingest(&mut client, &path).load_id;
    let bad = database.file("bad.csv", "region\nx\n");
    assert!(client.execute("SELECT trips.ingest($1)", &[&bad]).is_err());
    eventually(&mut client, "SELECT count(*) FROM trips.loads WHERE state = 'failed'", 1);
    let failed = count(&mut client, "SELECT load_id FROM trips.loads WHERE state = 'failed'");
    client.batch_execute("INSERT INTO trips.loads (load_id, source, state, requested_by, requested_at)
                          VALUES (900, 'x', 'queued', 'postgres', now()), (901, 'x', 'running', 'postgres', now())").unwrap();
    for (number, state) in
        [(skipped, "skipped"), (failed, "failed"), (900, "queued"), (901, "running")]
    {
        let (code, message, _) = error(&mut client, &format!("SELECT trips.retract({number})"));
        assert_eq!(code, "55000");
        assert_eq!(message, format!("cannot retract load {number}: its state is {state}"));
    }
    client.batch_execute("DELETE FROM trips.loads WHERE load_id >= 900").unwrap();
    assert_eq!(error(&mut client, "SELECT trips.retract(77)").0, "42704");
    assert_eq!(error(&mut client, "SELECT trips.retract(NULL)").0, "22004");
    assert_eq!(error(&mut client, "SELECT trips.retract(1, NULL)").0, "22004");
    assert_eq!(error(&mut client, "SELECT trips.replace('/x', 77)").0, "42704");
    retract(&mut client, load);
    let (code, message, _) = error(&mut client, &format!("SELECT trips.retract({load})"));
    assert_eq!(
        (&*code, message),
        ("55000", format!("cannot retract load {load}: its state is retracted"))
    );
    client.batch_execute("SET default_transaction_read_only = on").unwrap();
    assert_eq!(error(&mut client, &format!("SELECT trips.retract({load})")).0, "25006");
}

#[test]
fn a_load_is_replaced_or_stays() {
    let database = Database::on_shared();
    let mut client = database.client();
    let old =
        database.file("old.csv", [FIVE_COLUMNS, &trip_line("a", 1), &trip_line("a", 2)].concat());
    let new =
        database.file("new.csv", [FIVE_COLUMNS, &trip_line("a", 2), &trip_line("a", 3)].concat());
    let load = database.ingest(&mut client, &old).load_id;
    let before = database_state(&mut client);
    let bad = database.file("bad.csv", "region\nx\n");
    let failing = client.execute("SELECT trips.replace($1, $2)", &[&bad, &load]);
    assert_eq!(server_error(&failing.unwrap_err()).0, "42703");
    eventually(&mut client, "SELECT count(*) FROM trips.loads WHERE state = 'failed'", 1);
    client.batch_execute("DELETE FROM trips.loads WHERE state = 'failed'").unwrap();
    assert_eq!(database_state(&mut client), before, "nothing has changed");
    for isolation in ["READ COMMITTED", "SERIALIZABLE"] {
        client.batch_execute(&format!("BEGIN ISOLATION LEVEL {isolation}")).unwrap();
        let row = client.query_one("SELECT * FROM trips.replace($1, $2)", &[&new, &load]).unwrap();
        assert_eq!(trips_tests::Load::from_row(&row).rows, [2, 2, 0, 0]);
        client.batch_execute("ROLLBACK").unwrap();
        // The load monitor records the end of the load that was rolled back.
        eventually(&mut client, "SELECT count(*) FROM trips.loads WHERE state = 'failed'", 1);
        client.batch_execute("DELETE FROM trips.loads WHERE state = 'failed'").unwrap();
        assert_eq!(database_state(&mut client), before);
    }
    let row = client.query_one("SELECT * FROM trips.replace($1, $2)", &[&new, &load]).unwrap();
    let new_load = trips_tests::Load::from_row(&row).load_id;
    let replaced = state(&mut client);
    reset(&mut client);
    database.ingest(&mut client, &new);
    assert_eq!(replaced, state(&mut client));
    // The bytes of the retracted load itself are loaded again.
    let load = number_of(&mut client, "new.csv");
    let row = client.query_one("SELECT * FROM trips.replace($1, $2)", &[&new, &load]).unwrap();
    assert_eq!(trips_tests::Load::from_row(&row).summary(), ("loaded", [2, 2, 0, 0]));
    assert!(new_load > 0);
}

#[test]
fn retracts_wait_for_each_other_and_for_loads() {
    let database = Database::on_shared();
    let mut client = database.client();
    let a = database.file("a.csv", [FIVE_COLUMNS, &trip_line("a", 1), &trip_line("b", 1)].concat());
    let b = database.file("b.csv", [FIVE_COLUMNS, &trip_line("b", 1), &trip_line("c", 1)].concat());
    let load = database.ingest(&mut client, &a).load_id;
    let (config, path) = (database.config(), b.clone());
    // The second waits for the first, and then its load is retracted.
    client.batch_execute("BEGIN").unwrap();
    retract(&mut client, load);
    let again = std::thread::spawn(move || {
        let mut client = config.connect(NoTls).unwrap();
        error(&mut client, &format!("SELECT trips.retract({load})"))
    });
    let config = database.config();
    let beside = std::thread::spawn(move || {
        let mut client = config.connect(NoTls).unwrap();
        client
            .query_one("SELECT (trips.ingest($1)).rows_inserted", &[&path])
            .unwrap()
            .get::<_, i64>(0)
    });
    let mut watcher = database.client();
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'object'
                      AND objid = 'trips.hist_trip_data'::regclass
                      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    eventually(&mut watcher, waiting, 2);
    client.batch_execute("COMMIT").unwrap();
    assert_eq!(again.join().unwrap().0, "55000");
    assert_eq!(beside.join().unwrap(), 2);
    assert_eq!(count(&mut client, "SELECT count(*) FROM trips.verify() WHERE NOT passed"), 0);
}

#[test]
fn a_savepoint_brings_the_load_back() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("a.csv", [FIVE_COLUMNS, &trip_line("a", 1), "bad\n"].concat());
    let load = database.ingest(&mut client, &path).load_id;
    let before = database_state(&mut client);
    client.batch_execute("BEGIN; SAVEPOINT s").unwrap();
    retract(&mut client, load);
    client.batch_execute("ROLLBACK TO s; COMMIT").unwrap();
    assert_eq!(database_state(&mut client), before);
    let events = "SELECT string_agg(state, ' ' ORDER BY seq) FROM trips.events";
    let sent: String = client.query_one(events, &[]).unwrap().get(0);
    assert_eq!(sent, "running loaded");
    retract(&mut client, load);
    let sent: String = client.query_one(events, &[]).unwrap().get(0);
    assert_eq!(sent, "running loaded retracted");
    assert_eq!(count(&mut client, "SELECT count(*) FROM trips.stg_trip_data"), 0);
}

#[test]
fn an_old_snapshot_does_not_lose_trips() {
    let database = Database::on_shared();
    let mut client = database.client();
    let a = database.file("a.csv", [FIVE_COLUMNS, &trip_line("a", 1)].concat());
    let b = database.file("b.csv", [FIVE_COLUMNS, &trip_line("a", 1), "\n"].concat());
    let load = database.ingest(&mut client, &a).load_id;
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").unwrap();
    // A load without a new trip: only its claim shows that it has the trip.
    let mut other = database.client();
    assert_eq!(database.ingest(&mut other, &b).rows, [1, 0, 1, 0]);
    assert_eq!(error(&mut client, &format!("SELECT trips.retract({load})")).0, "40001");
    client.batch_execute("ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ").unwrap();
    retract(&mut client, load);
    client.batch_execute("COMMIT").unwrap();
    assert_eq!(count(&mut client, "SELECT count(*) FROM trips.hist_trip_data"), 1);
    assert_eq!(count(&mut client, "SELECT count(*) FROM trips.verify() WHERE NOT passed"), 0);
}

#[test]
fn locked_staged_rows_are_not_waited_for() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("a.csv", [FIVE_COLUMNS, &trip_line("a", 1), "bad\n"].concat());
    let load = database.ingest(&mut client, &path).load_id;
    let mut other = database.client();
    other.batch_execute("BEGIN; SELECT FROM trips.stg_trip_data FOR UPDATE").unwrap();
    assert_eq!(error(&mut client, &format!("SELECT trips.retract({load})")).0, "55P03");
    other.batch_execute("ROLLBACK").unwrap();
    assert_eq!(retract(&mut client, load), "retracted");
}

#[test]
fn trips_that_were_moved_by_hand_go_too() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path =
        database.file("a.csv", [FIVE_COLUMNS, &trip_line("a", 1), &trip_line("b", 1)].concat());
    let load = database.ingest(&mut client, &path).load_id;
    client
        .batch_execute("CREATE TABLE trips.later (LIKE trips.hist_trip_data, PRIMARY KEY (date_time, trip_key));
             ALTER TABLE trips.hist_trip_data ATTACH PARTITION trips.later FOR VALUES FROM ('2030-01-01') TO ('2031-01-01');
             UPDATE trips.hist_trip_data SET date_time = '2030-05-05' WHERE region = 'a'")
        .unwrap();
    retract(&mut client, load);
    assert_eq!(count(&mut client, "SELECT count(*) FROM trips.hist_trip_data"), 0);
    assert_eq!(count(&mut client, "SELECT count(*) FROM trips.verify() WHERE NOT passed"), 0);
}

#[test]
fn a_role_retracts_its_own_loads() {
    let cluster = Cluster::start();
    let mut owner = cluster.client();
    owner
        .batch_execute(
            "CREATE ROLE anna LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE carl LOGIN;
             SELECT trips.grant_loader('anna'), trips.grant_loader('bob');
             GRANT pg_read_server_files TO anna, bob, carl",
        )
        .unwrap();
    let path = cluster.file("a.csv", [FIVE_COLUMNS, &trip_line("a", 1)].concat());
    let load = cluster.ingest(&mut cluster.client_as("anna"), &path).load_id;
    let retract_it = format!("SELECT trips.retract({load})");
    assert_eq!(error(&mut cluster.client_as("carl"), &retract_it).0, "42501");
    let (code, message, _) = error(&mut cluster.client_as("bob"), &retract_it);
    assert_eq!((&*code, message), ("42501", format!("permission denied to retract load {load}")));
    // Another role with the name is not the role.
    owner
        .batch_execute("DROP OWNED BY anna; DROP ROLE anna; CREATE ROLE anna LOGIN; SELECT trips.grant_loader('anna')")
        .unwrap();
    assert_eq!(error(&mut cluster.client_as("anna"), &retract_it).0, "42501");
    assert_eq!(retract(&mut owner, load), "retracted");
    let by: String = owner.query_one("SELECT retracted_by FROM trips.loads", &[]).unwrap().get(0);
    assert_eq!(by, "postgres");
}

/// A trip of another load that is neither among the first trips of the partition nor on its last pages is found, too.
#[test]
fn a_trip_between_those_of_the_load_stays() {
    let database = Database::on_shared();
    let mut client = database.client();
    let files = [
        ("first.csv", month_as_csv(3_000, 5, "2018-05-01")),
        ("between.csv", (FIVE_COLUMNS.to_owned() + &trip_line("between", 1)).into()),
        ("last.csv", month_as_csv(6_000, 6, "2018-05-01")),
    ];
    let [first, between, last] = files.map(|(name, content)| {
        let path = database.file(name, content);
        database.ingest(&mut client, &path).load_id
    });
    // By hand: the trips of the last load are written again, at the end.
    let update = "UPDATE trips.hist_trip_data SET load_id = $1 WHERE load_id = $2";
    assert!(client.execute(update, &[&first, &last]).unwrap() > 5_000);
    let is_between = "SELECT count(*) FROM trips.hist_trip_data AS h
         WHERE load_id <> $1 AND EXISTS (SELECT FROM trips.hist_trip_data AS o WHERE o.ctid < h.ctid OFFSET 1000)
           AND EXISTS (SELECT FROM trips.hist_trip_data AS o WHERE o.ctid > h.ctid OFFSET 5000)";
    assert_eq!(client.query_one(is_between, &[&first]).unwrap().get::<_, i64>(0), 1);
    retract(&mut client, first);
    let left = "SELECT count(*), min(load_id) FROM trips.hist_trip_data";
    let row = client.query_one(left, &[]).unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (1, between));
}

/// Subscribers of a publication without TRUNCATE get the deletions.
#[test]
fn a_publication_without_truncate_gets_deletions() {
    let database = without_autovacuum();
    let mut client = database.client();
    let path = database.file("month.csv", month_as_csv(3_000, 5, "2018-05-01"));
    for (publication, is_truncated) in [
        ("", true),
        (
            "CREATE PUBLICATION no_truncate FOR ALL TABLES WITH (publish = 'insert, update, delete')",
            false,
        ),
        ("DROP PUBLICATION no_truncate; CREATE PUBLICATION whole FOR ALL TABLES", true),
    ] {
        client.batch_execute(publication).unwrap();
        let load = database.ingest(&mut client, &path).load_id;
        let partition = "SELECT DISTINCT tableoid::regclass::text FROM trips.hist_trip_data";
        let partition: String = client.query_one(partition, &[]).unwrap().get(0);
        let file = format!("SELECT pg_relation_filenode('{partition}')::bigint");
        let before = count(&mut client, &file);
        retract(&mut client, load);
        assert_eq!(count(&mut client, &file) != before, is_truncated, "{publication}");
        assert_eq!(count(&mut client, "SELECT count(*) FROM trips.hist_trip_data"), 0);
        let failed = "SELECT count(*) FROM trips.verify() WHERE NOT passed";
        assert_eq!(count(&mut client, failed), 0);
    }
}
