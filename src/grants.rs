//! The privileges that a loader or a reader needs, granted in one call by the owner.

use pgrx::{Spi, pg_sys};

use crate::error::LoadError;
use crate::pg::session;

/// Loading, and watching one's loads. File privileges are pg_read_server_files, or the setting trips.data_directories.
/// Applications insert into the five columns of staging.
const LOADER: [&str; 9] = [
    "USAGE ON SCHEMA trips, trips_internal",
    "EXECUTE ON FUNCTION trips.ingest(text, text, bigint, boolean, text, text, text, text), trips.stage(text, text, text, text),
       trips.merge_staged(bigint), trips.submit(text, text, bigint, boolean, text, text, text, text), trips.cancel(bigint),
       trips.retract(bigint, boolean), trips.replace(text, bigint, text, bigint, boolean, text, text, text, text),
       trips.schedule(text, text, text, text, text, text, text), trips.unschedule(text),
       trips.create_upload(text, bytea, bigint, text, text), trips.upload_part(bigint, bytea),
       trips.complete_upload(bigint), trips.abort_upload(bigint)",
    "EXECUTE ON FUNCTION trips.explain_staged(bigint, int),
       trips.retry_staged(bigint, text, boolean, text, boolean, text, text, text, text, text)",
    "EXECUTE ON FUNCTION trips_internal.try_lock_pattern(text), trips_internal.new_files(text, text, text, text, text, text),
       trips_internal.ingest_match(text, text, text, text, text, text), trips_internal.require_pg_cron(text),
       trips_internal.running_loads(), trips_internal.builtin_feeds()",
    // Not create_feed() and drop_feed(): a feed decides how the files of all loaders are read.
    "EXECUTE ON FUNCTION trips.detect_feed(text), trips.diff(text, text, text, text, text, int),
       trips.preview(text, text, int, text), trips.load_stations(text, text, int),
       trips.complete_places(text, date, date)",
    "EXECUTE ON PROCEDURE trips.ingest_new(text, bigint, bigint, bigint, text, text, text, text)",
    "SELECT ON trips.loads, trips.load_members, trips.load_errors, trips.load_progress, trips.events, trips.uploads,
       trips.feeds, trips.all_feeds, trips.zones",
    "SELECT (load_id, first_byte, bytes, rows_read, rows_rejected, of_content) ON trips.upload_parts",
    "INSERT (region, origin_coord, destination_coord, date_time, datasource) ON trips.stg_trip_data",
];

/// The history and derived data; not staging, which contains raw lines of files.
const READER: [&str; 4] = [
    "USAGE ON SCHEMA trips, trips_internal",
    "SELECT ON trips.hist_trip_data, trips.daily_trip_counts, trips.weekly_trip_counts,
       trips.summarized_trip_data, trips.corrections, trips.loads, trips.load_members, trips.load_progress,
       trips.events, trips.feeds, trips.all_feeds, trips.zones,
       trips_internal.area_directory, trips_internal.area_pages, trips_internal.history_changes",
    "EXECUTE ON FUNCTION trips.verify()",
    // The functions and views that users query call these with the users' own privileges.
    "EXECUTE ON FUNCTION trips_internal.check_period(date, date), trips_internal.check_weeks(date, date),
       trips_internal.check_grouping(int, interval, text, bigint),
       trips_internal.period_of_region(text, date, date), trips_internal.running_loads(),
       trips_internal.builtin_feeds()",
];

/// Grants a role what it needs to load.
pub fn loader(role: pg_sys::Oid) -> Result<(), LoadError> {
    grant(&LOADER, role)
}

/// Grants a role what it needs to query.
pub fn reader(role: pg_sys::Oid) -> Result<(), LoadError> {
    grant(&READER, role)
}

fn grant(rights: &[&str], role: pg_sys::Oid) -> Result<(), LoadError> {
    let role = session::quoted_role_name(role);
    rights.iter().try_for_each(|right| Ok(Spi::run(&format!("GRANT {right} TO {role}"))?))
}
