//! What loads and other statements wait for: no order of their steps ends a load.

use postgres::Client;
use trips_tests::{Cluster, eventually, month_as_csv, spec};

mod patterns;
mod queues;
mod watching;

/// The months of the load: two that are there, one that is empty and gets its index anew, one without
/// triggers, and one that must be made.
fn prepare(cluster: &Cluster) -> Files {
    let mut client = cluster.client();
    let file = |name: &str, rows: u64, seed: u64, day: &str| {
        cluster.file(name, month_as_csv(rows, seed, day))
    };
    for (name, day) in [("may", "2018-05-01"), ("august", "2018-08-01")] {
        cluster.ingest(&mut client, &file(name, 60, 1, day));
    }
    client
        .batch_execute(
            "CREATE TABLE public.june PARTITION OF trips.hist_trip_data (PRIMARY KEY (date_time, trip_key))
               FOR VALUES FROM ('2018-06-01') TO ('2018-07-01');
             SET session_replication_role = replica;
             CREATE TABLE public.sept PARTITION OF trips.hist_trip_data (PRIMARY KEY (date_time, trip_key))
               FOR VALUES FROM ('2018-09-01') TO ('2018-10-01');
             RESET session_replication_role;
             CREATE TABLE public.old (LIKE trips.hist_trip_data, PRIMARY KEY (date_time, trip_key));
             CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        )
        .unwrap();
    let rows = |path: &str| std::fs::read_to_string(path).unwrap();
    let (june, sept, july) = (
        rows(&file("june.csv", 4_500, 2, "2018-06-01")),
        rows(&file("sept.csv", 60, 2, "2018-09-01")),
        rows(&file("july.csv", 60, 2, "2018-07-01")),
    );
    let behind_header = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    let rest = [june.clone(), behind_header(&july), behind_header(&sept)].concat();
    Files { may: file("more.csv", 60, 2, "2018-05-01"), rest: cluster.file("rest.csv", rest) }
}

struct Files {
    may: String,
    rest: String,
}

const IN_H: &str = "INSERT INTO trips.hist_trip_data VALUES ('Cork', point(1, 50), NULL, '2018-08-09 12:00:00', 'hand', gen_random_uuid(), 0)";
const IN_MAY: &str = "INSERT INTO trips.hist_trip_data_2018_05 VALUES ('Cork', point(1, 50), NULL, '2018-05-09 12:00:00', 'hand', gen_random_uuid(), 0)";
const IN_JUNE: &str = "INSERT INTO public.june VALUES ('Cork', point(1, 50), NULL, '2018-06-09 12:00:00', 'hand', gen_random_uuid(), 0)";
const IN_SEPT: &str = "INSERT INTO public.sept VALUES ('Cork', point(1, 50), NULL, '2018-09-09 12:00:00', 'hand', gen_random_uuid(), 0)";
const COPY_JUNE: &str = "COPY public.june (region, date_time, trip_key, load_id)
  FROM PROGRAM 'echo Cork,2018-06-09,00000000-0000-0000-0000-000000000000,0' WITH (FORMAT csv)";

/// What a transaction by hand does, in two steps, and whether one of them may end with an error: where each of them
/// has what the other needs, and nobody could have waited before.
const BY_HAND: &[(&str, &str, bool)] = &[
    (IN_H, IN_MAY, false),
    (IN_MAY, IN_JUNE, false),
    (IN_JUNE, IN_H, false),
    (COPY_JUNE, IN_MAY, false),
    (
        "UPDATE public.june SET region = 'x'",
        "DELETE FROM trips.hist_trip_data WHERE region = 'x'",
        false,
    ),
    (
        "DELETE FROM trips.hist_trip_data_2018_05",
        "UPDATE trips.hist_trip_data SET datasource = 'x'",
        false,
    ),
    ("SELECT count(*) FROM trips.hist_trip_data", IN_JUNE, false),
    (IN_SEPT, IN_H, true),
    ("TRUNCATE public.june", IN_H, true),
    ("TRUNCATE trips.hist_trip_data_2018_05", "TRUNCATE public.june", true),
    ("TRUNCATE trips.hist_trip_data", IN_MAY, true),
    (IN_MAY, "TRUNCATE trips.hist_trip_data", false),
    ("LOCK TABLE public.june", "LOCK TABLE trips.hist_trip_data_2018_05", true),
    ("LOCK TABLE public.june IN SHARE MODE", IN_MAY, true),
    ("LOCK TABLE public.june IN ROW EXCLUSIVE MODE", "LOCK TABLE trips.hist_trip_data", true),
    ("LOCK TABLE trips.hist_trip_data IN SHARE UPDATE EXCLUSIVE MODE", IN_H, true),
    ("LOCK TABLE trips.hist_trip_data", "DROP TABLE public.june", true),
    (IN_H, "LOCK TABLE trips.hist_trip_data", false),
    ("ALTER TABLE public.june ADD CHECK (region <> 'none')", IN_H, true),
    (
        "ALTER TABLE public.june ALTER region SET STATISTICS 10",
        "ALTER TABLE trips.hist_trip_data ADD CHECK (region <> '')",
        true,
    ),
    (
        "CREATE INDEX ON public.june (region)",
        "DELETE FROM trips.hist_trip_data WHERE region = 'x'",
        true,
    ),
    (
        "CREATE TRIGGER theirs AFTER INSERT ON public.june FOR EACH STATEMENT EXECUTE FUNCTION public.nothing()",
        IN_H,
        true,
    ),
    (
        "CREATE TRIGGER theirs AFTER INSERT ON public.sept FOR EACH STATEMENT EXECUTE FUNCTION public.nothing()",
        IN_SEPT,
        true,
    ),
    (
        IN_H,
        "CREATE TRIGGER theirs AFTER DELETE ON trips.hist_trip_data FOR EACH STATEMENT EXECUTE FUNCTION public.nothing()",
        false,
    ),
    ("DROP TABLE public.june", IN_MAY, true),
    (IN_MAY, "DROP TABLE public.june", false),
    ("ALTER TABLE trips.hist_trip_data DETACH PARTITION public.june", IN_H, true),
    (
        "ALTER TABLE trips.hist_trip_data ATTACH PARTITION public.old FOR VALUES FROM ('2017-01-01') TO ('2018-01-01')",
        IN_H,
        false,
    ),
    (
        "CREATE TABLE public.y PARTITION OF trips.hist_trip_data FOR VALUES FROM ('2016-01-01') TO ('2017-01-01')",
        "DROP TABLE public.y",
        true,
    ),
    ("ANALYZE trips.hist_trip_data", IN_H, true),
    ("REINDEX TABLE public.june", IN_MAY, true),
    ("ALTER INDEX public.june_pkey SET (fillfactor = 80)", IN_H, true),
    ("CLUSTER public.june USING june_pkey", IN_H, true),
    ("REFRESH MATERIALIZED VIEW trips.summarized_trip_data", IN_H, true),
    ("REFRESH MATERIALIZED VIEW CONCURRENTLY trips.summarized_trip_data", IN_H, true),
    ("LOCK TABLE trips.daily_trip_counts", IN_H, true),
    (IN_H, "LOCK TABLE trips.stg_trip_data", false),
    ("LOCK TABLE trips_internal.area_pages", IN_MAY, true),
];

