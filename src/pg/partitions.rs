//! The partitions of a table that is partitioned by ranges of one timestamp, and their bounds, from PostgreSQL's partition
//! descriptor. No setting changes how they read.

use pgrx::pg_sys;

use super::relation::Table;

/// Whether partitions count that another session detaches concurrently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detaching {
    /// They do not: queries do not see them any more.
    Omitted,
    /// They do: no other partition may overlap with them yet.
    Included,
}

/// One bound of a range partition, in PostgreSQL's order. Times are microseconds since 2000-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// `MINVALUE`
    MinValue,
    /// A time.
    At(i64),
    /// `MAXVALUE`
    MaxValue,
}

/// The bounds of a range partition: `FROM (lower) TO (upper)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Inside, if it is a time.
    pub lower: Bound,
    /// Outside.
    pub upper: Bound,
}

impl Bounds {
    /// Whether a partition with these bounds contains this time.
    pub fn contains(&self, time: i64) -> bool {
        self.lower <= Bound::At(time) && Bound::At(time) < self.upper
    }
}

/// Where PostgreSQL routes the rows of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<B> {
    /// Into the partition of these bounds.
    Partition(pg_sys::Oid, B),
    /// Into the default partition, as for all times between these bounds.
    Default(pg_sys::Oid, B),
    /// A gap: no partition holds a time between these bounds.
    Gap(B),
}

impl<B: Copy> Route<B> {
    /// The partition; `None` for a gap.
    pub fn partition(self) -> Option<pg_sys::Oid> {
        match self {
            Self::Partition(oid, _) | Self::Default(oid, _) => Some(oid),
            Self::Gap(_) => None,
        }
    }

    /// The bounds between which all times have this route.
    pub fn bounds(self) -> B {
        match self {
            Self::Partition(_, bounds) | Self::Default(_, bounds) | Self::Gap(bounds) => bounds,
        }
    }

    /// The same route with bounds of another type.
    pub fn map<C>(self, map: impl FnOnce(B) -> C) -> Route<C> {
        match self {
            Self::Partition(oid, bounds) => Route::Partition(oid, map(bounds)),
            Self::Default(oid, bounds) => Route::Default(oid, map(bounds)),
            Self::Gap(bounds) => Route::Gap(map(bounds)),
        }
    }
}

/// The bounds of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntervalKind {
    /// Those of a range.
    Range(Bounds),
    /// The default partition.
    Default,
}

/// The descriptor of an open, partitioned table.
struct Descriptor<'a> {
    descriptor: &'a pg_sys::PartitionDescData,
    bounds: Option<&'a pg_sys::PartitionBoundInfoData>,
}

impl<'a> Descriptor<'a> {
    /// # Panics
    /// When the table is not partitioned by ranges. The history is, by those of one timestamp.
    fn of(table: &'a Table, detaching: Detaching) -> Self {
        // SAFETY: the relation is open, and partitioned, which is checked: so it has a key, and a descriptor that
        // lives as long as it is open. How a table is partitioned cannot be changed.
        unsafe {
            let relation = table.as_ptr();
            let is_partitioned =
                (*(*relation).rd_rel).relkind.cast_unsigned() == pg_sys::RELKIND_PARTITIONED_TABLE;
            assert!(is_partitioned, "the table is not partitioned");
            let omits = detaching == Detaching::Omitted;
            let descriptor = &*pg_sys::RelationGetPartitionDesc(relation, omits);
            let bounds = descriptor.boundinfo.as_ref();
            let is_by_range = |strategy| i64::from(strategy) == i64::from(b'r');
            assert!(
                bounds.is_none_or(|bounds| is_by_range(bounds.strategy)),
                "the table is not partitioned by ranges"
            );
            Self { descriptor, bounds }
        }
    }

    /// How many bounds there are. They cut the time into one interval more.
    fn count(&self) -> usize {
        self.bounds.map_or(0, |bounds| usize::try_from(bounds.ndatums).unwrap_or(0))
    }

    /// A bound, by its number. Bounds ascend.
    fn bound(&self, number: usize) -> Bound {
        assert!(number < self.count(), "no bound has this number");
        let Some(bounds) = self.bounds else { return Bound::MaxValue };
        // SAFETY: `datums` and `kind` have as many members as there are bounds (partbounds.h), each with one for the
        // only column of the key, a timestamp, which is passed by value.
        unsafe {
            match **bounds.kind.add(number) {
                pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_MINVALUE => Bound::MinValue,
                pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_VALUE => {
                    let datum = (**bounds.datums.add(number)).value();
                    Bound::At(datum.cast_signed() as i64)
                }
                _ => Bound::MaxValue,
            }
        }
    }

