//! The arguments of the program.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use lexopt::prelude::{Long, Short, Value, ValueExt};

/// What `--help` prints.
pub const HELP: &str = "\
trips_console serves a page that shows the loads and the trips of trips_pipeline, live.

Usage:
  trips_console [OPTION]... [CONNECTION]

It prints the link to the page, with its token. The page is for this machine only,
unless --listen is set. It reads; with --allow-actions it also cancels and retries
loads, merges staged rows and retracts loads, as far as the role may.

CONNECTION is a database name, 'host=… dbname=… user=…' or postgresql://….
Without it, the variables of all PostgreSQL clients count: PGHOST, PGPORT, PGUSER,
PGDATABASE, PGPASSWORD, PGPASSFILE (~/.pgpass), PGSERVICE, PGSSLMODE, PGSSLROOTCERT,
and the others of libpq.

Options for the database:
  -d, --dbname=NAME      database, or a connection string
  -h, --host=HOST        host of the server, or the directory of its socket
  -U, --username=NAME    role; it needs trips.grant_reader()

Options for the page:
      --port=PORT        port of the page, 8432 by default; 0 takes a free one
      --listen=ADDRESS   address of the page, 127.0.0.1 by default. Another one than
                         loopback needs --tls-cert and --tls-key, or --behind-proxy
      --tls-cert=FILE    certificate chain of the page, PEM
      --tls-key=FILE     its private key, PEM
      --behind-proxy     a proxy on the way to the browser does TLS;
                         --behind-proxy=http: something else keeps the network out, as
                         Docker does that publishes the port on loopback alone
      --allow-host=NAME  name under which browsers may reach the page, besides
                         localhost and addresses; repeat it for more names
      --token-file=FILE  file with the token of the link, 16 to 200 letters and digits;
                         by default that of the variable TRIPS_CONSOLE_TOKEN, or a new one
      --allow-actions    let the page cancel, retry, merge and retract
  -V, --version          print the version
  -?, --help             print this text

The exit status is 0 after SIGINT or SIGTERM, 1 if the page cannot be served, 2 for
invalid arguments. Without a server, the page says so, and connects again by itself.

Examples:
  trips_console trips
  PGHOST=db.example.com PGSSLMODE=verify-full PGUSER=analyst trips_console trips
  trips_console --listen=0.0.0.0 --behind-proxy --allow-host=trips.example.com trips
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Help,
    Version,
    Serve(Box<Options>),
}

/// How to serve.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// Parameters of libpq; later ones replace earlier ones.
    pub connection: Vec<(&'static str, String)>,
    pub address: IpAddr,
    pub port: u16,
    pub tls: Option<TlsFiles>,
    pub proxy: Option<Proxy>,
    pub allowed_hosts: Vec<String>,
    pub token_file: Option<PathBuf>,
    pub allow_actions: bool,
}

/// What the browser speaks with a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    Http,
    Https,
}

/// Files of the page's certificate.
#[derive(Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connection: Vec::new(),
            address: Ipv4Addr::LOCALHOST.into(),
            port: 8432,
            tls: None,
            proxy: None,
            allowed_hosts: Vec::new(),
            token_file: None,
            allow_actions: false,
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
    let (mut certificate, mut key) = (None, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('?') | Long("help") => return Ok(Command::Help),
            Short('V') | Long("version") => return Ok(Command::Version),
            Short('d') | Long("dbname") => database = Some(arguments.value()?.string()?),
            Short('h') | Long("host") => others.push(("host", arguments.value()?.string()?)),
            Short('U') | Long("username") => others.push(("user", arguments.value()?.string()?)),
            Long("port") => options.port = arguments.value()?.parse()?,
            Long("listen") => options.address = arguments.value()?.parse()?,
            Long("tls-cert") => certificate = Some(arguments.value()?.into()),
            Long("tls-key") => key = Some(arguments.value()?.into()),
            Long("behind-proxy") => {
                let scheme = arguments.optional_value().map(|value| value.string()).transpose()?;
                options.proxy = Some(match scheme.as_deref() {
                    None | Some("https") => Proxy::Https,
                    Some("http") => Proxy::Http,
                    Some(_) => return Err("--behind-proxy must be http or https".into()),
                });
            }
            Long("allow-host") => {
                options.allowed_hosts.push(arguments.value()?.string()?.to_ascii_lowercase());
            }
            Long("token-file") => options.token_file = Some(arguments.value()?.into()),
            Long("allow-actions") => options.allow_actions = true,
            Value(value) if database.is_none() => database = Some(value.string()?),
            argument => return Err(argument.unexpected()),
        }
    }
    options.connection.extend(database.map(|database| ("dbname", database)));
    options.connection.extend(others);
    options.tls = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
        (None, None) => None,
        _ => return Err("--tls-cert and --tls-key belong together".into()),
    };
    // Else the token and the data would pass over the network as text.
    if !options.address.is_loopback() && options.tls.is_none() && options.proxy.is_none() {
        return Err("--listen with another address than loopback needs --tls-cert and --tls-key, or --behind-proxy"
            .into());
    }
    Ok(Command::Serve(Box::new(options)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Options, String> {
        match parse(lexopt::Parser::from_args(arguments)) {
            Ok(Command::Serve(options)) => Ok(*options),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn the_default_is_loopback_and_read_only() {
        let options = parsed(&["trips"]).unwrap();
        let connection = vec![("dbname", "trips".to_owned())];
        assert_eq!(options, Options { connection, ..Options::default() });
        assert!(options.address.is_loopback() && !options.allow_actions);
    }

    #[test]
    fn other_addresses_need_tls() {
        for address in ["0.0.0.0", "::", "192.0.2.1"] {
            let listen = format!("--listen={address}");
            assert!(parsed(&[&listen]).unwrap_err().contains("--behind-proxy"));
            assert!(parsed(&[&listen, "--behind-proxy"]).is_ok());
            assert!(parsed(&[&listen, "--tls-cert=a", "--tls-key=b"]).is_ok());
            assert!(parsed(&[&listen, "--tls-cert=a"]).is_err());
        }
        assert!(parsed(&["--listen=127.0.0.2"]).is_ok());
        assert!(parsed(&["--listen=::1"]).is_ok());
    }

    #[test]
    fn arguments() {
        let options = parsed(&[
            "-hdb",
            "service=x",
            "--port",
            "0",
            "--allow-host=A.example",
            "--allow-actions",
        ])
        .unwrap();
        let expected = [("dbname", "service=x".to_owned()), ("host", "db".to_owned())];
        assert_eq!(options.connection, expected);
        assert_eq!((options.port, options.allow_actions), (0, true));
        assert_eq!(options.allowed_hosts, ["a.example"]);
        for wrong in [&["a", "b"][..], &["--colour"], &["--port=70000"], &["--listen=localhost"]] {
            assert!(parsed(wrong).is_err(), "{wrong:?}");
        }
    }
}
