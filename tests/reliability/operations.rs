//! The operations that are struck besides loads, and what each finds.

use std::fmt::Write;

use trips_tests::{Cluster, FIVE_COLUMNS, lines_of, month_as_csv};

/// Trips of each month of a file, and rides of a file.
const MONTH: usize = 10_000;
const RIDES: usize = 10_000;

const FEED: &str = r#"SELECT trips.create_feed('rides', '{
    "title": "Rides",
    "columns": {"Number": {"type": "id"}, "When": {"type": "time"}, "Kind": {}},
    "versions": {"1": ["Number", "When", "Kind"]},
    "time": {"columns": ["When"], "forms": ["YYYY-MM-DD HH24:MI:SS"]},
    "region": [{"constant": "Here"}],
    "identity": {"scheme": "source_id", "columns": ["Number"], "window_days": 45, "policy": "replace"},
    "trip_id": "Number", "details": ["Kind"]}')"#;

/// What a second call does when the first has committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It fails with 55000.
    Refused,
    /// It succeeds, and changes nothing.
    NoChange,
}

/// A statement, and the loads before it. All of them are the only statements of a new extension.
pub struct Operation {
    pub name: &'static str,
    pub before: Vec<String>,
    pub query: String,
    pub again: Again,
}

/// The operations, with their files in the directory of the cluster.
pub fn operations(cluster: &Cluster) -> Vec<Operation> {
    let mut operations = of_trips(cluster);
    operations.extend(of_rides(cluster));
    operations
}

fn ingest(path: &str) -> String {
    format!("SELECT * FROM trips.ingest('{path}')")
}

fn operation(name: &'static str, before: &[&str], query: String, again: Again) -> Operation {
    Operation { name, before: before.iter().map(|path| ingest(path)).collect(), query, again }
}

fn of_trips(cluster: &Cluster) -> Vec<Operation> {
    let month = |seed, day| month_as_csv(MONTH as u64, seed, day);
    let (may, june) = (month(1, "2018-05-01"), month(2, "2018-06-01"));
    let body = |file: &[u8], range| {
        lines_of(file, range).split_once('\n').map(|(_, lines)| lines.to_owned()).expect("lines")
    };
    let file = |name: &str, parts: &[String]| {
        // Each file has bad lines.
        let bad = format!("bad line of {name}\n").repeat(20);
        cluster.file(name, [FIVE_COLUMNS, &bad, &parts.concat()].concat())
    };
    let (half, quarter) = (MONTH / 2, MONTH / 4);
    let all = file("all.csv", &[body(&may, 0..MONTH), body(&june, 0..MONTH)]);
    let apart = file("apart.csv", &[body(&month(3, "2018-07-01"), 0..quarter)]);
    // Trips of the first file, and others of the same months.
    let beside = file(
        "beside.csv",
        &[body(&may, 0..half), body(&june, quarter..half), body(&month(4, "2018-05-01"), 0..half)],
    );
    let third = file(
        "third.csv",
        &[body(&may, quarter..half + quarter), body(&month(5, "2018-06-01"), 0..quarter)],
    );
    let published = file(
        "published.csv",
        &[body(&may, half..MONTH), body(&month(6, "2018-05-01"), 0..half), body(&june, 0..half)],
    );
    let swapped = file("swapped.csv", &[body(&may, 0..half), swapped_lines(half)]);
    let refused = Again::Refused;
    vec![
        operation(
            "retract of a load alone in its partitions",
            &[&all, &apart],
            "SELECT * FROM trips.retract(1)".to_owned(),
            refused,
        ),
        operation(
            "retract of a load among others",
            &[&all, &beside, &third],
            "SELECT * FROM trips.retract(1)".to_owned(),
            refused,
        ),
        operation(
            "replace",
            &[&all, &third],
            format!("SELECT * FROM trips.replace('{published}', 1)"),
            refused,
        ),
        operation(
            "retry of staged rows",
            &[&swapped],
            "SELECT * FROM trips.retry_staged(1, swap_coordinates => true)".to_owned(),
            Again::NoChange,
        ),
    ]
}

/// Trips whose latitude is out of range, unless it is the longitude.
fn swapped_lines(count: usize) -> String {
    let mut lines = String::new();
    for i in 0..count {
        let (day, hour, minute, second) = (i % 28 + 1, i / 3600, i / 60 % 60, i % 60);
        writeln!(
            lines,
            "Cebu,POINT (10.3 {}),POINT (10.4 124),2018-{:02}-{day:02} {hour:02}:{minute:02}:{second:02},baba_car",
            123.0 + f64::from(u32::try_from(i).expect("small")) / 1e5,
            5 + i % 3,
        )
        .expect("memory");
    }
    lines
}

fn of_rides(cluster: &Cluster) -> Vec<Operation> {
    let first: Vec<Ride> =
        (0..RIDES).map(|number| Ride { number, later: false, kind: "a" }).collect();
    // Half of the rides have other values, some of them are in another month; others are equal, and some are new.
    let second: Vec<Ride> = (0..RIDES * 3 / 4)
        .chain(RIDES..RIDES + RIDES / 10)
        .map(|number| match number {
            _ if number < RIDES / 2 => Ride { number, later: number % 5 == 0, kind: "b" },
            _ => Ride { number, later: false, kind: "a" },
        })
        .collect();
    let first = cluster.file("first.csv", rides(&first));
    let second = cluster.file("second.csv", rides(&second));
    let retract = |number: i64| format!("SELECT * FROM trips.retract({number})");
    let kept = Operation {
        name: "retract of a load whose trips have kept versions",
        before: vec![
            ingest(&first),
            format!("SELECT * FROM trips.ingest('{second}', on_change => 'keep')"),
        ],
        query: retract(1),
        again: Again::Refused,
    };
    let delete = "SELECT trips FROM trips.delete_trips(region => 'Here', before => '2024-06-05')";
    let mut operations = vec![
        operation("load of corrections", &[&first], ingest(&second), Again::NoChange),
        operation("retract of corrections", &[&first, &second], retract(2), Again::Refused),
        kept,
        operation("deletion of trips", &[&first, &second], delete.to_owned(), Again::NoChange),
    ];
    for operation in &mut operations {
        operation.before.insert(0, FEED.to_owned());
    }
    operations
}

struct Ride {
    number: usize,
    /// Whether the ride is a month later than it was.
    later: bool,
    kind: &'static str,
}

/// A file of rides in May and June, with bad lines.
fn rides(rides: &[Ride]) -> String {
    let mut file = "Number,When,Kind\n".to_owned();
    for Ride { number, later, kind } in rides {
        let (month, second) = (5 + number % 2 + usize::from(*later), number * 7 % 86_400);
        let (day, hour, minute) = (number % 28 + 1, second / 3600, second / 60 % 60);
        writeln!(
            file,
            "{number},2024-{month:02}-{day:02} {hour:02}:{minute:02}:{:02},{kind}",
            second % 60
        )
        .expect("memory");
        if number % 1000 == 500 {
            writeln!(file, "{number},never,{kind}").expect("memory");
        }
    }
    file
}
