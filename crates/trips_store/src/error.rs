//! Errors of stores. Their texts have no credentials, queries or answers of servers.

use std::fmt;

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// No prefix of the policy allows the address.
    NotAllowed,
    /// The name leads to an IP address that is refused.
    RefusedAddress,
    /// The store does not have the object or the bucket.
    NotFound,
    /// The store refused the credentials, or they do not suffice.
    Denied,
    /// The environment has no credentials, or they cannot be used.
    NoCredentials,
    /// The object was replaced or removed while it was read.
    Changed,
    /// The store could not be reached, or it did not answer, for longer than the retries last.
    Network,
    /// The certificate of the server is not trusted, or is one of another host.
    Certificate,
    /// The store answered what its API does not have.
    Server,
    /// The object or the store lacks what a load needs.
    Unsupported,
    /// The caller cancelled the call.
    Cancelled,
    /// A defect of this program.
    Internal,
}

/// Why an object or a listing could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError {
    kind: ErrorKind,
    url: String,
    reason: String,
}

impl StoreError {
    pub(crate) fn new(kind: ErrorKind, url: impl fmt::Display, reason: impl Into<String>) -> Self {
        Self { kind, url: url.to_string(), reason: reason.into() }
    }

    /// What failed.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The address, without credentials.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Why, in lower case and without a period.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not read \"{}\": {}", self.url, self.reason)
    }
}

impl std::error::Error for StoreError {}
