//! Signals, stops and starts of a cluster's server.

use std::time::Duration;

use postgres::NoTls;

use crate::Cluster;
use crate::cluster::spawn;
use crate::machine::server_command;
use crate::until_within;

/// How long a server may take to come back from a crash.
const RECOVERY: Duration = Duration::from_secs(180);

impl Cluster {
    /// Sends a signal to the server's first process.
    ///
    /// # Panics
    /// When it is not there.
    pub fn signal_server(&self, signal: i32) {
        let pid = i32::try_from(self.server.id()).expect("a process id");
        // SAFETY: signals our own child, which has not been waited for.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// Waits until the server has ended, whose first process got a signal, and starts it again.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        self.server.wait().expect("a child");
        // Its other processes end a little later; until then, they have the shared memory, and a new server fails.
        until_within(RECOVERY, "the server does not start", || {
            self.server = spawn(&self.bin, &self.directory);
            until_within(RECOVERY, "the server neither accepts connections nor ends", || {
                let has_ended = self.server.try_wait().expect("a child").is_some();
                let is_ready = self.config_of("postgres").connect(NoTls).is_ok();
                (has_ended || is_ready).then_some(())
            });
            self.server.try_wait().expect("a child").is_none().then_some(())
        });
    }

    /// Waits until the server accepts statements again after a crash of one of its processes.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait_for_recovery(&mut self) {
        // A session that goes on for a while was not begun before the server noticed the crash.
        let goes_on = || {
            let mut client = self.config().connect(NoTls)?;
            (0..10).try_for_each(|_| {
                std::thread::sleep(Duration::from_millis(10));
                client.batch_execute("SELECT 1")
            })
        };
        until_within(RECOVERY, "no session", || goes_on().ok());
    }

    /// Stops the server in order, runs one of PostgreSQL's programs on its data directory, and starts it.
    ///
    /// # Panics
    /// When the program fails.
    pub fn offline(&mut self, program: &str, arguments: &[&str]) {
        self.restart(|cluster| {
            let output = server_command(cluster.bin.join(program))
                .arg("-D")
                .arg(cluster.directory.join("data"))
                .args(arguments)
                .output()
                .expect("the program runs");
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{program}: {text}");
        });
    }
}
