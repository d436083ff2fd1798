//! The files of a pattern that `trips.ingest_new` loads.

use pgrx::PgSqlErrorCode;
use trips_core::text::escape::quoted_path;

use crate::error::{LoadError, Report, counted};
use crate::ledger;
use crate::os::lease::Writers;
use crate::pg::locks::Lock;
use crate::pg::session;
use crate::settings::LoadOptions;
use crate::source::Access;
use crate::source::listing::{self, Listing};

/// Locks a pattern for the current user until the transaction ends; `false` if another run of that role has it.
pub fn try_lock_pattern(pattern: &str) -> Result<bool, LoadError> {
    let role = session::current_user();
    let access = &Access::of_pattern(role, pattern);
    access.require_any_match(pattern)?;
    listing::require_access(pattern, access)?;
    // Roles do not block each other: each load checks by itself whether its file is known.
    let hash = blake3::hash(&[&role.to_u32().to_le_bytes(), pattern.as_bytes()].concat());
    let number = hash.as_bytes().first_chunk().copied().map_or(0, u64::from_le_bytes);
    Ok(Lock::Pattern(number).try_lock())
}

/// The next files of the pattern, after this path, that no load with these options has loaded and that no process
/// writes to.
pub fn find(
    pattern: &str,
    after: Option<&str>,
    options: LoadOptions<'_>,
) -> Result<Vec<String>, LoadError> {
    let access = &Access::of_pattern(session::current_user(), pattern);
    access.require_any_match(pattern)?;
    let mut listing = listing::list(pattern, access, after)?;
    if after.is_none() {
        warn_of_skipped(&listing);
    }
    let options = options.to_json();
    loop {
        let last = listing.files.last().map(|file| file.path.clone()).filter(|_| listing.is_cut);
        let new = {
            let _owner = ledger::as_owner();
            ledger::not_loaded_yet(listing.files, &options)?
        };
        let paths = new.into_iter().map(|new| new.file.path);
        let written: Vec<String> = paths.filter(|path| is_written(path, access)).collect();
        let Some(last) = last.filter(|_| written.is_empty()) else { return Ok(written) };
        listing = listing::list(pattern, access, Some(&last))?;
    }
}

/// Reports the names that the run skips. Nothing else would report them.
fn warn_of_skipped(listing: &Listing) {
    if listing.others > 0 {
        Report::new(
            PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
            format!(
                "skipping {} the pattern: not a regular file, or not valid UTF-8",
                counted(listing.others, "name that matches", "names that match")
            ),
        )
        .notice();
    }
    let (count, reasons) = &listing.unreadable;
    for reason in reasons {
        Report::new(PgSqlErrorCode::ERRCODE_WARNING, reason.as_str())
            .detail("The file is skipped.")
            .hint("Make it readable for the server, or exclude it from the pattern.")
            .warning();
    }
    let more = count.saturating_sub(reasons.len() as u64);
    if more > 0 {
        Report::new(
            PgSqlErrorCode::ERRCODE_WARNING,
            format!(
                "could not read {} the pattern",
                counted(more, "more file that matches", "more files that match")
            ),
        )
        .warning();
    }
}

/// Whether no known process is writing the file. Half a row would become another trip, for ever.
fn is_written(path: &str, access: &Access) -> bool {
    let is_open = listing::writers(path, access) == Writers::Some;
    if is_open {
        Report::new(
            PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
            format!("skipping file {}: another process has it open for writing", quoted_path(path)),
        )
        .notice();
    }
    !is_open
}
