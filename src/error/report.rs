//! An error as PostgreSQL reports it.

use std::borrow::Cow;
use std::fmt::Display;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};

use crate::pg::error_fields::RAISED_BY;

/// A number with its noun: `1 row`, `2 rows`.
pub fn counted<N: Display + From<u8> + PartialEq>(
    number: N,
    singular: &str,
    plural: &str,
) -> String {
    let noun = if number == N::from(1) { singular } else { plural };
    format!("{number} {noun}")
}

/// The fields of an error report.
#[derive(Debug)]
pub struct Report {
    /// SQLSTATE.
    pub code: PgSqlErrorCode,
    /// The primary message.
    pub message: String,
    /// DETAIL.
    pub detail: Option<String>,
    /// HINT.
    pub hint: Option<Cow<'static, str>>,
}

impl Report {
    /// A report without DETAIL and HINT.
    pub fn new(code: PgSqlErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), detail: None, hint: None }
    }

    /// The same with a DETAIL.
    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// The same with a HINT.
    pub fn hint(self, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Sends it as a NOTICE.
    pub fn notice(self) {
        ErrorReport::from(self).report(PgLogLevel::NOTICE);
    }

    /// Sends it as a WARNING.
    pub fn warning(self) {
        ErrorReport::from(self).report(PgLogLevel::WARNING);
    }
}

impl From<Report> for ErrorReport {
    fn from(report: Report) -> Self {
        let Report { code, message, detail, hint } = report;
        let mut error = Self::new(code, message, RAISED_BY);
        if let Some(detail) = detail {
            error = error.set_detail(detail);
        }
        if let Some(hint) = hint {
            error = error.set_hint(hint);
        }
        error
    }
}

/// The conversions of an enum of errors, from its method `report`.
macro_rules! reported {
    ($error:ty) => {
        impl std::fmt::Display for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.report().message)
            }
        }

        impl std::error::Error for $error {}

        impl From<$error> for pgrx::pg_sys::panic::ErrorReport {
            fn from(error: $error) -> Self {
                error.report().into()
            }
        }
    };
}

pub(super) use reported;
