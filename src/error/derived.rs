//! Errors of derived data.

use std::io;

use pgrx::PgSqlErrorCode as Code;
use trips_areas::BuildError;

use super::report::{Report, reported};

/// Why the area index is not written.
#[derive(Debug)]
pub enum DerivedError {
    /// The threads that build the area index have stopped.
    Areas(BuildError),
    DamagedAreas,
}

reported!(DerivedError);

impl DerivedError {
    /// SQLSTATE, message, DETAIL and HINT.
    pub fn report(&self) -> Report {
        match self {
            Self::Areas(error) => Report::new(
                match error {
                    BuildError::Memory(_) => Code::ERRCODE_OUT_OF_MEMORY,
                    BuildError::Start(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                        Code::ERRCODE_OUT_OF_MEMORY
                    }
                    BuildError::Start(_) => Code::ERRCODE_INSUFFICIENT_RESOURCES,
                    _ => Code::ERRCODE_INTERNAL_ERROR,
                },
                format!("could not build the area index: {error}"),
            ),
            Self::DamagedAreas => {
                Report::new(Code::ERRCODE_DATA_CORRUPTED, "area index is damaged")
                    .hint("Run SELECT trips.rebuild().")
            }
        }
    }
}
