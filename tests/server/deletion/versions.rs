//! Old values of corrected trips, and values that were kept apart, are deleted with their trips or by themselves.

use postgres::Client;
use trips_tests::{Database, text_of};

use super::{count, delete, failed, trips};

/// Rides with ids, in a window of 100 days.
fn create_feed(client: &mut Client, policy: &str) {
    let feed = format!(
        r#"SELECT trips.create_feed('rides', '{{
             "title": "Rides",
             "columns": {{"Number": {{"type": "id"}}, "When": {{"type": "time"}}, "Town": {{}}}},
             "versions": {{"1": ["Number", "When", "Town"]}},
             "time": {{"columns": ["When"], "forms": ["YYYY-MM-DD HH24:MI:SS"]}},
             "region": [{{"column": "Town"}}],
             "identity": {{"scheme": "source_id", "columns": ["Number"], "window_days": 100, "policy": "{policy}"}},
             "trip_id": "Number"}}')"#
    );
    client.batch_execute(&feed).unwrap();
}

/// Loads a file of rides: number, day, town.
fn load(database: &Database, client: &mut Client, rows: &[(u64, &str, &str)]) -> i64 {
    let row =
        |(number, day, town): &(u64, &str, &str)| format!("{number},2024-{day} 10:00:00,{town}\n");
    let name = format!("{}.csv", count(client, "SELECT count(*) FROM trips.loads"));
    let text = "Number,When,Town\n".to_owned() + &rows.iter().map(row).collect::<String>();
    let path = database.file(&name, text);
    client
        .query_one("SELECT load_id FROM trips.ingest($1, force => true)", &[&path])
        .unwrap()
        .get(0)
}

/// The versions of all trips in a table: number, day, town, load.
fn versions(client: &mut Client, table: &str, load: &str) -> String {
    text_of(
        client,
        &format!(
            "SELECT coalesce(string_agg(format('%s %s %s %s', trip_id, to_char(date_time, 'MM-DD'), region, {load}),
                    ', ' ORDER BY trip_id, date_time, region), '') FROM {table}"
        ),
    )
}

fn history(client: &mut Client) -> String {
    versions(client, "trips.hist_trip_data", "load_id")
}

fn corrections(client: &mut Client) -> String {
    versions(client, "trips.corrections", "corrected_load_id")
}

fn kept(client: &mut Client) -> String {
    versions(client, "trips_internal.kept_versions", "load_id")
}

fn rows_deleted(client: &mut Client) -> String {
    text_of(client, "SELECT string_agg(rows_deleted::text, ' ' ORDER BY load_id) FROM trips.loads")
}

#[test]
fn old_values_of_corrected_trips_go() {
    let database = Database::on_shared();
    let mut client = database.client();
    create_feed(&mut client, "replace");
    load(
        &database,
        &mut client,
        &[(1, "05-10", "Cork"), (2, "05-10", "Cork"), (3, "05-10", "Cork")],
    );
    load(
        &database,
        &mut client,
        &[(1, "05-10", "Lyon"), (2, "06-10", "Cork"), (3, "06-10", "Rome")],
    );
    load(&database, &mut client, &[(3, "07-10", "Bern")]);
    assert_eq!(
        corrections(&mut client),
        "1 05-10 Cork 1, 2 05-10 Cork 1, 3 05-10 Cork 1, 3 06-10 Rome 2"
    );
    // The trip, and its old values whatever they are.
    assert_eq!(delete(&mut client, "region => 'Lyon'"), [1, 0, 0, 0]);
    assert_eq!(history(&mut client), "2 06-10 Cork 2, 3 07-10 Bern 3");
    assert_eq!(corrections(&mut client), "2 05-10 Cork 1, 3 05-10 Cork 1, 3 06-10 Rome 2");
    assert_eq!(rows_deleted(&mut client), "1 1 0");
    assert_eq!(failed(&mut client), [""; 0]);
    // Old values only, and those before them. The trip stays.
    assert_eq!(delete(&mut client, "region => 'Rome'"), [0, 0, 0, 0]);
    assert_eq!(history(&mut client), "2 06-10 Cork 2, 3 07-10 Bern 3");
    assert_eq!(corrections(&mut client), "2 05-10 Cork 1");
    assert_eq!(rows_deleted(&mut client), "2 2 0");
    assert_eq!(failed(&mut client), [""; 0]);
    // Old values after which another version stays.
    assert_eq!(delete(&mut client, "before => '2024-05-20'"), [0, 0, 0, 0]);
    assert_eq!(corrections(&mut client), "");
    assert_eq!(rows_deleted(&mut client), "3 2 0");
    assert_eq!(failed(&mut client), [""; 0]);
    // A retract brings nothing back.
    client.batch_execute("SELECT trips.retract(3)").unwrap();
    assert_eq!(history(&mut client), "2 06-10 Cork 2");
    client.batch_execute("SELECT trips.retract(2)").unwrap();
    assert_eq!(history(&mut client), "");
    client.batch_execute("SELECT trips.retract(1)").unwrap();
    assert_eq!(failed(&mut client), [""; 0]);
}

