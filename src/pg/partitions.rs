//! The partitions of a table that is partitioned by ranges of one timestamp, and their bounds, as PostgreSQL's
//! partition descriptor has them: whatever somebody's settings print them as.

use pgrx::pg_sys;
use trips_core::model::partition_bounds::{Bound, PartitionBounds};
use trips_core::model::timestamp::Timestamp;

use super::relation::Table;

/// Whether partitions count that somebody detaches concurrently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detaching {
    /// They do not: queries do not see them any more.
    Omitted,
    /// They do: no other partition may overlap with them yet.
    Included,
}

/// Where the rows of a time go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Into the partition of these bounds.
    Partition(pg_sys::Oid, PartitionBounds),
    /// Into the default partition, like those of all times between these bounds.
    Default(pg_sys::Oid, PartitionBounds),
    /// Nowhere: no partition holds a time between these bounds.
    Gap(PartitionBounds),
}

impl Place {
    /// The partition, if there is one.
    pub fn partition(self) -> Option<pg_sys::Oid> {
        match self {
            Self::Partition(oid, _) | Self::Default(oid, _) => Some(oid),
            Self::Gap(_) => None,
        }
    }

    /// Between these bounds, all times have the same place.
    pub fn bounds(self) -> PartitionBounds {
        match self {
            Self::Partition(_, bounds) | Self::Default(_, bounds) | Self::Gap(bounds) => bounds,
        }
    }
}

/// A partition's own bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A partition for a range.
    Range(PartitionBounds),
    /// The partition for the rest.
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

    /// How many bounds there are: they cut the time into one piece more.
    fn count(&self) -> usize {
        self.bounds.map_or(0, |bounds| usize::try_from(bounds.ndatums).unwrap_or(0))
    }

    /// A bound, by its number; they ascend.
    fn bound(&self, number: usize) -> Bound {
        assert!(number < self.count(), "there are not so many bounds");
        let Some(bounds) = self.bounds else { return Bound::MaxValue };
        // SAFETY: `datums` and `kind` have as many members as there are bounds (partbounds.h), each with one for the
        // only column of the key, a timestamp, which is passed by value.
        unsafe {
            match **bounds.kind.add(number) {
                pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_MINVALUE => Bound::MinValue,
                pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_VALUE => {
                    let datum = (**bounds.datums.add(number)).value();
                    Bound::At(Timestamp(datum.cast_signed() as i64))
                }
                _ => Bound::MaxValue,
            }
        }
    }

    /// The bounds of a piece of the time: piece n ends at bound n.
    fn piece(&self, number: usize) -> PartitionBounds {
        PartitionBounds {
            lower: number.checked_sub(1).map_or(Bound::MinValue, |before| self.bound(before)),
            upper: if number < self.count() { self.bound(number) } else { Bound::MaxValue },
        }
    }

    /// Which of the partitions has a piece; none when it is a gap.
    fn holder(&self, number: usize) -> Option<usize> {
        assert!(number <= self.count(), "there are not so many pieces");
        // SAFETY: `indexes` has one member more than there are bounds (partbounds.h).
        let index = self.bounds.map_or(-1, |bounds| unsafe { *bounds.indexes.add(number) });
        usize::try_from(index).ok()
    }

    /// A partition, by its number.
    fn oid(&self, number: usize) -> pg_sys::Oid {
        let count = usize::try_from(self.descriptor.nparts).unwrap_or(0);
        assert!(number < count, "there are not so many partitions");
        // SAFETY: `oids` has as many members as there are partitions (partdesc.h).
        unsafe { *self.descriptor.oids.add(number) }
    }

    /// The partition for the rest.
    fn default(&self) -> Option<pg_sys::Oid> {
        let index = self.bounds.map_or(-1, |bounds| bounds.default_index);
        usize::try_from(index).ok().map(|index| self.oid(index))
    }

    /// The piece that has a time.
    fn piece_of(&self, time: Timestamp) -> usize {
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

    /// Where the rows of a piece go.
    fn place(&self, number: usize) -> Place {
        match (self.holder(number), self.default()) {
            (Some(holder), _) => Place::Partition(self.oid(holder), self.piece(number)),
            (None, Some(default)) => Place::Default(default, self.gap(number)),
            (None, None) => Place::Gap(self.gap(number)),
        }
    }

    /// The bounds of a gap: all pieces beside this one that no partition has, together.
    fn gap(&self, number: usize) -> PartitionBounds {
        let is_gap = |&piece: &usize| self.holder(piece).is_none();
        let first = (0..=number).rev().take_while(is_gap).last().unwrap_or(number);
        let last = (number..=self.count()).take_while(is_gap).last().unwrap_or(number);
        PartitionBounds { lower: self.piece(first).lower, upper: self.piece(last).upper }
    }
}

impl Table {
    /// Where the rows of a time go.
    pub fn place_of(&self, time: Timestamp, detaching: Detaching) -> Place {
        let descriptor = Descriptor::of(self, detaching);
        descriptor.place(descriptor.piece_of(time))
    }

    /// All places of the time, in ascending order.
    pub fn places(&self, detaching: Detaching) -> Vec<Place> {
        let descriptor = Descriptor::of(self, detaching);
        let mut places = Vec::new();
        let mut piece = 0;
        while piece <= descriptor.count() {
            let place = descriptor.place(piece);
            let is_of_the_place =
                |&piece: &usize| descriptor.piece(piece).upper <= place.bounds().upper;
            piece += (piece..=descriptor.count()).take_while(is_of_the_place).count();
            places.push(place);
        }
        places
    }

    /// Whether one partition, and not that for the rest, has all times from the first to the last.
    pub fn has_one_partition_for(&self, first: Timestamp, last: Timestamp) -> bool {
        match self.place_of(first, Detaching::Omitted) {
            Place::Partition(_, bounds) => bounds.contains(last),
            Place::Default(..) | Place::Gap(_) => false,
        }
    }

    /// All partitions: their bounds in ascending order, then that for the rest.
    pub fn partitions(&self, detaching: Detaching) -> Vec<(pg_sys::Oid, Kind)> {
        let descriptor = Descriptor::of(self, detaching);
        let ranges = (0..=descriptor.count()).filter_map(|piece| {
            let holder = descriptor.holder(piece)?;
            Some((descriptor.oid(holder), Kind::Range(descriptor.piece(piece))))
        });
        ranges.chain(descriptor.default().map(|oid| (oid, Kind::Default))).collect()
    }

    /// A partition's bounds; none when it is not a partition of this table.
    pub fn kind_of_partition(&self, partition: pg_sys::Oid) -> Option<Kind> {
        let mut partitions = self.partitions(Detaching::Included).into_iter();
        partitions.find(|&(oid, _)| oid == partition).map(|(_, kind)| kind)
    }
}
