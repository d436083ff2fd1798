//! A page that shows what loads do, and the trips, live: what `trips_console` does.
//!
//! Handlers ask the database through [`database::Database`], a few sessions whose transactions are read-only. One more
//! session listens for events, for all pages ([`events`]). Handlers never decide who may see what: the role may.

#![forbid(unsafe_code)]

mod actions;
mod answer;
mod assets;
mod auth;
mod cells;
mod csv;
mod database;
mod date;
mod events;
mod extract;
mod filters;
mod guard;
mod listen;
mod options;
mod server;
mod tls;
mod views;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use options::{Command, HELP};

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    run(std::env::args_os().skip(1))
}

/// The program with these arguments.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    match options::parse(lexopt::Parser::from_args(arguments)) {
        Ok(Command::Help) => print(HELP),
        Ok(Command::Version) => print(concat!("trips_console ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Command::Serve(options)) => server::run(*options),
        Err(error) => {
            eprintln!("trips_console: error: {error}\nHINT:  Run trips_console --help.");
            ExitCode::from(2)
        }
    }
}

/// A reader that has closed the output has all that it wanted.
fn print(text: &str) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}
