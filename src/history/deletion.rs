//! Trips that are deleted on request: partitions whose trips all meet the conditions are dropped, other trips are
//! deleted from their partitions.
//!
//! A trip may be outside the bounds of its partition. So all partitions are searched, by their index where it helps.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;

use pgrx::datum::{DatumWithOid, Timestamp as PgTimestamp};
use pgrx::{Spi, pg_sys};
use trips_core::check::conditions::Conditions;
use trips_core::model::partition_bounds::Bound;
use trips_core::model::timestamp::Timestamp;

use super::bounds::partition_bounds;
use super::{Days, HISTORY, History, KEY, days_of, pending_counts};
use crate::error::{HistoryError, LoadError};
use crate::pg::interrupts;
use crate::pg::partitions::Detaching;
use crate::pg::relation::{Table, name_of};
use crate::pg::spi::{self, Snapshot};
use crate::pg::table_locks::{self, Mode};

/// A partition that may be dropped or truncated without an effect on other objects. Triggers are checked apart.
const STANDS_ALONE: &str = "SELECT NOT EXISTS (
           SELECT FROM pg_depend AS d
            WHERE d.deptype = 'n'
              AND (d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
                   OR d.refclassid = 'pg_type'::regclass AND d.refobjid = c.reltype)
              AND NOT EXISTS (SELECT FROM pg_constraint AS k
                               WHERE d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
                                 AND k.conrelid = c.oid)
              AND NOT EXISTS (SELECT FROM pg_policy AS k
                               WHERE d.classid = 'pg_policy'::regclass AND k.oid = d.objid
                                 AND k.polrelid = c.oid))
       AND NOT EXISTS (SELECT FROM pg_publication AS p WHERE p.puballtables)
       AND NOT EXISTS (SELECT FROM pg_publication_rel AS p WHERE p.prrelid IN (c.oid, h.oid))
       AND NOT EXISTS (SELECT FROM pg_publication_namespace AS p
                        WHERE p.pnnspid IN (c.relnamespace, h.relnamespace))
  FROM pg_class AS c, pg_class AS h
 WHERE c.oid = $1 AND h.oid = 'trips.hist_trip_data'::regclass";

/// Whether a row with this alias meets the conditions, by the arguments of [`arguments`].
pub(super) fn meets(row: &str) -> String {
    format!(
        "(($1::text IS NULL OR {row}.region = $1)
          AND ($2::text IS NULL OR {row}.datasource = $2)
          AND ($3::text IS NULL OR {row}.trip_id = $3)
          AND ($4::timestamp IS NULL OR {row}.date_time >= $4)
          AND ($5::timestamp IS NULL OR {row}.date_time < $5))"
    )
}

/// The arguments of statements with conditions.
pub(super) fn arguments(conditions: &Conditions) -> [DatumWithOid<'_>; 5] {
    let time = |time: Option<Timestamp>| time.and_then(|time| PgTimestamp::try_from(time.0).ok());
    let [region, datasource, trip_id] = conditions.texts();
    [
        region.into(),
        datasource.into(),
        trip_id.into(),
        time(conditions.since).into(),
        time(conditions.before).into(),
    ]
}

/// Trips that were deleted.
#[derive(Debug, Default)]
pub struct DeletedTrips {
    /// Their number, by the load that the history names.
    pub of_loads: BTreeMap<i64, u64>,
    /// Their days.
    pub days: Vec<Days>,
    /// Names of the partitions that were dropped.
    pub dropped: Vec<String>,
}

impl DeletedTrips {
    pub(super) fn add(&mut self, load: Option<i64>, trips: i64) {
        if let Some(load) = load {
            *self.of_loads.entry(load).or_default() += u64::try_from(trips).unwrap_or(0);
        }
    }
}

impl History {
    /// Deletes the trips that meet the conditions, but for those of partitions that have no others: these are returned.
    pub fn delete_trips(
        &self,
        conditions: &Conditions,
    ) -> Result<(DeletedTrips, Vec<pg_sys::Oid>), LoadError> {
        require_none_detaching()?;
        let (mut deleted, mut whole) = (DeletedTrips::default(), Vec::new());
        for (partition, is_default) in partitions() {
            interrupts::check();
            table_locks::lock_with_indexes(partition, Mode::RowExclusive)?;
            if !is_default && is_whole(partition, conditions)? {
                whole.push(partition);
            } else {
                delete_from(partition, conditions, &mut deleted)?;
            }
        }
        Ok((deleted, whole))
    }

    /// Removes the trips of partitions that have no others. Partitions that no other transaction uses are dropped.
    pub fn drop_partitions(
        &self,
        whole: &[pg_sys::Oid],
        conditions: &Conditions,
    ) -> Result<DeletedTrips, LoadError> {
        let mut deleted = DeletedTrips::default();
        let history = Table::find(HISTORY).unwrap_or(pg_sys::InvalidOid);
        for &partition in whole {
            interrupts::check();
            let name = name_of(partition);
            // DROP also locks the partitioned table: readers of other partitions must not wait behind it.
            let is_unused = |table| table_locks::try_lock(table, Mode::AccessExclusive);
            if !is_unused(partition) {
                delete_from(partition, conditions, &mut deleted)?;
                continue;
            }
            count_loads(&name, &mut deleted);
            deleted.days.extend(days_of(partition));
            if is_unused(history) {
                pending_counts::run_own_command(|| Spi::run(&format!("DROP TABLE {name}")))?;
                deleted.dropped.push(name);
            } else {
                let empty = || Spi::run(&format!("TRUNCATE TABLE {name}"));
                pending_counts::while_filling(partition, empty)?;
            }
        }
        Ok(deleted)
    }
}

