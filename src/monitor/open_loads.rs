//! The loads that the monitor tracks, in its own memory.

use std::time::Instant;

use crate::ledger::{LoadFailure, LoadInfo, LoadProgress};

/// The step of a load, as the monitor knows it.
#[derive(Debug)]
pub enum Stage {
    /// Its function is running.
    Running,
    /// Its function has returned; its transaction is still open.
    Finished,
    /// It has failed; the ledger does not have the failure yet.
    Failed(Box<LoadFailure>),
}

/// A load that the monitor tracks until its transaction has ended, or its failure is in the ledger.
#[derive(Debug)]
pub struct OpenLoad {
    /// Its properties, as it registered.
    pub info: LoadInfo,
    /// The number of its session within the monitor; `None` when the ledger named the load.
    pub session: Option<u64>,
    /// Its word in the mailbox of the session.
    pub tag: u64,
    /// Its step.
    pub stage: Stage,
    /// Its transaction has ended.
    pub is_over: bool,
    /// The last event of the load, and its time.
    pub reported: Option<(Instant, LoadProgress)>,
    /// When to retry what could not lock.
    pub retry_at: Option<Instant>,
}

impl OpenLoad {
    /// A load that has just registered.
    pub fn new(info: LoadInfo, session: Option<u64>, tag: u64, stage: Stage) -> Self {
        Self { info, session, tag, stage, is_over: false, reported: None, retry_at: None }
    }

    /// Whether it is time to try, or to retry.
    pub fn is_due(&self) -> bool {
        self.retry_at.is_none_or(|at| at <= Instant::now())
    }

    /// Whether its function is running.
    pub fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Running) && !self.is_over
    }

    /// The failure of a load whose transaction has ended without a final ledger row and without a reported failure.
    pub fn loss(&self) -> LoadFailure {
        match self.stage {
            Stage::Running => LoadFailure::new("57P01", "the session ended during the load"),
            _ => LoadFailure::rolled_back(),
        }
    }

    /// Size of the file, for listeners.
    pub fn bytes_total(&self) -> i64 {
        i64::try_from(self.info.bytes).unwrap_or(i64::MAX)
    }
}
