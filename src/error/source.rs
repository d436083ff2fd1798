//! Errors of a file before its content is read.

use std::io;

use pgrx::PgSqlErrorCode as Code;
use trips_core::text::escape::quoted_path;

use super::StoreFault;
use super::file_name::FileName;
use super::report::{Report, reported};

/// Why a file cannot be read.
#[derive(Debug)]
pub enum SourceError {
    MayNotRead(String),
    /// The caller may load the file, but not see its contents.
    MayNotPreview(String),
    DataOfServer(String),
    Open {
        path: String,
        error: io::Error,
    },
    Read {
        file: FileName,
        error: io::Error,
    },
    NotAFile {
        path: String,
        kind: &'static str,
    },
    Changed(String),
    /// An object of a store.
    Store(StoreFault),
}

reported!(SourceError);

impl SourceError {
    /// SQLSTATE, message, DETAIL and HINT.
    pub fn report(&self) -> Report {
        match self {
            Self::MayNotRead(path) => Report::new(
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("permission denied to load file {}", quoted_path(path)),
            )
            .detail("Members of pg_read_server_files may load all files; other roles may load files below trips.data_directories.")
            .hint("Ask a superuser to grant pg_read_server_files, or to set trips.data_directories."),
            Self::MayNotPreview(path) => Report::new(
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("permission denied to show contents of file {}", quoted_path(path)),
            )
            .detail("Members of pg_read_server_files may see contents of files.")
            .hint("Run SELECT * FROM trips.detect_feed() to see the feed and its columns."),
            Self::DataOfServer(path) => Report::new(
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("file {} belongs to the data of this server", quoted_path(path)),
            )
            .hint("Move the file to another directory."),
            Self::Open { path, error } => Report::new(
                code_of(error),
                format!("could not open file {}: {}", quoted_path(path), reason(error)),
            )
            .hint(if error.kind() == io::ErrorKind::PermissionDenied {
                "Grant the operating system user of PostgreSQL read permission on the file and search permission on its directories."
            } else {
                "Use a path of the server; copy a file of the client to the server first."
            }),
            Self::Read { file, error } => Report::new(
                code_of(error),
                format!("could not read file {file}: {}", reason(error)),
            )
            .hint("Check the disk or network, then load the file again."),
            Self::NotAFile { path, kind } => Report::new(
                Code::ERRCODE_WRONG_OBJECT_TYPE,
                format!("{} is {kind}, not a regular file", quoted_path(path)),
            )
            .hint("Use the path of a regular file."),
            Self::Store(fault) => fault.report(),
            Self::Changed(path) => Report::new(
                Code::ERRCODE_OBJECT_IN_USE,
                format!("file {} changed while it was read", quoted_path(path)),
            )
            .hint("Load the file again after its writer has finished."),
        }
    }
}

fn code_of(error: &io::Error) -> Code {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Code::ERRCODE_UNDEFINED_FILE,
        io::ErrorKind::PermissionDenied => Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::ERRCODE_DISK_FULL,
        _ => Code::ERRCODE_IO_ERROR,
    }
}

/// The operating system's text of an error, without the number that Rust adds.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
