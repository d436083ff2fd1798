//! Errors of an upload.

use pgrx::PgSqlErrorCode as Code;
use trips_core::text::escape::{quoted, quoted_path};
use trips_core::wire::decode::DecodeError;

use super::report::{Report, reported};

const OF_READER: &str =
    "trips_reader of this version makes parts, with the settings of this server.";

/// Why an upload, or a part of it, is refused.
#[derive(Debug)]
pub enum UploadError {
    Digest(usize),
    Bytes(i64),
    Unknown(i64),
    OfAnother { load_id: i64, role: String },
    NotAPart { load_id: i64, error: DecodeError },
    TooLarge { bytes: usize, limit: usize },
    OtherDelivery { load_id: i64, found: i64 },
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
                format!("the digest has {bytes} bytes: expected the 32 of BLAKE3"),
            )
            .hint("trips_reader cut prints both."),
            Self::Bytes(bytes) => Report::new(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("the file has {bytes} bytes: expected 1 or more"),
            )
            .hint("trips_reader cut prints both."),
            Self::Unknown(load_id) => {
                Report::new(Code::ERRCODE_UNDEFINED_OBJECT, format!("delivery {load_id} is unknown"))
                    .hint("It was merged or dropped, or the server has crashed since: open it again with trips.create_upload().")
            }
            Self::OfAnother { load_id, role } => Report::new(
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("delivery {load_id} is of role {}", quoted(role.as_bytes())),
            )
            .hint("That role, its members and superusers may go on with it, or drop it."),
            Self::NotAPart { load_id, error } => Report::new(
                Code::ERRCODE_INVALID_BINARY_REPRESENTATION,
                format!("the bytes are no part of delivery {load_id}: {error}"),
            )
            .hint(OF_READER),
            Self::TooLarge { bytes, limit } => Report::new(
                Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
                format!("the part has {bytes} bytes: at most {limit} are taken"),
            )
            .hint("Cut the file into smaller parts, as trips_reader of this version does."),
            Self::OtherDelivery { load_id, found } => Report::new(
                Code::ERRCODE_INVALID_BINARY_REPRESENTATION,
                format!("the part is of delivery {found}: expected {load_id}"),
            )
            .hint(OF_READER),
            Self::BeyondTheEnd { end, bytes } => Report::new(
                Code::ERRCODE_INVALID_BINARY_REPRESENTATION,
                format!("the part ends at byte {end} of a file of {bytes} bytes"),
            )
            .hint(OF_READER),
            Self::Incomplete { load_id, byte, source_name } => Report::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!(
                    "delivery {load_id} is not complete: byte {byte} of {} has not arrived in one part",
                    quoted_path(source_name)
                ),
            )
            .hint("Upload what is missing with trips.upload_part(), then complete."),
            Self::NotStaged(load_id) => {
                Report::new(Code::ERRCODE_WRONG_OBJECT_TYPE, format!("load {load_id} is an upload"))
                    .hint("Use trips.complete_upload().")
            }
        }
    }

    /// Whether the error concerns the contents of the upload, and not the call.
    pub fn is_of_content(&self) -> bool {
        matches!(self, Self::NotAPart { .. } | Self::OtherDelivery { .. })
    }
}
