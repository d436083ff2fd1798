//! The partitions of the history: one table for each range of times that has trips.

use std::cell::Cell;

use pgrx::Spi;
use trips_core::check::reject::Rejection;
use trips_core::columns::TripColumn;
use trips_core::model::error::{SqlState, ValueError};
use trips_core::model::partition_bounds::{Bound, PartitionBounds};
use trips_core::model::timestamp::Timestamp;
use trips_core::sort::batch;
use trips_core::sort::block::Block;

use super::bounds::{Route, route_of};
use super::change_triggers::{create_triggers, days_of};
use super::{COLUMNS, Days, HISTORY, KEY, pending_counts};
use crate::error::{LoadError, PartitionError};
use crate::pg::partitions::Detaching;
use crate::pg::relation::{Table, name_of};
use crate::pg::table_locks::{self, Mode};
use crate::settings;

/// A partition, open for inserting.
pub struct Partition {
    /// Its table.
    pub table: Table,
    /// All times between these belong to it. The default partition may have others, too.
    pub bounds: PartitionBounds,
    /// It is the default partition.
    pub is_default: bool,
    /// Its days, if it was created and filled by hand.
    pub adopted: Option<Days>,
}

/// Number of partitions that a load has created.
#[derive(Debug, Default)]
pub struct Created(Cell<usize>);

impl Created {
    /// Refuses the trips of a run before a partition is created, if the load would create too many.
    pub fn require_few_more(&self, blocks: &[Block]) -> Result<(), LoadError> {
        let mut wanted = self.0.get();
        each_route(blocks, |route| wanted += usize::from(route.partition().is_none()));
        let limit = settings::max_new_partitions();
        if wanted > limit {
            return Err(PartitionError::TooMany { wanted, limit }.into());
        }
        Ok(())
    }
}

/// Checks for each trip whether a merge would create too many partitions. Rejected trips need none.
#[derive(Debug)]
pub struct NewPartitions {
    limit: usize,
    /// Number of partitions that the other trips need.
    wanted: usize,
    /// The known bounds, ascending and disjoint, and whether their trips are refused.
    known: Vec<(PartitionBounds, bool)>,
}

impl NewPartitions {
    /// The limit of the setting.
    pub fn allowed() -> Self {
        Self { limit: settings::max_new_partitions(), wanted: 0, known: Vec::new() }
    }

    /// Why a trip of this time is refused, if it is: it would need one new partition too many.
    pub fn refuse(&mut self, time: Timestamp) -> Result<Option<Rejection>, LoadError> {
        let after = self.known.partition_point(|(bounds, _)| bounds.lower <= Bound::At(time));
        let before = after.checked_sub(1).and_then(|before| self.known.get(before));
        let is_refused = match before {
            Some((bounds, is_refused)) if bounds.contains(time) => *is_refused,
            _ => self.look_up(time)?,
        };
        Ok(is_refused.then(|| {
            let reason = format!(
                "the trip needs a new partition of the history; the limit for one merge is {} (trips.max_new_partitions)",
                self.limit
            );
            let error = ValueError::new(SqlState::ProgramLimitExceeded, reason);
            Rejection::of_value(TripColumn::DateTime, error)
        }))
    }

    /// Finds the bounds of a time, and whether its trips are refused.
    fn look_up(&mut self, time: Timestamp) -> Result<bool, LoadError> {
        let route = route_of(time, Detaching::Omitted);
        let (bounds, is_new) = match route {
            Route::Gap(gap) => (PartitionBounds::fitting(time, gap), true),
            _ => (route.bounds(), false),
        };
        let is_refused = is_new && self.wanted >= self.limit;
        self.wanted += usize::from(is_new && !is_refused);
        self.known.try_reserve(1)?;
        // Others may attach partitions meanwhile: older entries that overlap are outdated.
        let first = self.known.partition_point(|(known, _)| known.upper <= bounds.lower);
        let after = self.known.partition_point(|(known, _)| known.lower < bounds.upper);
        self.known.splice(first..after, [(bounds, is_refused)]);
        Ok(is_refused)
    }
}

/// Locks those partitions of a run that are free. A later session then waits for the load, and holds no lock that the
/// load needs. The load waits for the other partitions at their turn.
pub fn try_lock_partitions(blocks: &[Block]) {
    each_route(blocks, |route| {
        if let Some(partition) = route.partition() {
            table_locks::try_lock(partition, Mode::RowExclusive);
        }
    });
}

/// Looks up the bounds of a run's trips, in order.
fn each_route(blocks: &[Block], mut look: impl FnMut(Route)) {
    let history = Table::open_for_insert(HISTORY);
    let mut from = Bound::MinValue;
    while let Some(time) = batch::first_from(blocks, from) {
        let route: Route = history.route_of(time.0, Detaching::Omitted).map(Into::into);
        let bounds = match route {
            Route::Gap(gap) => PartitionBounds::fitting(time, gap),
            _ => route.bounds(),
        };
        look(route);
        from = bounds.upper;
    }
}

