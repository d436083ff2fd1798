//! `with_cluster PROGRAM [ARGUMENTS]`: runs a program beside a cluster of its own, which it reaches by
//! libpq's variables (`PGHOST`, `PGUSER`, `PGDATABASE`). The server can read what the program writes to
//! `TRIPS_CLUSTER_FILES`. Afterwards the cluster is gone; the exit code is the program's.

use std::process::{Command, ExitCode};

use trips_tests::Cluster;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("usage: with_cluster PROGRAM [ARGUMENTS]");
        return ExitCode::FAILURE;
    };
    // More lines of the server's configuration.
    let cluster =
        Cluster::start_with(&std::env::var("WITH_CLUSTER_CONFIGURATION").unwrap_or_default());
    let directory = cluster.path("");
    let status = Command::new(&program)
        .args(arguments)
        .envs([("PGHOST", directory.as_str()), ("PGUSER", "postgres"), ("PGDATABASE", "trips")])
        .env("TRIPS_CLUSTER_FILES", &directory)
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{}: {error}", program.display());
            ExitCode::FAILURE
        }
    }
}