#[test]
fn values_that_were_kept_apart_go() {
    let database = Database::on_shared();
    let mut client = database.client();
    create_feed(&mut client, "keep");
    load(
        &database,
        &mut client,
        &[(1, "05-10", "Cork"), (2, "05-10", "Cork"), (3, "05-10", "Lyon")],
    );
    load(
        &database,
        &mut client,
        &[(1, "05-10", "Rome"), (2, "06-10", "Bern"), (3, "05-12", "Rome")],
    );
    assert_eq!(kept(&mut client), "1 05-10 Rome 2, 2 06-10 Bern 2, 3 05-12 Rome 2");
    // Those of a deleted trip.
    assert_eq!(delete(&mut client, "region => 'Lyon'"), [1, 0, 0, 0]);
    assert_eq!(kept(&mut client), "1 05-10 Rome 2, 2 06-10 Bern 2");
    // Those that meet the condition themselves.
    assert_eq!(delete(&mut client, "since => '2024-06-01'"), [0, 0, 0, 0]);
    assert_eq!(kept(&mut client), "1 05-10 Rome 2");
    assert_eq!(history(&mut client), "1 05-10 Cork 1, 2 05-10 Cork 1");
    assert_eq!(failed(&mut client), [""; 0]);
    client.batch_execute("SELECT trips.retract(1)").unwrap();
    assert_eq!(history(&mut client), "1 05-10 Rome 2");
    assert_eq!(failed(&mut client), [""; 0]);
}

#[test]
fn claims_of_old_values_stay() {
    let database = Database::on_shared();
    let mut client = database.client();
    create_feed(&mut client, "replace");
    let rows = [(1, "05-10", "Cork"), (2, "05-10", "Lyon")];
    load(&database, &mut client, &rows);
    load(&database, &mut client, &[rows[0], rows[1], (3, "05-10", "Lyon")]);
    load(&database, &mut client, &[(1, "06-10", "Cork")]);
    let claimed = "SELECT coalesce(sum(trips), 0)::bigint FROM trips_internal.claims";
    assert_eq!(count(&mut client, claimed), 2);
    assert_eq!(delete(&mut client, "region => 'Lyon'"), [2, 0, 0, 0]);
    assert_eq!(count(&mut client, claimed), 1);
    client.batch_execute("SELECT trips.retract(3); SELECT trips.retract(1)").unwrap();
    assert_eq!(history(&mut client), "1 05-10 Cork 2");
    assert_eq!(failed(&mut client), [""; 0]);
}

