//! Strikes at many points of a load, in every way that a load can be ended.

use std::time::Duration;

use trips_tests::{Cluster, eventually};

use crate::subject::{Before, Subject, orphans};
use crate::{setting, turn};

/// How a load is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strike {
    KillBackend,
    KillServer,
    ImmediateShutdown,
    Cancel,
    Terminate,
    StatementTimeout,
}

const STRIKES: [Strike; 6] = [
    Strike::KillBackend,
    Strike::KillServer,
    Strike::ImmediateShutdown,
    Strike::Cancel,
    Strike::Terminate,
    Strike::StatementTimeout,
];

impl Strike {
    /// Whether the whole server goes through a crash.
    fn is_crash(self) -> bool {
        matches!(self, Self::KillBackend | Self::KillServer | Self::ImmediateShutdown)
    }

    /// Whether the client gets no result: the commit may have been just before.
    fn ends_session(self) -> bool {
        self.is_crash() || self == Self::Terminate
    }
}

#[derive(Debug, Default)]
struct Tally {
    strikes: u32,
    in_all: u32,
    not_at_all: u32,
    /// Loads that did not get in, and that the ledger has as failed.
    recorded_failures: i64,
    orphans_after_crashes: usize,
}

#[test]
fn the_crash_matrix() {
    let _turn = turn();
    let strikes = setting("TRIPS_STRIKES", 60).max(6);
    let configurations = ["", "wal_level = minimal\nmax_wal_senders = 0\n"];
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let each = strikes.div_ceil(2);
        let threads: Vec<_> = configurations
            .iter()
            .enumerate()
            .map(|(i, configuration)| scope.spawn(move || run(configuration, i == 1, each)))
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("every strike is survived")).collect()
    });
    let sum = |f: fn(&Tally) -> u32| tallies.iter().map(f).sum::<u32>();
    println!(
        "crash matrix: {} strikes, {} loads in, {} not, 0 lost, 0 doubled; {} recorded as failed; \
         {} files left by crashes of the server",
        sum(|t| t.strikes),
        sum(|t| t.in_all),
        sum(|t| t.not_at_all),
        tallies.iter().map(|t| t.recorded_failures).sum::<i64>(),
        tallies.iter().map(|t| t.orphans_after_crashes).sum::<usize>(),
    );
    assert!(sum(|t| t.not_at_all) > strikes / 4, "most strikes come too late to say anything");
}

fn run(configuration: &str, checksums: bool, strikes: u32) -> Tally {
    let mut cluster = Cluster::start_bare(configuration);
    // PostgreSQL 18 has them by itself.
    let has_none = "SELECT current_setting('data_checksums') = 'off'";
    let has_none = cluster.client_of("postgres").query_one(has_none, &[]).expect("a row");
    if checksums && has_none.get::<_, bool>(0) {
        cluster.offline("pg_checksums", &["--enable"]);
    }
    let subject = Subject::new(&cluster);
    let mut tally = Tally::default();
    for number in 0..strikes {
        let kind = number as usize % STRIKES.len();
        let before = if number / 6 % 2 == 0 { Before::Nothing } else { Before::Half };
        // The points are spread evenly over each way's strikes, from its start to a little behind its end.
        let point = f64::from(number / 6) / f64::from(strikes.div_ceil(6)) * 1.1;
        strike(
            &mut cluster,
            &subject,
            STRIKES[kind],
            before,
            subject.duration.mul_f64(point),
            &mut tally,
        );
    }
    check_tables_and_indexes(&cluster);
    tally
}

/// With PostgreSQL's own check, where its contrib modules are.
fn check_tables_and_indexes(cluster: &Cluster) {
    let mut client = cluster.client();
    let available = "SELECT current_setting('server_version') LIKE '%(Debian %', EXISTS (
                       SELECT FROM pg_available_extensions WHERE name = 'amcheck')";
    let row = client.query_one(available, &[]).expect("a row");
    let [is_debian, has_amcheck] = [0, 1].map(|i| row.get::<_, bool>(i));
    assert!(has_amcheck || !is_debian, "Debian's PostgreSQL has amcheck");
    if has_amcheck {
        client.batch_execute("CREATE EXTENSION amcheck").expect("contrib is there");
        cluster.tool("pg_amcheck", &["--heapallindexed", "-d", "trips"]);
    } else {
        eprintln!("amcheck is not installed for this PostgreSQL: passed over");
    }
}

fn strike(
    cluster: &mut Cluster,
    subject: &Subject,
    strike: Strike,
    before: Before,
    delay: Duration,
    tally: &mut Tally,
) {
    let mut client = cluster.client();
    subject.reset(cluster, &mut client, before);
    let orphans_before = orphans(&mut client).len();
    let milliseconds = delay.as_millis().max(1);
    let settings = match strike {
        Strike::StatementTimeout => format!("SET statement_timeout = {milliseconds}"),
        _ => String::new(),
    };
    let (pid, load) = subject.begin(cluster, &settings);
    std::thread::sleep(delay);
    match strike {
        // SAFETY: a signal to a process of our own server; if it has ended, nobody has its number yet.
        Strike::KillBackend => unsafe {
            libc::kill(pid, libc::SIGKILL);
        },
        Strike::KillServer => cluster.signal_server(libc::SIGKILL),
        Strike::ImmediateShutdown => cluster.signal_server(libc::SIGQUIT),
        Strike::Cancel => drop(client.query("SELECT pg_cancel_backend($1)", &[&pid])),
        Strike::Terminate => drop(client.query("SELECT pg_terminate_backend($1)", &[&pid])),
        Strike::StatementTimeout => {}
    }
    let result = load.join().expect("the thread of the client");
    match strike {
        Strike::KillServer | Strike::ImmediateShutdown => cluster.start_again(),
        Strike::KillBackend => cluster.wait_for_recovery(),
        _ => {}
    }
    let mut client = cluster.client();
    wait_until_gone(&mut client, pid);
    let is_in = subject.is_in(&mut client, before);
    // A client can rely on the result; one that lost its session has none.
    let has_result = !strike.ends_session();
    assert!(result.is_err() || is_in, "{strike:?} at {delay:?}: a load that returned is lost");
    assert!(!has_result || result.is_ok() == is_in, "{strike:?} at {delay:?}: {result:?}");
    let left = orphans(&mut client).len().saturating_sub(orphans_before);
    assert!(strike.is_crash() || left == 0, "{strike:?} at {delay:?} leaves {left} files");
    let recorded = subject.complete(cluster, &mut client, is_in);
    assert!(
        !is_in || recorded == 0,
        "{strike:?} at {delay:?}: a load that is in is recorded as failed"
    );
    tally.strikes += 1;
    tally.in_all += u32::from(is_in);
    tally.not_at_all += u32::from(!is_in);
    tally.recorded_failures += recorded;
    tally.orphans_after_crashes += left;
}

/// A struck backend may still be unwinding.
fn wait_until_gone(client: &mut postgres::Client, pid: i32) {
    let query =
        format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND state <> 'idle'");
    eventually(client, &query, 0);
}
