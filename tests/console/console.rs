//! A console that serves the page of a cluster, and ends with this value.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use postgres::config::Host;
use trips_tests::Database;

/// The same for all, so that a console that is started again knows the browser.
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

pub struct Console {
    program: Child,
    /// The address with the token.
    pub link: String,
    arguments: Vec<String>,
}

impl Console {
    /// Starts one for this role, on a free port, with more arguments.
    pub fn start(database: &Database, role: &str, more: &[&str]) -> Self {
        let config = database.config();
        let name = config.get_dbname().expect("a database").to_owned();
        let Some(Host::Unix(socket)) = config.get_hosts().first() else {
            panic!("the server has no socket");
        };
        let mut arguments = vec![
            format!("--host={}", socket.display()),
            format!("--username={role}"),
            format!("--dbname={name}"),
        ];
        arguments.extend(more.iter().map(ToString::to_string));
        let (program, link) = spawn(&arguments, 0);
        Self { program, link, arguments }
    }

    /// The address of a view with the token.
    pub fn view(&self, fragment: &str) -> String {
        format!("{}#{fragment}", self.link)
    }

    /// The address without the token.
    pub fn origin(&self) -> String {
        self.link.split("/?").next().expect("an address").to_owned()
    }

    pub fn stop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }

    /// Starts it again on the same port.
    pub fn start_again(&mut self) {
        let port =
            self.origin().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        (self.program, self.link) = spawn(&self.arguments, port);
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(arguments: &[String], port: u16) -> (Child, String) {
    let mut program = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_console_program")])
        .args(arguments)
        .arg(format!("--port={port}"))
        .env("TRIPS_CONSOLE_TOKEN", TOKEN)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the console starts");
    let mut lines = BufReader::new(program.stdout.take().expect("a pipe")).lines();
    let link = lines.find_map(|line| {
        let line = line.ok()?;
        line.find("http://").map(|at| line[at..].trim().to_owned())
    });
    (program, link.expect("the console prints its link"))
}
