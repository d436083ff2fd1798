//! The trips of a run go into their partitions: in bulk into an empty one, row by row or through COPY into the others.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode, Spi};
use trips_areas::IndexBuilder;
use trips_core::columns::{DATE_TIME, NAMES};
use trips_core::model::partition_bounds::PartitionBounds;
use trips_core::model::timestamp::Timestamp;
use trips_core::sort::batch::{self, Batch, RunBlocks};
use trips_core::sort::block::Block;
use trips_core::sort::counts::DailyCounts;

use super::change_triggers::days_of;
use super::claims::Traces;
use super::existing_keys::ExistingKeys;
use super::new_rows::{NewRows, Walk};
use super::partitions::{self, Partition};
use super::{COLUMNS, Days, HISTORY, History, KEY_NUMBERS, pending_counts};
use crate::error::LoadError;
use crate::pg::copy::copy_rows;
use crate::pg::heap_append::HeapAppend;
use crate::pg::index_build::IndexBuild;
use crate::pg::index_insert::IndexInsert;
use crate::pg::relation::Table;
use crate::pg::table_locks::{self, Mode};
use crate::progress::{Phase, Progress};
use crate::settings;

/// Minimum number of trips of a run for which rebuilding the index of an empty partition is cheaper than inserting into
/// it row by row.
const WORTH_A_BUILD: usize = 4_000;

/// Minimum memory for building an index.
const LEAST_FOR_INDEX: usize = 16 * 1024 * 1024;

/// Counts of the trips of a run.
#[derive(Debug, Clone, Default)]
pub struct Appended {
    /// They are new in the history.
    pub inserted: u64,
    /// The history, or the run, already had them.
    pub duplicates: u64,
    /// Days to count again: of partitions that were created and filled by hand, and of those whose triggers may have
    /// stored other rows than those of the run.
    pub to_recount: Vec<Days>,
}

/// Derived data of the new trips of a load.
#[derive(Debug)]
pub struct DerivedCounts {
    /// Their number on each day.
    pub days: DailyCounts,
    /// Writes these counts.
    pub flush_days: fn(&mut DailyCounts) -> Result<(), LoadError>,
    /// Counts are written before the end of a run when they reach this many bytes.
    pub max_bytes: usize,
    /// Their grid points, if the area index is maintained.
    pub area_index: Option<IndexBuilder>,
}

impl DerivedCounts {
    /// Whether the counts must be written before more trips are counted.
    pub fn is_full(&self) -> bool {
        self.days.bytes() >= self.max_bytes
    }

    /// Reserves memory for the trips of a partition.
    fn make_room(&mut self) -> Result<(), LoadError> {
        if self.days.bytes() < self.max_bytes / 2 {
            Ok(())
        } else {
            (self.flush_days)(&mut self.days)
        }
    }
}

/// Returns the batches of a run in order, then None.
pub type NextBatch<'a> = dyn FnMut() -> Result<Option<Batch>, LoadError> + 'a;

impl History {
    /// Appends the new trips of a run, and adds them to derived data. The batches are made of the blocks.
    pub fn append(
        &self,
        blocks: &RunBlocks,
        next_batch: &mut NextBatch<'_>,
        (derived, traces): (&mut DerivedCounts, &mut Traces),
        progress: &Progress,
    ) -> Result<Appended, LoadError> {
        self.created.require_few_more(&blocks.borrow())?;
        partitions::try_lock_partitions(&blocks.borrow());
        let mut walk = Walk::of(next_batch, batch::columns_of(&blocks.borrow()));
        let mut total = Appended::default();
        while let Some(time) = walk.next_time()? {
            derived.make_room()?;
            traces.make_room(progress)?;
            let partition = Partition::open(time, &self.created)?;
            let trips = batch::count_within(&blocks.borrow(), partition.bounds);
            let (appended, to_build) =
                append_to(partition, trips, &mut walk, (derived, traces), progress)?;
            if let Some(table) = to_build {
                let bytes = blocks.borrow().iter().map(Block::bytes).sum();
                build_index(&table, bytes)?;
            }
            total.inserted += appended.inserted;
            total.duplicates += appended.duplicates;
            total.to_recount.extend(appended.to_recount);
        }
        traces.write_claims(progress)?;
        Ok(total)
    }
}

