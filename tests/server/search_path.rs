//! A role without rights creates objects in `public` and in the temporary schema of the session. A superuser with an
//! unsafe `search_path` uses the extension: none of these objects is used.

use std::fmt::Write;

use postgres::{Client, SimpleQueryMessage};
use trips_tests::{Cluster, FIVE_COLUMNS, month_as_csv, trip_line};

/// What the superuser does. `{month}`, `{rows}` and `{more}` are files.
const STEPS: &[&str] = &[
    "CREATE EXTENSION trips_pipeline",
    "SELECT state, rows_inserted, rows_staged FROM trips.ingest('{month}')",
    "SELECT state, rows_inserted, same_as FROM trips.ingest('{month}')",
    "SELECT state, rows_inserted, rows_duplicate FROM trips.ingest('{month}', force => true)",
    "SELECT state, rows_inserted, rows_staged FROM trips.ingest('{rows}', 'stage', 100)",
    "SELECT state, rows_staged FROM trips.stage('{more}')",
    "UPDATE trips.stg_trip_data SET region = 'Turin', date_time = '2018-06-06 06:06:06'",
    "SELECT state, rows_inserted, rows_staged FROM trips.merge_staged(5)",
    "SELECT state, rows_inserted, rows_staged FROM trips.merge_staged()",
    "SELECT column_name, error_code, reason, records, examples, proposal, retry FROM trips.explain_staged(4)",
    "SELECT state, rows_inserted, rows_staged FROM trips.retry_staged(4, region => 'Turin', date_order => 'DMY', swap_coordinates => true)",
    "SELECT * FROM trips.weekly_avg()",
    "SELECT trips.datasource_regions('baba_car')",
    "SELECT * FROM trips.latest_datasource(3)",
    "SELECT trips.weekly_avg('Prague'), trips.weekly_avg('Prague', '2018-05-01', '2018-06-30')",
    "SELECT * FROM trips.weekly_counts('Prague', until => '2018-06-30')",
    "SELECT * FROM trips.similar_trips('Prague', '(14,50),(15,51)', '2018-05-01', '2018-06-30', 6)",
    "SELECT trip_key FROM trips.similar_to((SELECT trip_key FROM trips.hist_trip_data LIMIT 1), 5)",
    "SELECT trips.h3_center('891e354004fffff'), trips.h3_corners('891e354004fffff')",
    "SELECT trips.trip_key('Prague', NULL, NULL, '2000-01-01 00:00:00', NULL)",
    "SELECT * FROM trips.load_progress",
    "SELECT * FROM trips.summarized_trip_data",
    "SELECT * FROM trips.daily_trip_counts",
    "SELECT * FROM trips.hist_trip_data",
    "SELECT * FROM trips.weekly_counts(trips.area(0, 40, 20, 60), match => 'either')",
    "SELECT trips.weekly_avg(trips.area(170, -90, -170, 90))",
    "SELECT * FROM trips.verify()",
    "SELECT name, labels, value IS NULL, help FROM trips.metrics()",
    "SELECT trips.rebuild()",
    "SELECT * FROM trips.partition_bounds()",
    "SELECT * FROM trips.repair_partitions()",
    "SELECT * FROM trips.weekly_counts(trips.area(0, 40, 20, 60), match => 'both')",
    "SELECT state FROM trips_internal.ingest_match('{month}', '{month}')",
    "SELECT * FROM trips.load_errors",
    "SELECT trips.create_feed('cork', '{\"title\": \"Cork\", \"columns\": {\"id\": {\"type\": \"id\"}, \"at\": {\"type\": \"time\"}}, \"versions\": {\"1\": [\"id\", \"at\"]}, \"time\": {\"columns\": [\"at\"], \"forms\": [\"YYYY-MM-DD HH24:MI:SS\"]}, \"region\": [{\"constant\": \"Cork\"}], \"identity\": {\"scheme\": \"source_id\", \"columns\": [\"id\"]}}')",
    "SELECT name, title, versions, scheme, is_builtin FROM trips.all_feeds",
    "SELECT feed, is_chosen, note FROM trips.detect_feed('{month}')",
    "SELECT trips.drop_feed('cork')",
    "SELECT trips.complete_places('divvy')",
    "SELECT trips.load_stations('divvy', '{stations}', 2018)",
    "SELECT * FROM trips.zones",
    "TRUNCATE trips.hist_trip_data",
];

