//! Answers: JSON of the database as it is, and errors in one form.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use trips_libpq::Fault;

/// What a handler returns.
pub type Answer = Result<JsonText, ApiError>;

/// JSON that the database or another room has written.
#[derive(Debug)]
pub struct JsonText(pub String);

impl IntoResponse for JsonText {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}

/// An error, with what to do.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct ErrorBody {
    pub sqlstate: Option<String>,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

impl From<Fault> for ErrorBody {
    fn from(fault: Fault) -> Self {
        let Fault { code, message, detail, hint } = fault;
        Self { sqlstate: code, message, detail, hint }
    }
}

/// An error and its status.
#[derive(Debug)]
pub struct ApiError {
    pub status: StatusCode,
    pub body: ErrorBody,
}

impl ApiError {
    fn new(status: StatusCode, sqlstate: Option<&str>, message: String, hint: &str) -> Self {
        let hint = Some(hint.to_owned());
        Self {
            status,
            body: ErrorBody { sqlstate: sqlstate.map(Into::into), message, detail: None, hint },
        }
    }

    /// An argument that the page would not send.
    pub fn invalid(message: impl Into<String>, hint: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Some("22023"), message.into(), hint)
    }

    /// A request that is not allowed.
    pub fn forbidden(message: &str, hint: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, None, message.into(), hint)
    }

    /// Something that is not there.
    pub fn not_found(message: String, hint: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, Some("42704"), message, hint)
    }

    /// More of something than the program serves.
    pub fn busy(message: &str, hint: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Some("53400"), message.into(), hint)
    }

    /// There is no session with the database.
    pub fn disconnected(fault: Fault) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, body: fault.into() }
    }

    /// A statement that failed.
    pub fn of_statement(fault: Fault) -> Self {
        let status = match fault.code.as_deref() {
            Some("42501") => StatusCode::FORBIDDEN,
            Some("42704" | "02000") => StatusCode::NOT_FOUND,
            Some("57014") => StatusCode::GATEWAY_TIMEOUT,
            Some(code) if code.starts_with("22") => StatusCode::BAD_REQUEST,
            Some("55000" | "55P03" | "40001" | "40P01" | "25006") => StatusCode::CONFLICT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, body: fault.into() }
    }

    /// Whether the role lacks a privilege.
    pub fn is_of_privilege(&self) -> bool {
        self.body.sqlstate.as_deref() == Some("42501")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            error: ErrorBody,
        }
        (self.status, Json(Body { error: self.body })).into_response()
    }
}
