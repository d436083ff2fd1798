//! The weekly sums and the view over them: right in the commit of every load, whatever anybody does to the view,
//! at the cost of what the load touches.

use std::thread;
use std::time::Instant;

use postgres::{Client, IsolationLevel};
use trips_tests::{
    Cluster, Database, FIVE_COLUMNS, eventually, rows_as_csv, server_error, trip_line,
};

const REFRESH: &str = "REFRESH MATERIALIZED VIEW trips.summarized_trip_data";

/// What of weekly sums and view is not what the history says, as `trips.verify()` has it, and by the view itself.
fn wrong(client: &mut Client) -> Vec<String> {
    let rows = client
        .query(
            "SELECT check_name FROM trips.verify() WHERE NOT passed
             UNION ALL
             SELECT format('%s %s', region, week_of_month)
               FROM (SELECT region, to_char(date_time, 'YYYY-MM-\"0\"W') AS week_of_month, count(*) AS trips
                       FROM trips.hist_trip_data GROUP BY 1, 2) AS h
               FULL JOIN trips.summarized_trip_data AS s (region, week_of_month, weekly_avg)
                    USING (region, week_of_month)
              WHERE h.trips IS DISTINCT FROM s.weekly_avg",
            &[],
        )
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

fn one<T: postgres::types::FromSqlOwned>(client: &mut Client, query: &str) -> T {
    client.query_one(query, &[]).unwrap_or_else(|error| panic!("{query}: {error}")).get(0)
}

fn file(database: &Database, name: &str, lines: impl IntoIterator<Item = String>) -> String {
    let lines: String = lines.into_iter().collect();
    database.file(name, format!("{FIVE_COLUMNS}{lines}"))
}

/// The file of the view's rows: another one is a view that was computed anew.
fn node(client: &mut Client) -> u32 {
    one(client, "SELECT pg_relation_filenode('trips.summarized_trip_data')")
}

/// Waits until a session waits for a lock that a statement like this one needs.
fn wait_for_waiter(client: &mut Client, statement: &str) {
    let query = format!(
        "SELECT count(*) FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '{statement}'"
    );
    eventually(client, &query, 1);
}

/// A REFRESH by hand that waits for a load; returns what is wrong afterwards, and the sum of the view.
fn refresh_beside_a_load(refresh: &str, before: &str) -> (Vec<String>, String) {
    let database = Database::on_shared();
    let (mut loader, mut watcher) = (database.client(), database.client());
    let first = file(&database, "1.csv", (1..4).map(|i| trip_line("A", i)));
    let second = file(&database, "2.csv", (4..9).map(|i| trip_line("A", i)));
    database.ingest(&mut loader, &first);
    watcher.batch_execute(before).unwrap();
    let mut loading = loader.transaction().unwrap();
    loading.query_one("SELECT trips.ingest($1)", &[&second]).unwrap();
    thread::scope(|scope| {
        let refreshing = scope.spawn(|| database.client().batch_execute(refresh));
        wait_for_waiter(&mut watcher, "REFRESH%");
        // Nobody who reads the view waits.
        watcher.batch_execute("SET lock_timeout = '5s'; TABLE trips.summarized_trip_data").unwrap();
        loading.commit().unwrap();
        refreshing.join().unwrap().unwrap();
    });
    let sum = one(&mut watcher, "SELECT sum(weekly_avg)::text FROM trips.summarized_trip_data");
    (wrong(&mut watcher), sum)
}

/// It sees the sums as they were before: the load's trips stay in the view all the same.
#[test]
fn a_refresh_that_has_waited_for_a_load_keeps_its_trips() {
    for refresh in [REFRESH.to_owned(), REFRESH.replace("VIEW", "VIEW CONCURRENTLY")] {
        assert_eq!(refresh_beside_a_load(&refresh, ""), (vec![], "8".into()), "{refresh}");
    }
    // Without the event trigger they are gone, and trips.verify() reports that.
    let (wrong, sum) = refresh_beside_a_load(REFRESH, "ALTER EVENT TRIGGER trips_refresh DISABLE");
    assert_eq!(
        (&wrong[..2], sum.as_str()),
        (&["weekly summary", "triggers"].map(String::from)[..], "3")
    );
}

/// The same of a transaction whose only snapshot is older than the load, and in one that goes on to change trips.
#[test]
fn a_refresh_with_an_old_snapshot_keeps_what_was_loaded_since() {
    let database = Database::on_shared();
    let (mut loader, mut other) = (database.client(), database.client());
    let first = file(&database, "1.csv", (1..4).map(|i| trip_line("A", i)));
    let second = file(&database, "2.csv", ["B", "C"].map(|region| trip_line(region, 4)));
    database.ingest(&mut loader, &first);
    for level in [IsolationLevel::RepeatableRead, IsolationLevel::Serializable] {
        let mut old = other.build_transaction().isolation_level(level).start().unwrap();
        old.query("SELECT 1", &[]).unwrap();
        loader.query_one("SELECT trips.ingest($1, force => true)", &[&second]).unwrap();
        old.batch_execute(REFRESH).unwrap();
        old.commit().unwrap();
        let wrong_now: Vec<_> =
            wrong(&mut loader).into_iter().filter(|name| name != "ledger").collect();
        assert_eq!(wrong_now, [""; 0]);
        loader.batch_execute("DELETE FROM trips.hist_trip_data WHERE region > 'A'").unwrap();
        loader
            .batch_execute(
                "UPDATE trips.loads SET rows_inserted = 0, rows_read = 0 WHERE load_id > 1",
            )
            .unwrap();
        assert_eq!(wrong(&mut loader), [""; 0]);
    }
    // In one transaction: the load that comes meanwhile waits, and nobody for it.
    let mut both = other.transaction().unwrap();
    both.batch_execute(REFRESH).unwrap();
    thread::scope(|scope| {
        let loading = scope.spawn(|| {
            let mut client = database.client();
            client.query_one("SELECT trips.ingest($1, force => true)", &[&second]).map(|_| ())
        });
        wait_for_waiter(&mut loader, "SELECT trips.ingest%");
        both.batch_execute("DELETE FROM trips.hist_trip_data WHERE region = 'A'").unwrap();
        both.commit().unwrap();
        loading.join().unwrap().unwrap();
    });
    loader
        .batch_execute("UPDATE trips.loads SET rows_inserted = 0, rows_read = 0 WHERE load_id = 1")
        .unwrap();
    assert_eq!(wrong(&mut loader), [""; 0]);
}

/// What an owner may do to the view, and whether the next load must compute it anew.
const DONE_TO_THE_VIEW: [(&str, bool); 13] = [
    ("CREATE INDEX ON trips.summarized_trip_data (weekly_avg)", false),
    ("CREATE INDEX ON trips.summarized_trip_data USING brin (weekly_avg)", false),
    ("CREATE INDEX ON trips.summarized_trip_data USING hash (region)", false),
    (
        "CREATE INDEX ON trips.summarized_trip_data (upper(region), (weekly_avg * 2)) WHERE weekly_avg > 2",
        false,
    ),
    ("CLUSTER trips.summarized_trip_data USING summarized_trip_data_key", false),
    ("VACUUM FULL trips.summarized_trip_data", false),
    ("ALTER MATERIALIZED VIEW trips.summarized_trip_data RENAME COLUMN weekly_avg TO trips", false),
    ("ALTER MATERIALIZED VIEW trips.summarized_trip_data ALTER region SET STORAGE EXTERNAL", false),
    ("CREATE STATISTICS trips.s ON region, week_of_month FROM trips.summarized_trip_data", false),
    ("REINDEX TABLE CONCURRENTLY trips.summarized_trip_data", false),
    ("REFRESH MATERIALIZED VIEW trips.summarized_trip_data WITH NO DATA", true),
    ("ALTER EXTENSION trips_pipeline DROP MATERIALIZED VIEW trips.summarized_trip_data", true),
    ("DROP INDEX trips.summarized_trip_data_key", true),
];

#[test]
fn the_view_is_right_whatever_its_owner_makes_of_it() {
    let database = Database::on_shared();
    let mut client = database.client();
    let all = rows_as_csv(1_500, 21);
    let lines: Vec<&[u8]> = all.split_inclusive(|&byte| byte == b'\n').skip(1).collect();
    let mut parts = lines.chunks(100).map(<[_]>::concat).enumerate();
    let mut load = |client: &mut Client| {
        let (i, part) = parts.next().unwrap();
        let path = database.file(&format!("{i}.csv"), [FIVE_COLUMNS.as_bytes(), &part].concat());
        assert!(database.ingest(client, &path).rows[1] > 0);
    };
    load(&mut client);
    for (statement, is_anew) in DONE_TO_THE_VIEW {
        client.batch_execute(statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
        let before = node(&mut client);
        load(&mut client);
        assert_eq!(wrong(&mut client), [""; 0], "{statement}");
        let concurrently = statement.starts_with("ALTER EXTENSION");
        assert_eq!(node(&mut client) != before, is_anew && !concurrently, "{statement}");
        // The indexes have what the view has.
        let found: [i64; 2] = [
            "SET enable_seqscan = on; SET enable_indexscan = off; SET enable_bitmapscan = off",
            "SET enable_seqscan = off; SET enable_indexscan = on; SET enable_bitmapscan = on",
        ]
        .map(|settings| {
            client.batch_execute(settings).unwrap();
            let query = "SELECT count(*) FROM trips.summarized_trip_data AS s (r, w, n) WHERE n > 2 AND upper(r) > ''";
            one(&mut client, query)
        });
        client.batch_execute("RESET ALL").unwrap();
        assert_eq!(found[0], found[1], "{statement}");
    }
}

/// Text that does not compress.
fn noise(mut state: u32, bytes: usize) -> String {
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from_digit((state >> 24) % 36, 36).unwrap()
    })
    .take(bytes)
    .collect()
}

