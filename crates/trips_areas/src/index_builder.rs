//! Collects the grid points of new trips week by week while they are written. A thread makes segments of full weeks.

use std::any::Any;
use std::collections::{TryReserveError, VecDeque};
use std::ops::Range;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, mem};

use trips_memory::thread;

use super::grid::{GridPoint, week_of_time};
use super::segment::{Segment, SegmentBuilder};

/// A week with fewer trips is not worth a thread. Such segments are merged with others.
pub const SMALL_SEGMENT: usize = 32 * 1024;
/// The most trips that wait for an idle processor: 30 MB of points.
const MAX_HELD: usize = 1_500_000;
/// A week is sent to the thread when it has this many trips: 16 MB of points, which are copied there once.
const MAX_OF_WEEK: usize = 800_000;
/// The most characters of a panic that an error repeats.
const MAX_PANIC_TEXT: usize = 500;
/// Interval in which the waiting owner polls.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Why the index is not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Not enough memory.
    #[error("out of memory")]
    Memory(#[from] TryReserveError),
    /// The thread could not be started.
    #[error("could not start a thread: {0}")]
    Start(io::Error),
    /// The thread has panicked, or ended.
    #[error("a thread failed: {0}")]
    Thread(String),
}

impl BuildError {
    fn of_panic(payload: Box<dyn Any + Send>) -> Self {
        Self::Thread(panic_text(payload))
    }
}

/// The message of a panicked thread, from what [`JoinHandle::join`] returns; at most 500 characters.
///
/// ```
/// let ended = std::thread::spawn(|| panic!("no memory")).join();
/// assert_eq!(trips_areas::panic_text(ended.unwrap_err()), "no memory");
/// ```
#[must_use]
pub fn panic_text(payload: Box<dyn Any + Send>) -> String {
    let text = match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast_ref::<&str>().copied().unwrap_or("unknown panic").into(),
    };
    text.chars().take(MAX_PANIC_TEXT).collect()
}

/// The new trips of a week.
#[derive(Debug)]
pub struct Week {
    /// The week, see [`super::week_of_day`].
    pub week: i32,
    /// Its trips.
    pub trips: WeekTrips,
}

/// Trips of a week: a few as points, many as segments.
#[derive(Debug)]
pub enum WeekTrips {
    /// At most [`SMALL_SEGMENT`].
    Few(Vec<GridPoint>),
    /// More.
    Many(Vec<Segment>),
}

type Built = (i32, Result<Vec<Segment>, TryReserveError>);
/// Grid points of a week, as they arrived: whole batches, and single points.
type Parts = Vec<Vec<GridPoint>>;

/// Collects points in the order of their weeks.
#[derive(Debug)]
pub struct IndexBuilder {
    week: i32,
    parts: Parts,
    /// How many trips these are.
    of_week: usize,
    few: Vec<Week>,
    /// Weeks of many trips that the thread does not have yet, and their number of trips.
    held: VecDeque<(i32, Parts)>,
    held_trips: usize,
    /// The most trips that are held.
    held_at_most: usize,
    /// Weeks that the thread has not returned.
    waiting: usize,
    jobs: Option<Sender<(i32, Parts)>>,
    done: Receiver<Built>,
    thread: Option<JoinHandle<()>>,
}

