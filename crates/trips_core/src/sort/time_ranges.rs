//! The time of the trips of a run, divided into ranges: a batch for each.

use crate::model::timestamp::Timestamp;
use crate::sort::batch::Slice;
use crate::sort::block::Block;

/// One of this many trips of a block is sampled to divide the time.
const SAMPLE_STEP: usize = 64;
/// A batch with this many bytes of trips is divided, even if its trips are few.
const MAX_BATCH_BYTES: usize = 2 * 1024 * 1024;

/// A time range: inclusive begin and exclusive end; None is unbounded.
pub type TimeRange = (Option<Timestamp>, Option<Timestamp>);

/// Divides the time of sorted blocks into ranges of about this many trips each, fewer if they are large.
#[must_use]
pub fn time_ranges(blocks: &[Block], trips: usize) -> Vec<TimeRange> {
    let mut times = Vec::new();
    // One trip per step, independent of blocks, and the first from the middle of its step. With the first trips of the
    // blocks, the first time range would be too short.
    let mut skip = SAMPLE_STEP / 2;
    for block in blocks {
        let ranges = block.ranges();
        let samples = (skip..ranges.len()).step_by(SAMPLE_STEP);
        let bytes = |i: usize| Block::encoded_bytes(&ranges[i..ranges.len().min(i + SAMPLE_STEP)]);
        times.extend(samples.map(|i| (ranges[i].date_time, bytes(i))));
        let seen = ranges.len().saturating_sub(skip).next_multiple_of(SAMPLE_STEP);
        skip = (skip + seen) - ranges.len();
    }
    times.sort_unstable();
    let (mut cuts, mut samples, mut bytes) = (Vec::new(), 0, 0);
    for (time, size) in times {
        if samples >= (trips / SAMPLE_STEP).max(1) || bytes >= MAX_BATCH_BYTES {
            cuts.push(time);
            (samples, bytes) = (0, 0);
        }
        samples += 1;
        bytes += size;
    }
    cuts.dedup();
    let from = std::iter::once(None).chain(cuts.iter().copied().map(Some));
    let to = cuts.iter().copied().map(Some).chain(std::iter::once(None));
    from.zip(to).collect()
}

/// The trips of each range in each block, found once.
#[derive(Debug, Default)]
pub(crate) struct Division {
    /// For each block where the trips of the ranges begin, and where the last ones end.
    cuts: Vec<Vec<u32>>,
    /// Approximate bytes of the batch of each range while it is made.
    costs: Vec<usize>,
}

impl Division {
    /// Divides sorted blocks of a run into about this many trips for each range.
    pub(crate) fn of(blocks: &[Block], trips: usize) -> Self {
        let ranges = time_ranges(blocks, trips);
        let mut costs = vec![0; ranges.len()];
        let cuts = blocks.iter().map(|block| {
            let (all, mut begin) = (block.ranges(), 0);
            let mut cuts = vec![0];
            for (cost, &(_, to)) in costs.iter_mut().zip(&ranges) {
                let count = to.map_or(all.len() - begin, |to| {
                    count_before(&all[begin..], |range| range.date_time < to)
                });
                *cost += Block::cost_of_batch(&all[begin..begin + count]);
                begin += count;
                cuts.push(u32::try_from(begin).unwrap_or(u32::MAX));
            }
            cuts
        });
        Self { cuts: cuts.collect(), costs }
    }

    /// Number of ranges.
    pub(crate) fn len(&self) -> usize {
        self.costs.len()
    }

    /// Approximate bytes of the batch of a range while it is made.
    pub(crate) fn cost(&self, range: usize) -> usize {
        self.costs[range]
    }

    /// The trips of a range in these blocks, which were divided.
    pub(crate) fn slices<'b>(&self, blocks: &'b [Block], range: usize) -> Vec<Slice<'b>> {
        let slice = |(block, cuts): (&'b Block, &Vec<u32>)| {
            let [begin, end] = [cuts[range], cuts[range + 1]].map(|cut| cut as usize);
            (block, &block.ranges()[begin..end])
        };
        blocks.iter().zip(&self.cuts).map(slice).collect()
    }
}

/// Number of the first elements for which this holds; then it holds for none. It takes a few steps if they are few.
fn count_before<T>(all: &[T], mut is_before: impl FnMut(&T) -> bool) -> usize {
    let mut end = 1;
    while end < all.len() && is_before(&all[end]) {
        end *= 2;
    }
    let begin = end / 2;
    begin + all[begin..all.len().min(end + 1)].partition_point(is_before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_a_search() {
        for length in 0..70_usize {
            let all: Vec<usize> = (0..length).collect();
            for wanted in 0..=length {
                assert_eq!(count_before(&all, |&n| n < wanted), wanted, "{length}");
            }
        }
    }
}
