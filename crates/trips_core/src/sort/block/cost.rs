//! The memory that a block takes until its trips are written.

use super::Block;
use crate::key::Scheme;
use crate::sort::ids::RunIds;
use crate::sort::row::RowRange;

/// Memory of the grid point of a trip until its week is written.
const GRID_POINT_COST: usize = 24;

/// Bytes of a trip in the batch of its moment: its row, its group, and its count.
fn cost_of_moment(ranges: &[RowRange]) -> usize {
    Block::encoded_bytes(ranges) * 4 + ranges.len() * 300
}

impl Block {
    /// Memory of a sorted block until its trips are written: itself, and the batch of the trips of one moment, which
    /// are always in one batch.
    #[must_use]
    pub fn cost(&self, keeps_grid_points: bool) -> usize {
        let moments = self.ranges.chunk_by(|a, b| a.date_time == b.date_time);
        let moment = moments.filter(|moment| moment.len() > 1).map(cost_of_moment).max();
        let ranges = if keeps_grid_points { self.len() * GRID_POINT_COST } else { 0 };
        let ids = if self.scheme == Scheme::SourceId { self.len() * RunIds::COST } else { 0 };
        let staged = self.texts.len() * RunIds::MORE_IF_STAGED;
        self.bytes() + ranges + ids + staged + moment.unwrap_or(0)
    }

    /// Bytes of adjacent ranges of a sorted block.
    pub(crate) fn encoded_bytes(ranges: &[RowRange]) -> usize {
        let ends = ranges.first().zip(ranges.last());
        ends.map_or(0, |(first, last)| (last.offset + last.length() - first.offset) as usize)
    }

    /// Approximate bytes of a batch of some of its trips while it is made.
    pub(crate) fn cost_of_batch(ranges: &[RowRange]) -> usize {
        Self::encoded_bytes(ranges) * 2 + ranges.len() * 200
    }
}