    /// The bounds of an interval: interval n ends at bound n.
    fn interval(&self, number: usize) -> Bounds {
        Bounds {
            lower: number.checked_sub(1).map_or(Bound::MinValue, |before| self.bound(before)),
            upper: if number < self.count() { self.bound(number) } else { Bound::MaxValue },
        }
    }

    /// The number of the partition that holds an interval; `None` for a gap.
    fn holder(&self, number: usize) -> Option<usize> {
        assert!(number <= self.count(), "no interval has this number");
        // SAFETY: `indexes` has one member more than there are bounds (partbounds.h).
        let index = self.bounds.map_or(-1, |bounds| unsafe { *bounds.indexes.add(number) });
        usize::try_from(index).ok()
    }

    /// A partition, by its number.
    fn oid(&self, number: usize) -> pg_sys::Oid {
        let count = usize::try_from(self.descriptor.nparts).unwrap_or(0);
        assert!(number < count, "no partition has this number");
        // SAFETY: `oids` has as many members as there are partitions (partdesc.h).
        unsafe { *self.descriptor.oids.add(number) }
    }

    /// The default partition.
    fn default(&self) -> Option<pg_sys::Oid> {
        let index = self.bounds.map_or(-1, |bounds| bounds.default_index);
        usize::try_from(index).ok().map(|index| self.oid(index))
    }

    /// The interval of a time.
    fn interval_of(&self, time: i64) -> usize {
        let (mut passed, mut count) = (0, self.count());
        while count > 0 {
            let half = count / 2;
            if self.bound(passed + half) <= Bound::At(time) {
                passed += half + 1;
                count -= half + 1;
            } else {
                count = half;
            }
        }
        passed
    }

    /// The route of an interval.
    fn route(&self, number: usize) -> Route<Bounds> {
        match (self.holder(number), self.default()) {
            (Some(holder), _) => Route::Partition(self.oid(holder), self.interval(number)),
            (None, Some(default)) => Route::Default(default, self.gap(number)),
            (None, None) => Route::Gap(self.gap(number)),
        }
    }

    /// The bounds of a gap: this interval and all adjacent intervals without a partition.
    fn gap(&self, number: usize) -> Bounds {
        let is_gap = |&interval: &usize| self.holder(interval).is_none();
        let first = (0..=number).rev().take_while(is_gap).last().unwrap_or(number);
        let last = (number..=self.count()).take_while(is_gap).last().unwrap_or(number);
        Bounds { lower: self.interval(first).lower, upper: self.interval(last).upper }
    }
}

impl Table {
    /// The route of a time.
    pub fn route_of(&self, time: i64, detaching: Detaching) -> Route<Bounds> {
        let descriptor = Descriptor::of(self, detaching);
        descriptor.route(descriptor.interval_of(time))
    }

    /// The routes of all times, in ascending order.
    pub fn routes(&self, detaching: Detaching) -> Vec<Route<Bounds>> {
        let descriptor = Descriptor::of(self, detaching);
        let mut routes = Vec::new();
        let mut interval = 0;
        while interval <= descriptor.count() {
            let route = descriptor.route(interval);
            let has_route =
                |&interval: &usize| descriptor.interval(interval).upper <= route.bounds().upper;
            interval += (interval..=descriptor.count()).take_while(has_route).count();
            routes.push(route);
        }
        routes
    }

    /// Whether one partition other than the default holds all times from the first to the last.
    pub fn has_one_partition_for(&self, first: i64, last: i64) -> bool {
        match self.route_of(first, Detaching::Omitted) {
            Route::Partition(_, bounds) => bounds.contains(last),
            Route::Default(..) | Route::Gap(_) => false,
        }
    }

    /// All partitions: by their bounds in ascending order, then the default partition.
    pub fn partitions(&self, detaching: Detaching) -> Vec<(pg_sys::Oid, IntervalKind)> {
        let descriptor = Descriptor::of(self, detaching);
        let ranges = (0..=descriptor.count()).filter_map(|interval| {
            let holder = descriptor.holder(interval)?;
            Some((descriptor.oid(holder), IntervalKind::Range(descriptor.interval(interval))))
        });
        ranges.chain(descriptor.default().map(|oid| (oid, IntervalKind::Default))).collect()
    }

    /// The bounds of a partition; `None` when it is not a partition of this table.
    pub fn kind_of_partition(&self, partition: pg_sys::Oid) -> Option<IntervalKind> {
        let mut partitions = self.partitions(Detaching::Included).into_iter();
        partitions.find(|&(oid, _)| oid == partition).map(|(_, kind)| kind)
    }
}
