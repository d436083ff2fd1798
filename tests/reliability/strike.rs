//! Ways to end a statement, and what is true after each.

use std::thread::JoinHandle;
use std::time::Duration;

use postgres::{Client, Error, NoTls, Row};
use trips_tests::{Cluster, eventually};

/// How a statement is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    KillBackend,
    KillServer,
    ImmediateShutdown,
    Cancel,
    Terminate,
    StatementTimeout,
}

pub const STRIKES: [Strike; 6] = [
    Strike::KillBackend,
    Strike::KillServer,
    Strike::ImmediateShutdown,
    Strike::Cancel,
    Strike::Terminate,
    Strike::StatementTimeout,
];

/// What a strike left.
pub struct Struck {
    strike: Strike,
    delay: Duration,
    pub result: Result<Row, Error>,
    /// Whether the statement had a transaction id just before the strike.
    pub had_written: bool,
    /// New files of no relation.
    pub files: usize,
    /// A new session.
    pub client: Client,
}

impl Strike {
    /// Whether the whole server goes through a crash.
    fn is_crash(self) -> bool {
        matches!(self, Self::KillBackend | Self::KillServer | Self::ImmediateShutdown)
    }

    /// Whether the client gets no result: the commit may have been just before.
    fn ends_session(self) -> bool {
        self.is_crash() || self == Self::Terminate
    }

    /// Runs the query in a session of its own, and strikes it after this time.
    pub fn hit(self, cluster: &mut Cluster, query: &str, delay: Duration) -> Struck {
        let mut client = cluster.client();
        let files_before = orphans(&mut client).len();
        let settings = match self {
            Self::StatementTimeout => {
                format!("SET statement_timeout = {}", delay.as_millis().max(1))
            }
            _ => String::new(),
        };
        let (pid, statement) = begin(cluster, &settings, query);
        std::thread::sleep(delay);
        let had_written = has_written(&mut client, pid);
        match self {
            // SAFETY: a signal to a process of our own server; if it has ended, nobody has its number yet.
            Self::KillBackend => unsafe {
                libc::kill(pid, libc::SIGKILL);
            },
            Self::KillServer => cluster.signal_server(libc::SIGKILL),
            Self::ImmediateShutdown => cluster.signal_server(libc::SIGQUIT),
            Self::Cancel => drop(client.query("SELECT pg_cancel_backend($1)", &[&pid])),
            Self::Terminate => drop(client.query("SELECT pg_terminate_backend($1)", &[&pid])),
            Self::StatementTimeout => {}
        }
        let result = statement.join().expect("the thread of the client");
        match self {
            Self::KillServer | Self::ImmediateShutdown => cluster.start_again(),
            Self::KillBackend => cluster.wait_for_recovery(),
            _ => {}
        }
        let mut client = cluster.client();
        wait_until_gone(&mut client, pid);
        let files = orphans(&mut client).len().saturating_sub(files_before);
        assert!(self.is_crash() || files == 0, "{self:?} at {delay:?} leaves {files} files");
        Struck { strike: self, delay, result, had_written, files, client }
    }
}

impl Struck {
    /// A client can rely on the result; one that lost its session has none.
    pub fn assert_result(&self, is_in: bool) {
        let Self { strike, delay, result, .. } = self;
        assert!(
            result.is_err() || is_in,
            "{strike:?} at {delay:?}: a statement that returned is lost"
        );
        assert!(
            strike.ends_session() || result.is_ok() == is_in,
            "{strike:?} at {delay:?}: {result:?}"
        );
    }

    /// The strike and its time, for messages.
    pub fn name(&self) -> String {
        format!("{:?} at {:?}", self.strike, self.delay)
    }
}

/// Starts a query of one row in a session of its own: the process that runs it, and a thread that ends with it.
pub fn begin(
    cluster: &Cluster,
    settings: &str,
    query: &str,
) -> (i32, JoinHandle<Result<Row, Error>>) {
    let mut client = cluster.config().connect(NoTls).expect("a connection");
    let pid = client.query_one("SELECT pg_backend_pid()", &[]).expect("a pid").get(0);
    // Last: a timeout of a millisecond is for the query alone.
    client.batch_execute(settings).expect("settings");
    let query = query.to_owned();
    (pid, std::thread::spawn(move || client.query_one(&query, &[])))
}

fn has_written(client: &mut Client, pid: i32) -> bool {
    let query =
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND backend_xid IS NOT NULL)";
    client.query_one(query, &[&pid]).expect("a row").get(0)
}

/// A struck backend may still be unwinding.
fn wait_until_gone(client: &mut Client, pid: i32) {
    let query =
        format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND state <> 'idle'");
    eventually(client, &query, 0);
}

/// Runs the same on two servers at once, the second with few WAL records and data checksums.
pub fn on_two_servers<T: Send>(run: impl Fn(&mut Cluster, u32) -> T + Sync) -> Vec<T> {
    let configurations = ["", "wal_level = minimal\nmax_wal_senders = 0\n"];
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..)
            .zip(configurations)
            .map(|(number, configuration)| {
                let run = &run;
                scope.spawn(move || {
                    let mut cluster = start(configuration, number == 1);
                    let result = run(&mut cluster, number);
                    check_tables_and_indexes(&cluster);
                    result
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("every strike is survived")).collect()
    })
}

fn start(configuration: &str, checksums: bool) -> Cluster {
    let mut cluster = Cluster::start_bare(configuration);
    // PostgreSQL 18 has them by itself.
    let has_none = "SELECT current_setting('data_checksums') = 'off'";
    let has_none = cluster.client_of("postgres").query_one(has_none, &[]).expect("a row");
    if checksums && has_none.get::<_, bool>(0) {
        cluster.offline("pg_checksums", &["--enable"]);
    }
    cluster
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

/// Files in the database's directory that belong to no relation. Those of relations that are gone stay,
/// empty, until the next checkpoint.
pub fn orphans(client: &mut Client) -> Vec<String> {
    client.batch_execute("CHECKPOINT").expect("a superuser may");
    let rows = client
        .query(
            "SELECT f FROM pg_ls_dir('base/' || (SELECT oid FROM pg_database WHERE datname = current_database())) AS f
              WHERE f ~ '^[0-9]+'
                AND NOT EXISTS (SELECT FROM pg_class
                                 WHERE pg_relation_filenode(oid) = substring(f FROM '^[0-9]+')::oid)
              ORDER BY 1",
            &[],
        )
        .expect("a superuser may look");
    rows.iter().map(|row| row.get(0)).collect()
}