/// Commands that no transaction may contain: each is a step of its own.
const ALONE: &[&str] = &[
    "VACUUM FULL public.june",
    "VACUUM ANALYZE trips.hist_trip_data",
    "CREATE INDEX CONCURRENTLY ON public.june (region)",
    "REINDEX TABLE CONCURRENTLY public.june",
    "ALTER TABLE trips.hist_trip_data DETACH PARTITION public.june CONCURRENTLY",
];

/// So many orders are run at the same time: most of it is waiting.
const WORKERS: usize = 4;

/// The errors with which a statement by hand may end that is in a load's way.
const GIVEN_UP: [&str; 3] = ["55P03", "40P01", "57014"];

fn what_is_wrong(client: &mut Client) -> Option<String> {
    let query = "SELECT string_agg(check_name || ': ' || detail, '; ') FROM trips.verify()
                  WHERE NOT passed AND check_name NOT IN ('ledger', 'keys')
                    AND detail !~ '^the primary key'";
    client.query_one(query, &[]).map_or_else(|error| Some(format!("{error:?}")), |row| row.get(0))
}

/// Runs all orders of a load's steps and those by hand, each in a database of its own.
fn check(
    cluster: &Cluster,
    database: &str,
    load: &[String],
    by_hand: &[String],
    may_fail: bool,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut admin = cluster.client_of("postgres");
    for order in spec::interleavings(&[load.len(), by_hand.len()]) {
        admin
            .batch_execute(&format!("CREATE DATABASE {database} TEMPLATE trips STRATEGY file_copy"))
            .unwrap();
        let steps = spec::run(cluster, database, &[load.to_vec(), by_hand.to_vec()], &order);
        let mut faults: Vec<String> = Vec::new();
        for step in &steps {
            let Some((code, message)) = &step.error else { continue };
            // The trips of a partition that is being detached have no partition before that is done.
            if step.session == 0 && code == "55000" && by_hand[0].contains("DETACH PARTITION") {
                continue;
            }
            if step.session == 0 {
                faults.push(format!("the load ended: {code} {message}"));
            } else if !may_fail || !GIVEN_UP.contains(&code.as_str()) {
                faults.push(format!("by hand: {code} {message}"));
            }
        }
        faults.extend(what_is_wrong(&mut cluster.client_of(database)));
        if !faults.is_empty() {
            wrong.push(format!("{by_hand:?} in the order {order:?}: {faults:?}\n"));
        }
        admin.batch_execute(&format!("DROP DATABASE {database} WITH (FORCE)")).unwrap();
    }
    wrong
}

#[test]
fn no_order_of_statements_ends_a_load() {
    let cluster = Cluster::start_with("deadlock_timeout = '100ms'\nmax_worker_processes = 32");
    let files = prepare(&cluster);
    let load = [
        format!("BEGIN; SELECT trips.ingest('{}')", files.may),
        format!("SELECT trips.ingest('{}'); COMMIT", files.rest),
    ];
    let only = std::env::var("TRIPS_SPEC").ok();
    let specs: Vec<(Vec<String>, bool)> = BY_HAND
        .iter()
        .map(|(first, second, may_fail)| {
            (vec![format!("BEGIN; {first}"), format!("{second}; COMMIT")], *may_fail)
        })
        .chain(ALONE.iter().map(|statement| (vec![(*statement).to_owned()], true)))
        .filter(|(steps, _)| {
            only.as_ref().is_none_or(|only| steps.iter().any(|step| step.contains(only)))
        })
        .collect();
    wait_until_nobody_is_connected(&cluster);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let (cluster, load, specs) = (&cluster, &load, &specs);
                scope.spawn(move || {
                    let own = specs.iter().skip(worker).step_by(WORKERS);
                    own.flat_map(|(steps, may_fail)| {
                        check(cluster, &format!("spec_{worker}"), load, steps, *may_fail)
                    })
                    .collect::<Vec<_>>()
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker")).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

/// A database to which anybody is connected is no template.
fn wait_until_nobody_is_connected(cluster: &Cluster) {
    let mut admin = cluster.client_of("postgres");
    eventually(&mut admin, "SELECT count(*) FROM pg_stat_activity WHERE datname = 'trips'", 0);
}