impl Partition {
    /// Opens the partition whose bounds contain a time, and creates it if there is none.
    ///
    /// It is created as a table and then attached. CREATE TABLE … PARTITION OF would block readers of the history.
    pub fn open(time: Timestamp, created: &Created) -> Result<Self, LoadError> {
        let mut route = route_of(time, Detaching::Omitted);
        if route.partition().is_none() {
            // Acquires the locks for attaching a partition, before it is created.
            let history = Table::open_for_insert(HISTORY).oid();
            table_locks::lock(history, Mode::ShareUpdateExclusive)?;
            pending_counts::run_own_command(|| create(time))?;
            created.0.set(created.0.get() + 1);
            route = route_of(time, Detaching::Omitted);
        }
        let oid = route.partition().ok_or(PartitionError::Changed { time })?;
        table_locks::lock_with_indexes(oid, Mode::RowExclusive)?;
        let mut table = Table::open_oid_for_insert(oid);
        let mut adopted = None;
        if !table.has_change_triggers() {
            let (name, is_empty) = (table.name(), table.has_no_pages());
            drop(table);
            table_locks::lock(oid, Mode::ShareRowExclusive)?;
            create_triggers(&name)?;
            table = Table::open_oid_for_insert(oid);
            adopted = if is_empty { None } else { days_of(oid) };
        }
        // The load may have waited for another transaction.
        if route_of(time, Detaching::Omitted) != route {
            return Err(PartitionError::Changed { time }.into());
        }
        if let Some((column, has_other_type)) = table.missing_column(&COLUMNS) {
            let column = column.to_string_lossy().into_owned();
            return Err(
                PartitionError::Column { table: table.name(), column, has_other_type }.into()
            );
        }
        if !table.has_primary_key(&KEY) {
            return Err(PartitionError::Key { table: table.name() }.into());
        }
        let is_default = matches!(route, Route::Default(..));
        Ok(Self { table, bounds: route.bounds(), is_default, adopted })
    }
}

/// Creates a partition for a time without one: it fits between the existing partitions.
fn create(time: Timestamp) -> Result<(), LoadError> {
    let gap = match route_of(time, Detaching::Included) {
        Route::Gap(gap) => gap,
        Route::Partition(oid, _) | Route::Default(oid, _) => {
            return Err(PartitionError::Detaching { table: name_of(oid), time }.into());
        }
    };
    let bounds = PartitionBounds::fitting(time, gap);
    let name = format!("hist_trip_data_{}", bounds.suffix());
    let table = format!("trips.{name}");
    let taken = Spi::get_one_with_args::<bool>(
        "SELECT to_regclass($1) IS NOT NULL",
        &[table.as_str().into()],
    )?;
    if taken == Some(true) {
        return Err(PartitionError::Name { table, bounds, beside: neighbours(gap) }.into());
    }
    // As PARTITION OF would: in the tablespace of the history, or of the database.
    let home = Spi::get_one::<String>(
        "SELECT (SELECT quote_ident(t.spcname) FROM pg_tablespace AS t WHERE t.oid = c.reltablespace)
           FROM pg_class AS c WHERE c.oid = 'trips.hist_trip_data'::regclass",
    )?;
    let of_key = home.as_ref().map(|home| format!("USING INDEX TABLESPACE {home}"));
    let of_table = home.as_ref().map(|home| format!("TABLESPACE {home}"));
    let (of_key, of_table) = (of_key.unwrap_or_default(), of_table.unwrap_or_default());
    // The suffix consists of digits, letters and underscores. PostgreSQL names the key: a renamed partition may still
    // use the usual name for its own key.
    Spi::run(&format!(
        "CREATE TABLE {table} (LIKE trips.hist_trip_data INCLUDING ALL,
           PRIMARY KEY (date_time, trip_key) {of_key}) {of_table}"
    ))?;
    Spi::run(&format!(
        "ALTER TABLE trips.hist_trip_data ATTACH PARTITION {table} FOR VALUES {bounds}"
    ))?;
    Ok(())
}

/// The names of the partitions on both sides of a gap.
fn neighbours(gap: PartitionBounds) -> Vec<String> {
    let (first, last) = gap.first_and_last();
    let before = first.map(|first| Timestamp(first.0.saturating_sub(1)));
    let after = last.map(|last| Timestamp(last.0.saturating_add(1)));
    let partition = |time| route_of(time, Detaching::Included).partition();
    [before, after].into_iter().flatten().filter_map(partition).map(name_of).collect()
}