#[test]
fn stations_of_deleted_staged_rows_go() {
    let database = Database::on_shared();
    let mut client = database.client();
    create_feed(&mut client, "keep");
    let load = load(&database, &mut client, &[(1, "13-10", "Cork")]);
    let keep = "INSERT INTO trips_internal.load_stations (load_id, zone_set, zone_id, point)
                VALUES ($1, 'stations', '7', '(1, 2)')";
    client.execute(keep, &[&load]).unwrap();
    let stations = "SELECT count(*) FROM trips_internal.load_stations";
    assert_eq!(delete(&mut client, "region => 'Rome'"), [0, 0, 0, 0]);
    assert_eq!(count(&mut client, stations), 1);
    assert_eq!(delete(&mut client, "region => 'Cork'"), [0, 1, 0, 0]);
    assert_eq!(count(&mut client, stations), 0);
}

/// Random numbers below a limit.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// The number of rows of any version that meet a condition.
fn left(client: &mut Client, condition: &str) -> i64 {
    let of = |table: &str| format!("(SELECT count(*) FROM {table} WHERE {condition})");
    let tables = ["trips.hist_trip_data", "trips.corrections", "trips_internal.kept_versions"];
    count(client, &format!("SELECT {}", tables.map(of).join(" + ")))
}

/// Random loads, deletions and retracts: what was deleted does not come back, and the ledger agrees.
#[test]
fn deleted_versions_do_not_come_back() {
    const DAYS: [&str; 4] = ["05-10", "05-12", "06-10", "07-10"];
    const TOWNS: [&str; 3] = ["Cork", "Lyon", "Rome"];
    const CONDITIONS: [(&str, &str); 6] = [
        ("region => 'Cork'", "region = 'Cork'"),
        ("region => 'Lyon'", "region = 'Lyon'"),
        ("trip_id => '2'", "trip_id = '2'"),
        ("before => '2024-05-11'", "date_time < '2024-05-11'"),
        (
            "since => '2024-06-01', before => '2024-07-01'",
            "date_time >= '2024-06-01' AND date_time < '2024-07-01'",
        ),
        (
            "region => 'Rome', since => '2024-05-11'",
            "region = 'Rome' AND date_time >= '2024-05-11'",
        ),
    ];
    for seed in 0..10 {
        let mut random = Random(seed);
        let database = Database::on_shared();
        let mut client = database.client();
        create_feed(&mut client, ["replace", "keep"][usize::from(seed % 3 == 2)]);
        let (mut loads, mut deleted): (Vec<i64>, Vec<&str>) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            for _ in 0..1 + random.below(3) {
                let rows: Vec<(u64, &str, &str)> = (0..1 + random.below(8))
                    .map(|_| {
                        (random.below(5) as u64, DAYS[random.below(4)], TOWNS[random.below(3)])
                    })
                    .collect();
                loads.push(load(&database, &mut client, &rows));
                deleted.clear();
            }
            let (arguments, condition) = CONDITIONS[random.below(6)];
            let met = trips(&mut client, condition);
            assert_eq!(delete(&mut client, arguments)[0], met, "seed {seed}: {arguments}");
            assert_eq!(left(&mut client, condition), 0, "seed {seed}: {arguments}");
            assert_eq!(failed(&mut client), [""; 0], "seed {seed}: {arguments}");
            deleted.push(condition);
        }
        while !loads.is_empty() {
            let load = loads.swap_remove(random.below(loads.len()));
            let state = format!(
                "SELECT count(*) FROM trips.loads WHERE load_id = {load} AND state = 'loaded'"
            );
            if count(&mut client, &state) == 0 {
                continue;
            }
            client.execute("SELECT trips.retract($1, cascade => true)", &[&load]).unwrap();
            assert_eq!(failed(&mut client), [""; 0], "seed {seed}: retract {load}");
            for condition in &deleted {
                assert_eq!(left(&mut client, condition), 0, "seed {seed}: retract {load}");
            }
        }
        assert_eq!(left(&mut client, "true"), 0, "seed {seed}");
    }
}
