//! A limit of the memory of pages.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::fault::{FaultKind, ParquetFault, Result};

/// The memory of the pages of all columns, which has a limit.
#[derive(Debug)]
pub(super) struct Budget {
    used: AtomicUsize,
    limit: usize,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Self { used: AtomicUsize::new(0), limit }
    }

    pub(super) fn take(&self, bytes: usize) -> Result<()> {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        let now = before.saturating_add(bytes);
        if now > self.limit {
            let reason = format!(
                "its pages need {now} bytes of memory at a time; the limit is {} bytes",
                self.limit
            );
            return Err(ParquetFault::new(FaultKind::Memory, reason).into());
        }
        Ok(())
    }

    pub(super) fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}
