//! A temporary file that a thread fills while others read it.

use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::spool::TemporaryFile;
use trips_memory::thread;

use crate::error::{StoreFault, TempFileLimit};
use crate::os::memory;

/// Bytes that the thread copies at once.
const COPIED_AT_ONCE: usize = 256 * 1024;
/// Bytes that the thread reads ahead of its readers.
const AHEAD: u64 = 64 * 1024 * 1024;
/// Time between two polls of a waiting reader.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The bytes of a source in a file without a name. The thread reads the source once, in order, and hashes it.
pub struct Growing {
    file: Arc<TemporaryFile>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Ends a read of the source that waits.
    stop: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Bytes in the file.
    written: u64,
    /// Bytes that readers want, and some more.
    wanted: u64,
    /// BLAKE3 of the bytes when all are in the file, or why they are not.
    end: Option<Result<[u8; 32], io::Error>>,
    is_dropped: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, POLL_INTERVAL);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Growing {
    /// Starts the thread, which inherits the caller's signal mask. `stop` ends a read of the source.
    pub fn start(
        source: impl Read + Send + 'static,
        file: TemporaryFile,
        stop: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (file, shared) = (Arc::new(file), Arc::<Shared>::default());
        let thread = {
            let (file, shared) = (file.clone(), shared.clone());
            let fill = move || {
                let end = fill(source, &file, &shared);
                shared.state().end = Some(end);
                shared.changed.notify_all();
            };
            thread::start("trips spool", fill).map_err(thread::NoThread::in_error)?
        };
        Ok(Self { file, shared, thread: Some(thread), stop: Box::new(stop) })
    }

    /// Reads at an offset, when the file has a byte there. `poll` is called while it waits, and ends it with an error.
    pub fn read_at(
        &self,
        offset: u64,
        buffer: &mut [u8],
        poll: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<usize> {
        let end = offset.saturating_add(buffer.len() as u64);
        loop {
            let mut state = self.shared.state();
            state.wanted = state.wanted.max(end.saturating_add(AHEAD));
            if state.written > offset {
                let count = usize::try_from(state.written - offset).unwrap_or(usize::MAX);
                let count = count.min(buffer.len());
                drop(state);
                return self.file.read_at(offset, &mut buffer[..count]);
            }
            match &state.end {
                Some(Ok(_)) => return Ok(0),
                Some(Err(error)) => return Err(copy(error)),
                None => {}
            }
            self.shared.changed.notify_all();
            drop(self.shared.wait(state));
            poll()?;
        }
    }

    /// BLAKE3 of all bytes, when all are in the file. `poll` gets the number of bytes that are.
    pub fn digest(&self, poll: &mut dyn FnMut(u64) -> io::Result<()>) -> io::Result<[u8; 32]> {
        loop {
            let mut state = self.shared.state();
            state.wanted = u64::MAX;
            match &state.end {
                Some(Ok(digest)) => return Ok(*digest),
                Some(Err(error)) => return Err(copy(error)),
                None => {}
            }
            self.shared.changed.notify_all();
            let state = self.shared.wait(state);
            let written = state.written;
            drop(state);
            poll(written)?;
        }
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        self.shared.state().is_dropped = true;
        self.shared.changed.notify_all();
        (self.stop)();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Copies the source to the file, not far ahead of the readers.
fn fill(
    mut source: impl Read,
    file: &TemporaryFile,
    shared: &Shared,
) -> Result<[u8; 32], io::Error> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = memory::buffer(COPIED_AT_ONCE)?;
    loop {
        let mut state = shared.state();
        while state.written >= state.wanted && !state.is_dropped {
            state = shared.wait(state);
        }
        if state.is_dropped {
            return Err(io::Error::other("the load has ended"));
        }
        let written = state.written;
        drop(state);
        let count = match source.read(&mut buffer) {
            Ok(0) => return Ok(*hasher.finalize().as_bytes()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        file.append(&buffer[..count])?;
        hasher.update(&buffer[..count]);
        shared.state().written = written + count as u64;
        shared.changed.notify_all();
    }
}

/// The same error for another reader.
fn copy(error: &io::Error) -> io::Error {
    if let Some(code) = error.raw_os_error() {
        return io::Error::from_raw_os_error(code);
    }
    if let Some(limit) = TempFileLimit::of(error) {
        return io::Error::other(limit);
    }
    match error.get_ref().and_then(|inner| inner.downcast_ref::<StoreFault>()) {
        Some(inner) => io::Error::new(error.kind(), inner.clone()),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
