//! A PostgreSQL cluster that lives as long as a value.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};

use crate::machine::{configure, env, new_directory, run, server_command, template};
use crate::{Load, Programs};

/// How long a server may take to start.
const START: Duration = Duration::from_secs(60);

/// A running server of its own, with its own data and socket. It ends, and its files go, when this
/// value does; when the test process is killed, the kernel ends it.
pub struct Cluster {
    pub(crate) directory: PathBuf,
    pub(crate) bin: PathBuf,
    pub(crate) server: Child,
}

impl Cluster {
    /// A server with the extension created in its database `trips`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        let cluster = Self::start_bare("");
        cluster.client().batch_execute("CREATE EXTENSION trips_pipeline").expect("the extension");
        cluster
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
        let cluster = Self::start_bare(configuration);
        cluster.client().batch_execute("CREATE EXTENSION trips_pipeline").expect("the extension");
        cluster
    }

    /// A server without the extension, and with more lines in its configuration.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_bare(configuration: &str) -> Self {
        Self::make(PathBuf::from(env("TRIPS_TEST_BIN")), configuration)
    }

    /// A server of these programs, without the extension.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_of(programs: &Programs) -> Self {
        Self::make(programs.bin(), "")
    }

    fn make(bin: PathBuf, configuration: &str) -> Self {
        let template = template(&bin);
        let directory = new_directory();
        let data = directory.join("data");
        run(server_command("cp").arg("-a").arg(&template).arg(&data));
        configure(&data, configuration);
        let cluster = Self::launch(bin, directory);
        cluster.client_of("postgres").batch_execute("CREATE DATABASE trips").expect("a database");
        cluster
    }

    /// Starts a server on the data in this directory.
    pub(crate) fn launch(bin: PathBuf, directory: PathBuf) -> Self {
        let server = spawn(&bin, &directory);
        let mut cluster = Self { directory, bin, server };
        cluster.wait_until_ready();
        cluster
    }

    /// Stops the server in order, and starts it again when `change` is done with its data.
    ///
    /// # Panics
    /// When it does not stop or start.
    pub fn restart(&mut self, change: impl FnOnce(&mut Self)) {
        self.signal(libc::SIGINT);
        let status = self.server.wait().expect("a child");
        assert!(status.success(), "the server ended with {status}: {}", self.log());
        change(self);
        self.server = spawn(&self.bin, &self.directory);
        self.wait_until_ready();
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
        while self.config("postgres").connect(NoTls).is_err() {
            let ended = self.server.try_wait().expect("a child");
            assert!(ended.is_none() && begin.elapsed() < START, "no server: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the server has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// How to connect to a database as the superuser.
    #[must_use]
    pub fn config(&self, database: &str) -> postgres::Config {
        let mut config = Client::configure();
        config.host_path(&self.directory).user("postgres").dbname(database);
        config
    }

    /// A new connection to the database `trips` as the superuser.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client_of("trips")
    }

    /// A new connection to a database as the superuser.
    ///
    /// # Panics
    /// When the server refuses it.
    #[must_use]
    pub fn client_of(&self, database: &str) -> Client {
        self.config(database).connect(NoTls).expect("a connection")
    }

    /// A new connection to the database `trips` as another role.
    ///
    /// # Panics
    /// When the server refuses it.
    #[must_use]
    pub fn client_as(&self, role: &str) -> Client {
        self.config("trips").user(role).connect(NoTls).expect("a connection")
    }

    /// Writes a file that the server can read, and returns its path.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, bytes).expect("a file");
        let readable = fs::Permissions::from_mode(0o644);
        // Without need, it would be a change of the file after it was closed.
        if fs::metadata(&path).expect("a file").permissions().mode() & 0o777 != 0o644 {
            fs::set_permissions(&path, readable).expect("permissions");
        }
        path
    }

    /// Gives a file to the user whose process the server is: of his files the kernel tells whether they are open.
    ///
    /// # Panics
    /// When that is not allowed.
    pub fn give_to_server(&self, path: &str) {
        let server = fs::metadata(self.path("data")).expect("the data directory");
        chown(path, Some(server.uid()), None).expect("another owner");
    }

    /// A path in the cluster's directory.
    ///
    /// # Panics
    /// Never: all paths of tests are UTF-8.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        self.directory.join(name).to_str().expect("UTF-8").to_owned()
    }

    /// Loads a file and returns its ledger row.
    ///
    /// # Panics
    /// When the load fails.
    pub fn ingest(&self, client: &mut Client, path: &str) -> Load {
        let row = client.query_one("SELECT * FROM trips.ingest($1)", &[&path]);
        Load::from_row(&row.unwrap_or_else(|error| panic!("{path}: {error}\n{}", self.log())))
    }

    /// Runs one of PostgreSQL's programs against this server.
    ///
    /// # Panics
    /// When it fails.
    pub fn tool(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.bin.join(program));
        command
            .args(["-h", self.directory.to_str().expect("UTF-8"), "-U", "postgres"])
            .args(arguments);
        let output = command.output().expect("the program runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {errors}");
        output
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("The server's log:\n{}", self.log());
        }
        self.signal(libc::SIGQUIT);
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

pub(crate) fn spawn(bin: &Path, directory: &Path) -> Child {
    let data = directory.join("data");
    let socket = format!("unix_socket_directories = '{}'", directory.display());
    configure(&data, &socket);
    let log = fs::File::options().create(true).append(true).open(directory.join("log"));
    server_command(bin.join("postgres"))
        .arg("-D")
        .arg(&data)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log.expect("a log"))
        .spawn()
        .expect("postgres starts")
}
