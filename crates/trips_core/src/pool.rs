//! Threads that read, parse, key and sort, while their owner processes the results.
//!
//! The threads use only their own memory and the file. They end with the [`Pool`]: no thread outlives it, whether it is
//! dropped at the end or because of an error.

use std::any::Any;
use std::collections::{BTreeMap, TryReserveError};
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use trips_memory::thread;

use crate::format::delimited::header_state::HeaderState;
use crate::format::parser::{Parsed, Parser};
use crate::format::{Chunk, ChunkReader};
use crate::sort::batch::{Batch, Origin, Parts};
use crate::sort::block::{Block, RowBuffer};
use crate::sort::groups::GroupCache;

mod arrived;
mod batches;

use self::arrived::Arrived;
pub use self::batches::Batches;

/// Bytes of the file that a thread takes at a time: with its results, they fit the processor's cache.
pub const CHUNK: usize = 1024 * 1024;
/// Limit of bytes that threads have produced and the owner has not taken, independent of the memory of a run.
const IN_FLIGHT: usize = 16 * 1024 * 1024;
/// A thread sends its rows for staging when they reach this many bytes.
const PARTIAL_BYTES: usize = 2 * 1024 * 1024;
/// Buffers of chunks that are kept for the next ones.
const SPARE_BUFFERS: usize = 4;
/// Interval in which the waiting owner polls.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The error that stopped a thread.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The file could not be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// Not enough memory.
    #[error("out of memory")]
    Memory(#[from] TryReserveError),
    /// A thread could not be started.
    #[error("could not start a thread: {0}")]
    Start(io::Error),
    /// A thread has panicked, or ended.
    #[error("a thread failed: {0}")]
    Thread(String),
}

impl PoolError {
    /// The message of a panicked thread.
    pub(crate) fn of_panic(payload: Box<dyn Any + Send>) -> Self {
        Self::Thread(trips_areas::panic_text(payload))
    }
}

enum Job {
    Parse,
    Build { number: usize, origin: Arc<Origin>, parts: Parts },
}

enum Done {
    Parsed(Arrived),
    EndOfFile,
    Built(usize, Batch),
    Failed(PoolError),
}

struct Shared<R> {
    reader: Mutex<Reading<R>>,
    parser: Parser,
    /// The header after the last chunk that has left: most likely those of the next ones.
    header: Mutex<HeaderState>,
    /// Buffers of chunks that are done.
    spare: Mutex<Vec<Vec<u8>>>,
    stop: AtomicBool,
}

/// The reader of the file, which one thread at a time uses.
struct Reading<R> {
    reader: ChunkReader<R>,
    /// The number of the next chunk.
    number: u64,
    /// A read failed, or panicked: what a second one returns would be another error, or bytes behind a gap.
    has_failed: bool,
}

impl<R: Read> Reading<R> {
    /// The next chunk. After an error, the file has ended for the other threads: the error is on its way.
    fn next_chunk(&mut self) -> Result<Option<Chunk>, PoolError> {
        if self.has_failed {
            return Ok(None);
        }
        self.has_failed = true;
        let chunk = self.reader.next_chunk(CHUNK, self.number)?;
        self.has_failed = false;
        self.number += 1;
        Ok(chunk)
    }
}

/// The threads of one file.
pub struct Pool<R> {
    shared: Arc<Shared<R>>,
    jobs: Option<Sender<Job>>,
    /// None when the threads are to end. Then pending results are dropped, and requests get no answer.
    done: Option<Receiver<Done>>,
    threads: Vec<JoinHandle<()>>,
    end_of_file: bool,
    /// The number of the next chunk in the order of the file.
    next_chunk: u64,
    /// Chunks that were parsed before their turn.
    early: BTreeMap<u64, Arrived>,
    /// The header with which the next chunk begins.
    header: HeaderState,
    /// Memory that a thread needs for a chunk, as its reader says.
    job_bytes: usize,
}

/// Sorted blocks of a part of a file, as much as memory allowed.
#[derive(Debug, Default)]
pub struct Run {
    /// The blocks.
    pub blocks: Vec<Block>,
    /// Whether the file is at its end.
    pub is_last: bool,
}

impl Run {
    /// Number of its trips.
    #[must_use]
    pub fn trips(&self) -> usize {
        self.blocks.iter().map(Block::len).sum()
    }
}

