//! What a role needs to load, or to ask: granted in one call, by who may grant it.

use pgrx::{Spi, pg_sys};

use crate::error::LoadError;
use crate::pg::session;

/// Loading, and looking at what became of it. No right on a file: that is pg_read_server_files, or the
/// setting trips.data_directories. Outside writers put their rows into the five columns of staging.
const LOADER: [&str; 6] = [
    "USAGE ON SCHEMA trips",
    "EXECUTE ON FUNCTION trips.ingest(text, text, bigint, boolean), trips.stage(text),
       trips.merge_staged(bigint), trips.submit(text, text, bigint, boolean), trips.cancel(bigint),
       trips.take_inbox(text), trips.ingest_match(text, text), trips.new_files(text, text), trips.schedule(text, text, text),
       trips.unschedule(text), trips.require_pg_cron(text),
       trips.open_delivery(text, bytea, bigint, text), trips.stage_part(bigint, bytea),
       trips.drop_delivery(bigint)",
    "EXECUTE ON PROCEDURE trips.ingest_new(text, bigint, bigint, bigint)",
    "SELECT ON trips.loads, trips.load_errors, trips.load_progress, trips.events, trips.deliveries",
    "SELECT (load_id, first_byte, bytes, rows_read, rows_rejected) ON trips.delivery_parts",
    "INSERT (region, origin_coord, destination_coord, date_time, datasource) ON trips.stg_trip_data",
];

/// The history and what is made of it; not staging, which holds lines of files as they came.
const READER: [&str; 3] = [
    "USAGE ON SCHEMA trips",
    "SELECT ON trips.hist_trip_data, trips.daily_trip_counts, trips.weekly_trip_counts,
       trips.summarized_trip_data, trips.loads, trips.load_progress, trips.events, trips.area_directory, trips.area_blocks",
    "EXECUTE ON FUNCTION trips.verify()",
];

/// Lets a role load.
pub fn loader(role: pg_sys::Oid) -> Result<(), LoadError> {
    grant(&LOADER, role)
}

/// Lets a role ask.
pub fn reader(role: pg_sys::Oid) -> Result<(), LoadError> {
    grant(&READER, role)
}

fn grant(rights: &[&str], role: pg_sys::Oid) -> Result<(), LoadError> {
    let role = session::quoted_role_name(role);
    rights.iter().try_for_each(|right| Ok(Spi::run(&format!("GRANT {right} TO {role}"))?))
}
