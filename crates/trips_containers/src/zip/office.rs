//! Documents of office programs, which are zip archives.

use super::directory::Entry;
use crate::error::ContainerError;
use crate::packing::{OFFICE, OPEN_DOCUMENT, WORKBOOK};

/// Fails if the archive is a workbook or another document: its members are no files of trips.
pub(super) fn check(entries: &[Entry]) -> Result<(), ContainerError> {
    let has = |name: &str| entries.iter().any(|entry| entry.name.eq_ignore_ascii_case(name));
    let has_folder = |folder: &str| entries.iter().any(|entry| entry.name.starts_with(folder));
    let kind = if has("[Content_Types].xml") {
        if has_folder("xl/") { WORKBOOK } else { OFFICE }
    } else if has("mimetype") && has("content.xml") {
        OPEN_DOCUMENT
    } else {
        return Ok(());
    };
    Err(ContainerError::unsupported(kind))
}
