//! The partitions of the history: one table for each period that has trips.

use pgrx::{Spi, pg_sys};
use trips_core::period::Period;
use trips_core::timestamp::Timestamp;

use super::{COLUMNS, HISTORY};
use crate::error::LoadError;
use crate::pg::relation::Table;

const MICROSECONDS_OF_DAY: i64 = 86_400_000_000;

/// A partition, open for inserting.
pub struct Partition {
    /// Its table.
    pub table: Table,
    /// This load has made it: nobody else sees it before the commit.
    pub is_new: bool,
    /// Its days, when somebody else has made it and filled it.
    pub adopted: Option<Days>,
}

/// Days since 2000-01-01, both inside; none is the beginning, or the end, of all time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    /// The first.
    pub first: Option<i32>,
    /// The last.
    pub last: Option<i32>,
}

impl Days {
    /// All that there are.
    pub const ALL: Self = Self { first: None, last: None };
}

impl Partition {
    /// Opens the partition of a period, and makes it if there is none.
    ///
    /// It is made as a table and then attached, which keeps no reader of the history waiting, as
    /// CREATE TABLE … PARTITION OF would.
    pub fn open(period: Period) -> Result<Self, LoadError> {
        let found = find(period);
        let is_new = found.is_none();
        let oid = match found {
            Some(oid) => oid,
            None => create(period)?,
        };
        let mut table = Table::open_oid_for_insert(oid);
        let mut adopted = None;
        if !table.is_followed() {
            let (name, is_bare) = (table.name(), table.is_bare());
            drop(table);
            follow(&name)?;
            table = Table::open_oid_for_insert(oid);
            adopted = if is_bare { None } else { days_of(oid)? };
        }
        if let Some((column, has_other_type)) = table.lacks(&COLUMNS) {
            let column = column.to_string_lossy().into_owned();
            return Err(LoadError::PartitionColumn { table: table.name(), column, has_other_type });
        }
        if !table.has_history_key() {
            return Err(LoadError::PartitionKey { table: table.name() });
        }
        Ok(Self { table, is_new, adopted })
    }
}

/// The partition where the period's beginning belongs, whatever its name and its bounds are.
fn find(period: Period) -> Option<pg_sys::Oid> {
    let first = period.start().unwrap_or(Timestamp(i64::MIN));
    Table::open_for_insert(HISTORY).partition_at(first)
}

fn create(period: Period) -> Result<pg_sys::Oid, LoadError> {
    let name = format!("hist_trip_data_{}", period.suffix());
    let table = format!("trips.{name}");
    let taken = Spi::get_one_with_args::<bool>(
        "SELECT to_regclass($1) IS NOT NULL",
        &[table.as_str().into()],
    )?;
    if taken == Some(true) {
        return Err(LoadError::PartitionName { table });
    }
    // The parts of these names are digits, letters and underscores.
    Spi::run(&format!(
        "CREATE TABLE {table} (LIKE trips.hist_trip_data INCLUDING ALL,
           CONSTRAINT {name}_pkey PRIMARY KEY (date_time, trip_key))"
    ))?;
    let (from, to) = period.dates();
    let bound = |date: Option<String>, none: &str| date.map_or(none.into(), |d| format!("'{d}'"));
    let (from, to) = (bound(from, "MINVALUE"), bound(to, "MAXVALUE"));
    Spi::run(&format!(
        "ALTER TABLE trips.hist_trip_data ATTACH PARTITION {table} FOR VALUES FROM ({from}) TO ({to})"
    ))?;
    find(period).ok_or(LoadError::PartitionName { table })
}

/// Has what others do to a partition followed. Its triggers are its own, so that statements on the
/// partition itself are seen, and pg_dump carries them with it.
fn follow(table: &str) -> Result<(), LoadError> {
    for (name, when) in [("trips_hold", "BEFORE"), ("trips_follow", "AFTER")] {
        Spi::run(&format!(
            "CREATE TRIGGER {name} {when} INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}
               FOR EACH STATEMENT EXECUTE FUNCTION trips.follow_change()"
        ))?;
    }
    Ok(())
}

/// Has all partitions followed.
pub fn follow_all() -> Result<(), LoadError> {
    unfollowed()?.iter().try_for_each(|name| follow(name))
}

