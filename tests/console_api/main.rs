//! The program `trips_console`: what its page may ask, what it answers, and what it says without a session.

use std::process::{Command, Stdio};

use postgres::config::Host;
use trips_tests::{Console, Database};

mod access;
mod actions;
mod ahead;
mod connection;
mod listeners;
mod schedules;
mod views;

/// The program with the variables of this database alone.
fn program(database: &Database, role: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_console_program"));
    command.env_clear().env("HOME", database.path("")).env("PGUSER", role).stdin(Stdio::null());
    let config = database.config();
    if let Some(Host::Unix(path)) = config.get_hosts().first() {
        command.env("PGHOST", path);
    }
    command.env("PGDATABASE", config.get_dbname().expect("a name"));
    command
}

fn start(database: &Database) -> Console {
    Console::start(&mut program(database, "postgres"))
}