/// All partitions of any kind, and whether it is the default partition.
fn partitions() -> Vec<(pg_sys::Oid, bool)> {
    let mut seen = BTreeSet::new();
    let all = partition_bounds().into_iter();
    all.filter(|(oid, ..)| seen.insert(oid.to_u32())).map(|(oid, _, is)| (oid, is)).collect()
}

/// Queries do not see the trips of a partition that is being detached.
fn require_none_detaching() -> Result<(), LoadError> {
    let history = Table::open_for_insert(HISTORY);
    let visible = history.partitions(Detaching::Omitted);
    let all = history.partitions(Detaching::Included);
    match all.iter().find(|partition| !visible.contains(partition)) {
        Some(&(oid, _)) => Err(HistoryError::Detaching { table: name_of(oid) }.into()),
        None => Ok(()),
    }
}

/// Whether all trips of a partition meet the conditions, and it may be dropped.
fn is_whole(partition: pg_sys::Oid, conditions: &Conditions) -> Result<bool, LoadError> {
    let bounds = partition_bounds().into_iter().find(|(oid, ..)| *oid == partition);
    let Some((_, bounds, _)) = bounds.filter(|_| conditions.are_of_time()) else {
        return Ok(false);
    };
    let is_since = conditions.since.is_none_or(|since| bounds.lower >= Bound::At(since));
    let is_before = conditions.before.is_none_or(|before| bounds.upper <= Bound::At(before));
    if !is_since || !is_before {
        return Ok(false);
    }
    let table = Table::open_oid_for_insert(partition);
    let parent = Table::open_for_insert(HISTORY);
    if !table.has_primary_key(&KEY) || table.has_user_triggers() || parent.has_user_triggers() {
        return Ok(false);
    }
    let name = table.name();
    drop((table, parent));
    if Spi::get_one_with_args::<bool>(STANDS_ALONE, &[partition.into()])? != Some(true) {
        return Ok(false);
    }
    let others = format!("SELECT EXISTS (SELECT FROM {name} AS t WHERE NOT {})", meets("t"));
    Ok(Spi::get_one_with_args::<bool>(&others, &arguments(conditions))? == Some(false))
}

/// Deletes the trips of a partition that meet the conditions.
fn delete_from(
    partition: pg_sys::Oid,
    conditions: &Conditions,
    deleted: &mut DeletedTrips,
) -> Result<(), LoadError> {
    let (name, meets) = (name_of(partition), meets("t"));
    let sql = format!(
        "WITH gone AS (DELETE FROM {name} AS t WHERE {meets} RETURNING t.load_id, t.date_time)
         SELECT g.load_id, g.day, count(*), GROUPING(g.load_id)
           FROM (SELECT gone.load_id,
                        least(greatest(gone.date_time, '0001-01-01'), '9999-12-31')::date
                        - date '2000-01-01' AS day FROM gone) AS g
          GROUP BY GROUPING SETS ((g.load_id), (g.day))"
    );
    let mut days = Vec::new();
    let run = || {
        query(&sql, &arguments(conditions), |row| match row.get::<i32>(4) {
            Some(0) => deleted.add(row.get::<i64>(1), row.get::<i64>(3).unwrap_or(0)),
            _ => days.extend(row.get::<i32>(2)),
        });
    };
    pending_counts::while_filling(partition, run);
    days.sort_unstable();
    let ranges = days.chunk_by(|a, b| a + 1 == *b);
    deleted.days.extend(
        ranges.map(|days| Days { first: days.first().copied(), last: days.last().copied() }),
    );
    let has_triggers = Table::open_oid_for_insert(partition).has_user_triggers();
    if has_triggers {
        let left = format!("SELECT count(*) FROM {name} AS t WHERE {meets}");
        let left = Spi::get_one_with_args::<i64>(&left, &arguments(conditions))?.unwrap_or(0);
        if left > 0 {
            return Err(HistoryError::NotDeleted { table: name, trips: left.unsigned_abs() }.into());
        }
    }
    Ok(())
}

/// Counts the trips of a partition, by their loads.
fn count_loads(name: &str, deleted: &mut DeletedTrips) {
    let sql = format!("SELECT t.load_id, count(*) FROM {name} AS t GROUP BY 1");
    query(&sql, &[], |row| deleted.add(row.get::<i64>(1), row.get::<i64>(2).unwrap_or(0)));
}

fn query(sql: &str, arguments: &[DatumWithOid<'_>], each: impl FnMut(&spi::Row<'_>)) {
    let sql = CString::new(sql).unwrap_or_default();
    spi::query(&sql, arguments, Snapshot::Statement, each);
}
