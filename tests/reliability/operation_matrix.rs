//! Strikes at many points of retracts, replacements, corrections, retries and deletions. After each, the state is
//! exactly that before or exactly that after, and the next call leads to the latter.

use std::time::{Duration, Instant};

use postgres::Client;
use trips_tests::{Cluster, eventually, server_error};

use crate::operations::{Again, Operation, operations};
use crate::strike::{STRIKES, begin, on_two_servers};
use crate::whole_state::State;
use crate::{setting, turn};

/// The fractions of its multiples are spread evenly, however many there are.
const GOLDEN_RATIO: f64 = 0.618_033_988_75;

/// The strikes of one operation.
#[derive(Debug, Default)]
struct Tally {
    name: &'static str,
    duration: Duration,
    strikes: u32,
    in_all: u32,
    not_at_all: u32,
    /// Those of `not_at_all` that had begun to write.
    half_done: u32,
    files_after_crashes: usize,
}

/// An operation, the states around it, and the shortest time of its calls that nobody struck.
struct Subject {
    operation: Operation,
    before: State,
    after: State,
    duration: Duration,
}

#[test]
fn the_crash_matrix_of_other_operations() {
    let _turn = turn();
    let strikes = setting("TRIPS_STRIKES", 60).max(6);
    let mut servers = on_two_servers(|cluster, number| run(cluster, number, strikes)).into_iter();
    let mut tallies = servers.next().expect("a server");
    for others in servers {
        tallies.iter_mut().zip(&others).for_each(|(tally, other)| tally.add(other));
    }
    let mut all = Tally { name: "all operations but loads", ..Tally::default() };
    for tally in &tallies {
        tally.print();
        all.add(tally);
    }
    all.print();
    for Tally { name, strikes, not_at_all, .. } in tallies {
        assert!(not_at_all > 0 || strikes < 6, "all strikes of {name} come too late");
    }
    assert!(all.half_done > all.strikes / 4, "most strikes come too early or too late");
    assert!(all.in_all > 0 || all.strikes < 60, "no strike comes as late as the commit");
}

/// Strikes of each operation on one of two servers.
fn run(cluster: &mut Cluster, server: u32, strikes: u32) -> Vec<Tally> {
    let operations = operations(cluster);
    let each = strikes.div_ceil(2 * u32::try_from(operations.len()).expect("a few"));
    let mut tallies = Vec::new();
    for (order, operation) in (0..).zip(operations) {
        let mut tally = Tally { name: operation.name, ..Tally::default() };
        let mut subject = Subject::new(cluster, operation);
        for number in 0..each {
            // The two servers take turns, and exchange their kinds of strikes in each round.
            let number = 2 * number + server;
            let kind = (number + number / 6 + order) as usize % STRIKES.len();
            // From the start to behind the end: one that is disturbed takes longer than the shortest.
            let point = (f64::from(number) * GOLDEN_RATIO).fract() * 1.5;
            subject.strike(cluster, kind, point, &mut tally);
        }
        tally.duration = subject.duration;
        tallies.push(tally);
    }
    tallies
}

impl Subject {
    fn new(cluster: &Cluster, operation: Operation) -> Self {
        let mut client = cluster.client();
        reset(&mut client, &operation);
        let before = State::of(&mut client, operation.name);
        let duration = call(cluster, &operation);
        let after = State::of(&mut client, operation.name);
        assert_ne!(before, after, "{} does nothing", operation.name);
        Self { operation, before, after, duration }
    }

    fn strike(&mut self, cluster: &mut Cluster, kind: usize, point: f64, tally: &mut Tally) {
        let operation = &self.operation;
        reset(&mut cluster.client(), operation);
        let delay = self.duration.mul_f64(point);
        let mut struck = STRIKES[kind].hit(cluster, &operation.query, delay);
        let what = format!("{}: {}", operation.name, struck.name());
        let client = &mut struck.client;
        let is_in = State::of(client, &what).is_after(&self.before, &self.after, &what);
        struck.assert_result(is_in);
        if is_in {
            call_again(&mut struck.client, operation, &what);
        } else {
            self.duration = self.duration.min(call(cluster, operation));
        }
        let client = &mut struck.client;
        let state = State::of(client, &what);
        assert!(state.is_after(&self.before, &self.after, &what), "{what}: the next call is lost");
        eventually(client, "SELECT count(*) FROM trips.loads WHERE state = 'running'", 0);
        tally.strikes += 1;
        tally.in_all += u32::from(is_in);
        tally.not_at_all += u32::from(!is_in);
        tally.half_done += u32::from(!is_in && struck.had_written);
        tally.files_after_crashes += struck.files;
    }
}

/// A new extension, as the operation finds it.
fn reset(client: &mut Client, operation: &Operation) {
    client
        .batch_execute("DROP EXTENSION IF EXISTS trips_pipeline; CREATE EXTENSION trips_pipeline")
        .expect("the extension");
    for query in &operation.before {
        client.execute(query, &[]).unwrap_or_else(|error| panic!("{query}: {error}"));
    }
}

/// The undisturbed call, in a session of its own as the struck one; how long it takes.
fn call(cluster: &Cluster, operation: &Operation) -> Duration {
    let (_, statement) = begin(cluster, "", &operation.query);
    let start = Instant::now();
    let result = statement.join().expect("the thread of the client");
    result.unwrap_or_else(|error| panic!("{}: {error}", operation.query));
    start.elapsed()
}

fn call_again(client: &mut Client, operation: &Operation, what: &str) {
    let result = client.execute(&operation.query, &[]);
    match operation.again {
        Again::Refused => {
            let error = result.expect_err(what);
            assert_eq!(server_error(&error).0, "55000", "{what}: {error}");
        }
        Again::NoChange => drop(result.unwrap_or_else(|error| panic!("{what}: {error}"))),
    }
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.duration = self.duration.max(other.duration);
        self.strikes += other.strikes;
        self.in_all += other.in_all;
        self.not_at_all += other.not_at_all;
        self.half_done += other.half_done;
        self.files_after_crashes += other.files_after_crashes;
    }

    fn print(&self) {
        let Self { name, strikes, in_all, not_at_all, half_done, files_after_crashes, .. } = self;
        println!(
            "crash matrix, {name} ({} ms): {strikes} strikes, {in_all} in, {not_at_all} not ({half_done} had \
             begun to write), 0 lost, 0 doubled; {files_after_crashes} files left by crashes of the server",
            self.duration.as_millis(),
        );
    }
}
