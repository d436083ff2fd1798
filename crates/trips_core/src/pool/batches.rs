//! The batches of a run, made by the threads of a pool.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use super::{Done, IN_FLIGHT, Job, Pool, PoolError};
use crate::format::parser::Parser;
use crate::sort::batch::{Batch, Origin};
use crate::sort::block::Block;

/// Approximate number of trips of a batch: their rows fit a core's cache.
const BATCH: usize = 8 * 1024;

/// The batches of a run, in the order of the index.
pub struct Batches<'a, R> {
    pool: &'a mut Pool<R>,
    /// None when all are given.
    origin: Option<Arc<Origin>>,
    /// Number of requested batches, and the cost of those that have not arrived.
    asked: usize,
    costs: BTreeMap<usize, usize>,
    given: usize,
    /// Batches that were built before their turn.
    ready: BTreeMap<usize, Batch>,
}

impl<'a, R: Read + Send + 'static> Batches<'a, R> {
    pub(super) fn of(pool: &'a mut Pool<R>, blocks: Vec<Block>) -> Self {
        let Parser { load_id, keeps_grid_points, .. } = pool.shared.parser;
        let origin = Some(Arc::new(Origin::of(blocks, BATCH, load_id, keeps_grid_points)));
        let (costs, ready) = (BTreeMap::new(), BTreeMap::new());
        Self { pool, origin, asked: 0, costs, given: 0, ready }
    }
}

impl<R> Batches<'_, R> {
    /// The trips of the run.
    #[must_use]
    pub fn blocks(&self) -> Arc<Vec<Block>> {
        self.origin.as_ref().map(|origin| origin.blocks.clone()).unwrap_or_default()
    }

    /// The batches have only keys, unless equal records are numbered.
    #[must_use]
    pub fn of_keys(self) -> Self {
        self.origin.iter().for_each(|origin| origin.expect_known());
        self
    }

    /// The next batch, or None after the last; `poll` is called at least every 20 ms of waiting. After the last one,
    /// the run is freed.
    ///
    /// # Errors
    /// Errors of a thread.
    pub fn next_batch(&mut self, mut poll: impl FnMut()) -> Result<Option<Batch>, PoolError> {
        let Some(origin) = self.origin.clone() else { return Ok(None) };
        self.ask(&origin);
        if self.given == origin.division.len() {
            self.origin = None;
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
    fn ask(&mut self, origin: &Arc<Origin>) {
        let ahead = self.given + 2 * self.pool.threads.len() + 1;
        let mut in_flight: usize = self.costs.values().sum();
        while self.asked < origin.division.len().min(ahead) {
            let number = self.asked;
            let cost = origin.division.cost(number);
            in_flight += cost;
            if in_flight > IN_FLIGHT && number > self.given {
                return;
            }
            let (origin, parts) = (origin.clone(), origin.parts());
            self.pool.submit(Job::Build { number, origin, parts });
            self.costs.insert(number, cost);
            self.asked += 1;
        }
    }
}
