//! `trips.diff`: which trips of a file are new. The file is read and compared as a load does it, and nothing is written.

mod ids;

use std::io::Read;

use trips_core::check::reject::BadLine;
use trips_core::format::parser::{Parser, Target};
use trips_core::model::timestamp::Timestamp;
use trips_core::pool::{Pool, PoolError, Run};
use trips_core::sort::batch::{Batch, BatchEntry};
use trips_core::sort::occurrences::{EqualRecords, Occurrences};
use trips_core::sort::trial::Trial;

pub use self::ids::Change;
use super::error_limit::ErrorLimit;
use super::identity::{LoadIdentity, MakeFile, of_file};
use super::members::{self, Members};
use super::open::{self, Opened, poll_interrupts};
use super::request::Request;
use crate::error::{FileName, LoadError};
use crate::history::History;
use crate::os::{memory, signals};
use crate::pg::relation::Table;
use crate::pg::session;
use crate::pg::temp_file::TempFile;
use crate::settings::{self, LoadOptions};
use crate::source::{Access, Contents, Source};

/// Part of the memory of a run for the changes of earlier runs that are in no temporary file.
const PART_OF_MEMORY: usize = 16;

/// Records of a file that have one thing in common.
#[derive(Debug, Default)]
pub struct Records {
    /// Their number.
    pub count: u64,
    /// The first and the last time of their trips.
    pub times: Option<(Timestamp, Timestamp)>,
}

impl Records {
    fn add(&mut self, time: Timestamp) {
        self.count += 1;
        let (first, last) = self.times.unwrap_or((time, time));
        self.times = Some((first.min(time), last.max(time)));
    }
}

/// What a load of a file would do.
#[derive(Debug, Default)]
pub struct Diff {
    /// The trips that it would insert.
    pub added: Records,
    /// The records that would correct trips.
    pub changed: Records,
    /// The first of these.
    pub changes: Vec<Change>,
    /// The trips that are duplicates.
    pub unchanged: Records,
    /// The records that it would stage.
    pub rejected: Records,
    /// The first of these, with the member of an archive.
    pub examples: Vec<(Option<String>, BadLine)>,
}

/// Reads a file to its end and compares it with the history.
///
/// # Errors
/// Those of a load with these options.
pub fn diff(
    path: &str,
    options: LoadOptions<'_>,
    access: &Access,
    examples: usize,
) -> Result<Diff, LoadError> {
    let file = Source::open(path, access)?;
    let request = Request {
        path,
        access,
        target: Target::History,
        force: false,
        is_automatic: false,
        options,
    };
    let contents = Contents::open(&file)?;
    let Members { trips, choice, .. } =
        members::sort(&contents, open::choice(&request)?, access.shows_content())?;
    contents.begin_count();
    let table = Table::open_for_read(c"hist_trip_data");
    let _owner = session::run_as_owner(&table);
    drop(table);
    let make: MakeFile = || Ok(TempFile::create());
    let mut comparison = Comparison {
        history: History::to_compare(),
        identity: LoadIdentity::default(),
        seen: Occurrences::new(make),
        trial: Trial::new(make, settings::work_mem() / PART_OF_MEMORY),
        limit: ErrorLimit::new(path.into(), options),
        is_last_member: false,
        most_examples: examples,
        diff: Diff::default(),
    };
    for (number, &index) in trips.iter().enumerate() {
        let opened = open::open(&contents, index, &choice, |_| ())?;
        comparison.begin(&opened, number + 1 == trips.len());
        comparison.read(opened)?;
    }
    Ok(comparison.diff)
}

/// A file that is being compared.
struct Comparison {
    history: History,
    identity: LoadIdentity,
    /// The trips of earlier runs that the history does not have: a load would have inserted them.
    seen: Occurrences<TempFile, MakeFile>,
    /// The same for feeds with ids, and the trips of the history that it would have corrected.
    trial: Trial<TempFile, MakeFile>,
    limit: ErrorLimit,
    is_last_member: bool,
    most_examples: usize,
    diff: Diff,
}

