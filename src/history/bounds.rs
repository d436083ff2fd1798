//! The bounds of the history's partitions.

use pgrx::pg_sys;
use trips_core::model::partition_bounds::{Bound, PartitionBounds};
use trips_core::model::timestamp::Timestamp;

use super::HISTORY;
use crate::pg::partitions::{self, Bounds, Detaching, IntervalKind};
use crate::pg::relation::Table;

/// Where PostgreSQL routes the trips of a time.
pub type Route = partitions::Route<PartitionBounds>;

impl From<Bounds> for PartitionBounds {
    fn from(bounds: Bounds) -> Self {
        let bound = |bound| match bound {
            partitions::Bound::MinValue => Bound::MinValue,
            partitions::Bound::At(micros) => Bound::At(Timestamp(micros)),
            partitions::Bound::MaxValue => Bound::MaxValue,
        };
        Self { lower: bound(bounds.lower), upper: bound(bounds.upper) }
    }
}

/// The route of a time. The history is closed again: an open table cannot get partitions.
pub fn route_of(time: Timestamp, detaching: Detaching) -> Route {
    Table::open_for_insert(HISTORY).route_of(time.0, detaching).map(Into::into)
}

/// The partitions, each with the bounds of its times and whether it is the default partition, which has all gaps.
pub fn partition_bounds() -> Vec<(pg_sys::Oid, PartitionBounds, bool)> {
    let routes = Table::open_for_insert(HISTORY).routes(Detaching::Omitted);
    let partition = |route: partitions::Route<Bounds>| match route.map(Into::into) {
        Route::Partition(oid, bounds) => Some((oid, bounds, false)),
        Route::Default(oid, bounds) => Some((oid, bounds, true)),
        Route::Gap(_) => None,
    };
    routes.into_iter().filter_map(partition).collect()
}

/// The bounds of a partition, which are all times for the default partition; `None` when the table is not a partition of
/// the history.
pub fn bounds_of(partition: pg_sys::Oid) -> Option<PartitionBounds> {
    match Table::open_for_insert(HISTORY).kind_of_partition(partition)? {
        IntervalKind::Range(bounds) => Some(bounds.into()),
        IntervalKind::Default => Some(PartitionBounds::ALL),
    }
}
