//! What can go wrong with the delivery of an outside reader.

use pgrx::PgSqlErrorCode;
use thiserror::Error;
use trips_core::text::escape::{quoted, quoted_path};
use trips_core::wire::decode::DecodeError;

/// Why a delivery, or a part of it, is refused.
#[derive(Debug, Error)]
pub enum UploadError {
    #[error("the digest has {0} bytes: expected the 32 of BLAKE3")]
    Digest(usize),
    #[error("the file has {0} bytes: expected 1 or more")]
    Bytes(i64),
    #[error("delivery {0} is unknown")]
    Unknown(i64),
    #[error("delivery {load_id} is of role {}", quoted(.role.as_bytes()))]
    OfAnother { load_id: i64, role: String },
    #[error("the bytes are no part of delivery {load_id}: {error}")]
    NotAPart { load_id: i64, error: DecodeError },
    #[error("the part has {bytes} bytes: at most {limit} are taken")]
    TooLarge { bytes: usize, limit: usize },
    #[error("the part is of delivery {found}: expected {load_id}")]
    OtherDelivery { load_id: i64, found: i64 },
    #[error("the part ends at byte {end} of a file of {bytes} bytes")]
    BeyondTheEnd { end: u64, bytes: u64 },
    #[error(
        "delivery {load_id} is not complete: byte {byte} of {} has not arrived in one part",
        quoted_path(.source_name)
    )]
    Incomplete { load_id: i64, byte: i64, source_name: String },
    #[error("load {0} is an upload")]
    NotStaged(i64),
}

impl UploadError {
    /// The kind of the error.
    pub fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode as Code;
        match self {
            Self::Digest(_) | Self::Bytes(_) => Code::ERRCODE_INVALID_PARAMETER_VALUE,
            Self::Unknown(_) => Code::ERRCODE_UNDEFINED_OBJECT,
            Self::OfAnother { .. } => Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
            Self::NotAPart { .. } | Self::OtherDelivery { .. } | Self::BeyondTheEnd { .. } => {
                Code::ERRCODE_INVALID_BINARY_REPRESENTATION
            }
            Self::TooLarge { .. } => Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            Self::Incomplete { .. } => Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Self::NotStaged(_) => Code::ERRCODE_WRONG_OBJECT_TYPE,
        }
    }

    /// Whether it is about what is in the delivery, not the way it was asked for.
    pub fn is_of_content(&self) -> bool {
        matches!(self, Self::NotAPart { .. } | Self::OtherDelivery { .. })
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Digest(_) | Self::Bytes(_) => "trips_reader cut prints both.",
            Self::Unknown(_) => {
                "It was merged or dropped, or the server has crashed since: open it again with trips.create_upload()."
            }
            Self::OfAnother { .. } => {
                "That role, its members and superusers may go on with it, or drop it."
            }
            Self::TooLarge { .. } => {
                "Cut the file into smaller parts, as trips_reader of this version does."
            }
            Self::NotAPart { .. } | Self::OtherDelivery { .. } | Self::BeyondTheEnd { .. } => {
                "trips_reader of this version makes parts, with the settings of this server."
            }
            Self::Incomplete { .. } => {
                "Upload what is missing with trips.upload_part(), then complete."
            }
            Self::NotStaged(_) => "Use trips.complete_upload().",
        })
    }
}
