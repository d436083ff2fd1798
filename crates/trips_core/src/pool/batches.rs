//! The batches of a run, made by the threads of a pool.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use super::{Done, IN_FLIGHT, Job, Pool, PoolError};
use crate::sort::batch::Batch;
use crate::sort::block::Block;
use crate::sort::time_ranges::Division;

/// Approximate number of trips of a batch: their rows fit a core's cache.
const BATCH: usize = 8 * 1024;

/// The batches of a run, in the order of the index.
pub struct Batches<'a, R> {
    pool: &'a mut Pool<R>,
    blocks: Arc<Vec<Block>>,
    division: Arc<Division>,
    /// Number of requested batches, and the cost of those that have not arrived.
    asked: usize,
    costs: BTreeMap<usize, usize>,
    given: usize,
    /// Batches that were built before their turn.
    ready: BTreeMap<usize, Batch>,
}

impl<'a, R: Read + Send + 'static> Batches<'a, R> {
    pub(super) fn of(pool: &'a mut Pool<R>, blocks: Vec<Block>) -> Self {
        let division = Arc::new(Division::of(&blocks, BATCH));
        let (blocks, costs, ready) = (Arc::new(blocks), BTreeMap::new(), BTreeMap::new());
        Self { pool, blocks, division, asked: 0, costs, given: 0, ready }
    }
}

impl<R> Batches<'_, R> {
    /// The trips of the run.
    #[must_use]
    pub fn blocks(&self) -> Arc<Vec<Block>> {
        self.blocks.clone()
    }

    /// The next batch, or None after the last; `poll` is called at least every 20 ms of waiting. After the last one,
    /// the run is freed.
    ///
    /// # Errors
    /// Errors of a thread.
    pub fn next_batch(&mut self, mut poll: impl FnMut()) -> Result<Option<Batch>, PoolError> {
        self.ask();
        if self.given == self.division.len() {
            self.blocks = Arc::default();
            return Ok(None);
        }
        loop {
            if let Some(batch) = self.ready.remove(&self.given) {
                self.costs.remove(&self.given);
                self.given += 1;
                return Ok(Some(batch));
            }
            match self.pool.wait(&mut poll)? {
                Done::Built(number, batch) => self.ready.insert(number, batch),
                Done::Failed(error) => return Err(error),
                Done::Parsed(_) | Done::EndOfFile => {
                    unreachable!("nothing is parsed while batches are built")
                }
            };
        }
    }

    /// Requests batches ahead, as many as keep the threads busy and memory allows; always the next one.
    fn ask(&mut self) {
        let ahead = self.given + 2 * self.pool.threads.len() + 1;
        let mut in_flight: usize = self.costs.values().sum();
        while self.asked < self.division.len().min(ahead) {
            let number = self.asked;
            let cost = self.division.cost(number);
            in_flight += cost;
            if in_flight > IN_FLIGHT && number > self.given {
                return;
            }
            let (blocks, division) = (self.blocks.clone(), self.division.clone());
            self.pool.submit(Job::Build { number, blocks, division });
            self.costs.insert(number, cost);
            self.asked += 1;
        }
    }
}
