//! The owners of the tables that a load writes: a load runs with the privileges of the ledger's owner.

use pgrx::{Spi, pg_sys};

use crate::error::{HistoryError, LoadError};
use crate::pg::plans::Kept;
use crate::pg::relation::Table;
use crate::pg::session;

/// Refuses to count rows that row-level security hides from the owner of the tables, who is the current user.
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

/// Checks the owners of all tables that a load writes to: each must be a member of the ledger's owner. Otherwise its
/// triggers would run with that owner's privileges.
pub fn require_one_owner(ledger_owner: pg_sys::Oid) -> Result<(), LoadError> {
    let query = "SELECT c.oid::regclass::text, c.relowner::regrole::text, $1::regrole::text
           FROM (SELECT to_regclass('trips.' || w.name)::oid
                   FROM unnest('{hist_trip_data, stg_trip_data, corrections, load_members, uploads, upload_parts, daily_trip_counts, weekly_trip_counts,
                                 summarized_trip_data}'::text[]) AS w (name)
                 UNION ALL
                 SELECT to_regclass('trips_internal.' || w.name)::oid
                   FROM unnest('{load_failures, load_stations, kept_versions, claims, area_directory, area_pages}'::text[]) AS w (name)
                 UNION ALL
                 SELECT i.inhrelid FROM pg_inherits AS i WHERE i.inhparent = 'trips.hist_trip_data'::regclass)
                AS written (oid)
           JOIN pg_class AS c ON c.oid = written.oid
          WHERE c.relowner <> $1 AND NOT pg_has_role(c.relowner, $1, 'USAGE')";
    Spi::connect(|client| {
        let rows = client.select(Kept(query), Some(1), &[ledger_owner.into()])?;
        if rows.is_empty() {
            return Ok(());
        }
        let (table, owner, of_ledger) = rows.first().get_three::<String, String, String>()?;
        let [table, owner, of_ledger] = [table, owner, of_ledger].map(Option::unwrap_or_default);
        Err(HistoryError::OtherOwner { table, owner, of_ledger }.into())
    })
}
