//! The files that a role may load.

use pgrx::pg_sys;

use super::{is_url, listing, objects};
use crate::error::{LoadError, SourceError};
use crate::pg::session;
use crate::settings;

/// The files that the caller may load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// All that the server can read: the caller is a member of pg_read_server_files.
    AnyFile,
    /// Files below this directory, of all that the server can read: the caller loads a pattern.
    Within(String),
    /// Files below these directories.
    Below(Vec<String>),
}

impl Access {
    /// The files that a role may load.
    pub fn of(role: pg_sys::Oid) -> Self {
        if session::may_read_server_files(role) {
            Self::AnyFile
        } else {
            Self::Below(settings::data_directories())
        }
    }

    /// The same for the files of a pattern: no link leads out of the directory before its first wildcard.
    pub fn of_pattern(role: pg_sys::Oid, pattern: &str) -> Self {
        match Self::of(role) {
            Self::AnyFile if !is_url(pattern) => Self::Within(listing::fixed_directory(pattern)),
            access => access,
        }
    }

    /// Whether the caller may read the files that it loads.
    pub fn shows_content(&self) -> bool {
        !matches!(self, Self::Below(_))
    }

    /// Refuses a role that may load no file, and the address of an object that nobody may load.
    pub fn require_any(&self, path: &str) -> Result<(), LoadError> {
        if is_url(path) {
            return objects::require_allowed(path).map(drop);
        }
        self.require_any_file(path)
    }

    /// The same for a pattern.
    pub fn require_any_match(&self, pattern: &str) -> Result<(), LoadError> {
        if is_url(pattern) {
            return objects::require_pattern_allowed(pattern).map(drop);
        }
        self.require_any_file(pattern)
    }

    fn require_any_file(&self, path: &str) -> Result<(), LoadError> {
        match self {
            Self::Below(directories) if directories.is_empty() => {
                Err(SourceError::MayNotRead(path.to_owned()).into())
            }
            _ => Ok(()),
        }
    }
}
