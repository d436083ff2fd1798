//! Errors of `trips.retract` and `trips.replace`.

use pgrx::PgSqlErrorCode as Code;

use super::report::{Report, reported};

/// Why a load is not retracted.
#[derive(Debug)]
pub enum RetractError {
    State { load_id: i64, state: String },
    MayNotRetract(i64),
    StagedInUse(i64),
    Corrected { load_id: i64, by: i64, is_cyclic: bool },
}

reported!(RetractError);

impl RetractError {
    /// SQLSTATE, message, DETAIL and HINT.
    pub fn report(&self) -> Report {
        match self {
            Self::State { load_id, state } => Report::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("cannot retract load {load_id}: its state is {state}"),
            )
            .hint(match state.as_str() {
                "queued" | "running" => "Use trips.cancel() to end the load, or wait until it is loaded.",
                "skipped" => "Retract the load of the column same_as, which loaded the bytes.",
                "failed" => "Do nothing: the load changed no trips.",
                _ => "Do nothing: the load is retracted already.",
            }),
            Self::MayNotRetract(load_id) => Report::new(
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("permission denied to retract load {load_id}"),
            )
            .detail("Only members of the role that requested the load, or of the owner of trips.loads, can retract it."),
            Self::Corrected { load_id, by, is_cyclic } => Report::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("cannot retract load {load_id}: load {by} has corrected its trips"),
            )
            .hint(if *is_cyclic {
                "Use trips.delete_trips(): each of the loads has corrected trips of the other."
            } else {
                "Use cascade => true to retract the later load, too."
            }),
            Self::StagedInUse(load_id) => Report::new(
                Code::ERRCODE_LOCK_NOT_AVAILABLE,
                format!("could not lock the staged rows of load {load_id}"),
            )
            .detail("Another transaction has locked at least one of them.")
            .hint("Repeat the call when that transaction has ended."),
        }
    }
}
