//! Objects of stores, as sources of loads.
//!
//! A thread writes the object to a temporary file without a name, and the load reads that. So a load may read it at
//! offsets and several times, while the store delivers each byte once, and all bytes of one version.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use trips_store::{
    Environment, ErrorKind, Object, ObjectStream, Options, Pattern, Policy, StoreError, Stores,
    Url, UrlError,
};

use super::FileVersion;
use super::growing::Growing;
use super::listing::{First, Listing};
use super::spool::{self, TemporaryFile};
use super::version::micros_of;
use crate::error::{LoadError, SourceError, StoreFault, StoreFaultKind};
use crate::os::signals;
use crate::pg::interrupts;
use crate::settings;

/// Clients, and credentials from files, are made anew after this time.
const CLIENTS_LAST: Duration = Duration::from_secs(300);

/// An object of a store, as it was when it was opened.
pub struct ObjectFile {
    object: Object,
    stores: Arc<Stores>,
    /// The thread that may call PostgreSQL.
    backend: ThreadId,
    /// The bytes that were read; nothing is read until somebody needs it.
    growing: Mutex<Option<Arc<Growing>>>,
}

impl ObjectFile {
    /// Describes the object of an address.
    pub fn open(text: &str) -> Result<Self, LoadError> {
        let url = require_allowed(text)?;
        spool::set_limit();
        let stores = stores(&url)?;
        let object = stores.head(&url, &mut go_on).map_err(of_store)?;
        let (backend, growing) = (std::thread::current().id(), Mutex::default());
        Ok(Self { object, stores, backend, growing })
    }

    /// The normal form of its address.
    pub fn path(&self) -> String {
        self.object.url.to_string()
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.object.size
    }

    /// What changes with each write.
    pub fn version(&self) -> &str {
        &self.object.version
    }

    /// When it was written: microseconds since 2000-01-01 UTC.
    pub fn changed_at(&self) -> Option<i64> {
        self.object.modified.map(micros_of)
    }

    /// Reads at an offset. `require_wanted` and, in the backend's thread, a query cancel end a read that waits.
    pub fn read_at(
        &self,
        offset: u64,
        buffer: &mut [u8],
        require_wanted: &dyn Fn() -> io::Result<()>,
    ) -> io::Result<usize> {
        let is_backend = std::thread::current().id() == self.backend;
        let mut poll = || {
            if is_backend {
                interrupts::check();
            }
            require_wanted()
        };
        self.growing()?.read_at(offset, buffer, &mut poll)
    }

    /// BLAKE3 of all bytes, for the backend's thread. `done` gets the number of bytes that were read.
    pub fn digest(&self, done: &mut dyn FnMut(u64)) -> io::Result<[u8; 32]> {
        self.growing()?.digest(&mut |bytes| {
            interrupts::check();
            done(bytes);
            Ok(())
        })
    }

    fn growing(&self) -> io::Result<Arc<Growing>> {
        let mut growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(growing) = &*growing {
            return Ok(growing.clone());
        }
        let stream = self.stores.open(&self.object).map_err(io::Error::other)?;
        let stopper = stream.stopper();
        let file = TemporaryFile::create()?;
        let _blocked = signals::BlockedSignals::all();
        let started = Arc::new(Growing::start(Faults(stream), file, move || stopper.stop())?);
        *growing = Some(started.clone());
        Ok(started)
    }
}

/// A stream whose errors are those of this extension.
struct Faults(ObjectStream);

impl Read for Faults {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.downcast::<StoreError>() {
            Ok(error) => io::Error::other(fault_of(&error)),
            Err(error) => error,
        })
    }
}

/// The objects of a pattern, after an address.
pub fn list(text: &str, after: Option<&str>) -> Result<Listing, LoadError> {
    let pattern = require_pattern_allowed(text)?;
    let stores = stores(pattern.bucket())?;
    let key = after.and_then(|after| Url::parse(after).ok());
    let key = key.as_ref().map(Url::key);
    let mut first = First::after(after);
    let mut each = |Object { url, size, version, modified }: Object| {
        let (path, version) = (url.to_string(), Some(version));
        let changed_at = modified.map_or(0, micros_of);
        first.add(FileVersion { path, size, changed_at, links: 1, version });
    };
    let listed = stores.list(&pattern, key, &mut each, &mut go_on).map_err(of_store)?;
    // The first page of a run counts them.
    let others = if after.is_none() { listed.others } else { 0 };
    Ok(first.with_others(others).into_listing())
}

