//! Threads that read, parse, key and sort, while their owner does something else with the results.
//!
//! The threads touch nothing but their own memory and the file. They end with the [`Pool`]: no
//! thread outlives it, whether it is dropped at the end or because of an error.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::batch::{self, Batch, GroupCache, Groups, Stretch};
use crate::block::Block;
use crate::parse::{Parsed, Parser};
use crate::record::RecordReader;

/// Bytes of the file that a thread takes at a time: with what becomes of them, they fit its cache.
pub const CHUNK: usize = 1024 * 1024;
/// Trips of a batch, about: their rows fit a core's cache.
const BATCH: usize = 8 * 1024;
/// How long the owner waits before it looks whether it is wanted elsewhere.
const PATIENCE: Duration = Duration::from_millis(20);

/// What stopped a thread.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The file could not be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// There is no memory.
    #[error("out of memory")]
    Memory(#[from] std::collections::TryReserveError),
    /// A thread could not be started, or has panicked.
    #[error("a thread failed: {0}")]
    Thread(String),
}

enum Job {
    Parse,
    Build { number: usize, blocks: Arc<Vec<Block>>, stretch: Stretch },
}

enum Done {
    Parsed(Box<Parsed>),
    EndOfFile,
    Built(usize, Batch),
    Failed(PoolError),
}

struct Shared<R> {
    reader: Mutex<(RecordReader<R>, u64)>,
    parser: Parser,
    groups: Groups,
    stop: AtomicBool,
}

/// Threads at work on one file.
pub struct Pool<R> {
    shared: Arc<Shared<R>>,
    jobs: Option<Sender<Job>>,
    done: Receiver<Done>,
    threads: Vec<JoinHandle<()>>,
    end_of_file: bool,
    /// The number of the chunk that comes next in the order of the file.
    next_chunk: u64,
    /// Chunks that were parsed before their turn.
    early: BTreeMap<u64, Box<Parsed>>,
}

/// Sorted blocks of a part of a file, as much as memory allowed.
#[derive(Debug, Default)]
pub struct Run {
    /// The blocks.
    pub blocks: Vec<Block>,
    /// Nothing of the file is left.
    pub is_last: bool,
}

impl Run {
    /// How many trips it has.
    #[must_use]
    pub fn trips(&self) -> usize {
        self.blocks.iter().map(Block::len).sum()
    }
}

impl<R: Read + Send + 'static> Pool<R> {
    /// Starts so many threads (at least one) on what is left of a file behind its header.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(
        reader: RecordReader<R>,
        parser: Parser,
        threads: usize,
    ) -> Result<Self, PoolError> {
        let shared = Arc::new(Shared {
            reader: Mutex::new((reader, 0)),
            parser,
            groups: Groups::default(),
            stop: AtomicBool::new(false),
        });
        let (jobs, queue) = channel();
        let (results, done) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let mut pool = Self {
            shared,
            jobs: Some(jobs),
            done,
            threads: Vec::new(),
            end_of_file: false,
            next_chunk: 0,
            early: BTreeMap::new(),
        };
        for number in 0..threads.max(1) {
            let (shared, queue, results) = (pool.shared.clone(), queue.clone(), results.clone());
            let thread = std::thread::Builder::new()
                .name(format!("trips parse {number}"))
                .spawn(move || shared.work(&queue, &results))
                .map_err(|error| PoolError::Thread(error.to_string()))?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// Reads on until the blocks take `memory` bytes or the file ends. `each` gets
    /// every chunk in the order of the file and takes its staged rows away; `poll` is called at least
    /// every 20 ms.
    ///
    /// # Errors
    /// What a thread, `each` or `poll` says.
    pub fn read_run<E: From<PoolError>>(
        &mut self,
        memory: usize,
        mut poll: impl FnMut(),
        mut each: impl FnMut(&mut Parsed) -> Result<(), E>,
    ) -> Result<Run, E> {
        let mut run = Run::default();
        let (mut asked, mut bytes) = (0, 0);
        loop {
            while !self.end_of_file && bytes < memory && asked < self.threads.len() {
                self.submit(Job::Parse);
                asked += 1;
            }
            if asked == 0 && self.early.is_empty() {
                run.is_last = self.end_of_file;
                return Ok(run);
            }
            match self.wait(&mut poll)? {
                Done::Parsed(parsed) => {
                    asked -= 1;
                    bytes += parsed.block.bytes();
                    self.early.insert(parsed.number, parsed);
                }
                Done::EndOfFile => {
                    asked -= 1;
                    self.end_of_file = true;
                }
                Done::Failed(error) => return Err(error.into()),
                Done::Built(..) => unreachable!("nothing is built while a run is read"),
            }
            while let Some(mut parsed) = self.early.remove(&self.next_chunk) {
                self.next_chunk += 1;
                each(&mut parsed)?;
                run.blocks.push(parsed.block);
            }
        }
    }

    /// Begins to make the batches of a run.
    pub fn batches(&mut self, blocks: Vec<Block>) -> Batches<'_, R> {
        let stretches = batch::stretches(&blocks, BATCH);
        let blocks = Arc::new(blocks);
        Batches { pool: self, blocks, stretches, asked: 0, given: 0, ready: BTreeMap::new() }
    }

    /// The names of the groups that entries of batches have numbers of.
    #[must_use]
    pub fn group_names(&self) -> Vec<(String, Option<String>)> {
        self.shared.groups.names()
    }

    /// Ends the threads and gives the reader back.
    #[must_use]
    pub fn finish(mut self) -> Option<RecordReader<R>> {
        self.end_threads();
        let shared = self.shared.clone();
        drop(self);
        let shared = Arc::into_inner(shared)?;
        Some(shared.reader.into_inner().unwrap_or_else(PoisonError::into_inner).0)
    }
}

