//! A psql that a test talks to: what a reader of the documents sees.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::Cluster;

/// How long a statement of a document may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// What psql prints behind each block, so that its end is seen.
const END: &str = "-- the end of the block --";

/// A running psql. It ends with this value.
pub struct Psql {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Psql {
    /// Connects to the database `trips` as the superuser.
    ///
    /// # Panics
    /// When psql does not start.
    #[must_use]
    pub fn start(cluster: &Cluster) -> Self {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let mut command = Command::new(cluster.bin.join("psql"));
        command
            .args([
                "-X",
                "-q",
                "-P",
                "footer=off",
                "-P",
                "pager=off",
                "-U",
                "postgres",
                "-d",
                "trips",
                "-h",
            ])
            .arg(&cluster.directory)
            .env("LC_ALL", "C.UTF-8")
            .env("PGTZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(writer.try_clone().expect("a pipe"))
            .stderr(writer);
        let mut child = command.spawn().expect("psql starts");
        // It has the ends of the pipe that are written to.
        drop(command);
        let input = child.stdin.take().expect("a pipe");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, input, lines }
    }

    /// Runs statements and commands of psql, and returns all that it prints.
    ///
    /// # Panics
    /// When it prints nothing in time.
    pub fn run(&mut self, sql: &str) -> String {
        write!(self.input, "{sql}\n\\echo {END}\n").expect("psql reads");
        self.input.flush().expect("psql reads");
        let mut printed = String::new();
        loop {
            let line = self.lines.recv_timeout(TIMEOUT);
            let line = line.unwrap_or_else(|error| panic!("{error} behind {sql}{printed}"));
            if line == END {
                return printed;
            }
            printed.push_str(&line);
            printed.push('\n');
        }
    }
}

impl Drop for Psql {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
