//! Errors of containers.

use pgrx::PgSqlErrorCode as Code;
use trips_containers::{ContainerError, Kind, Limit};

use super::file_name::FileName;
use super::report::Report;

/// Of a container that cannot be unpacked.
pub(super) fn report(file: &FileName, error: &ContainerError, shows_content: bool) -> Report {
    let code = match error.kind() {
        Kind::Damaged | Kind::Cut | Kind::Padded | Kind::Empty => {
            Code::ERRCODE_BAD_COPY_FILE_FORMAT
        }
        Kind::Limit(..) => Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        Kind::NoMemory => Code::ERRCODE_OUT_OF_MEMORY,
        Kind::Unsupported(_) | Kind::Encrypted => Code::ERRCODE_FEATURE_NOT_SUPPORTED,
    };
    let report = Report::new(code, format!("could not load file {file}: {}", error.message()));
    // Of the other kinds, it has bytes that were found.
    let is_figure = matches!(error.kind(), Kind::Limit(..) | Kind::Cut);
    let report = match error.detail().filter(|_| shows_content || is_figure) {
        Some(detail) => report.detail(detail),
        None => report,
    };
    let setting = match error.kind() {
        Kind::Limit(Limit::Unpacked, _) => "trips.max_unpacked_size",
        Kind::Limit(Limit::Ratio, _) => "trips.max_compression_ratio",
        Kind::Limit(Limit::Members, _) => "trips.max_archive_members",
        Kind::Limit(Limit::Depth, _) => "trips.max_archive_depth",
        Kind::Limit(Limit::Memory, _) => {
            return report.hint("Compress the file again with a smaller window.");
        }
        _ => {
            return match error.hint() {
                Some(hint) => report.hint(hint),
                None => report,
            };
        }
    };
    report.hint(format!("Check the file, or increase {setting}."))
}