/// Appends the next trips of a run, those of this partition, approximately `trips` of them. Also returns the table
/// whose index must be built.
fn append_to(
    partition: Partition,
    trips: usize,
    walk: &mut Walk<'_, '_>,
    (derived, traces): (&mut DerivedCounts, &mut Traces),
    progress: &Progress,
) -> Result<(Appended, Option<String>), LoadError> {
    let (table, bounds) = (&partition.table, partition.bounds);
    let mut to_recount: Vec<Days> = partition.adopted.into_iter().collect();
    let whole = parent_with_triggers();
    // The stored rows are known only after the insert.
    let is_altered = table.has_user_before_triggers();
    if is_altered {
        let days = days_of(table.oid());
        traces.add_days(days.unwrap_or(Days::ALL))?;
        to_recount.extend(days);
    }
    let in_bulk = whole.is_none()
        && is_worth_a_build(&partition, trips)
        && HeapAppend::fits(table, &COLUMNS)
        && is_ours_alone(table);
    let builds_index = in_bulk && IndexBuild::fits(table, KEY_NUMBERS);
    let columns = walk.columns;
    let is_direct = in_bulk || (whole.is_none() && is_worth_no_copy(&partition));
    let known = (!in_bulk).then(|| ExistingKeys::open(table));
    if let Some(area_index) = &mut derived.area_index {
        // Building the index needs one processor, and so does COPY. The bulk path needs all of them.
        area_index.set_held_back(in_bulk);
    }
    // Creating the partition has reset the progress of the backend.
    progress.phase(Phase::Inserting);
    let counted = (!is_altered).then_some(&mut *derived);
    let mut rows = NewRows::new(walk, bounds, known, counted, traces, progress);
    let taken = if is_direct {
        progress.inserts_without_copy(table.oid());
        let check = |micros| require_within(bounds, Timestamp(micros), table);
        let append = HeapAppend::begin(table, &COLUMNS, columns, DATE_TIME, &check);
        let mut append = match (in_bulk, builds_index) {
            (_, true) => append.with_new_index(KEY_NUMBERS),
            (true, false) => append,
            (false, false) => append.with_entries(KEY_NUMBERS),
        };
        let taken = rows.append_to(&mut append);
        append.finish();
        taken
    } else {
        let target = whole.as_ref().unwrap_or(table);
        let publish = &mut || progress.publish();
        let copy = || copy_rows(target, &NAMES[..columns], &mut rows, publish);
        pending_counts::while_filling(target.oid(), copy)
    };
    let Appended { inserted, duplicates, .. } = rows.finish()?;
    LoadError::require_all("trips.hist_trip_data", inserted, taken)?;
    let to_build = (in_bulk && !builds_index).then(|| table.name());
    if let Some(area_index) = derived.area_index.as_mut().filter(|_| in_bulk) {
        area_index.release()?;
    }
    Ok((Appended { inserted, duplicates, to_recount }, to_build))
}

/// Raises an ERROR if a trip that is about to be stored is outside the partition's bounds: some queries would find it,
/// others would not.
fn require_within(bounds: PartitionBounds, time: Timestamp, table: &Table) {
    if !bounds.contains(time) {
        let message =
            format!("trip of {time} is outside the bounds of partition {}: {bounds}", table.name());
        ErrorReport::new(PgSqlErrorCode::ERRCODE_CHECK_VIOLATION, message, "require_within")
            .report(PgLogLevel::ERROR);
    }
}

/// Whether this many trips are better stored without the partition's index, which is then built. The default partition
/// contains other times, too, and gets its rows through COPY.
fn is_worth_a_build(partition: &Partition, trips: usize) -> bool {
    !partition.is_default && trips >= WORTH_A_BUILD
}

/// Whether rows can be stored without COPY, with their index entries: COPY would convert each value. The default partition
/// contains other times, too.
fn is_worth_no_copy(partition: &Partition) -> bool {
    !partition.is_default
        && HeapAppend::fits(&partition.table, &COLUMNS)
        && IndexInsert::fits(&partition.table, KEY_NUMBERS)
}

/// Whether the table is empty, and no other session can insert or see rows until this transaction ends.
fn is_ours_alone(table: &Table) -> bool {
    table.has_no_pages()
        // The locks of REINDEX. A session that holds one of them may be waiting for us. COPY does not conflict with it.
        && table_locks::try_lock(table.oid(), Mode::Share)
        && table.try_lock_indexes()
        && table.has_unused_indexes()
        // Rows may have been inserted by hand before the lock.
        && table.has_no_pages()
}

/// The partitioned table, if it has a row trigger of a user. COPY then goes through it, and finds the partition of each
/// row itself.
fn parent_with_triggers() -> Option<Table> {
    let table = Table::open_for_insert(HISTORY);
    table.has_user_triggers().then_some(table)
}

/// Builds the index of a partition that was filled without it, in the memory that the run does not use.
pub(super) fn build_index(table: &str, bytes_of_run: usize) -> Result<(), LoadError> {
    let memory = settings::work_mem().saturating_sub(bytes_of_run).max(LEAST_FOR_INDEX) / 1024;
    let query = "SELECT set_config('maintenance_work_mem', $1, true)";
    let before = Spi::get_one::<String>("SELECT current_setting('maintenance_work_mem')")?;
    Spi::run_with_args(query, &[format!("{memory}kB").into()])?;
    Spi::run(&format!("REINDEX TABLE {table}"))?;
    Spi::run_with_args(query, &[before.into()])?;
    Ok(())
}
