//! The places of new trips, collected week by week while they are written; full weeks are made into
//! groups by a thread.

use std::collections::{TryReserveError, VecDeque};
use std::mem;
use std::ops::Range;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::group::{Builder, Group};
use super::place::{Place, week_of_time};
use crate::pool::PoolError;
use crate::sort::batch::Batch;

/// So many trips of a week are few: they are not worth a thread, and are merged with other groups
/// of few.
pub const FEW: usize = 32 * 1024;
/// So many trips wait at most for a processor that has nothing else to do: 30 MB of places.
const HELD: usize = 1_500_000;
/// A week is given to the thread when it has so many trips: 16 MB of places, which are copied there once.
const MOST_OF_WEEK: usize = 800_000;
/// How long the owner waits before it looks whether it is wanted elsewhere.
const PATIENCE: Duration = Duration::from_millis(20);

/// What is new of a week.
#[derive(Debug)]
pub struct Week {
    /// The week, see [`super::week_of_day`].
    pub week: i32,
    /// Its trips.
    pub trips: WeekTrips,
}

/// Trips of a week: few of them as they are, many in groups.
#[derive(Debug)]
pub enum WeekTrips {
    /// At most [`FEW`].
    Few(Vec<Place>),
    /// More.
    Many(Vec<Group>),
}

type Built = (i32, Result<Vec<Group>, TryReserveError>);
/// Places of a week as they have come: whole batches of them, and what came otherwise.
type Parts = Vec<Vec<Place>>;

/// Collects places in the order of their weeks.
#[derive(Debug)]
pub struct Collector {
    week: i32,
    parts: Parts,
    /// How many trips these are.
    of_week: usize,
    few: Vec<Week>,
    /// Weeks of many trips, which the thread has not been given, and how many trips these are.
    held: VecDeque<(i32, Parts)>,
    held_trips: usize,
    /// How many may be held back.
    held_at_most: usize,
    /// Weeks that the thread has not given back.
    waiting: usize,
    jobs: Option<Sender<(i32, Parts)>>,
    done: Receiver<Built>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    /// Starts the thread.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start() -> Result<Self, PoolError> {
        let (jobs, queue) = channel::<(i32, Parts)>();
        let (results, done) = channel();
        let thread = std::thread::Builder::new()
            .name("trips areas".into())
            .spawn(move || {
                let (mut builder, mut places) = (Builder::default(), Vec::new());
                for (week, parts) in queue {
                    let joined = join(parts, &mut places);
                    let groups = joined.and_then(|()| builder.build(&places));
                    if results.send((week, groups)).is_err() {
                        return;
                    }
                }
            })
            .map_err(PoolError::Start)?;
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

    /// Whether a processor will be free for the thread later, and is not now.
    pub fn hold_back(&mut self, is_wanted: bool) {
        self.held_at_most = if is_wanted { HELD } else { 0 };
    }

    /// Takes the places of these trips of a batch away; of all of them at once, without a copy.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn add(&mut self, batch: &mut Batch, trips: Range<usize>) -> Result<(), TryReserveError> {
        let week = |i: usize| week_of_time(batch.entries[i].date_time);
        let mut start = trips.start;
        while start < trips.end {
            let first = week(start);
            let end = if week(trips.end - 1) == first {
                trips.end
            } else {
                let rest = &batch.entries[start..trips.end];
                start + rest.partition_point(|entry| week_of_time(entry.date_time) == first)
            };
            self.begin_week(first)?;
            self.of_week += end - start;
            if (start, end) == (0, batch.places.len()) {
                self.parts.try_reserve(2)?;
                self.parts.push(mem::take(&mut batch.places));
                self.parts.push(Vec::new());
            } else if let Some(loose) = self.parts.last_mut() {
                loose.try_reserve(end - start)?;
                loose.extend_from_slice(&batch.places[start..end]);
            }
            start = end;
        }
        Ok(())
    }

    /// Takes one place. Weeks come one after the other.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn push(&mut self, week: i32, place: Place) -> Result<(), TryReserveError> {
        self.begin_week(week)?;
        self.of_week += 1;
        if let Some(loose) = self.parts.last_mut() {
            loose.try_reserve(1)?;
            loose.push(place);
        }
        Ok(())
    }

    /// Has a part for places of this week, the last one. A week of very many is cut: it may have any number of groups.
    fn begin_week(&mut self, week: i32) -> Result<(), TryReserveError> {
        if week != self.week || self.of_week > MOST_OF_WEEK {
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
            many if many > FEW => {
                self.held_trips += many;
                self.held.push_back((self.week, parts));
                while self.held_trips > self.held_at_most {
                    self.release_one();
                }
            }
            _ => {
                let mut places = Vec::new();
                join(parts, &mut places)?;
                self.few.push(Week { week: self.week, trips: WeekTrips::Few(places) });
            }
        }
        Ok(())
    }

    fn release_one(&mut self) {
        let Some((week, parts)) = self.held.pop_front() else { return };
        self.held_trips -= count(&parts);
        if let Some(jobs) = &self.jobs {
            // It fails when the thread has panicked; then waiting says so.
            let _ = jobs.send((week, parts));
            self.waiting += 1;
        }
    }

    /// Gives the thread what was held back: from now on a processor is free for it. Before, it would
    /// only take one from those who parse and write.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn release(&mut self) -> Result<(), TryReserveError> {
        if count(&self.parts) > FEW {
            self.end_week()?;
        }
        while !self.held.is_empty() {
            self.release_one();
        }
        Ok(())
    }

    /// What ended the thread.
    fn end_of_thread(&mut self) -> PoolError {
        let ended = || PoolError::Thread("it has ended".into());
        let joined = self.thread.take().map(JoinHandle::join);
        joined.and_then(Result::err).map_or_else(ended, PoolError::of_panic)
    }

    /// All weeks since the last call; `poll` is called at least every 20 ms of waiting.
    ///
    /// # Errors
    /// When the thread has no memory, or has panicked.
    pub fn take(&mut self, mut poll: impl FnMut()) -> Result<Vec<Week>, PoolError> {
        self.end_week()?;
        self.release()?;
        let mut weeks = mem::take(&mut self.few);
        while self.waiting > 0 {
            match self.done.recv_timeout(PATIENCE) {
                Ok((week, groups)) => {
                    weeks.push(Week { week, trips: WeekTrips::Many(groups?) });
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

fn count(parts: &Parts) -> usize {
    parts.iter().map(Vec::len).sum()
}

/// Makes `places` those of all parts, which are given back one by one.
fn join(parts: Parts, places: &mut Vec<Place>) -> Result<(), TryReserveError> {
    places.clear();
    places.try_reserve(count(&parts))?;
    parts.into_iter().for_each(|part| places.extend_from_slice(&part));
    Ok(())
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