/// The address of an object that may be loaded.
pub fn require_allowed(text: &str) -> Result<Url, LoadError> {
    let url = Url::parse(text).map_err(invalid)?;
    if policy()?.allows(&url) { Ok(url) } else { Err(not_allowed(&url)) }
}

/// The pattern of objects that may be loaded.
pub fn require_pattern_allowed(text: &str) -> Result<Pattern, LoadError> {
    let pattern = Pattern::parse(text).map_err(invalid)?;
    if policy()?.allows_pattern(&pattern) {
        Ok(pattern)
    } else {
        Err(not_allowed(pattern.bucket()))
    }
}

/// The text is not repeated: it may have a password or a signature.
fn invalid(error: UrlError) -> LoadError {
    let (kind, reason) = (StoreFaultKind::Address, error.to_string());
    SourceError::Store(StoreFault { url: String::new(), kind, reason }).into()
}

fn not_allowed(url: &Url) -> LoadError {
    let (kind, reason) = (StoreFaultKind::NotAllowed, String::new());
    SourceError::Store(StoreFault { url: url.to_string(), kind, reason }).into()
}

fn policy() -> Result<Policy, LoadError> {
    Policy::parse(settings::allowed_urls()).map_err(invalid)
}

/// The clients of this process, by the setting that they were made for.
static CLIENTS: Mutex<Option<Clients>> = Mutex::new(None);

struct Clients {
    allowed: Vec<String>,
    made: Instant,
    stores: Arc<Stores>,
}

fn stores(url: &Url) -> Result<Arc<Stores>, LoadError> {
    let allowed = settings::allowed_urls();
    let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    let usable =
        |clients: &&Clients| clients.allowed == allowed && clients.made.elapsed() < CLIENTS_LAST;
    if let Some(clients) = clients.as_ref().filter(usable) {
        return Ok(clients.stores.clone());
    }
    let made = {
        let _blocked = signals::BlockedSignals::all();
        Stores::new(policy()?, Environment::of_process(), Options::default())
    };
    let stores = Arc::new(made.map_err(|error| {
        let (url, kind, reason) = (url.to_string(), StoreFaultKind::Internal, error.to_string());
        LoadError::from(SourceError::Store(StoreFault { url, kind, reason }))
    })?);
    let (made, kept) = (Instant::now(), stores.clone());
    *clients = Some(Clients { allowed, made, stores: kept });
    Ok(stores)
}

/// Polls PostgreSQL while the backend waits for a store: an interrupt is an ERROR.
fn go_on() -> bool {
    interrupts::check();
    true
}

fn of_store(error: StoreError) -> LoadError {
    SourceError::Store(fault_of(&error)).into()
}

fn fault_of(error: &StoreError) -> StoreFault {
    let kind = match error.kind() {
        ErrorKind::NotAllowed => StoreFaultKind::NotAllowed,
        ErrorKind::RefusedAddress => StoreFaultKind::RefusedAddress,
        ErrorKind::NotFound => StoreFaultKind::NotFound,
        ErrorKind::Denied | ErrorKind::NoCredentials => StoreFaultKind::Credentials,
        ErrorKind::Changed => StoreFaultKind::Changed,
        ErrorKind::Network => StoreFaultKind::Network,
        ErrorKind::Certificate => StoreFaultKind::Certificate,
        ErrorKind::Server => StoreFaultKind::Answer,
        ErrorKind::Unsupported => StoreFaultKind::Unsupported,
        ErrorKind::Cancelled => StoreFaultKind::Cancelled,
        ErrorKind::Internal => StoreFaultKind::Internal,
    };
    StoreFault { url: error.url().to_owned(), kind, reason: error.reason().to_owned() }
}
