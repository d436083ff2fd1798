//! Work in a thread of its own, while the backend checks for interrupts.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use pgrx::check_for_interrupts;

use super::Reading;
use crate::os::signals;

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
        std::thread::Builder::new().name("trips unpack".to_owned()).spawn(move || {
            // The work is not used after a panic.
            let done = catch_unwind(AssertUnwindSafe(work));
            let _ = sender.send(done);
        })?;
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
                check_for_interrupts!();
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
