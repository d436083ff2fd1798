//! A server of objects for tests: the part of S3's API that reads and lists, and plain HTTP. It runs on loopback, keeps
//! objects in memory, counts requests, and fails on demand.
//!
//! It checks the id of the access key, not the signature.
//!
//! ```
//! let server = trips_bucket::Server::start();
//! server.put("trips", "in/may.csv", b"region\n");
//! assert_eq!(server.requests().len(), 0);
//! ```

mod answer;
mod request;
mod tls;

use std::collections::{BTreeMap, VecDeque};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;

use self::tls::Connection;

pub use self::tls::{Certificate, OF_ANOTHER_HOST, OF_LOOPBACK};

/// The id of the access key that the server accepts.
pub const KEY_ID: &str = "AKIDTRIPS";

/// A fault of the answer to a request for the bytes of an object.
#[derive(Debug, Clone)]
pub enum Fault {
    /// An answer with this status and an error of S3 with this code.
    Status(u16, &'static str),
    /// The connection ends after this number of bytes of the body.
    Cut(usize),
    /// The connection ends before the answer.
    CutHead,
    /// Nothing follows this number of bytes of the body, as long as the server runs.
    Stall(usize),
    /// Nothing is answered, as long as the server runs.
    StallHead,
    /// The answer begins after this time.
    Delay(Duration),
    /// Another writer replaces the object before the answer.
    Replace(Vec<u8>),
    /// Another writer removes the object before the answer.
    Remove,
    /// A redirect to this address.
    Redirect(String),
}

/// What the server is, apart from its objects.
#[derive(Debug, Clone, Copy)]
pub struct Behaviour {
    /// It answers requests for ranges.
    pub has_ranges: bool,
    /// It answers HEAD.
    pub has_head: bool,
    /// It states ETags.
    pub has_etags: bool,
    /// Requests need the access key.
    pub needs_key: bool,
    /// Keys of one page of a listing.
    pub page: usize,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { has_ranges: true, has_head: true, has_etags: true, needs_key: true, page: 1000 }
    }
}

/// A stored object.
#[derive(Debug, Clone)]
struct Stored {
    bytes: Arc<Vec<u8>>,
    /// Number of the write.
    version: u64,
}

#[derive(Default)]
struct State {
    /// By bucket and key, with a slash between them.
    objects: BTreeMap<String, Stored>,
    writes: u64,
    requests: Vec<String>,
    faults: VecDeque<Fault>,
    /// The fault of each request without one of its own.
    fault_of_all: Option<Fault>,
    behaviour: Behaviour,
}

/// A running server. It ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    is_encrypted: bool,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    is_stopped: AtomicBool,
    /// Connections that are open.
    open: AtomicU64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }
}

impl Server {
    /// Starts a server on a free port of loopback.
    ///
    /// # Panics
    ///
    /// Panics if no port is free.
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// Starts a server that speaks TLS with this certificate.
    ///
    /// # Panics
    ///
    /// Panics if no port is free.
    pub fn start_tls(certificate: Certificate) -> Self {
        Self::start_with(Some(certificate))
    }

    fn start_with(certificate: Option<Certificate>) -> Self {
        let (tls, is_encrypted) = (certificate.map(tls::config), certificate.is_some());
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port of loopback is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            is_stopped: AtomicBool::new(false),
            open: AtomicU64::new(0),
        });
        let served = shared.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                if served.is_stopped() {
                    break;
                }
                if let Ok(connection) = connection {
                    let (served, tls) = (served.clone(), tls.clone());
                    std::thread::spawn(move || serve(&served, connection, tls.as_ref()));
                }
            }
        });
        Self { address, is_encrypted, shared }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its address: `http://127.0.0.1:PORT`, or `https`.
    pub fn url(&self) -> String {
        format!("http{}://{}", if self.is_encrypted { "s" } else { "" }, self.address)
    }

    /// The variables with which clients of S3 find the server and its key.
    pub fn variables(&self) -> Vec<(String, String)> {
        let variables = [
            ("AWS_ENDPOINT_URL", self.url().as_str()),
            ("AWS_ACCESS_KEY_ID", KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests"),
            ("AWS_REGION", "eu-central-1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        variables.into()
    }

    /// Writes an object.
    pub fn put(&self, bucket: &str, key: &str, bytes: &[u8]) {
        self.shared.state().put(format!("{bucket}/{key}"), bytes.to_vec());
    }

    /// Removes an object.
    pub fn remove(&self, bucket: &str, key: &str) {
        self.shared.state().objects.remove(&format!("{bucket}/{key}"));
    }

    /// Changes what the server is.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.shared.state().behaviour);
    }

    /// Faults of the next requests for bytes of objects, one for each.
    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.state().faults.extend(faults);
    }

    /// The fault of all further requests for bytes; `None` ends it.
    pub fn fail_all(&self, fault: Option<Fault>) {
        self.shared.state().fault_of_all = fault;
    }

    /// The requests so far: method, path with its query, and range, such as `GET /trips/a.csv bytes=0-9`.
    pub fn requests(&self) -> Vec<String> {
        self.shared.state().requests.clone()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.shared.state().requests.clear();
    }

    /// Number of connections that are open.
    pub fn open_connections(&self) -> u64 {
        self.shared.open.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::Relaxed);
        // The listener looks at it when somebody connects.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    fn put(&mut self, name: String, bytes: Vec<u8>) {
        self.writes += 1;
        self.objects.insert(name, Stored { bytes: Arc::new(bytes), version: self.writes });
    }
}

fn serve(shared: &Shared, mut connection: TcpStream, tls: Option<&Arc<ServerConfig>>) {
    shared.open.fetch_add(1, Ordering::Relaxed);
    let _ = connection.set_nodelay(true);
    let _ = connection.set_read_timeout(Some(Duration::from_millis(20)));
    match tls {
        None => serve_all(shared, &mut connection),
        Some(tls) => {
            if let Some(mut connection) = tls::accept(tls, connection) {
                serve_all(shared, &mut connection);
            }
        }
    }
    shared.open.fetch_sub(1, Ordering::Relaxed);
}

/// Answers the requests of a connection.
fn serve_all(shared: &Shared, connection: &mut dyn Connection) {
    while let Some(request) = request::read(shared, connection) {
        if !answer::answer(shared, connection, &request) {
            break;
        }
    }
}
