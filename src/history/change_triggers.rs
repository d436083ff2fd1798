//! The partitions and their change triggers.

use pgrx::{Spi, pg_sys};
use trips_core::model::timestamp::Timestamp;

use super::bounds::bounds_of;
use super::{Days, HISTORY};
use crate::error::{HistoryError, LoadError, PartitionError};
use crate::pg::relation::Table;

const MICROSECONDS_OF_DAY: i64 = 86_400_000_000;
/// 0001-01-01 and 9999-12-31, since 2000-01-01.
const FIRST_DAY: i32 = -730_119;
const LAST_DAY: i32 = 2_921_939;

/// A change trigger: its name, when it fires, its transition tables. sql/80_changes.sql creates those of the history.
type Trigger = (&'static str, &'static str, &'static str);

const HOLD: Trigger = ("trips_lock", "BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE", "");
const OF_UPDATE: Trigger = (
    "trips_track_update",
    "AFTER UPDATE",
    "REFERENCING OLD TABLE AS trips_removed NEW TABLE AS trips_added",
);
const OF_DELETE: Trigger =
    ("trips_track_delete", "AFTER DELETE", "REFERENCING OLD TABLE AS trips_removed");

/// Partitions have their own triggers, so that statements on the partition itself are tracked, and pg_dump dumps them
/// with it. Inserts have no transition table: it would hold every row of every load.
const OF_PARTITION: [Trigger; 4] =
    [HOLD, ("trips_track", "AFTER INSERT OR TRUNCATE", ""), OF_UPDATE, OF_DELETE];

const OF_HISTORY: [Trigger; 5] = [
    HOLD,
    ("trips_track_insert", "AFTER INSERT", "REFERENCING NEW TABLE AS trips_added"),
    OF_UPDATE,
    OF_DELETE,
    ("trips_track_truncate", "AFTER TRUNCATE", ""),
];

/// Creates the missing change triggers of a table, and enables the others.
fn create_missing(table: &str, triggers: &[Trigger]) -> Result<(), LoadError> {
    for (name, when, tables) in triggers {
        let is_disabled = Spi::connect(|client| {
            let mut found = client.select(
                "SELECT t.tgenabled IN ('D', 'R') FROM pg_trigger AS t
                  WHERE t.tgrelid = $1::regclass AND t.tgname = $2 AND t.tgfoid = 'trips_internal.track_changes'::regproc",
                Some(1),
                &[table.into(), (*name).into()],
            )?;
            found.next().map(|row| row.get::<bool>(1)).transpose()
        })?;
        match is_disabled.flatten() {
            Some(false) => {}
            Some(true) => Spi::run(&format!("ALTER TABLE {table} ENABLE TRIGGER {name}"))?,
            None => Spi::run(&format!(
                "CREATE TRIGGER {name} {when} ON {table} {tables}
                   FOR EACH STATEMENT EXECUTE FUNCTION trips_internal.track_changes()"
            ))?,
        }
    }
    Ok(())
}

/// Creates the change triggers of a partition.
pub fn create_triggers(table: &str) -> Result<(), LoadError> {
    create_missing(table, &OF_PARTITION)
}

/// Creates the change triggers of the history and all its partitions.
pub fn create_all_triggers() -> Result<(), LoadError> {
    create_missing("trips.hist_trip_data", &OF_HISTORY)?;
    let partitions = names(
        "SELECT format('%I.%I', n.nspname, c.relname)
           FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
           JOIN pg_namespace AS n ON n.oid = c.relnamespace
          WHERE i.inhparent = 'trips.hist_trip_data'::regclass AND c.relkind = 'r'",
    )?;
    partitions.iter().try_for_each(|name| create_triggers(name))?;
    // Event triggers belong to a superuser.
    let disabled = names(
        "SELECT e.evtname::text FROM pg_event_trigger AS e
          WHERE e.evtname IN ('trips_partitions_lock', 'trips_partitions', 'trips_partitions_dropped',
                              'trips_refresh_lock', 'trips_refresh')
            AND e.evtenabled IN ('D', 'R') AND pg_has_role(current_user, e.evtowner, 'USAGE')",
    )?;
    disabled
        .iter()
        .try_for_each(|name| Ok(Spi::run(&format!("ALTER EVENT TRIGGER {name} ENABLE"))?))
}

/// Creates the change triggers of all partitions, and removes those of tables that are no longer partitions. Returns
/// the days of new partitions.
pub fn sync_triggers() -> Result<Vec<Days>, LoadError> {
    let detached = names(
        "SELECT format('%I ON %I.%I', t.tgname, n.nspname, c.relname)
           FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
           JOIN pg_namespace AS n ON n.oid = c.relnamespace
           JOIN pg_class AS h ON h.oid = 'trips.hist_trip_data'::regclass
          WHERE t.tgfoid = 'trips_internal.track_changes'::regproc AND c.relkind = 'r' AND c.relowner = h.relowner
            AND NOT EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhrelid = c.oid AND i.inhparent = h.oid)",
    )?;
    for trigger in detached {
        Spi::run(&format!("DROP TRIGGER {trigger}"))?;
    }
    let unfollowed = names(
        "SELECT format('%I.%I', n.nspname, c.relname)
           FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
           JOIN pg_namespace AS n ON n.oid = c.relnamespace
          WHERE i.inhparent = 'trips.hist_trip_data'::regclass AND c.relkind = 'r'
            AND NOT EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = c.oid
                               AND t.tgfoid = 'trips_internal.track_changes'::regproc)",
    )?;
    let mut days = Vec::new();
    for name in unfollowed {
        create_triggers(&name)?;
        let oid =
            Spi::get_one_with_args::<pg_sys::Oid>("SELECT $1::regclass::oid", &[name.into()])?;
        days.extend(oid.and_then(days_of));
    }
    Ok(days)
}

