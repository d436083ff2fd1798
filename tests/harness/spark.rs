//! A Spark cluster on loopback that lives as long as a value: a master and two workers of 1 GB.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use crate::Cluster;
use crate::machine::env;

/// The cluster, and the database that its jobs know.
pub struct Spark {
    directory: PathBuf,
    script: PathBuf,
    database: Vec<(&'static str, String)>,
}

impl Spark {
    /// Starts one; its jobs connect to this server as this role, and its files go with the server's.
    ///
    /// # Panics
    /// When it does not start (`scripts/spark.sh setup` installs what it needs).
    #[must_use]
    pub fn start(cluster: &Cluster, role: &str) -> Self {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scripts/spark.sh");
        let directory = PathBuf::from(env("TRIPS_TEST_RUN")).join(format!(
            "spark-{}-{}",
            std::process::id(),
            cluster.open_port()
        ));
        let spark = Self { directory, script, database: Vec::new() };
        spark.run(&["start"], &[]);
        spark.with(cluster, role)
    }

    /// From now on, jobs know this server.
    #[must_use]
    pub fn with(mut self, cluster: &Cluster, role: &str) -> Self {
        self.database = vec![
            ("PGHOST", "127.0.0.1".into()),
            ("PGPORT", cluster.open_port().to_string()),
            ("PGUSER", role.into()),
            ("PGDATABASE", "trips".into()),
        ];
        self
    }

    fn command(&self, before: &[&str], after: &[&str]) -> Command {
        let mut command = Command::new(&self.script);
        command.args(before).arg(&self.directory).args(after);
        command.envs(self.database.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, before: &[&str], after: &[&str]) -> Output {
        let output = self.command(before, after).output().expect("the script runs");
        let text = [&output.stdout[..], &output.stderr].concat();
        assert!(
            output.status.success(),
            "{before:?} {after:?}: {}",
            String::from_utf8_lossy(&text)
        );
        output
    }

    /// Runs a job to its end and returns what it prints.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn submit(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.run(&["submit"], arguments).stdout).expect("UTF-8")
    }

    /// Begins a job.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn begin(&self, arguments: &[&str]) -> Child {
        self.command(&["submit"], arguments).process_group(0).spawn().expect("the script runs")
    }

    /// Kills the driver of a job that was begun, at once.
    ///
    /// # Panics
    /// When it has ended.
    pub fn kill_driver(&self, mut job: Child) {
        let pid = i32::try_from(job.id()).expect("a process id");
        // SAFETY: signals the group of processes that we have started, which is not waited for yet.
        assert_eq!(unsafe { libc::kill(-pid, libc::SIGKILL) }, 0);
        job.wait().expect("it has ended");
    }

    /// Kills a worker (1 or 2) and its executors at once.
    ///
    /// # Panics
    /// When it is not there.
    pub fn kill_worker(&self, number: u32) {
        let file = self.directory.join(format!("worker{number}.pid"));
        let pid: i32 =
            fs::read_to_string(&file).expect("a process id").trim().parse().expect("a number");
        // SAFETY: signals the group of processes that our script has started, and whose number it wrote.
        assert_eq!(unsafe { libc::kill(-pid, libc::SIGKILL) }, 0);
        fs::remove_file(file).expect("its file");
    }
}

impl Drop for Spark {
    fn drop(&mut self) {
        let _ = self.command(&["stop"], &[]).status();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