/// Does all that, and returns the rows. By the simple protocol: with the extended one, the driver queries types, and
/// its own queries would use a trap.
fn walk(client: &mut Client, files: &[(&str, String)]) -> String {
    let mut found = String::new();
    for step in STEPS {
        let step =
            files.iter().fold((*step).to_owned(), |step, (name, path)| step.replace(name, path));
        for message in client.simple_query(&step).unwrap_or_else(|error| panic!("{step}: {error}"))
        {
            if let SimpleQueryMessage::Row(row) = message {
                let values: Vec<&str> =
                    (0..row.len()).map(|i| row.get(i).unwrap_or("NULL")).collect();
                writeln!(found, "{}", values.join("|")).unwrap();
            }
        }
    }
    client.simple_query("SELECT trips.ingest('/nowhere.csv')").unwrap_err();
    found
}

fn files(cluster: &Cluster) -> [(&'static str, String); 4] {
    let rows = format!("{FIVE_COLUMNS}{}bad line\n", trip_line("Cork", 1));
    [
        ("{month}", cluster.file("month.csv", month_as_csv(5_000, 1, "2018-05-01"))),
        ("{rows}", cluster.file("rows.csv", rows)),
        (
            "{stations}",
            cluster.file("stations.csv", "id,name,latitude,longitude\n7,State,41.9,-87.6\n"),
        ),
        ("{more}", cluster.file("more.csv", month_as_csv(20, 2, "2018-07-01"))),
    ]
}

/// Uses of traps: rows of committed transactions, and warnings in the log of all transactions.
fn trapped(cluster: &Cluster) -> (i64, usize) {
    let mut client = cluster.client_of("shadowed");
    client.batch_execute("SET search_path = pg_catalog").unwrap();
    let written = client.query_one("SELECT count(*) FROM public.called", &[]).unwrap().get(0);
    (written, cluster.log().matches("trapped by").count())
}

#[test]
fn nothing_in_public_or_pg_temp_is_used() {
    let cluster = Cluster::start_bare("");
    let files = files(&cluster);
    let expected = walk(&mut cluster.client(), &files);
    assert!(expected.contains("loaded|"), "{expected}");

    cluster.client().batch_execute("CREATE ROLE mallory").unwrap();
    cluster.client().batch_execute("CREATE DATABASE shadowed").unwrap();
    let mut client = cluster.client_of("shadowed");
    client
        .batch_execute(
            "GRANT CREATE ON SCHEMA public TO mallory;
             CREATE TABLE public.called (what text, by name); GRANT INSERT ON public.called TO PUBLIC;
             SET search_path = pg_catalog; SET ROLE mallory",
        )
        .unwrap();
    client.batch_execute(include_str!("search_path.sql")).unwrap();
    let laid: i64 = client
        .query_one(
            "SELECT count(*) FROM pg_depend AS d JOIN pg_namespace AS n ON n.oid = d.refobjid
              WHERE d.refclassid = 'pg_namespace'::regclass AND n.nspname = 'public'",
            &[],
        )
        .unwrap()
        .get(0);
    assert!(laid > 4_000, "{laid} traps");
    // In the temporary schema, which is searched first for tables and types.
    client
        .batch_execute("SELECT public.lay_tables('pg_temp'), public.lay_types('pg_temp')")
        .unwrap();
    // The database's setting is for the background worker, which enters a failed load.
    let unsafe_path = "search_path = public, pg_catalog";
    client
        .batch_execute(&format!(
            "RESET ROLE; ALTER DATABASE shadowed SET {unsafe_path}; SET {unsafe_path}"
        ))
        .unwrap();

    let found = walk(&mut client, &files);
    assert_eq!(trapped(&cluster), (0, 0), "{}", cluster.log());
    assert_eq!(found, expected);
    client.simple_query("DROP EXTENSION trips_pipeline").unwrap();
    assert_eq!(trapped(&cluster), (0, 0), "{}", cluster.log());

    the_traps_work(&mut client, || trapped(&cluster));
}

/// Each trap reports a statement that uses it.
fn the_traps_work(client: &mut Client, trapped: impl Fn() -> (i64, usize)) {
    for step in [
        "SELECT 1::bigint = 1::bigint",
        "SELECT now()",
        "SELECT sum(1::bigint)",
        "SELECT count(*)",
        "SELECT to_char('2018-05-01'::timestamp, 'W')",
        "SELECT 'x'::text",
        "SELECT set_config('a.b', 'c', true)",
        "SELECT * FROM unnest('{1}'::int[])",
        "SELECT * FROM pg_class",
        "INSERT INTO loads VALUES (1)",
    ] {
        let before = trapped();
        let _ = client.simple_query(step);
        assert!(trapped().1 > before.1, "{step}");
    }
}
