//! `trips_console`: a page that shows the loads and the trips of a database. `trips_console --help` has the rest.

use std::process::ExitCode;

fn main() -> ExitCode {
    trips_console::main()
}
