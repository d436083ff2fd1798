//! Histories of random partitions: loads put every trip where it belongs, and a dump of them can be restored.

use postgres::Client;

use crate::{Cluster, FIVE_COLUMNS, Load, database_state, misplaced};

/// A linear congruential generator: the same steps for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// Microseconds between the first and the last bound: a hundred days.
const WINDOW: u64 = 100 * 86_400_000_000;

/// A time of the window, on the grid of this many microseconds.
fn time(dice: &mut Dice, grid: u64) -> String {
    let micros = dice.below(WINDOW / grid) * grid;
    format!(
        "timestamp '2018-04-10' + interval '{} s' + interval '{} us'",
        micros / 1_000_000,
        micros % 1_000_000
    )
}

/// The table with its key, as somebody makes it by hand: with the columns in another order, now and then.
fn table(client: &mut Client, dice: &mut Dice, name: &str) {
    let columns = if dice.one_in(3) {
        "load_id bigint NOT NULL, details jsonb, destination_coord point, origin_coord point, datasource text,
         region text NOT NULL, trip_id text, trip_key uuid NOT NULL, ended_at timestamp, date_time timestamp NOT NULL"
    } else {
        "LIKE trips.hist_trip_data INCLUDING ALL"
    };
    let create = format!("CREATE TABLE {name} ({columns}, PRIMARY KEY (date_time, trip_key))");
    client.batch_execute(&create).expect(&create);
}

/// Attaches a table; `false` when another partition, or trips of the default one, are in the way.
fn attach(client: &mut Client, name: &str, bounds: &str) -> bool {
    let attach = format!("ALTER TABLE trips.hist_trip_data ATTACH PARTITION {name} {bounds}");
    match client.batch_execute(&attach) {
        Ok(()) => true,
        Err(error) => {
            let code = error.code().map(|code| code.code().to_owned());
            assert!(matches!(code.as_deref(), Some("42P17" | "23514")), "{attach}: {error:?}");
            false
        }
    }
}

/// The partitions of one history.
struct Set {
    /// Those that were attached at some time, and their bounds.
    made: Vec<(String, String)>,
}

impl Set {
    fn make(client: &mut Client, dice: &mut Dice) -> Self {
        let grids = [1, 1_000_000, 3_600_000_000, 86_400_000_000, 7 * 86_400_000_000];
        let grid = grids[usize::try_from(dice.below(5)).expect("small")];
        let cuts: Vec<String> = (0..1 + dice.below(9)).map(|_| time(dice, grid)).collect();
        let sorted = format!(
            "SELECT to_char(t, 'YYYY-MM-DD HH24:MI:SS.US') FROM unnest(ARRAY[{}]) AS t GROUP BY t ORDER BY t",
            cuts.join(", ")
        );
        let rows = client.query(&sorted, &[]).expect(&sorted);
        let mut cuts: Vec<String> =
            rows.iter().map(|row| format!("'{}'", row.get::<_, String>(0))).collect();
        match dice.below(4) {
            0 => cuts.insert(0, "MINVALUE".into()),
            1 => cuts.insert(0, "'-infinity'".into()),
            _ => {}
        }
        match dice.below(4) {
            0 => cuts.push("MAXVALUE".into()),
            1 => cuts.push("'infinity'".into()),
            _ => {}
        }
        let mut set = Self { made: Vec::new() };
        for pair in cuts.windows(2) {
            if !dice.one_in(3) {
                set.add(client, dice, &format!("FOR VALUES FROM ({}) TO ({})", pair[0], pair[1]));
            }
        }
        if dice.one_in(3) {
            set.add(client, dice, "DEFAULT");
        }
        set
    }

    fn add(&mut self, client: &mut Client, dice: &mut Dice, bounds: &str) {
        let name = format!("public.\"Part {}\"", self.made.len());
        table(client, dice, &name);
        if attach(client, &name, bounds) {
            self.made.push((name, bounds.to_owned()));
        } else {
            client.batch_execute(&format!("DROP TABLE {name}")).expect("a drop");
        }
    }

    /// Somebody attaches, detaches or attaches again.
    fn change(&mut self, client: &mut Client, dice: &mut Dice) {
        let which = usize::try_from(dice.below(self.made.len().max(1) as u64)).expect("small");
        let is_there =
            "SELECT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = $1::text::regclass)";
        match (dice.below(3), self.made.get(which).cloned()) {
            (0, _) | (_, None) => {
                let (from, to) = (time(dice, 1_000_000), time(dice, 60_000_000));
                let bounds = format!("SELECT format('FOR VALUES FROM (%L) TO (%L)', least(a, b), greatest(a, b) + interval '1 us')
                                        FROM (SELECT {from}, {to}) AS t (a, b)");
                let bounds: String = client.query_one(&bounds, &[]).expect("bounds").get(0);
                self.add(client, dice, &bounds);
            }
            (_, Some((name, bounds))) => {
                let is_there: bool = client.query_one(is_there, &[&name]).expect("a look").get(0);
                if is_there {
                    let how =
                        if dice.one_in(4) && bounds != "DEFAULT" { "CONCURRENTLY" } else { "" };
                    let detach =
                        format!("ALTER TABLE trips.hist_trip_data DETACH PARTITION {name} {how}");
                    // Concurrently it is not possible beside a default partition.
                    let detached = client.batch_execute(&detach);
                    let code = detached.err().and_then(|error| error.code().cloned());
                    assert!(code.is_none_or(|code| code.code() == "55000"), "{detach}");
                } else {
                    attach(client, &name, &bounds);
                }
            }
        }
    }
}

/// A file of trips that are evenly spread over a part of the window, in another order than that of their times.
fn file(cluster: &Cluster, client: &mut Client, dice: &mut Dice, region: &str) -> (String, i64) {
    let count = if dice.one_in(2) { 9_000 } else { 1 + dice.below(400) };
    let most = if dice.one_in(2) { WINDOW / count } else { 10_000_000 };
    let step = 1 + dice.below(most);
    let query = format!(
        "SELECT string_agg(format('%s,POINT (1 2),POINT (3 4),%s,s', $1::text,
                  to_char({} + ((i * 7919) % {count}) * interval '{} s' + ((i * 7919) % {count}) * interval '{} us',
                          'YYYY-MM-DD HH24:MI:SS.US')), E'\\n' ORDER BY i)
           FROM generate_series(0, {count} - 1) AS i",
        time(dice, 1),
        step / 1_000_000,
        step % 1_000_000
    );
    let lines: String = client.query_one(&query, &[&region]).expect(&query).get(0);
    let path = cluster.file(&format!("{region}.csv"), format!("{FIVE_COLUMNS}{lines}\n"));
    (path, i64::try_from(count).expect("small"))
}

