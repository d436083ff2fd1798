//! The server that the tests of a process share. It ends with the process, whatever ends that.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;

use postgres::{Client, NoTls};

use crate::Cluster;
use crate::machine::{end_of_run, new_directory};

/// More of what the tests of many threads need at the same time than PostgreSQL's defaults have.
const SETTINGS: &str = "max_connections = 300\nmax_worker_processes = 100\nshared_buffers = 256MB";
/// The database of which all others are copies.
const TEMPLATE: &str = "trips";

struct Shared {
    socket: PathBuf,
    bin: PathBuf,
}

static SERVER: OnceLock<Shared> = OnceLock::new();
static NUMBER: AtomicU32 = AtomicU32::new(0);

fn server() -> &'static Shared {
    SERVER.get_or_init(|| {
        // The kernel ends a server with the thread that has started it: this one lives as long as the process.
        let (sender, started) = channel();
        let keep = move || {
            let cluster = Cluster::start_with(SETTINGS);
            let shared = Shared { socket: cluster.socket.clone(), bin: cluster.bin.clone() };
            end_of_run(cluster.server.id());
            sender.send(shared).expect("somebody waits");
            loop {
                std::thread::park();
            }
        };
        std::thread::Builder::new().name("server".to_owned()).spawn(keep).expect("a thread");
        started.recv().expect("the shared server")
    })
}

fn execute(command: &str) -> Result<(), postgres::Error> {
    let mut config = Client::configure();
    config.host_path(&server().socket).user("postgres").dbname("postgres");
    config.connect(NoTls)?.batch_execute(command)
}

pub fn socket() -> PathBuf {
    server().socket.clone()
}

/// The directory, the programs and the name of a new database.
pub fn new_database() -> (PathBuf, PathBuf, String) {
    let name = format!("trips_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    execute(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).expect("a database");
    (new_directory(), server().bin.clone(), name)
}

/// What uses the database is ended: workers, and sessions that a test has left.
pub fn drop_database(name: &str) {
    if let Err(error) = execute(&format!("DROP DATABASE {name} WITH (FORCE)")) {
        eprintln!("{name}: {error:?}");
    }
}
