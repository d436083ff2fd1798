//! Shows the loads of a database while they run, and how they end: what `trips_watch` does.

mod line;
mod options;
mod screen;
mod session;
mod watch;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use options::{Command, HELP, Options};
use screen::Screen;
use watch::{End, watch};

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    match options::parse(lexopt::Parser::from_env()) {
        Ok(Command::Help) => print(HELP),
        Ok(Command::Version) => print(concat!("trips_watch ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Command::Watch(options)) => run(&options),
        Err(error) => {
            eprintln!("trips_watch: error: {error}\nHINT:  Run trips_watch --help.");
            ExitCode::from(2)
        }
    }
}

/// A reader that has closed the output has all that it wanted.
fn print(text: &str) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn run(options: &Options) -> ExitCode {
    let output = std::io::stdout();
    let is_terminal = output.is_terminal();
    let mut screen = Screen::new(output, is_terminal, options.color.is_on());
    match watch(&options.connection, &mut screen) {
        End::OutputClosed => ExitCode::SUCCESS,
        End::NoSession(fault) => {
            eprintln!("trips_watch: error: {fault}");
            ExitCode::FAILURE
        }
    }
}
