//! Private memory of a backend, and limits of it.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use postgres::Client;

use crate::machine::{run, server_command};

/// Runs `work` and returns its result and the most private memory (`RssAnon`, bytes) that the
/// backend of the client had meanwhile.
///
/// # Panics
/// When the backend does not say its number.
pub fn peak_memory<T>(client: &mut Client, work: impl FnOnce(&mut Client) -> T) -> (T, u64) {
    let pid = backend(client);
    let (done, peak) = (AtomicBool::new(false), AtomicU64::new(0));
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                peak.fetch_max(status(pid, "RssAnon:"), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let result = work(client);
        peak.fetch_max(status(pid, "RssAnon:"), Ordering::Relaxed);
        done.store(true, Ordering::Relaxed);
        result
    });
    (result, peak.into_inner())
}

/// A limit of the addresses of a backend.
#[must_use]
pub struct AddressLimit {
    pid: i32,
}

impl AddressLimit {
    /// Lets the backend of the client have so many bytes of addresses more than it has now, and none behind them.
    ///
    /// # Panics
    /// When the limit cannot be set.
    pub fn set(client: &mut Client, more: u64) -> Self {
        let pid = backend(client);
        // The soft limit, which can be raised again.
        let limit = format!("--as={}:", status(pid, "VmSize:") + more);
        run(server_command("prlimit").args([format!("--pid={pid}"), limit]));
        Self { pid }
    }

    /// Lets it have any number again, and says nothing to the server.
    ///
    /// # Panics
    /// When its process has ended.
    pub fn lift(self) {
        let arguments = [format!("--pid={}", self.pid), "--as=unlimited:".into()];
        run(server_command("prlimit").args(arguments));
    }
}

fn backend(client: &mut Client) -> i32 {
    client.query_one("SELECT pg_backend_pid()", &[]).expect("a backend").get(0)
}

/// A line of what the kernel says of a process, in bytes.
fn status(pid: i32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
