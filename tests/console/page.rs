//! All that a test looks at: a database, its console, a browser.

use std::ops::Deref;
use std::process::Command;

use postgres::Client;
use trips_tests::{Cluster, Database, until};

use crate::browser::Browser;
use crate::console::Console;

/// A window of a desk.
pub const DESK: [u32; 2] = [1280, 900];

/// The parts end in this order: the browser, the console, the database.
pub struct Page<D: Deref<Target = Database>> {
    pub browser: Browser,
    pub console: Console,
    pub database: D,
}

/// A database of the shared server.
pub struct Shared(Database);

impl Deref for Shared {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.0
    }
}

impl Page<Shared> {
    /// With a database of the shared server.
    pub fn start(more: &[&str]) -> Self {
        Self::of(Shared(Database::on_shared()), more)
    }
}

impl Page<Cluster> {
    /// With a server of its own.
    pub fn start_alone() -> Self {
        Self::of(Cluster::start(), &[])
    }
}

impl<D: Deref<Target = Database>> Page<D> {
    fn of(database: D, more: &[&str]) -> Self {
        let role = make_role(&database);
        let console = Console::start(&database, &role, more);
        let directory = database.path("browser");
        std::fs::create_dir(&directory).expect("a directory");
        let browser = Browser::start(&directory, DESK);
        Self { browser, console, database }
    }

    /// Opens a view and waits for its answers.
    #[track_caller]
    pub fn view(&self, fragment: &str) {
        self.browser.open(&self.console.view(fragment));
        self.browser.settled();
    }

    pub fn client(&self) -> Client {
        self.database.client()
    }
}

/// A role that may see all that the page shows, and cancel and retract.
fn make_role(database: &Database) -> String {
    let name = database.config().get_dbname().expect("a database").to_owned();
    let role = format!("viewer_{name}");
    database
        .client()
        .batch_execute(&format!(
            "CREATE ROLE {role} LOGIN IN ROLE pg_read_all_stats;
             SELECT trips.grant_reader('{role}'), trips.grant_loader('{role}');
             GRANT SELECT ON trips.stg_trip_data TO {role}"
        ))
        .expect("a role");
    role
}

/// A load that runs in a session of its own, and that the test holds where it wants.
pub struct HeldLoad {
    session: std::thread::JoinHandle<()>,
    pid: i32,
}

impl HeldLoad {
    /// Begins to load a file; returns when the load runs.
    pub fn begin(database: &Database, path: &str) -> Self {
        let mut client = database.client();
        let pid = client.query_one("SELECT pg_backend_pid()", &[]).expect("a number").get(0);
        let path = path.to_owned();
        let session = std::thread::spawn(move || {
            client.query_one("SELECT trips.ingest($1)", &[&path]).expect("the load ends well");
        });
        let load = Self { session, pid };
        load.hold_at(database, 0.0);
        load
    }

    /// Lets it run until it has done this share of the file, and stops it there.
    pub fn hold_at(&self, database: &Database, share: f64) {
        let mut client = database.client();
        self.signal("CONT");
        until("the load does not come so far", || {
            let query =
                "SELECT bytes_done >= $2::float8 * bytes_total FROM trips.load_progress WHERE pid = $1";
            let row = client.query_opt(query, &[&self.pid, &share]).expect("the progress")?;
            row.get::<_, bool>(0).then_some(())
        });
        self.signal("STOP");
    }

    /// Lets it run to its end.
    pub fn end(self) {
        self.signal("CONT");
        self.session.join().expect("the load ends well");
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.pid.to_string()]).status();
        assert!(status.expect("kill runs").success(), "the session of the load is gone");
    }
}