impl IndexBuilder {
    /// Starts the thread.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start() -> Result<Self, BuildError> {
        let (jobs, queue) = channel::<(i32, Parts)>();
        let (results, done) = channel();
        let work = move || {
            let (mut builder, mut points) = (SegmentBuilder::default(), Vec::new());
            for (week, parts) in queue {
                let joined = join(parts, &mut points);
                let segments = joined.and_then(|()| builder.build(&points));
                if results.send((week, segments)).is_err() {
                    return;
                }
            }
        };
        let thread = thread::start("trips areas", work).map_err(BuildError::Start)?;
        Ok(Self {
            week: 0,
            parts: Vec::new(),
            of_week: 0,
            few: Vec::new(),
            held: VecDeque::new(),
            held_trips: 0,
            held_at_most: 0,
            waiting: 0,
            jobs: Some(jobs),
            done,
            thread: Some(thread),
        })
    }

    /// Whether a processor will be idle later, and is not now.
    pub fn set_held_back(&mut self, is_wanted: bool) {
        self.held_at_most = if is_wanted { MAX_HELD } else { 0 };
    }

    /// Adds these points, which are ordered by time; if they are the whole vector, without a copy. `micros` returns the
    /// time of a point by its index.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn add(
        &mut self,
        points: &mut Vec<GridPoint>,
        trips: Range<usize>,
        micros: impl Fn(usize) -> i64,
    ) -> Result<(), TryReserveError> {
        let week = |i: usize| week_of_time(micros(i));
        let mut start = trips.start;
        while start < trips.end {
            let first = week(start);
            let end = if week(trips.end - 1) == first {
                trips.end
            } else {
                first_where(start..trips.end, |i| week(i) != first)
            };
            self.begin_week(first)?;
            self.of_week += end - start;
            if (start, end) == (0, points.len()) {
                self.parts.try_reserve(2)?;
                self.parts.push(mem::take(points));
                self.parts.push(Vec::new());
            } else if let Some(loose) = self.parts.last_mut() {
                loose.try_reserve(end - start)?;
                loose.extend_from_slice(&points[start..end]);
            }
            start = end;
        }
        Ok(())
    }

    /// Adds one point. Weeks arrive one after the other.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn push(&mut self, week: i32, point: GridPoint) -> Result<(), TryReserveError> {
        self.begin_week(week)?;
        self.of_week += 1;
        if let Some(loose) = self.parts.last_mut() {
            loose.try_reserve(1)?;
            loose.push(point);
        }
        Ok(())
    }

    /// Makes sure that the last part is for this week. A very large week is divided: it may have any number of
    /// segments.
    fn begin_week(&mut self, week: i32) -> Result<(), TryReserveError> {
        if week != self.week || self.of_week > MAX_OF_WEEK {
            self.end_week()?;
            self.week = week;
        }
        if self.parts.is_empty() {
            self.parts.push(Vec::new());
        }
        Ok(())
    }

    fn end_week(&mut self) -> Result<(), TryReserveError> {
        let parts = mem::take(&mut self.parts);
        self.of_week = 0;
        match count(&parts) {
            0 => {}
            many if many > SMALL_SEGMENT => {
                self.held_trips += many;
                self.held.push_back((self.week, parts));
                while self.held_trips > self.held_at_most {
                    self.release_one();
                }
            }
            _ => {
                let mut points = Vec::new();
                join(parts, &mut points)?;
                self.few.push(Week { week: self.week, trips: WeekTrips::Few(points) });
            }
        }
        Ok(())
    }

    fn release_one(&mut self) {
        let Some((week, parts)) = self.held.pop_front() else { return };
        self.held_trips -= count(&parts);
        if let Some(jobs) = &self.jobs {
            // It fails if the thread has panicked; the wait then reports it.
            let _ = jobs.send((week, parts));
            self.waiting += 1;
        }
    }

    /// Sends the held weeks to the thread: from now on a processor is free for it. Before, the thread would slow down
    /// parsing and writing.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn release(&mut self) -> Result<(), TryReserveError> {
        if count(&self.parts) > SMALL_SEGMENT {
            self.end_week()?;
        }
        while !self.held.is_empty() {
            self.release_one();
        }
        Ok(())
    }

    /// The error that ended the thread.
    fn end_of_thread(&mut self) -> BuildError {
        let ended = || BuildError::Thread("it has ended".into());
        let joined = self.thread.take().map(JoinHandle::join);
        joined.and_then(Result::err).map_or_else(ended, BuildError::of_panic)
    }

    /// All weeks since the last call; `poll` is called at least every 20 ms of waiting.
    ///
    /// # Errors
    /// When the thread has no memory, or has panicked.
    pub fn take(&mut self, mut poll: impl FnMut()) -> Result<Vec<Week>, BuildError> {
        self.end_week()?;
        self.release()?;
        let mut weeks = mem::take(&mut self.few);
        while self.waiting > 0 {
            match self.done.recv_timeout(POLL_INTERVAL) {
                Ok((week, segments)) => {
                    weeks.push(Week { week, trips: WeekTrips::Many(segments?) });
                    self.waiting -= 1;
                }
                Err(RecvTimeoutError::Timeout) => poll(),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.end_of_thread());
                }
            }
        }
        weeks.sort_unstable_by_key(|week| week.week);
        Ok(weeks)
    }
}

/// The first index of a range that satisfies a condition which stays true after it; otherwise the end of the range.
fn first_where(range: Range<usize>, holds: impl Fn(usize) -> bool) -> usize {
    let (mut start, mut end) = (range.start, range.end);
    while start < end {
        let middle = start + (end - start) / 2;
        if holds(middle) {
            end = middle;
        } else {
            start = middle + 1;
        }
    }
    start
}

fn count(parts: &Parts) -> usize {
    parts.iter().map(Vec::len).sum()
}

/// Replaces `points` by those of all parts, which are freed one by one.
fn join(parts: Parts, points: &mut Vec<GridPoint>) -> Result<(), TryReserveError> {
    points.clear();
    points.try_reserve(count(&parts))?;
    parts.into_iter().for_each(|part| points.extend_from_slice(&part));
    Ok(())
}

impl Drop for IndexBuilder {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