/// Refuses partitions that are partitioned or foreign tables: this extension does not read or write their trips.
pub fn require_plain_partitions() -> Result<(), LoadError> {
    let others = names(
        "SELECT format('%I.%I', n.nspname, c.relname)
           FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
           JOIN pg_namespace AS n ON n.oid = c.relnamespace
          WHERE i.inhparent = 'trips.hist_trip_data'::regclass AND c.relkind <> 'r'",
    )?;
    others.into_iter().next().map_or(Ok(()), |table| Err(PartitionError::NotPlain { table }.into()))
}

/// Refuses trips outside the years 1 to 9999. Files cannot contain them, and derived data does not count them.
pub fn require_sane_dates() -> Result<(), LoadError> {
    let found = Spi::connect(|client| {
        let mut found = client.select(
            "SELECT h.date_time::text FROM trips.hist_trip_data AS h
              WHERE h.date_time < '0001-01-01' OR h.date_time >= '10000-01-01' LIMIT 1",
            Some(1),
            &[],
        )?;
        found.next().map(|row| row.get::<String>(1)).transpose()
    })?;
    found.flatten().map_or(Ok(()), |date| Err(HistoryError::Date { date }.into()))
}

/// Those of these days (since 2000-01-01) without a partition of their own: none, the default partition, or several.
pub fn without_own_partition(mut days: Vec<i32>) -> Vec<i32> {
    let history = Table::open_for_insert(HISTORY);
    days.retain(|&day| {
        let first = i64::from(day) * MICROSECONDS_OF_DAY;
        let last = first + (MICROSECONDS_OF_DAY - 1);
        !history.has_one_partition_for(first, last)
    });
    days
}

fn names(query: &str) -> Result<Vec<String>, LoadError> {
    Spi::connect(|client| {
        let found = client.select(query, None, &[])?;
        let names = found.map(|row| row.get::<String>(1)).collect::<Result<Vec<_>, _>>()?;
        Ok(names.into_iter().flatten().collect())
    })
}

/// Whether a partition has its triggers. While a dump is restored, it does not: its triggers come last.
pub fn has_change_triggers() -> Result<bool, LoadError> {
    let followed = Spi::get_one::<bool>(
        "SELECT EXISTS (SELECT FROM pg_inherits AS i JOIN pg_trigger AS t ON t.tgrelid = i.inhrelid
                         WHERE i.inhparent = 'trips.hist_trip_data'::regclass
                           AND t.tgfoid = 'trips_internal.track_changes'::regproc)",
    )?;
    Ok(followed == Some(true))
}

/// The days within a partition's bounds, all days for the default partition; None if the table is not a partition of
/// the history.
pub fn days_of(oid: pg_sys::Oid) -> Option<Days> {
    let (first, last) = bounds_of(oid)?.first_and_last();
    // No trip is outside these days, but bounds may be.
    let day = |time: Timestamp| time.day().clamp(FIRST_DAY, LAST_DAY);
    Some(Days { first: first.map(day), last: last.map(day) })
}
