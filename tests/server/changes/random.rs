//! Random changes by hand and loads, one after the other: what is derived is what plain SQL counts.

use postgres::Client;
use trips_tests::{Database, month_as_csv};

use super::{check_all, incomplete_weeks};

const STEPS: usize = 120;
const MONTHS: [(&str, &str); 4] = [
    ("2018_05", "2018-05-01"),
    ("2018_06", "2018-06-01"),
    ("2018_07", "2018-07-01"),
    ("2018_08", "2018-08-01"),
];
const REGIONS: [&str; 5] = ["Lyon", "Turin", "Cork", "Ghent", "Graz"];

/// A linear congruential generator: the same steps for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

fn bounds(month: usize) -> String {
    let next = MONTHS.get(month + 1).map_or("2018-09-01", |next| next.1);
    format!("FOR VALUES FROM ('{}') TO ('{next}')", MONTHS[month].1)
}

fn has_partition(client: &mut Client, month: usize) -> bool {
    let query = "SELECT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass($1)
                    AND inhparent = 'trips.hist_trip_data'::regclass)";
    client.query_one(query, &[&table_of(month)]).unwrap().get(0)
}

fn table_of(month: usize) -> String {
    format!("trips.hist_trip_data_{}", MONTHS[month].0)
}

/// A statement that somebody may send, for the months that are attached or not.
fn statement(client: &mut Client, dice: &mut Dice) -> String {
    let month = dice.below(MONTHS.len());
    let (own, first) = (table_of(month), MONTHS[month].1);
    let is_there = has_partition(client, month);
    let exists: bool =
        client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&own]).unwrap().get(0);
    let table =
        if is_there && dice.below(2) == 0 { own.clone() } else { "trips.hist_trip_data".into() };
    let day = 1 + dice.below(28);
    let (region, other) = (dice.one_of(&REGIONS), dice.one_of(&REGIONS));
    let one_day = format!("date_time::date = date '{first}' + {day}");
    match dice.below(14) {
        0 => format!("DELETE FROM {table} WHERE region = '{region}'"),
        1 | 2 => format!("DELETE FROM {table} WHERE {one_day}"),
        3 => format!("DELETE FROM {table} WHERE ctid IN (SELECT ctid FROM {table} LIMIT 1) AND {one_day}"),
        4 => format!("UPDATE {table} SET region = '{other}' WHERE region = '{region}' AND {one_day}"),
        5 => format!("UPDATE {table} SET origin_coord = point({day}.125, 50) WHERE region = '{region}'"),
        6 => format!("UPDATE {table} SET datasource = NULL WHERE false"),
        // Within the month, or into the next one, if it is there.
        7 => format!(
            "UPDATE {table} SET date_time = date_time + interval '1 day' WHERE {one_day} AND date_time < '2018-08-30'"
        ),
        8 if is_there => format!(
            "INSERT INTO {table} SELECT '{region}', point(i, 45.5), point(i / 7.0, 50), timestamp '{first}' + i * interval '7 hours', 'hand', gen_random_uuid(), 0
               FROM generate_series(1, {day}) AS i"
        ),
        9 if is_there && dice.below(3) == 0 => format!("TRUNCATE {table}"),
        10 if is_there => format!("ALTER TABLE trips.hist_trip_data DETACH PARTITION {own}"),
        11 if is_there => format!("DROP TABLE {own}"),
        10..=13 if exists && !is_there => {
            format!("ALTER TABLE trips.hist_trip_data ATTACH PARTITION {own} {}", bounds(month))
        }
        12 if !exists => format!(
            "CREATE TABLE {own} PARTITION OF trips.hist_trip_data (PRIMARY KEY (date_time, trip_key)) {}",
            bounds(month)
        ),
        _ => format!("DELETE FROM {table} WHERE region = '{region}' AND {one_day}"),
    }
}

/// The weeks of regions and of areas, beside plain SQL.
fn compare(client: &mut Client, dice: &mut Dice, what: &str) {
    let [x, y] = [dice.below(12), 40 + dice.below(12)];
    let area = format!("box '({x},{y}),({},{})'", x + 1 + dice.below(10), y + 1 + dice.below(10));
    let region = dice.one_of(&REGIONS);
    let weeks = "SELECT string_agg(w::text, ' ' ORDER BY w) FROM";
    for (function, plain) in [
        (
            format!("{weeks} trips.weekly_counts('{region}') AS w WHERE w.trips > 0"),
            format!(
                "{weeks} (SELECT date_trunc('week', date_time)::date, count(*) FROM trips.hist_trip_data
                           WHERE region = '{region}' GROUP BY 1) AS w"
            ),
        ),
        (
            format!("{weeks} trips.weekly_counts({area}, match => 'either') AS w WHERE w.trips > 0"),
            format!(
                "{weeks} (SELECT date_trunc('week', date_time)::date, count(*) FROM trips.hist_trip_data
                           WHERE origin_coord <@ {area} OR destination_coord <@ {area} GROUP BY 1) AS w"
            ),
        ),
    ] {
        let [found, expected] = [function, plain]
            .map(|query| client.query_one(&query, &[]).unwrap().get::<_, Option<String>>(0));
        assert_eq!(found, expected, "{what}: {region} {area}");
    }
}

#[test]
fn random_changes_are_followed() {
    let database = Database::on_shared();
    let mut client = database.client();
    let seed = std::env::var("CHANGES_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(6);
    let mut dice = Dice(seed);
    for step in 0..STEPS {
        let what = if step < 3 || dice.below(4) == 0 {
            let (_, first) = MONTHS[dice.below(MONTHS.len())];
            let path = database.file("next", month_as_csv(400, step as u64, first));
            match client.query("SELECT trips.ingest($1, force => true)", &[&path]) {
                Ok(_) => format!("a load from {first} on"),
                // The table of a month is there, and is no partition.
                Err(error) => {
                    assert_eq!(trips_tests::server_error(&error).0, "42P07", "{error:?}");
                    continue;
                }
            }
        } else {
            let statement = statement(&mut client, &mut dice);
            // A trip may be there already, or have no partition to go to.
            if let Err(error) = client.batch_execute(&statement) {
                let code = trips_tests::server_error(&error).0;
                assert!(["23505", "23514"].contains(&code.as_str()), "{statement}: {error:?}");
            }
            statement
        };
        let what = format!("seed {seed}, step {step}: {what}");
        compare(&mut client, &mut dice, &what);
        assert_eq!(incomplete_weeks(&mut client), 0, "{what}");
        if step % 4 == 0 {
            check_all(&mut client, &what);
        }
    }
    let trips = "SELECT count(*) FROM trips.hist_trip_data";
    assert!(client.query_one(trips, &[]).unwrap().get::<_, i64>(0) > 0);
}