/// Rows that go out of line, their updates, their end; and what a savepoint takes back.
#[test]
fn long_regions_and_savepoints() {
    let database = Database::on_shared();
    let mut client = database.client();
    let line = |seed: u32, second: u32| trip_line(noise(seed, 1_000), second);
    let first = file(&database, "1.csv", (1..4).map(|seed| line(seed, 1)));
    let second = file(&database, "2.csv", (2..6).map(|seed| line(seed, 2)));
    database.ingest(&mut client, &first);
    assert_eq!(wrong(&mut client), [""; 0]);
    // Longer than a value of a file may be.
    for seconds in ["1, 2", "3"] {
        let regions = [noise(7, 2_500), noise(8, 2_500)].join(",");
        client
            .batch_execute(&format!(
                "INSERT INTO trips.hist_trip_data (region, date_time, trip_key, load_id)
                 SELECT r, d, trips.trip_key(r, NULL, NULL, d, NULL), 0
                   FROM unnest('{{{regions}}}'::text[]) AS r,
                        unnest(ARRAY[{seconds}]) AS s,
                        LATERAL (SELECT timestamp '2018-05-01' + s * interval '1 s') AS t (d)"
            ))
            .unwrap();
        assert_eq!(wrong(&mut client), ["ledger"]);
    }
    let is_out_of_line: bool = one(
        &mut client,
        "SELECT pg_relation_size(reltoastrelid) > 0 FROM pg_class WHERE relname = 'summarized_trip_data'",
    );
    assert!(is_out_of_line);
    client.batch_execute("DELETE FROM trips.hist_trip_data WHERE load_id = 0").unwrap();
    let mut transaction = client.transaction().unwrap();
    let mut savepoint = transaction.savepoint("s").unwrap();
    savepoint.query_one("SELECT trips.ingest($1)", &[&second]).unwrap();
    savepoint.rollback().unwrap();
    let rows: i64 = transaction
        .query_one("SELECT count(*) FROM trips.summarized_trip_data", &[])
        .unwrap()
        .get(0);
    assert_eq!(rows, 3);
    transaction.commit().unwrap();
    database.ingest(&mut client, &second);
    assert_eq!(wrong(&mut client), [""; 0]);
    client.batch_execute("VACUUM trips.summarized_trip_data").unwrap();
    client.batch_execute("DELETE FROM trips.hist_trip_data WHERE load_id = 1").unwrap();
    assert_eq!(wrong(&mut client), ["ledger"]);
    let rows: i64 = one(&mut client, "SELECT count(*) FROM trips.summarized_trip_data");
    assert_eq!(rows, 4);
    client.batch_execute("TRUNCATE trips.hist_trip_data").unwrap();
    let query = "SELECT count(*) + (SELECT count(*) FROM trips.weekly_trip_counts) FROM trips.summarized_trip_data";
    assert_eq!(one::<i64>(&mut client, query), 0, "a week without trips has no row");
}

