//! Processor time of a session: of its threads, of the backend itself, and of the kernel for both.

use std::fs;
use std::process::Command;

use postgres::Client;

use crate::Result;

/// Seconds.
#[derive(Debug, Clone, Copy)]
pub struct ProcessorTime {
    /// All of the process, also threads that have ended.
    pub all: f64,
    /// Its first thread, in which PostgreSQL runs.
    pub backend: f64,
    /// The part of all that the kernel took.
    pub kernel: f64,
}

impl ProcessorTime {
    /// The time of the session so far.
    pub fn of(client: &mut Client) -> Result<Self> {
        let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
        let [user, kernel] = times(&format!("/proc/{pid}/stat"))?;
        let backend = times(&format!("/proc/{pid}/task/{pid}/stat"))?;
        Ok(Self { all: user + kernel, backend: backend.iter().sum(), kernel })
    }

    /// The time from another moment to this one.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            all: self.all - before.all,
            backend: self.backend - before.backend,
            kernel: self.kernel - before.kernel,
        }
    }

    /// The threads that parse and sort.
    #[must_use]
    pub fn threads(self) -> f64 {
        self.all - self.backend
    }
}

/// Seconds that a process has used so far, also its threads that have ended.
pub fn of_process(pid: u32) -> Result<f64> {
    times(&format!("/proc/{pid}/stat")).map(|times| times.iter().sum())
}

/// Lets a session, and the threads that it starts, use only this processor; or all of them.
pub fn bind(client: &mut Client, processor: Option<usize>) -> Result<()> {
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    let all = std::thread::available_parallelism()?.get() - 1;
    let wanted = processor.map_or_else(|| format!("0-{all}"), |processor| processor.to_string());
    let done = Command::new("taskset").args(["-cp", &wanted, &pid.to_string()]).output()?;
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into()) }
}

/// Seconds of user code and of the kernel, as Linux counts them: in hundredths.
fn times(path: &str) -> Result<[f64; 2]> {
    let text = fs::read_to_string(path)?;
    let fields = text.rsplit_once(')').ok_or("no name of a process")?.1.split_ascii_whitespace();
    let mut ticks = fields.skip(11).map(|field| field.parse::<f64>().map(|ticks| ticks / 100.0));
    let mut next =
        || Ok::<f64, Box<dyn std::error::Error>>(ticks.next().ok_or("a field is missing")??);
    Ok([next()?, next()?])
}
