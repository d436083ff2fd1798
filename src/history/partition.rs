//! The partitions of the history: one table for each period that has trips.

use pgrx::{Spi, pg_sys};
use trips_core::period::Period;
use trips_core::timestamp::Timestamp;

use super::followed::{days_of, follow};
use super::{COLUMNS, Days, HISTORY, booking};
use crate::error::LoadError;
use crate::pg::relation::Table;

/// A partition, open for inserting.
pub struct Partition {
    /// Its table.
    pub table: Table,
    /// This load has made it: nobody else sees it before the commit.
    pub is_new: bool,
    /// Its days, when somebody else has made it and filled it.
    pub adopted: Option<Days>,
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
            None => booking::command(|| create(period))?,
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
