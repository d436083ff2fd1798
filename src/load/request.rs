//! The arguments of a load.

use trips_core::format::parser::Target;

use crate::settings::LoadOptions;
use crate::source::Access;

/// The arguments of a load.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Absolute path of the file on the server.
    pub path: &'a str,
    /// The files that the caller may load. Errors quote a file only to callers who may read any file.
    pub access: &'a Access,
    /// Target of its rows.
    pub target: Target,
    /// Load it although its bytes are known.
    pub force: bool,
    /// Nobody has asked for this file: bytes of a retracted load are known, too.
    pub is_automatic: bool,
    /// Which records it takes.
    pub options: LoadOptions<'a>,
}
