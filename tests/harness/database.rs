//! A database with the extension, and files that its server can read.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Command, Output};

use postgres::{Client, NoTls};

use crate::Load;
use crate::shared;

/// A database of a server. On the shared server it goes with this value.
pub struct Database {
    /// Where its files are.
    pub(crate) directory: PathBuf,
    /// Where the server's socket is.
    pub(crate) socket: PathBuf,
    pub(crate) bin: PathBuf,
    name: String,
    is_shared: bool,
}

impl Database {
    /// A database of its own with the extension, on the server that this process's tests share. For tests that change
    /// nothing of the whole server: no roles, no configuration, no other databases, no processes.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn on_shared() -> Self {
        let (directory, bin, name) = shared::new_database();
        let socket = shared::socket();
        Self { directory, socket, bin, name, is_shared: true }
    }

    /// The same, which believes dates of any year.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn for_any_date() -> Self {
        let database = Self::on_shared();
        let name = &database.name;
        database
            .client()
            .batch_execute(&format!(
                "ALTER DATABASE {name} SET trips.earliest_date = '0001-01-01';
                 ALTER DATABASE {name} SET trips.latest_date = '9999-12-31'"
            ))
            .expect("settings");
        database
    }

    /// The database `trips` of a server of its own.
    pub(crate) fn of_own(directory: PathBuf, bin: PathBuf) -> Self {
        let socket = directory.clone();
        Self { directory, socket, bin, name: "trips".to_owned(), is_shared: false }
    }

    /// How to connect to it as the superuser.
    #[must_use]
    pub fn config(&self) -> postgres::Config {
        self.config_of(&self.name)
    }

    /// How to connect to a database of the same server as the superuser.
    #[must_use]
    pub fn config_of(&self, database: &str) -> postgres::Config {
        let mut config = Client::configure();
        config.host_path(&self.socket).user("postgres").dbname(database);
        config
    }

    /// A new connection as the superuser.
    ///
    /// # Panics
    /// When the server refuses it.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client_of(&self.name)
    }

    /// A new connection to a database of the same server as the superuser.
    ///
    /// # Panics
    /// When the server refuses it.
    #[must_use]
    pub fn client_of(&self, database: &str) -> Client {
        self.config_of(database).connect(NoTls).expect("a connection")
    }

    /// A new connection as another role.
    ///
    /// # Panics
    /// When the server refuses it.
    #[must_use]
    pub fn client_as(&self, role: &str) -> Client {
        self.config().user(role).connect(NoTls).expect("a connection")
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

    /// Gives a file to the user of the server process: the kernel says only for its own files whether they are open.
    ///
    /// # Panics
    /// When that is not allowed.
    pub fn give_to_server(&self, path: &str) {
        let server = fs::metadata(&self.directory).expect("the directory");
        chown(path, Some(server.uid()), None).expect("another owner");
    }

    /// A path in the database's directory.
    ///
    /// # Panics
    /// Never: all paths of tests are UTF-8.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        self.directory.join(name).to_str().expect("UTF-8").to_owned()
    }

    /// What the server has logged.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.socket.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Loads a file and returns its ledger row.
    ///
    /// # Panics
    /// When the load fails.
    pub fn ingest(&self, client: &mut Client, path: &str) -> Load {
        let row = client.query_one("SELECT * FROM trips.ingest($1)", &[&path]);
        Load::from_row(&row.unwrap_or_else(|error| panic!("{path}: {error:?}")))
    }

    /// Runs one of PostgreSQL's programs against this server.
    ///
    /// # Panics
    /// When it fails.
    pub fn tool(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.bin.join(program));
        command
            .args(["-h", self.socket.to_str().expect("UTF-8"), "-U", "postgres"])
            .args(arguments);
        let output = command.output().expect("the program runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {errors}");
        output
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.is_shared {
            shared::drop_database(&self.name);
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}
