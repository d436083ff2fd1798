//! Work in a thread of its own, while the backend checks for interrupts.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::Reading;
use trips_memory::thread;

use crate::os::signals;
use crate::pg::interrupts;

/// Time between two checks for interrupts.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Runs work in a thread of its own, which must not call PostgreSQL. An error of a query cancel ends the reading, and
/// with it the work.
///
/// # Errors
/// When there is no thread, or when the work panics.
pub fn beside<T: Send + 'static>(
    reading: &Reading,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (sender, result) = channel();
    {
        let _blocked = signals::BlockedSignals::all();
        thread::start("trips unpack", move || {
            // The work is not used after a panic.
            let done = catch_unwind(AssertUnwindSafe(work));
            let _ = sender.send(done);
        })
        .map_err(thread::NoThread::in_error)?;
    }
    let stop = reading.stopper();
    loop {
        match result.recv_timeout(POLL_INTERVAL) {
            Ok(Ok(done)) => {
                stop.cancel();
                return Ok(done);
            }
            Ok(Err(panic)) => return Err(io::Error::other(panic_text(&*panic))),
            Err(RecvTimeoutError::Timeout) => {
                interrupts::check();
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("a thread ended without a result"));
            }
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a thread failed: {}", text.unwrap_or("unknown reason"))
}