/// Loads by an old snapshot fail as they did, and leave the view as it is.
#[test]
fn an_old_snapshot_ends_with_40001() {
    let database = Database::on_shared();
    let (mut old, mut new) = (database.client(), database.client());
    let first = file(&database, "1.csv", [trip_line("A", 1)]);
    let second = file(&database, "2.csv", [trip_line("B", 2)]);
    let level = IsolationLevel::RepeatableRead;
    let mut transaction = old.build_transaction().isolation_level(level).start().unwrap();
    transaction.query("SELECT 1", &[]).unwrap();
    database.ingest(&mut new, &first);
    let error = transaction.query_one("SELECT trips.ingest($1)", &[&second]).unwrap_err();
    assert_eq!(server_error(&error).0, "40001");
    transaction.rollback().unwrap();
    assert_eq!(wrong(&mut new), [""; 0]);
}

/// The roll-up of ten years and twenty regions.
const TEN_YEARS: &str = "
INSERT INTO trips.daily_trip_counts
SELECT date '2009-01-01' + d, 'region ' || r, 'source', 10
  FROM generate_series(0, 3649) AS d, generate_series(1, 20) AS r;
DO $$ BEGIN
  IF to_regclass('trips.weekly_trip_counts') IS NOT NULL THEN
    INSERT INTO trips.weekly_trip_counts
    SELECT region, to_char(day::timestamp, 'YYYY-MM-\"0\"W'), sum(trips) FROM trips.daily_trip_counts GROUP BY 1, 2;
  END IF;