/// The names of the partitions that are not followed.
fn unfollowed() -> Result<Vec<String>, LoadError> {
    names(
        "SELECT format('%I.%I', n.nspname, c.relname)
           FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
           JOIN pg_namespace AS n ON n.oid = c.relnamespace
          WHERE i.inhparent = 'trips.hist_trip_data'::regclass AND c.relkind = 'r'
            AND NOT EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = c.oid
                               AND t.tgfoid = 'trips.follow_change'::regproc)",
    )
}

/// Has all partitions followed, and no table any more that is none. Returns the days of those that are new and have
/// trips.
pub fn settle() -> Result<Vec<Days>, LoadError> {
    let detached = names(
        "SELECT format('%I ON %I.%I', t.tgname, n.nspname, c.relname)
           FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
           JOIN pg_namespace AS n ON n.oid = c.relnamespace
           JOIN pg_class AS h ON h.oid = 'trips.hist_trip_data'::regclass
          WHERE t.tgfoid = 'trips.follow_change'::regproc AND c.relkind = 'r' AND c.relowner = h.relowner
            AND NOT EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhrelid = c.oid AND i.inhparent = h.oid)",
    )?;
    for trigger in detached {
        Spi::run(&format!("DROP TRIGGER {trigger}"))?;
    }
    let mut days = Vec::new();
    for name in unfollowed()? {
        follow(&name)?;
        let oid =
            Spi::get_one_with_args::<pg_sys::Oid>("SELECT $1::regclass::oid", &[name.into()])?;
        days.extend(oid.map(days_of).transpose()?.flatten());
    }
    Ok(days)
}

/// Whether the command that has just ended has altered the history itself, as one that attaches or detaches a
/// partition does; for an event trigger.
pub fn is_altered() -> Result<bool, LoadError> {
    let altered = Spi::get_one::<bool>(
        "SELECT EXISTS (SELECT FROM pg_event_trigger_ddl_commands() AS c
                         WHERE c.classid = 'pg_class'::regclass AND c.objid = to_regclass('trips.hist_trip_data'))",
    )?;
    Ok(altered == Some(true))
}

/// Whether the command that has just ended has dropped tables that were followed; for an event trigger.
pub fn has_lost_partitions() -> Result<bool, LoadError> {
    let lost = Spi::get_one::<bool>(
        "SELECT EXISTS (SELECT FROM pg_event_trigger_dropped_objects() AS o
                         WHERE o.object_type = 'trigger' AND starts_with(o.object_identity, 'trips_follow on '))",
    )?;
    Ok(lost == Some(true))
}

/// Those of these days (since 2000-01-01) for which there is no partition.
pub fn without_partition(mut days: Vec<i32>) -> Vec<i32> {
    let history = Table::open_for_insert(HISTORY);
    days.retain(|&day| {
        history.partition_at(Timestamp(i64::from(day) * MICROSECONDS_OF_DAY)).is_none()
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

/// Whether a partition is followed, or there is none. While a dump is restored, they are not: their triggers
/// come last.
pub fn is_followed() -> Result<bool, LoadError> {
    let followed = Spi::get_one::<bool>(
        "SELECT coalesce(bool_or(EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = i.inhrelid
                                            AND t.tgfoid = 'trips.follow_change'::regproc)), true)
           FROM pg_inherits AS i WHERE i.inhparent = 'trips.hist_trip_data'::regclass",
    )?;
    Ok(followed == Some(true))
}

/// The days that lie within a partition's bounds; none when the table is no partition of the history.
pub fn days_of(oid: pg_sys::Oid) -> Result<Option<Days>, LoadError> {
    Spi::connect(|client| {
        // The bounds are written as the session writes dates, and read in the same way.
        let mut found = client.select(
            "SELECT (nullif(b[1], 'MINVALUE')::timestamp)::date - date '2000-01-01',
                    (nullif(b[2], 'MAXVALUE')::timestamp - interval '1 microsecond')::date - date '2000-01-01'
               FROM pg_class AS c JOIN pg_inherits AS i ON i.inhrelid = c.oid
               LEFT JOIN regexp_match(pg_get_expr(c.relpartbound, c.oid),
                           '^FOR VALUES FROM \\(''?([^)'']*)''?\\) TO \\(''?([^)'']*)''?\\)$') AS b ON true
              WHERE c.oid = $1 AND i.inhparent = 'trips.hist_trip_data'::regclass",
            Some(1),
            &[oid.into()],
        )?;
        let Some(row) = found.next() else { return Ok(None) };
        Ok(Some(Days { first: row.get(1)?, last: row.get(2)? }))
    })
}
