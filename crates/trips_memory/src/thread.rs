//! Threads that begin only when there is memory for them.

use std::cell::Cell;
use std::fmt;
use std::hint::black_box;
use std::io;
use std::sync::mpsc::channel;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Bytes for the stack of a thread, for what the C library and Rust allocate when it begins, and for what other threads
/// take meanwhile. Without memory for the second, they end the process.
const ROOM: usize = 32 * 1024 * 1024;
/// With so many bytes, a thread begins before others can take all of them. Small loads are spared the preparation.
const PLENTY: usize = 128 * 1024 * 1024;
/// The time of a wait that is one: the deadline must not have passed when it begins.
const WAIT: Duration = Duration::from_micros(10);

/// Starts a thread of this name, which inherits the caller's signal mask.
///
/// # Errors
/// `OutOfMemory`, or another error of the system: the user may have too many threads.
///
/// # Example
/// ```
/// let thread = trips_memory::thread::start("adds", || 1 + 1)?;
/// assert_eq!(thread.join().unwrap(), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn start<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let builder = Builder::new().name(name.to_owned());
    if has_room(PLENTY) {
        return builder.spawn(work);
    }
    if !has_room(ROOM) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    prepare();
    let (sender, begun) = channel();
    let thread = builder.spawn(move || {
        prepare();
        let _ = sender.send(());
        work()
    })?;
    // Until then, the caller does not take the memory for something else.
    let _ = begun.recv();
    Ok(thread)
}

fn has_room(bytes: usize) -> bool {
    let mut room = Vec::<u8>::new();
    let has = room.try_reserve_exact(bytes).is_ok();
    drop(black_box(room));
    has
}

/// Makes the first wait of this thread, which allocates for the end of the thread: in C, outside of the reserve.
fn prepare() {
    thread_local! {
        static IS_DONE: Cell<bool> = const { Cell::new(false) };
    }
    if !IS_DONE.replace(true) {
        let (_sender, receiver) = channel::<()>();
        let _ = receiver.recv_timeout(WAIT);
    }
}

/// Why a thread could not be started, in an error of a reader: the system's own error is like one of a file.
#[derive(Debug)]
pub struct NoThread(io::Error);

impl NoThread {
    /// An error of a reader for an error of [`start`].
    pub fn in_error(error: io::Error) -> io::Error {
        match error.kind() {
            io::ErrorKind::OutOfMemory => error,
            _ => io::Error::other(Self(error)),
        }
    }

    /// The one in an error of a reader; `None` if that is another error.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// The same error of the system.
    pub fn to_system_error(&self) -> io::Error {
        self.0.raw_os_error().map_or_else(|| self.0.kind().into(), io::Error::from_raw_os_error)
    }
}

impl fmt::Display for NoThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not start a thread: {}", self.0)
    }
}

impl std::error::Error for NoThread {}