impl Comparison {
    /// Begins a member. Equal records are numbered by themselves in each; ids are those of the file.
    fn begin(&mut self, opened: &Opened, is_last: bool) {
        self.limit.begin(&opened.file, &opened.plan, opened.reader.position_kind());
        self.identity = LoadIdentity::of(&opened.plan.feed().definition.identity);
        self.is_last_member = is_last;
    }

    /// Reads a member to its end.
    fn read(&mut self, opened: Opened) -> Result<(), LoadError> {
        let Opened { file, plan, reader, reading, .. } = opened;
        let parser = Parser {
            plan,
            target: Target::History,
            load_id: 0,
            max_record: settings::max_record_size(),
            constraints: settings::constraints()?,
            keeps_grid_points: false,
        };
        let mut pool = {
            let _blocked = signals::BlockedSignals::all();
            Pool::start(reader, parser, settings::parse_threads())
                .map_err(|error| LoadError::of_threads(&file, error))?
        };
        // Dropped before the pool, which waits for its threads.
        let stop_reading = reading.stopper();
        loop {
            let run = pool.read_run(settings::work_mem(), poll_interrupts, |parsed| {
                self.limit.check(parsed).map_err(|error| Stop::Load(error.into()))?;
                self.reject(parsed.bad_lines, &parsed.first_bad, &file);
                parsed.staged = Default::default();
                Ok::<(), Stop>(())
            });
            let run = run.map_err(|stop| match stop {
                Stop::Thread(error) => LoadError::of_threads(&file, error),
                Stop::Load(error) => error,
            })?;
            let is_end = run.is_last;
            if run.trips() > 0 {
                self.compare_run(&file, &mut pool, run)?;
            }
            memory::release_free();
            if is_end {
                // The archive is read on.
                stop_reading.cancel();
                return Ok(());
            }
        }
    }

    fn reject(&mut self, count: u64, first: &[BadLine], file: &FileName) {
        self.diff.rejected.count += count;
        let room = self.most_examples.saturating_sub(self.diff.examples.len());
        let examples = first.iter().take(room).map(|bad| (file.member.clone(), bad.clone()));
        self.diff.examples.extend(examples);
    }

    /// Compares the trips of a run.
    fn compare_run(
        &mut self,
        file: &FileName,
        pool: &mut Pool<impl Read + Send + 'static>,
        mut run: Run,
    ) -> Result<(), LoadError> {
        let is_last = run.is_last && self.is_last_member;
        if self.compare_ids(file, &mut run, is_last)? {
            return Ok(());
        }
        let mut batches = pool.batches(run.blocks).of_keys();
        let next = |error| LoadError::of_threads(file, error);
        while let Some(mut batch) = batches.next_batch(poll_interrupts).map_err(next)? {
            self.identity.number(&self.history, &mut batch, run.is_last)?;
            self.compare(&batch, is_last)?;
        }
        if self.identity.counts_occurrences() && !run.is_last {
            self.identity.end_run()?;
        }
        if !is_last {
            self.seen.end_run().map_err(of_file)?;
        }
        Ok(())
    }

    fn compare(&mut self, batch: &Batch, is_last: bool) -> Result<(), LoadError> {
        self.diff.unchanged.count += batch.duplicates as u64;
        let mut new: Vec<EqualRecords> = Vec::new();
        new.try_reserve_exact(batch.entries.len())?;
        let unchanged = &mut self.diff.unchanged;
        self.history.compare(&batch.entries, |&BatchEntry { date_time, key, .. }, is_known| {
            if is_known {
                unchanged.add(date_time);
            } else {
                new.push(EqualRecords { date_time, base: key, records: 1 });
            }
        })?;
        self.seen.count_all(&mut new).map_err(of_file)?;
        new.retain_mut(|trip| {
            let is_seen = std::mem::replace(&mut trip.records, 1) > 0;
            let records = if is_seen { &mut *unchanged } else { &mut self.diff.added };
            records.add(trip.date_time);
            !is_seen
        });
        if is_last { Ok(()) } else { self.seen.add(&new).map_err(of_file) }
    }
}

/// What ended the reading of a run.
enum Stop {
    Thread(PoolError),
    Load(LoadError),
}

impl From<PoolError> for Stop {
    fn from(error: PoolError) -> Self {
        Self::Thread(error)
    }
}
