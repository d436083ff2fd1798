//! A console that serves the page of a database, and that a test can stop and start again.

use std::process::Command;

use postgres::config::Host;
use trips_tests::Database;

/// The same for all, so that a console that is started again knows the browser.
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

pub struct Console {
    /// None while it is stopped.
    running: Option<trips_tests::Console>,
    arguments: Vec<String>,
    address: String,
}

impl Console {
    /// Starts one for this role, on a free port, with more arguments.
    pub fn start(database: &Database, role: &str, more: &[&str]) -> Self {
        let config = database.config();
        let Some(Host::Unix(socket)) = config.get_hosts().first() else {
            panic!("the server has no socket");
        };
        let name = config.get_dbname().expect("a database");
        let mut arguments = vec![
            format!("--host={}", socket.display()),
            format!("--username={role}"),
            format!("--dbname={name}"),
        ];
        arguments.extend(more.iter().map(ToString::to_string));
        let running = spawn(&arguments, 0);
        let address = running.address.clone();
        Self { running: Some(running), arguments, address }
    }

    /// The address of a view with the token.
    pub fn view(&self, fragment: &str) -> String {
        format!("{}/?token={TOKEN}#{fragment}", self.origin())
    }

    /// The address without the token.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn stop(&mut self) {
        self.running = None;
    }

    /// Starts it again on the same port.
    pub fn start_again(&mut self) {
        let port = self.address.rsplit(':').next().and_then(|port| port.parse().ok());
        self.running = Some(spawn(&self.arguments, port.expect("a port")));
    }
}

fn spawn(arguments: &[String], port: u16) -> trips_tests::Console {
    // The kernel ends it with this process.
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_page_program")])
        .args(arguments)
        .env("TRIPS_CONSOLE_TOKEN", TOKEN);
    trips_tests::Console::start_on(&mut command, port)
}