fn one(client: &mut Client, query: &str) -> i64 {
    client.query_one(query, &[]).unwrap_or_else(|error| panic!("{query}: {error:?}")).get(0)
}

/// What one set of partitions has seen.
#[derive(Debug, Default, Clone, Copy)]
pub struct Seen {
    /// Loads that were made.
    pub loads: usize,
    /// Trips that they inserted.
    pub trips: i64,
    /// Loads that failed because a detached table had the name of their partition.
    pub refused: usize,
}

/// Makes a history of random partitions in a database of its own, loads into it while others attach and detach, and
/// restores a dump of it.
///
/// # Panics
/// When a trip is misplaced, lost or there twice; when something that is derived is wrong; when the copy is another one.
pub fn check(cluster: &Cluster, seed: u64) -> Seen {
    let mut dice = Dice(seed);
    // The first numbers of neighbouring seeds are alike.
    dice.below(2);
    let database = format!("bounds_{seed}");
    cluster.client().batch_execute(&format!("CREATE DATABASE {database}")).expect("a database");
    let mut client = cluster.client_of(&database);
    client
        .batch_execute("CREATE EXTENSION trips_pipeline; SET trips.notice_interval = 0")
        .expect("the extension");
    if dice.one_in(3) {
        client
            .batch_execute("SET trips.work_mem = '1MB'; SET DateStyle = 'SQL, DMY'")
            .expect("settings");
    }
    let mut set = Set::make(&mut client, &mut dice);
    if dice.one_in(8) {
        client
            .batch_execute(
                "CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
                 CREATE TRIGGER see AFTER INSERT ON trips.hist_trip_data FOR EACH ROW EXECUTE FUNCTION public.see()",
            )
            .expect("a trigger");
    }
    let mut seen = Seen::default();
    for number in 0..3 + dice.below(3) {
        let what = format!("seed {seed}, load {number} into {:?}", set.made);
        let region = format!("region {number}");
        let (path, count) = file(cluster, &mut client, &mut dice, &region);
        match client.query_one("SELECT * FROM trips.ingest($1)", &[&path]) {
            Ok(row) => {
                assert_eq!(Load::from_row(&row).rows, [count, count, 0, 0], "{what}");
                seen.loads += 1;
                seen.trips += count;
                let again = "SELECT * FROM trips.ingest($1, force => true)";
                let row = client.query_one(again, &[&path]).expect("the same trips");
                assert_eq!(Load::from_row(&row).rows, [count, 0, count, 0], "{what}, again");
            }
            Err(error) => {
                // A table that was detached has the name of the partition that is wanted.
                let code = error.code().map(|code| code.code().to_owned());
                assert_eq!(code.as_deref(), Some("42P07"), "{what}: {error:?}");
                seen.refused += 1;
            }
        }
        assert_eq!(misplaced(&mut client), [], "{what}");
        if dice.one_in(2) {
            set.change(&mut client, &mut dice);
            assert_eq!(misplaced(&mut client), [], "{what}, then changed");
        }
    }
    let failed = "SELECT string_agg(check_name || ': ' || detail, '; ') FROM trips.verify()
                   WHERE NOT passed AND check_name <> 'ledger'";
    let failed: Option<String> = client.query_one(failed, &[]).expect("a check").get(0);
    assert_eq!(failed, None, "seed {seed}, {:?}", set.made);
    compare_with_a_copy(cluster, client, &database, seed);
    seen
}

/// Dumps the database and restores it: the copy is the same, and all of its trips are where they belong.
fn compare_with_a_copy(cluster: &Cluster, mut client: Client, database: &str, seed: u64) {
    client.batch_execute("RESET DateStyle").expect("a setting");
    let before = database_state(&mut client);
    let (dump, copy) = (cluster.path(&format!("{database}.dump")), format!("{database}_copy"));
    cluster.client().batch_execute(&format!("CREATE DATABASE {copy}")).expect("a database");
    cluster.tool("pg_dump", &["-d", database, "-Fc", "-f", &dump]);
    cluster.tool("pg_restore", &["--exit-on-error", "-d", &copy, &dump]);
    let mut restored = cluster.client_of(&copy);
    assert_eq!(database_state(&mut restored), before, "the copy of seed {seed}");
    assert_eq!(misplaced(&mut restored), [], "the copy of seed {seed}");
    let trips = "SELECT count(*) FROM trips.hist_trip_data";
    assert_eq!(one(&mut restored, trips), one(&mut client, trips));
    drop((client, restored));
    let mut client = cluster.client();
    for database in [database, &copy] {
        client.batch_execute(&format!("DROP DATABASE {database}")).expect("a database goes");
    }
    std::fs::remove_file(&dump).expect("the dump goes");
}
