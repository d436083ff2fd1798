//! Checks of the text settings, which run when they are set.

use std::ffi::CStr;

use trips_core::check::constraints::{Constraints, ZeroCoordinates};

use crate::pg::guc::Check;

/// The longest name in PostgreSQL, bytes (NAMEDATALEN - 1).
const LONGEST_NAME: usize = 63;

/// `trips.earliest_date`, `trips.latest_date`.
pub struct Date;

impl Check for Date {
    fn fault(text: &str) -> Option<&'static CStr> {
        let is_fit = Constraints::new(text, text, ZeroCoordinates::Keep).is_some();
        (!is_fit).then_some(
            c"The value must be a date of the years 1 to 9999, in the format YYYY-MM-DD.",
        )
    }
}

/// `trips.data_directories`.
pub struct Directories;

impl Check for Directories {
    fn fault(text: &str) -> Option<&'static CStr> {
        let is_fit =
            text.trim().is_empty() || text.split(',').all(|name| name.trim().starts_with('/'));
        (!is_fit).then_some(c"The value must be absolute paths, separated by commas, or empty.")
    }
}

/// `trips.allowed_urls`.
pub struct Urls;

impl Check for Urls {
    #[cfg(feature = "object_store")]
    fn fault(text: &str) -> Option<&'static CStr> {
        let prefixes = text.split(',').map(str::trim);
        let is_fit = text.trim().is_empty() || trips_store::Policy::parse(prefixes).is_ok();
        (!is_fit).then_some(
            c"The value must be prefixes of addresses, such as s3://bucket/incoming, separated by commas, or empty.",
        )
    }

    #[cfg(not(feature = "object_store"))]
    fn fault(text: &str) -> Option<&'static CStr> {
        let is_fit = text.trim().is_empty();
        (!is_fit).then_some(c"The value must be empty: this build does not support object stores.")
    }
}

/// `trips.watch_directory`.
pub struct WatchDirectory;

impl Check for WatchDirectory {
    fn fault(text: &str) -> Option<&'static CStr> {
        let is_fit = text.is_empty() || (text.starts_with('/') && text.contains(|c| c != '/'));
        (!is_fit).then_some(c"The value must be an absolute path, or empty.")
    }
}

/// `trips.watch_pattern`.
pub struct WatchPattern;

impl Check for WatchPattern {
    fn fault(text: &str) -> Option<&'static CStr> {
        let is_fit = !text.contains('/') && glob::Pattern::new(text).is_ok();
        (!is_fit).then_some(
            c"The value must be a pattern of file names without slashes, for example *.csv.",
        )
    }
}

/// `trips.watch_database`.
pub struct Database;

impl Check for Database {
    fn fault(text: &str) -> Option<&'static CStr> {
        let is_fit = (1..=LONGEST_NAME).contains(&text.len());
        (!is_fit).then_some(c"The value must be the name of a database, 1 to 63 bytes.")
    }
}
