//! The arguments of the program.

use std::io::IsTerminal;

use lexopt::prelude::{Long, Short, Value, ValueExt};

/// What `--help` prints.
pub const HELP: &str = "\
trips_watch shows the loads of trips_pipeline while they run, and how they end.

Usage:
  trips_watch [OPTION]... [CONNECTION]

CONNECTION is a database name, 'host=… dbname=… user=…' or postgresql://….
Without it, the variables of all PostgreSQL clients count: PGHOST, PGPORT, PGUSER,
PGDATABASE, PGPASSWORD, PGPASSFILE (~/.pgpass), PGSERVICE, PGSSLMODE, PGSSLROOTCERT,
and the others of libpq.

Options:
  -d, --dbname=NAME      database, or a connection string
  -h, --host=HOST        host of the server, or the directory of its socket
  -p, --port=PORT        port of the server
  -U, --username=NAME    role; it needs trips.grant_reader() or trips.grant_loader()
      --color=WHEN       auto, always or never; auto: on a terminal, unless NO_COLOR is set
  -V, --version          print the version
  -?, --help             print this text

On a terminal, the lines of running loads change in place. Elsewhere each line stays.
If the connection is lost, the program connects again and shows what it has missed.
The exit status is 0 when the output is closed, 1 if there is no session, 2 for
invalid arguments.

Examples:
  trips_watch trips
  PGHOST=db.example.com PGSSLMODE=verify-full PGUSER=etl trips_watch trips
  trips_watch trips > loads.log
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Help,
    Version,
    Watch(Options),
}

/// How to watch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Parameters of libpq; later ones replace earlier ones.
    pub connection: Vec<(&'static str, String)>,
    pub color: Color,
}

/// When lines have colours.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// Whether to write colours, with the variable NO_COLOR of this process (<https://no-color.org>).
    pub fn is_on(self) -> bool {
        let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => std::io::stdout().is_terminal() && !is_unwanted,
        }
    }
}

/// Reads the arguments.
pub fn parse(arguments: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut arguments = arguments;
    let mut options = Options::default();
    // The connection string comes first: libpq lets later parameters replace its own.
    let mut database = None;
    let mut others = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('?') | Long("help") => return Ok(Command::Help),
            Short('V') | Long("version") => return Ok(Command::Version),
            Short('d') | Long("dbname") => database = Some(arguments.value()?.string()?),
            Short('h') | Long("host") => others.push(("host", arguments.value()?.string()?)),
            Short('p') | Long("port") => others.push(("port", arguments.value()?.string()?)),
            Short('U') | Long("username") => others.push(("user", arguments.value()?.string()?)),
            Long("color") => {
                options.color = match arguments.value()?.string()?.as_str() {
                    "auto" => Color::Auto,
                    "always" => Color::Always,
                    "never" => Color::Never,
                    _ => return Err("--color must be auto, always or never".into()),
                };
            }
            Value(value) if database.is_none() => database = Some(value.string()?),
            argument => return Err(argument.unexpected()),
        }
    }
    options.connection.extend(database.map(|database| ("dbname", database)));
    options.connection.extend(others);
    Ok(Command::Watch(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Command, lexopt::Error> {
        parse(lexopt::Parser::from_args(arguments))
    }

    #[test]
    fn arguments() {
        let options = |connection: &[(&'static str, &str)], color| {
            let connection = connection.iter().map(|&(name, value)| (name, value.into())).collect();
            Command::Watch(Options { connection, color })
        };
        assert_eq!(parsed(&[]).unwrap(), options(&[], Color::Auto));
        // The string is first, whatever the order of the arguments.
        assert_eq!(
            parsed(&["-hdb", "--color=never", "service=x", "--port", "1"]).unwrap(),
            options(&[("dbname", "service=x"), ("host", "db"), ("port", "1")], Color::Never)
        );
        assert_eq!(parsed(&["-?"]).unwrap(), Command::Help);
        assert_eq!(parsed(&["trips", "--version"]).unwrap(), Command::Version);
        for wrong in [&["a", "b"][..], &["--colour"], &["--color=red"], &["-h"]] {
            assert!(parsed(wrong).is_err(), "{wrong:?}");
        }
    }
}
