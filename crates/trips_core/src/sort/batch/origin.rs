//! What the batches of a run are built from, and whether they need rows.
//!
//! A file whose trips are all known is compared by its keys. Rows, groups and grid points are a third of the work of the
//! threads, so that batches after some known ones have only keys. If a trip of such a batch is new, the batch is built
//! again.

use std::collections::TryReserveError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Batch, Parts, build_of};
use crate::sort::block::Block;
use crate::sort::groups::GroupCache;
use crate::sort::time_ranges::Division;

/// After so many batches in turn without a new trip, the next ones have only keys.
const KNOWN_IN_TURN: u32 = 4;

/// The sorted blocks of a run, divided into the time ranges of its batches.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) blocks: Arc<Vec<Block>>,
    pub(crate) division: Division,
    load_id: i64,
    keeps_grid_points: bool,
    /// Equal records are numbered in the rows.
    needs_rows: bool,
    /// Number of batches since the last one with a new trip.
    known_in_turn: AtomicU32,
}

impl Origin {
    /// Divides the blocks into batches of about this many trips.
    pub(crate) fn of(
        blocks: Vec<Block>,
        trips: usize,
        load_id: i64,
        keeps_grid_points: bool,
    ) -> Self {
        Self {
            division: Division::of(&blocks, trips),
            needs_rows: blocks.iter().any(Block::counts_occurrences),
            blocks: Arc::new(blocks),
            load_id,
            keeps_grid_points,
            known_in_turn: AtomicU32::new(0),
        }
    }

    /// Batches have only keys from now on, until a trip is new.
    pub(crate) fn expect_known(&self) {
        self.known_in_turn.store(KNOWN_IN_TURN, Ordering::Relaxed);
    }

    /// What a batch that is built next should have.
    pub(crate) fn parts(&self) -> Parts {
        let is_known = self.known_in_turn.load(Ordering::Relaxed) >= KNOWN_IN_TURN;
        if is_known && !self.needs_rows { Parts::Keys } else { self.rows() }
    }

    fn rows(&self) -> Parts {
        Parts::Rows { load_id: self.load_id, keeps_grid_points: self.keeps_grid_points }
    }

    /// Builds the batch of a time range.
    pub(crate) fn build(
        self: &Arc<Self>,
        number: usize,
        parts: Parts,
        cache: &mut GroupCache,
    ) -> Result<Batch, TryReserveError> {
        let slices = self.division.slices(&self.blocks, number);
        let mut batch = build_of(&self.blocks, slices, parts, cache)?;
        batch.origin = Some((self.clone(), number));
        Ok(batch)
    }
}

impl Batch {
    /// Says whether some of its trips were new.
    pub fn report(&self, has_new: bool) {
        let Some((origin, _)) = &self.origin else { return };
        if has_new {
            origin.known_in_turn.store(0, Ordering::Relaxed);
        } else {
            origin.known_in_turn.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Makes the rows, the groups and the grid points, if it has only keys. Its trips stay as they are.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn complete(&mut self) -> Result<(), TryReserveError> {
        if self.has_only_keys
            && let Some((origin, number)) = self.origin.take()
        {
            *self = origin.build(number, origin.rows(), &mut GroupCache::default())?;
        }
        Ok(())
    }
}
