//! Errors of queued and running loads.

use pgrx::PgSqlErrorCode as Code;
use trips_core::text::escape::quoted;

use super::report::{Report, reported};

/// Why a load is not run, or not cancelled.
#[derive(Debug)]
pub enum QueueError {
    NotRunning(i64),
    MayNotCancel(i64),
    MayNotLoad(String),
    GivenUp(i32),
}

reported!(QueueError);

impl QueueError {
    /// SQLSTATE, message, DETAIL and HINT.
    pub fn report(&self) -> Report {
        match self {
            Self::NotRunning(load_id) => Report::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("load {load_id} is not queued, and does not run"),
            )
            .hint("SELECT load_id, state FROM trips.loads shows how loads stand."),
            Self::MayNotCancel(load_id) => Report::new(
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("permission denied to cancel load {load_id}"),
            )
            .hint("The role that asked for it, its members and superusers may cancel a load."),
            Self::MayNotLoad(role) => Report::new(
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("role {} may not load any more", quoted(role.as_bytes())),
            )
            .hint("SELECT trips.grant_loader('role') lets a role load."),
            Self::GivenUp(workers) => Report::new(
                Code::ERRCODE_CRASH_SHUTDOWN,
                format!("{workers} workers ended while they were loading it"),
            )
            .hint("The server's log says what ended them. trips.submit() tries again."),
        }
    }
}