impl<R> Pool<R> {
    fn submit(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // It fails when all threads have panicked; then waiting says so.
            let _ = jobs.send(job);
        }
    }

    fn wait(&self, poll: &mut impl FnMut()) -> Result<Done, PoolError> {
        loop {
            match self.done.recv_timeout(PATIENCE) {
                Ok(done) => return Ok(done),
                Err(RecvTimeoutError::Timeout) => poll(),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(PoolError::Thread("all threads have ended".into()));
                }
            }
        }
    }

    fn end_threads(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.jobs = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl<R> Drop for Pool<R> {
    fn drop(&mut self) {
        self.end_threads();
    }
}

impl<R: Read> Shared<R> {
    fn work(&self, queue: &Mutex<Receiver<Job>>, results: &Sender<Done>) {
        let mut groups = GroupCache::new(&self.groups);
        loop {
            let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = job else { return };
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let run = || self.run(job, &mut groups);
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
            let failed = |_| Done::Failed(PoolError::Thread("it panicked".into()));
            if results.send(done.unwrap_or_else(failed)).is_err() {
                return;
            }
        }
    }

    fn run(&self, job: Job, groups: &mut GroupCache<'_>) -> Done {
        let result = match job {
            Job::Parse => self.parse(),
            Job::Build { number, blocks, stretch } => {
                let Parser { load_id, keeps_places, .. } = self.parser;
                batch::build(&blocks, stretch, load_id, keeps_places, groups)
                    .map(|batch| Done::Built(number, batch))
                    .map_err(PoolError::from)
            }
        };
        result.unwrap_or_else(Done::Failed)
    }

    fn parse(&self) -> Result<Done, PoolError> {
        let chunk = {
            let mut reading = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
            let (reader, number) = &mut *reading;
            let chunk = reader.next_chunk(CHUNK, *number)?;
            *number += 1;
            chunk
        };
        let Some(chunk) = chunk else { return Ok(Done::EndOfFile) };
        Ok(Done::Parsed(Box::new(self.parser.parse(chunk)?)))
    }
}

/// The batches of a run, in the order of the index.
pub struct Batches<'a, R> {
    pool: &'a mut Pool<R>,
    blocks: Arc<Vec<Block>>,
    stretches: Vec<Stretch>,
    asked: usize,
    given: usize,
    /// Batches that were built before their turn.
    ready: BTreeMap<usize, Batch>,
}

impl<R> Batches<'_, R> {
    /// The trips of the run.
    #[must_use]
    pub fn blocks(&self) -> Arc<Vec<Block>> {
        self.blocks.clone()
    }

    /// The next batch, or none after the last; `poll` is called at least every 20 ms of waiting.
    ///
    /// # Errors
    /// What a thread says.
    pub fn next_batch(&mut self, mut poll: impl FnMut()) -> Result<Option<Batch>, PoolError> {
        let ahead = self.given + 2 * self.pool.threads.len() + 1;
        while self.asked < self.stretches.len().min(ahead) {
            let (number, blocks) = (self.asked, self.blocks.clone());
            self.pool.submit(Job::Build { number, blocks, stretch: self.stretches[number] });
            self.asked += 1;
        }
        if self.given == self.stretches.len() {
            return Ok(None);
        }
        loop {
            if let Some(batch) = self.ready.remove(&self.given) {
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
}
