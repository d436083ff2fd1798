//! Errors of an upload.

use pgrx::PgSqlErrorCode as Code;
use trips_core::text::escape::{quoted, quoted_path};
use trips_core::upload::decode::DecodeError;

use super::report::{Report, counted, reported};

const OF_READER: &str = "Use trips_reader of the same version, with the settings of this server.";

/// Why an upload, or a part of it, is refused.
#[derive(Debug)]
pub enum UploadError {
    Digest(usize),
    Bytes(i64),
    Unknown(i64),
    OfAnother { load_id: i64, role: String },
    NotAPart { load_id: i64, error: DecodeError },
    TooLarge { bytes: usize, limit: usize },
    OtherUpload { load_id: i64, found: i64 },
    BeyondTheEnd { end: u64, bytes: u64 },
    Incomplete { load_id: i64, byte: i64, source_name: String },
    NotStaged(i64),
}

reported!(UploadError);

impl UploadError {
    /// SQLSTATE, message, DETAIL and HINT.
    pub fn report(&self) -> Report {
        match self {
            Self::Digest(bytes) => Report::new(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("digest has {}, expected 32", counted(*bytes, "byte", "bytes")),
            )
            .hint("Use the BLAKE3 digest that trips_reader prints."),
            Self::Bytes(bytes) => Report::new(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("invalid value for argument bytes: {bytes}"),
            )
            .hint("Use the size of the file that trips_reader prints."),
            Self::Unknown(load_id) => {
                Report::new(Code::ERRCODE_UNDEFINED_OBJECT, format!("upload {load_id} does not exist"))
                    .hint("Create it again with trips.create_upload(). An upload ends when it is completed or aborted, or when the server crashes.")
            }
            Self::OfAnother { load_id, role } => Report::new(
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("permission denied for upload {load_id} of role {}", quoted(role.as_bytes())),
            )
            .hint("Use that role, a member of it, or a superuser."),
            Self::NotAPart { load_id, error } => Report::new(
                Code::ERRCODE_INVALID_BINARY_REPRESENTATION,
                format!("invalid part of upload {load_id}: {error}"),
            )
            .hint(OF_READER),
            Self::TooLarge { bytes, limit } => Report::new(
                Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
                format!("part has {bytes} bytes, the limit is {limit} bytes"),
            )
            .hint("Use smaller parts, as trips_reader of the same version does."),
            Self::OtherUpload { load_id, found } => Report::new(
                Code::ERRCODE_INVALID_BINARY_REPRESENTATION,
                format!("part belongs to upload {found}, expected upload {load_id}"),
            )
            .hint(OF_READER),
            Self::BeyondTheEnd { end, bytes } => Report::new(
                Code::ERRCODE_INVALID_BINARY_REPRESENTATION,
                format!(
                    "part ends at byte {end}, but the file has {}",
                    counted(*bytes, "byte", "bytes")
                ),
            )
            .hint(OF_READER),
            Self::Incomplete { load_id, byte, source_name } => Report::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("upload {load_id} of file {} is not complete", quoted_path(source_name)),
            )
            .detail(format!("Byte {byte} of the file is not in exactly one part."))
            .hint("Upload the missing parts with trips.upload_part(), or abort the upload and create it again."),
            Self::NotStaged(load_id) => {
                Report::new(Code::ERRCODE_WRONG_OBJECT_TYPE, format!("load {load_id} is an upload"))
                    .hint("Use trips.complete_upload().")
            }
        }
    }

    /// Whether the error concerns the contents of the upload, and not the call.
    pub fn is_of_content(&self) -> bool {
        matches!(self, Self::NotAPart { .. } | Self::OtherUpload { .. })
    }
}
