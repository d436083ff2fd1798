//! The server's own files: whoever may load may not load these.

use std::fs::{File, canonicalize};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use crate::pg::session;

/// Whether an open file lies in the data directory or in a tablespace.
pub fn holds(file: &File, path: &str) -> bool {
    // What is open now, wherever its name leads by now.
    let real = canonicalize(format!("/proc/self/fd/{}", file.as_raw_fd()))
        .or_else(|_| canonicalize(path))
        .unwrap_or_else(|_| PathBuf::from(path));
    let data = session::data_directory();
    let data = canonicalize(&data).unwrap_or_else(|_| data.into());
    real.starts_with(data) || is_in_tablespace(&real)
}

/// Tablespaces are outside the data directory; in each, the server's files are in `PG_<version>_<number>`.
fn is_in_tablespace(path: &Path) -> bool {
    let version = format!("PG_{}_", pgrx::pg_sys::PG_MAJORVERSION_NUM);
    path.components().any(|part| part.as_os_str().to_string_lossy().starts_with(&version))
}
