//! `trips_bench compare`, `containers`, `wide`, `spark`, `hundred_million`, `questions`, `overhead`, `small`, `retract`, `console`; `BENCH_ROWS`, `BENCH_ROUNDS` and
//! `BENCH_FILES` change the sizes.
//!
//! Each starts a private, durable cluster, prints what it measures, and leaves it in `target/bench/`.

mod against;
mod compare;
mod console;
mod containers;
mod hundred_million;
mod measure;
mod others;
mod overhead;
mod processor;
mod questions;
mod reader;
mod report;
mod retract;
mod small;
mod spark;
mod wide;

use std::process::ExitCode;

use trips_tests::Cluster;

/// What every step may end with.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The settings of the private cluster; what is not here is PostgreSQL's default.
pub const SETTINGS: &str = "shared_buffers = 2GB\nmax_wal_size = 16GB\nfsync = on\n\
    autovacuum_naptime = 1min\nlog_min_messages = warning\njit = on\n";

fn main() -> ExitCode {
    // What `console` starts.
    if std::env::args().nth(1).as_deref() == Some("console-program") {
        return trips_console::run(std::env::args_os().skip(2));
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let option = |name: &str, default: u64| -> Result<u64> {
        let variable = format!("BENCH_{}", name.to_uppercase());
        Ok(std::env::var(variable).map_or(Ok(default), |value| value.parse())?)
    };
    match command.as_str() {
        "compare" => compare::run(option("rows", 2_000_000)?, option("rounds", 5)?),
        "against" => against::run(option("rows", 1_000_000)?, option("rounds", 5)?),
        "containers" => containers::run(option("rows", 2_000_000)?, option("rounds", 5)?),
        "wide" => wide::run(option("rows", 2_000_000)?, option("rounds", 5)?),
        "spark" => spark::run(option("rows", 2_000_000)?, option("rounds", 3)?),
        "hundred_million" => {
            hundred_million::run(option("files", 10)?, option("rows", 10_000_000)?)
        }
        "questions" => questions::run(option("files", 10)?, option("rows", 2_000_000)?),
        "overhead" => overhead::run(option("rows", 2_000_000)?, option("rounds", 9)?),
        "small" => small::run(option("files", 1_000)?, option("rounds", 25)?),
        "console" => {
            console::run(option("files", 10)?, option("rows", 2_000_000)?, option("rounds", 5)?)
        }
        "retract" => retract::run(option("rows", 2_000_000)?, option("rounds", 3)?),
        _ => Err(
            "usage: trips_bench compare | against | containers | wide | spark | hundred_million | questions | overhead | small | retract | console"
                .into(),
        ),
    }
}

/// A durable cluster with the extension.
pub fn start_cluster() -> Result<Cluster> {
    let cluster = Cluster::start_bare(SETTINGS);
    cluster.client().batch_execute("CREATE EXTENSION trips_pipeline")?;
    Ok(cluster)
}
