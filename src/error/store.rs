//! Errors of object stores. Their texts have no credentials and no answers of servers.

use std::error::Error;
use std::{fmt, io};

use pgrx::PgSqlErrorCode as Code;
use trips_core::text::escape::quoted_path;

use super::report::Report;

/// What failed.
#[cfg_attr(not(feature = "object_store"), allow(dead_code, reason = "nothing fails"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFaultKind {
    /// The text is not an address. It is not repeated: it may have a password or a signature.
    Address,
    /// This build has no clients of stores.
    NoStores,
    NotAllowed,
    /// The host has an address that is refused.
    RefusedAddress,
    NotFound,
    /// There are no credentials, or the store refused them.
    Credentials,
    /// It was replaced or removed while it was read.
    Changed,
    Network,
    /// The certificate of the server is not trusted, or is one of another host.
    Certificate,
    /// The store answered what its API does not have.
    Answer,
    Unsupported,
    Cancelled,
    Internal,
}

/// Why an object, or the objects of a pattern, could not be read.
#[derive(Debug, Clone)]
pub struct StoreFault {
    /// The address, without credentials.
    pub url: String,
    pub kind: StoreFaultKind,
    /// In lower case, without a period.
    pub reason: String,
}

impl fmt::Display for StoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Error for StoreFault {}

impl StoreFault {
    /// The fault that caused an error of a reader.
    pub fn of(error: &io::Error) -> Option<&Self> {
        let mut cause = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
        while let Some(error) = cause {
            if let Some(fault) = error.downcast_ref() {
                return Some(fault);
            }
            // An error in another one of the same kind is not its source.
            let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            cause = inner.map(|inner| inner as _).or_else(|| error.source());
        }
        None
    }

    /// SQLSTATE, message, DETAIL and HINT.
    pub fn report(&self) -> Report {
        match self.kind {
            StoreFaultKind::Address => {
                return Report::new(Code::ERRCODE_INVALID_NAME, "invalid address of an object")
                    .detail(format!("The reason is: {}.", self.reason))
                    .hint("Use an address such as s3://bucket/key, without a user, a password or a query.");
            }
            StoreFaultKind::NoStores => {
                let message = "this build does not support object stores";
                return Report::new(Code::ERRCODE_FEATURE_NOT_SUPPORTED, message)
                    .hint("Build the extension with the Cargo feature object_store.");
            }
            _ => {}
        }
        let url = quoted_path(&self.url);
        if self.kind == StoreFaultKind::NotAllowed && self.reason.is_empty() {
            return Report::new(
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("permission denied to load object {url}"),
            )
            .detail("trips.allowed_urls does not have a prefix of the address.")
            .hint("Ask a superuser to add a prefix of the address to trips.allowed_urls.");
        }
        let (code, hint) = self.code_and_hint();
        Report::new(code, format!("could not read object {url}: {}", self.reason)).hint(hint)
    }

    fn code_and_hint(&self) -> (Code, &'static str) {
        match self.kind {
            StoreFaultKind::NotAllowed => (
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                "Use the address to which the server redirects, and add its prefix to trips.allowed_urls.",
            ),
            StoreFaultKind::RefusedAddress => (
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                "Use a host that is not link-local and not a metadata server. Only an entry of trips.allowed_urls that has the IP address itself allows such a host.",
            ),
            StoreFaultKind::NotFound => (
                Code::ERRCODE_UNDEFINED_FILE,
                "Check the bucket and the key, and the endpoint and region in the environment of the server.",
            ),
            StoreFaultKind::Credentials => (
                Code::ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
                "Set credentials that may read the object in the environment of the server, and restart it.",
            ),
            StoreFaultKind::Network | StoreFaultKind::Answer => (
                if self.kind == StoreFaultKind::Network {
                    Code::ERRCODE_CONNECTION_FAILURE
                } else {
                    Code::ERRCODE_PROTOCOL_VIOLATION
                },
                "Check the network and the endpoint in the environment of the server, then load the object again.",
            ),
            StoreFaultKind::Certificate => (
                Code::ERRCODE_CONNECTION_FAILURE,
                "Check the address. Add the certificate of an own authority to those of the system, or to a file that SSL_CERT_FILE names in the environment of the server, and restart it.",
            ),
            StoreFaultKind::Changed => (
                Code::ERRCODE_OBJECT_IN_USE,
                "Load the object again after its writer has finished.",
            ),
            StoreFaultKind::Unsupported => (
                Code::ERRCODE_FEATURE_NOT_SUPPORTED,
                "Copy the object to a file of the server, and load that.",
            ),
            StoreFaultKind::Cancelled => (Code::ERRCODE_QUERY_CANCELED, "Load the object again."),
            StoreFaultKind::Internal | StoreFaultKind::Address | StoreFaultKind::NoStores => {
                (Code::ERRCODE_INTERNAL_ERROR, "Load the object again.")
            }
        }
    }
}
