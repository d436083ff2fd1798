//! The signal mask of the backend's own thread.

use nix::sys::signal::{SigSet, SigmaskHow};

/// All signals are blocked until this is dropped. Threads inherit the mask: no handler of PostgreSQL runs in a thread
/// that is started meanwhile.
pub struct BlockedSignals(SigSet);

impl BlockedSignals {
    /// Blocks all signals.
    pub fn all() -> Self {
        // pthread_sigmask fails for invalid arguments only. Empty is the mask of a backend between critical sections.
        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
        Self(before.unwrap_or(SigSet::empty()))
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        let _ = self.0.thread_set_mask();
    }
}
