//! `trips_watch`: a line for each load of a database, live. `trips_watch --help` has the rest.

use std::process::ExitCode;

fn main() -> ExitCode {
    trips_watch::main()
}
