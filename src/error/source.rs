//! Errors of a file before its content is read.

use std::io;

use pgrx::PgSqlErrorCode as Code;
use trips_core::text::escape::quoted_path;

use super::report::{Report, reported};

/// Why a file cannot be read.
#[derive(Debug)]
pub enum SourceError {
    MayNotRead(String),
    DataOfServer(String),
    Open { path: String, error: io::Error },
    Read { path: String, error: io::Error },
    NotAFile { path: String, kind: &'static str },
    Changed(String),
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
            .detail("Only members of pg_read_server_files may load any file of the server; others, files beneath trips.data_directories.")
            .hint("A superuser may GRANT pg_read_server_files TO the role, or set trips.data_directories."),
            Self::DataOfServer(path) => Report::new(
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("file {} lies in the data of this server", quoted_path(path)),
            )
            .hint("Put the file somewhere else: the server's own files are no trips."),
            Self::Open { path, error } => Report::new(
                code_of(error),
                format!("could not open file {}: {}", quoted_path(path), reason(error)),
            )
            .hint(if error.kind() == io::ErrorKind::PermissionDenied {
                "The operating system user that runs PostgreSQL must be allowed to read the file and to enter its directories."
            } else {
                "The file must be on the machine of the server, under this path; for a client's file, copy it there first."
            }),
            Self::Read { path, error } => Report::new(
                code_of(error),
                format!("could not read file {}: {}", quoted_path(path), reason(error)),
            )
            .hint("Its disk or its network has failed. Load it again when they work: nothing of it was loaded."),
            Self::NotAFile { path, kind } => Report::new(
                Code::ERRCODE_WRONG_OBJECT_TYPE,
                format!("{} is {kind}: expected a regular file", quoted_path(path)),
            )
            .hint("Name one file. Directories, pipes and devices are not read."),
            Self::Changed(path) => Report::new(
                Code::ERRCODE_OBJECT_IN_USE,
                format!("file {} changed while it was read", quoted_path(path)),
            )
            .hint("Load it again when its writer has finished."),
        }
    }
}

fn code_of(error: &io::Error) -> Code {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Code::ERRCODE_UNDEFINED_FILE,
        io::ErrorKind::PermissionDenied => Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
        _ => Code::ERRCODE_IO_ERROR,
    }
}

/// The operating system's text of an error, without the number that Rust adds.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