impl<R: Read + Send + 'static> Pool<R> {
    /// Starts this many threads (at least one) on the rest of a file after its header.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(
        reader: impl Into<ChunkReader<R>>,
        parser: Parser,
        threads: usize,
    ) -> Result<Self, PoolError> {
        let header = parser.first_header();
        let reader = reader.into();
        let job_bytes = reader.job_bytes();
        let shared = Arc::new(Shared {
            reader: Mutex::new(Reading { reader, number: 0, has_failed: false }),
            parser,
            header: Mutex::new(header.clone()),
            spare: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let (jobs, queue) = channel();
        let (results, done) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let mut pool = Self {
            shared,
            jobs: Some(jobs),
            done: Some(done),
            threads: Vec::new(),
            end_of_file: false,
            next_chunk: 0,
            early: BTreeMap::new(),
            header,
            job_bytes,
        };
        for number in 0..threads.max(1) {
            let (shared, queue, results) = (pool.shared.clone(), queue.clone(), results.clone());
            let work = move || shared.work(&queue, &results);
            let thread = thread::start(&format!("trips parse {number}"), work);
            pool.threads.push(thread.map_err(PoolError::Start)?);
        }
        Ok(pool)
    }

    /// Reads until the trips take `memory` bytes or the file ends. `each` gets every chunk in the order of the file,
    /// some in steps, and takes its staged rows; `poll` is called at least every 20 ms.
    ///
    /// # Errors
    /// Errors of a thread, `each` or `poll`.
    pub fn read_run<E: From<PoolError>>(
        &mut self,
        memory: usize,
        mut poll: impl FnMut(),
        mut each: impl FnMut(&mut Parsed) -> Result<(), E>,
    ) -> Result<Run, E> {
        let mut run = Run::default();
        let (mut asked, mut bytes) = (0, 0);
        loop {
            while !self.end_of_file && bytes < memory && self.may_ask(asked, memory - bytes) {
                self.submit(Job::Parse);
                asked += 1;
            }
            if asked == 0 && self.early.is_empty() {
                run.is_last = self.end_of_file;
                return Ok(run);
            }
            match self.wait(&mut poll)? {
                Done::Parsed(arrived) => {
                    if let Arrived::Whole(whole) = &arrived {
                        asked -= 1;
                        bytes += whole.cost;
                    }
                    self.early.insert(arrived.number(), arrived);
                }
                Done::EndOfFile => {
                    asked -= 1;
                    self.end_of_file = true;
                }
                Done::Failed(error) => return Err(error.into()),
                Done::Built(..) => unreachable!("nothing is built while a run is read"),
            }
            while let Some(arrived) = self.early.remove(&self.next_chunk) {
                match arrived {
                    Arrived::Partial(partial) => self.take_partial(*partial, &mut each)?,
                    Arrived::Whole(whole) => {
                        bytes -= whole.cost;
                        let (mut parsed, cost) = self.settle(*whole, &mut each)?;
                        bytes += cost;
                        self.next_chunk += 1;
                        each(&mut parsed)?;
                        run.blocks.push(parsed.block);
                    }
                }
            }
        }
    }

    /// Whether one more chunk may be parsed, in addition to these; `free` bytes of the run's memory are free.
    fn may_ask(&self, asked: usize, free: usize) -> bool {
        let at_most = (IN_FLIGHT.saturating_add(free) / self.job_bytes.max(1)).max(1);
        asked < self.threads.len() && asked + self.early.len() < at_most
    }

    /// Begins to make the batches of a run.
    pub fn batches(&mut self, blocks: Vec<Block>) -> Batches<'_, R> {
        Batches::of(self, blocks)
    }
}

impl<R> Pool<R> {
    fn submit(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // It fails if all threads have panicked; the wait then reports it.
            let _ = jobs.send(job);
        }
    }

    fn wait(&self, poll: &mut impl FnMut()) -> Result<Done, PoolError> {
        loop {
            let Some(done) = &self.done else {
                return Err(PoolError::Thread("all threads were ended".into()));
            };
            match done.recv_timeout(POLL_INTERVAL) {
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
        // Wakes the threads that wait for their turn: it does not come.
        self.early.clear();
        self.done = None;
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
        let (mut groups, mut buffer) = (GroupCache::default(), RowBuffer::default());
        loop {
            let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = job else { return };
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let run = || self.run(job, results, (&mut groups, &mut buffer));
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
            let failed = |payload| Done::Failed(PoolError::of_panic(payload));
            if results.send(done.unwrap_or_else(failed)).is_err() {
                return;
            }
        }
    }

    fn run(
        &self,
        job: Job,
        results: &Sender<Done>,
        (groups, buffer): (&mut GroupCache, &mut RowBuffer),
    ) -> Done {
        let result = match job {
            Job::Parse => self.parse(buffer, results),
            Job::Build { number, origin, parts } => origin
                .build(number, parts, groups)
                .map(|batch| Done::Built(number, batch))
                .map_err(PoolError::from),
        };
        result.unwrap_or_else(Done::Failed)
    }

    fn parse(&self, buffer: &mut RowBuffer, results: &Sender<Done>) -> Result<Done, PoolError> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reading = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        reading.reader.reuse(spare.unwrap_or_default());
        let chunk = reading.next_chunk()?;
        drop(reading);
        let Some(chunk) = chunk else { return Ok(Done::EndOfFile) };
        let header = self.header.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let whole = self.parse_chunk(chunk, header, buffer, results)?;
        Ok(Done::Parsed(Arrived::Whole(Box::new(whole))))
    }
}

#[cfg(test)]
mod tests;
