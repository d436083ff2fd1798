//! An object, as its store described it.

use std::time::SystemTime;

use crate::url::Url;

/// An object of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its address.
    pub url: Url,
    /// Bytes.
    pub size: u64,
    /// What changes with each write: the ETag with its quotes, or the text of Last-Modified where there is none.
    pub version: String,
    /// When it was written, by the clock of the store.
    pub modified: Option<SystemTime>,
}

impl Object {
    /// The ETag, if it can be a condition of a request: a weak one can not.
    pub(crate) fn strong_etag(&self) -> Option<&str> {
        self.version.starts_with('"').then_some(self.version.as_str())
    }

    /// Whether the version is an ETag, and not the text of Last-Modified.
    pub(crate) fn is_etag(&self) -> bool {
        self.version.starts_with('"') || self.version.starts_with("W/")
    }
}

/// An ETag with its quotes, which Azure leaves out in listings.
pub(crate) fn quoted(etag: &str) -> String {
    let is_quoted = etag.starts_with('"') || etag.starts_with("W/");
    if is_quoted { etag.to_owned() } else { format!("\"{etag}\"") }
}
