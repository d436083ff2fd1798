//! All that a test looks at: a database, its console, a browser.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use postgres::Client;
use trips_tests::{Cluster, Database, until};

use crate::browser::Browser;
use crate::console::Console;

/// A window of a desk.
pub const DESK: [u32; 2] = [1280, 900];

/// The parts end in this order: the browser, the console, the database.
pub struct Page<D: Deref<Target = Database>> {
    pub browser: Browser,
    /// The role of the console.
    pub role: String,
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
        Self::start_on(Cluster::start())
    }

    /// With this server.
    pub fn start_on(cluster: Cluster) -> Self {
        Self::of(cluster, &[])
    }
}

impl<D: Deref<Target = Database>> Page<D> {
    fn of(database: D, more: &[&str]) -> Self {
        let role = make_role(&database);
        let console = Console::start(&database, &role, more);
        let directory = database.path("browser");
        std::fs::create_dir(&directory).expect("a directory");
        let browser = Browser::start(&directory, DESK);
        Self { browser, role, console, database }
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
            "CREATE ROLE {role} LOGIN IN ROLE pg_read_all_stats, pg_read_server_files;
             SELECT trips.grant_reader('{role}'), trips.grant_loader('{role}');
             GRANT SELECT ON trips.stg_trip_data TO {role}"
        ))
        .expect("a role");
    role
}

/// A load that runs in a session of its own, and that the test slows down where it wants.
pub struct SlowLoad {
    session: JoinHandle<()>,
    brake: JoinHandle<()>,
    pid: i32,
    /// The load has nearly no time of the processor.
    is_held: Arc<AtomicBool>,
    has_ended: Arc<AtomicBool>,
}

impl SlowLoad {
    /// Begins to load a file; returns when the load runs, slowly.
    pub fn begin(database: &Database, mut client: Client, path: &str) -> Self {
        let pid = client.query_one("SELECT pg_backend_pid()", &[]).expect("a number").get(0);
        let is_held = Arc::new(AtomicBool::new(false));
        let has_ended = Arc::new(AtomicBool::new(false));
        let brake = {
            let (is_held, has_ended) = (is_held.clone(), has_ended.clone());
            thread::spawn(move || slow_down(pid, &is_held, &has_ended))
        };
        let path = path.to_owned();
        let session = thread::spawn(move || {
            client.query_one("SELECT trips.ingest($1)", &[&path]).expect("the load ends well");
        });
        let load = Self { session, brake, pid, is_held, has_ended };
        load.hold_at(database, 0.0);
        load
    }

    /// Lets it run until it has done this share of the file, and slows it down there.
    pub fn hold_at(&self, database: &Database, share: f64) {
        let mut client = database.client();
        self.is_held.store(false, Ordering::Relaxed);
        until("the load does not come so far", || {
            let query = "SELECT bytes_done >= $2::float8 * bytes_total FROM trips.load_progress WHERE pid = $1";
            let row = client.query_opt(query, &[&self.pid, &share]).expect("the progress")?;
            row.get::<_, bool>(0).then_some(())
        });
        self.is_held.store(true, Ordering::Relaxed);
    }

    /// Lets it run to its end.
    pub fn end(self) {
        self.is_held.store(false, Ordering::Relaxed);
        self.session.join().expect("the load ends well");
        self.has_ended.store(true, Ordering::Relaxed);
        self.brake.join().expect("the brake ends well");
    }
}

/// Stops a process most of the time. It is never stopped for long: others may wait for a lock that it has.
fn slow_down(pid: i32, is_held: &AtomicBool, has_ended: &AtomicBool) {
    let pid = Pid::from_raw(pid);
    let (moment, pause) = (Duration::from_millis(2), Duration::from_millis(60));
    while !has_ended.load(Ordering::Relaxed) {
        if is_held.load(Ordering::Relaxed) && kill(pid, Signal::SIGSTOP).is_ok() {
            thread::sleep(pause);
            // The session may have ended with a test that failed.
            let _ = kill(pid, Signal::SIGCONT);
        }
        thread::sleep(moment);
    }
}
