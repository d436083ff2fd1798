//! Errors of queued and running loads.

use pgrx::PgSqlErrorCode as Code;
use trips_core::text::escape::quoted;

use super::report::{Report, counted, reported};

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
                format!("load {load_id} is neither queued nor running"),
            )
            .hint("Query trips.loads for the states of loads."),
            Self::MayNotCancel(load_id) => Report::new(
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("permission denied to cancel load {load_id}"),
            )
            .hint("Use the role that requested the load, a member of it, or a superuser."),
            Self::MayNotLoad(role) => Report::new(
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("permission denied for role {} to load files", quoted(role.as_bytes())),
            )
            .hint("Run SELECT trips.grant_loader() for the role."),
            Self::GivenUp(workers) => Report::new(
                Code::ERRCODE_CRASH_SHUTDOWN,
                format!(
                    "{} terminated during the load",
                    counted(*workers, "background worker", "background workers")
                ),
            )
            .hint("Check the server log, then call trips.submit() again."),
        }
    }
}