END $$;
REFRESH MATERIALIZED VIEW trips.summarized_trip_data";

/// One trip into a history of ten years costs what it costs in an empty one; `make bench-small` measures it.
#[test]
fn a_small_load_costs_what_it_touches() {
    const LOADS: usize = 15;
    let cluster = Cluster::start();
    let mut old = cluster.client();
    old.batch_execute("CREATE DATABASE empty").unwrap();
    let mut new = cluster.client_of("empty");
    new.batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
    old.batch_execute(TEN_YEARS).unwrap();
    old.batch_execute("VACUUM ANALYZE").unwrap();
    let mut times = [Vec::new(), Vec::new()];
    for i in 0..=LOADS {
        let path =
            file(&cluster, &format!("{i}.csv"), [trip_line("region 7", u32::try_from(i).unwrap())]);
        for (client, times) in [&mut old, &mut new].into_iter().zip(&mut times) {
            let begin = Instant::now();
            assert_eq!(cluster.ingest(client, &path).rows, [1, 1, 0, 0]);
            // The first one makes the partition.
            times.extend((i > 0).then(|| begin.elapsed()));
        }
    }
    // The quickest of them: what else the machine does costs none of it.
    let [old, new] = times.map(|times| times.into_iter().min().unwrap());
    assert!(old < 3 * new, "a load of one trip takes {old:?}, in an empty database {new:?}");
}

/// What statements have read of the weekly sums and the view: rows, and how often all of them.
fn reads(client: &mut Client) -> [i64; 2] {
    client.query("SELECT pg_stat_force_next_flush()", &[]).unwrap();
    let query = "SELECT sum(seq_tup_read + idx_tup_fetch)::bigint, sum(seq_scan)::bigint FROM pg_stat_user_tables
                  WHERE schemaname = 'trips' AND relname IN ('weekly_trip_counts', 'summarized_trip_data')";
    let row = client.query_one(query, &[]).unwrap();
    [row.get(0), row.get(1)]
}

/// A load writes its counts slice by slice: each slice reads its own rows, not those of the slices before.
#[test]
fn many_long_regions_cost_what_few_cost_each() {
    let database = Database::on_shared();
    let mut client = database.client();
    let mut read = |names: u32| {
        client
            .batch_execute("DROP EXTENSION trips_pipeline; CREATE EXTENSION trips_pipeline")
            .unwrap();
        let lines = (0..names).map(|i| trip_line(noise(i, 950), i));
        let path = file(&database, &format!("{names}.csv"), lines);
        let before = reads(&mut client);
        let names = i64::from(names);
        assert_eq!(database.ingest(&mut client, &path).rows, [names, names, 0, 0]);
        let after = reads(&mut client);
        assert_eq!(wrong(&mut client), [""; 0]);
        [after[0] - before[0], after[1] - before[1]]
    };
    let [few, many] = [2_000, 8_000].map(&mut read);
    println!("2,000 regions: {few:?} rows and scans, 8,000 regions: {many:?}");
    assert!(many[0] <= 2 * 4 * few[0], "{many:?} for 8,000 regions, {few:?} for 2,000");
    assert_eq!((few[1], many[1]), (0, 0), "scans of whole tables");
}
