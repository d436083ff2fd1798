//! A PostgreSQL cluster that lives as long as a value.

use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};

use crate::Load;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(60);

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A running server of its own, with its own data and socket. It ends, and its files go, when this
/// value does; when the test process is killed, the kernel ends it.
pub struct Cluster {
    pub(crate) directory: PathBuf,
    pub(crate) bin: PathBuf,
    pub(crate) server: Child,
}

fn env(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run the tests by `make test`"))
}

/// User and group of the server, when we are root and it must be somebody else.
pub(crate) fn server_ids() -> Option<(u32, u32)> {
    // SAFETY: has no precondition.
    if unsafe { libc::geteuid() } != 0 {
        return None;
    }
    let id = |flag: &str| {
        let output = Command::new("id").arg(flag).arg(env("TRIPS_TEST_USER")).output();
        let text = String::from_utf8(output.expect("id runs").stdout).expect("a number");
        text.trim().parse().expect("a number")
    };
    Some((id("-u"), id("-g")))
}

/// A command that runs as the server's user and ends with the thread that started it.
pub(crate) fn server_command(program: &Path, ids: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").env("LC_ALL", "C").env_remove("RUST_BACKTRACE");
    if let Some((user, group)) = ids {
        command.uid(user).gid(group);
    }
    // SAFETY: prctl is async-signal-safe, and that is all that is called between fork and exec. It
    // comes after the change of user, which would clear it.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGQUIT);
            Ok(())
        });
    }
    command
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

    /// A server without the extension, and with more lines in its configuration.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_bare(configuration: &str) -> Self {
        let ids = server_ids();
        let bin = PathBuf::from(env("TRIPS_TEST_BIN"));
        let template = template(&bin, ids);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory =
            PathBuf::from(env("TRIPS_TEST_RUN")).join(format!("{}-{number}", std::process::id()));
        // A run that was killed may have left it, under a process id that is ours now.
        let _ = fs::remove_dir_all(&directory);
        make_directory(&directory, ids);
        let data = directory.join("data");
        run(server_command(Path::new("cp"), ids).arg("-a").arg(&template).arg(&data));
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(data.join("postgresql.conf"))
            .expect("a cluster");
        writeln!(file, "unix_socket_directories = '{}'\n{configuration}", directory.display())
            .expect("written");
        let server = spawn_server(&bin, &directory);
        let mut cluster = Self { directory, bin, server };
        cluster.wait_until_ready();
        cluster.client_of("postgres").batch_execute("CREATE DATABASE trips").expect("a database");
        cluster
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
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("permissions");
        path
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
        let pid = i32::try_from(self.server.id()).expect("a process id");
        // SAFETY: signals our own child, which has not been waited for.
        unsafe { libc::kill(pid, libc::SIGQUIT) };
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Starts the server of a cluster's directory; its log goes on where it was.
pub(crate) fn spawn_server(bin: &Path, directory: &Path) -> Child {
    let log = fs::OpenOptions::new().create(true).append(true).open(directory.join("log"));
    server_command(&bin.join("postgres"), server_ids())
        .arg("-D")
        .arg(directory.join("data"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log.expect("a log"))
        .spawn()
        .expect("postgres starts")
}

fn make_directory(directory: &Path, ids: Option<(u32, u32)>) {
    fs::create_dir(directory).expect("a directory");
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).expect("permissions");
    if let Some((user, group)) = ids {
        chown(directory, Some(user), Some(group)).expect("root may change owners");
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("the command runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The data directory that every cluster begins as a copy of; the first test makes it.
fn template(bin: &Path, ids: Option<(u32, u32)>) -> PathBuf {
    let home = PathBuf::from(env("TRIPS_TEST_RUN"));
    let lock = fs::File::create(home.join("lock")).expect("a lock file");
    // SAFETY: the descriptor is open; the lock goes with it.
    assert_eq!(unsafe { libc::flock(lock.as_raw_fd(), libc::LOCK_EX) }, 0);
    let place = home.join(format!("template-{}", env("TRIPS_TEST_PG")));
    let data = place.join("data");
    if data.join("done").exists() {
        return data;
    }
    let _ = fs::remove_dir_all(&place);
    make_directory(&place, ids);
    run(server_command(&bin.join("initdb"), ids)
        .args([
            "--no-sync",
            "--auth=trust",
            "-U",
            "postgres",
            "--encoding=UTF8",
            "--locale=C",
            "-D",
        ])
        .arg(&data));
    let settings = "listen_addresses = ''\nfsync = off\nshared_buffers = 64MB\nmax_wal_size = 4GB\n\
                    autovacuum_naptime = 1s\nlog_min_messages = warning\n";
    let mut file =
        fs::OpenOptions::new().append(true).open(data.join("postgresql.conf")).expect("a cluster");
    file.write_all(settings.as_bytes()).expect("written");
    fs::write(data.join("done"), "").expect("written");
    data
}
