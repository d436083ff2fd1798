//! A PostgreSQL cluster that lives as long as a value.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use postgres::NoTls;

use crate::machine::{configure, copy, env, new_directory, server_command};
use crate::template::{Content, template};
use crate::{Database, Programs};

/// How long a server may take to start.
const START: Duration = Duration::from_secs(180);
/// The file beside the data with variables of the environment, one in a line.
const ENVIRONMENT: &str = "environment";

/// A running server of its own, with its own data and socket. It ends, and its files go, when this
/// value does; when the test process is killed, the kernel ends it.
pub struct Cluster {
    /// Its database `trips`.
    pub(crate) database: Database,
    pub(crate) server: Child,
}

impl Cluster {
    /// A server with the extension created in its database `trips`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// A server with the extension, which believes dates of any year.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_for_any_date() -> Self {
        Self::start_with("trips.earliest_date = '0001-01-01'\ntrips.latest_date = '9999-12-31'")
    }

    /// A server with the extension, and with more lines in its configuration.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_with(configuration: &str) -> Self {
        Self::make(PathBuf::from(env("TRIPS_TEST_BIN")), configuration, Content::Extension)
    }

    /// A server without the extension, and with more lines in its configuration.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_bare(configuration: &str) -> Self {
        Self::make(PathBuf::from(env("TRIPS_TEST_BIN")), configuration, Content::Bare)
    }

    /// The same with the programs of this directory.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_bare_of(bin: PathBuf, configuration: &str) -> Self {
        Self::make(bin, configuration, Content::Bare)
    }

    /// A server of these programs, without the extension.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_of(programs: &Programs) -> Self {
        Self::make(programs.bin(), "", Content::Bare)
    }

    /// A server with the extension, with more lines in its configuration and more variables in its environment.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_in(configuration: &str, variables: &[(String, String)]) -> Self {
        let (bin, directory) = (PathBuf::from(env("TRIPS_TEST_BIN")), new_directory());
        write_environment(&directory, variables);
        Self::make_at(bin, directory, configuration, Content::Extension)
    }

    fn make(bin: PathBuf, configuration: &str, content: Content) -> Self {
        Self::make_at(bin, new_directory(), configuration, content)
    }

    fn make_at(bin: PathBuf, directory: PathBuf, configuration: &str, content: Content) -> Self {
        let template = template(&bin, content);
        let data = directory.join("data");
        copy(&template, &data);
        configure(&data, configuration);
        Self::launch(bin, directory)
    }

    /// Starts a server on the data in this directory.
    pub(crate) fn launch(bin: PathBuf, directory: PathBuf) -> Self {
        let server = spawn(&bin, &directory);
        let mut cluster = Self { database: Database::of_own(directory, bin), server };
        cluster.wait_until_ready();
        cluster
    }

    /// Stops the server in order, and starts it again when `change` is done with its data.
    ///
    /// # Panics
    /// When it does not stop or start.
    pub fn restart(&mut self, change: impl FnOnce(&mut Self)) {
        self.stop_server();
        change(self);
        self.server = spawn(&self.bin, &self.directory);
        self.wait_until_ready();
    }

    fn stop_server(&mut self) {
        self.signal(libc::SIGINT);
        let status = self.server.wait().expect("a child");
        assert!(status.success(), "the server ended with {status}: {}", self.log());
    }

    /// Stops the server in order; its files stay.
    pub(crate) fn stop(mut self) {
        self.stop_server();
        self.database.directory = PathBuf::new();
    }

    /// Sets the variables that the server has from its next start on.
    pub fn set_environment(&self, variables: &[(String, String)]) {
        write_environment(&self.directory, variables);
    }

    /// Adds lines to the configuration of the server.
    pub fn configure(&mut self, lines: &str) {
        configure(&self.directory.join("data"), lines);
    }

    fn signal(&mut self, signal: libc::c_int) {
        if matches!(self.server.try_wait(), Ok(None)) {
            let pid = i32::try_from(self.server.id()).expect("a process id");
            // SAFETY: signals our own child, which has not been waited for.
            unsafe { libc::kill(pid, signal) };
        }
    }

    pub(crate) fn wait_until_ready(&mut self) {
        let begin = Instant::now();
        while self.config_of("postgres").connect(NoTls).is_err() {
            let ended = self.server.try_wait().expect("a child");
            assert!(ended.is_none() && begin.elapsed() < START, "no server: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Deref for Cluster {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.database
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A server that was stopped for good.
        if self.directory.as_os_str().is_empty() {
            return;
        }
        if std::thread::panicking() {
            eprintln!("The server's log:\n{}", self.log());
        }
        self.signal(libc::SIGQUIT);
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn write_environment(directory: &Path, variables: &[(String, String)]) {
    let lines: String = variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    fs::write(directory.join(ENVIRONMENT), lines).expect("a file of the cluster");
}

pub(crate) fn spawn(bin: &Path, directory: &Path) -> Child {
    let data = directory.join("data");
    let socket = format!("unix_socket_directories = '{}'", directory.display());
    configure(&data, &socket);
    let variables = fs::read_to_string(directory.join(ENVIRONMENT)).unwrap_or_default();
    let log = fs::File::options().create(true).append(true).open(directory.join("log"));
    server_command(bin.join("postgres"))
        .arg("-D")
        .arg(&data)
        .envs(variables.lines().filter_map(|line| line.split_once('=')))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log.expect("a log"))
        .spawn()
        .expect("postgres starts")
}
