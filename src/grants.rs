//! What a role needs to load, or to ask: granted in one call, by who may grant it.

use pgrx::{Spi, pg_sys};

use crate::error::{HistoryError, LoadError};
use crate::pg::relation::Table;
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

/// Refuses to count what row-level security keeps from the owner of the tables, who is the current user.
pub fn require_all_rows() -> Result<(), LoadError> {
    let counted = [c"hist_trip_data", c"daily_trip_counts", c"weekly_trip_counts"];
    for name in counted.into_iter().chain([c"stg_trip_data", c"loads"]) {
        if Table::find(name).is_some_and(session::has_row_security) {
            let table = format!("trips.{}", name.to_string_lossy());
            return Err(HistoryError::RowSecurity { table }.into());
        }
    }
    Ok(())
}

/// Makes sure that no table that a load writes to is owned by somebody who has not the rights of the ledger's owner
/// anyway: his triggers would run with them.
pub fn require_one_owner(ledger_owner: pg_sys::Oid) -> Result<(), LoadError> {
    let query = "SELECT c.oid::regclass::text, c.relowner::regrole::text, $1::regrole::text
           FROM (SELECT to_regclass('trips.' || w.name)::oid
                   FROM unnest('{hist_trip_data, stg_trip_data, load_failures, deliveries, delivery_parts, daily_trip_counts,
                                 weekly_trip_counts, summarized_trip_data, area_directory, area_blocks}'::text[]) AS w (name)
                 UNION ALL
                 SELECT i.inhrelid FROM pg_inherits AS i WHERE i.inhparent = 'trips.hist_trip_data'::regclass)
                AS written (oid)
           JOIN pg_class AS c ON c.oid = written.oid
          WHERE c.relowner <> $1 AND NOT pg_has_role(c.relowner, $1, 'USAGE')";
    Spi::connect(|client| {
        let rows = client.select(query, Some(1), &[ledger_owner.into()])?;
        if rows.is_empty() {
            return Ok(());
        }
        let (table, owner, of_ledger) = rows.first().get_three::<String, String, String>()?;
        let [table, owner, of_ledger] = [table, owner, of_ledger].map(Option::unwrap_or_default);
        Err(LoadError::OtherOwner { table, owner, of_ledger })
    })
}
