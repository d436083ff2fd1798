//! The threads parse the file; the backend writes what they send.

use std::io::Read;

use trips_core::feed::program::NotNumbers;
use trips_core::format::not_stored::NotStored;
use trips_core::format::parser::{Parsed, Parser, Target};
use trips_core::pool::{self, Pool, PoolError, Run};
use trips_core::sort::batch::RunBlocks;

use super::error_limit::ErrorLimit;
use super::members::{self, Members};
use super::notices;
use super::open::{self, Opened, poll_interrupts};
use super::request::Request;
use super::runs::Loader;
use crate::error::{FileName, LoadError};
use crate::ledger::{LoadMember, LoadSource};
use crate::os::{memory, signals};
use crate::progress::{Phase, Progress};
use crate::settings;
use crate::source::{Contents, Reading};

/// Staged rows of so many bytes return their memory at once.
const RELEASED_AT_ONCE: usize = 1024 * 1024;

/// Where the trips of a load go, and what is known of it so far.
pub struct Writing<'l, 'h> {
    /// Number of the load.
    pub load_id: i64,
    /// Writes the runs.
    pub loader: &'l mut Loader<'h>,
    /// Of the load.
    pub progress: &'l Progress,
}

/// Reads the members of a file from the header to the end, run by run, and writes each run. Returns what was read, and
/// the members if the file is an archive. Sets the name of the feed, also if the load fails later.
pub fn read_file(
    request: &Request<'_>,
    contents: &Contents<'_>,
    source: &mut LoadSource,
    writing: &mut Writing<'_, '_>,
) -> Result<(Reading, Vec<LoadMember>), LoadError> {
    writing.progress.phase(Phase::Reading);
    let Members { trips, choice, stations } =
        members::sort(contents, open::choice(request)?, request.access.shows_content())?;
    notices::passed_over(contents, &stations);
    contents.begin_count();
    let mut limit = ErrorLimit::new(request.path.into(), request.options);
    let mut counts = ReadCounts { total: source.bytes, ..ReadCounts::default() };
    let (mut loaded, mut last) = (Vec::new(), Reading::default());
    let mut definition = None;
    for index in trips {
        let named = |name: &str| source.feed = Some(name.to_owned());
        let opened = open::open(contents, index, &choice, named)?;
        last = opened.reading.clone();
        definition.get_or_insert_with(|| opened.plan.feed().definition.clone());
        counts.not_stored.add_header(opened.plan.not_stored());
        limit.begin(&opened.file, &opened.plan, opened.reader.position_kind());
        let (before, feed) = (writing.loader.totals, opened.plan.feed_name().to_owned());
        writing.loader.begin_member(opened.file.member.clone(), opened.reader.position_kind());
        // Equal records are numbered by themselves in each member.
        writing.loader.set_identity(&opened.plan.feed().definition.identity);
        read_member(request, opened, (&mut limit, &mut counts), writing)?;
        if request.target != Target::Staging {
            writing.loader.end_file(writing.load_id, Some(&feed))?;
        }
        if let Some(name) = contents.member(index) {
            let totals = writing.loader.totals.since(before);
            loaded.push(LoadMember { name: name.to_owned(), feed, totals });
        }
    }
    if request.access.shows_content() {
        notices::unused_columns(counts.not_stored.names());
    }
    notices::zero_coordinates(counts.zero_coordinates);
    if let Some(definition) = definition {
        if writing.loader.totals.staged > 0 {
            let how = (&definition, request.access.shows_content());
            members::keep_stations(contents, &stations, writing.load_id, how)?;
        }
        notices::unknown_places(counts.unknown_places, definition.stations.is_some());
        notices::not_numbers(&counts.not_numbers.named(&definition));
    }
    Ok((last, loaded))
}

/// Reads a member to its end.
fn read_member(
    request: &Request<'_>,
    opened: Opened,
    (limit, counts): (&mut ErrorLimit, &mut ReadCounts),
    writing: &mut Writing<'_, '_>,
) -> Result<(), LoadError> {
    let Opened { file, plan, reader, covered, reading } = opened;
    let parser = Parser {
        plan,
        target: request.target,
        load_id: writing.load_id,
        max_record: settings::max_record_size(),
        constraints: settings::constraints()?,
        keeps_grid_points: writing.loader.keeps_grid_points(),
    };
    // The chunks follow the header.
    counts.begin(covered, &reading);
    let mut threads = settings::parse_threads();
    if covered.is_some() {
        threads = threads.min(reader.useful_threads(counts.total, pool::CHUNK));
    }
    let mut pool = {
        let _blocked = signals::BlockedSignals::all();
        Pool::start(reader, parser, threads).map_err(|error| LoadError::of_threads(&file, error))?
    };
    // Dropped before the pool, which waits for its threads.
    let stop_reading = reading.stopper();
    loop {
        let run = pool.read_run(settings::work_mem(), poll_interrupts, |parsed| {
            limit.check(parsed).map_err(LoadError::from)?;
            counts.add(parsed, writing.progress);
            stage(parsed, writing)?;
            Ok::<(), RunError>(())
        });
        let run = run.map_err(|stopped| stopped.of(&file))?;
        let is_end = run.is_last;
        if run.trips() > 0 {
            write_run(&file, &mut pool, run, limit, writing)?;
            writing.progress.phase(Phase::Reading);
        }
        writing.progress.end_run();
        memory::release_free();
        if is_end {
            // The archive is read on.
            stop_reading.cancel();
            return Ok(());
        }
    }
}

/// Counts of all chunks so far.
#[derive(Debug, Default)]
struct ReadCounts {
    /// Size of the file, bytes.
    total: u64,
    rows: u64,
    covered: u64,
    zero_coordinates: u64,
    unknown_places: u64,
    not_numbers: NotNumbers,
    /// Names that the feed does not know: those of the headers, and of members of JSON records.
    not_stored: NotStored,
    /// What is read of the stored bytes, if the file is packed.
    packed: Option<Reading>,
}

impl ReadCounts {
    /// Begins a member, whose records begin at an offset if the file is not packed.
    fn begin(&mut self, covered: Option<u64>, reading: &Reading) {
        self.covered = covered.unwrap_or(0);
        self.packed = covered.is_none().then(|| reading.clone());
    }

    /// Adds a chunk, and reports the progress.
    fn add(&mut self, parsed: &Parsed, progress: &Progress) {
        self.zero_coordinates += parsed.zero_coordinates;
        self.unknown_places += parsed.unknown_places;
        self.not_numbers.join(&parsed.not_numbers);
        self.not_stored.add(&parsed.not_stored);
        self.rows += parsed.rows;
        self.covered += parsed.covers;
        let bytes = match &self.packed {
            None => self.covered,
            // Parts of an archive are read twice.
            Some(reading) => reading.count().min(self.total),
        };
        progress.read(bytes, self.rows);
    }
}

/// Appends the rejected rows of a chunk to staging.
fn stage(parsed: &mut Parsed, writing: &mut Writing<'_, '_>) -> Result<(), LoadError> {
    let staged = std::mem::take(&mut parsed.staged);
    writing.loader.stage(&staged, writing.progress)?;
    if staged.bytes() > RELEASED_AT_ONCE {
        drop(staged);
        memory::release_free();
    }
    Ok(())
}

/// Writes the trips of a run: the threads build its batches, the backend appends and counts them.
fn write_run(
    file: &FileName,
    pool: &mut Pool<impl Read + Send + 'static>,
    mut run: Run,
    limit: &mut ErrorLimit,
    writing: &mut Writing<'_, '_>,
) -> Result<(), LoadError> {
    let Writing { load_id, loader, progress } = writing;
    progress.begin_run(run.trips() as u64);
    memory::release_free();
    let late = loader.resolve_known_ids(*load_id, &mut run.blocks, run.is_last, progress)?;
    limit.check_late(late)?;
    let mut batches = pool.batches(run.blocks);
    let blocks = RunBlocks::new(batches.blocks());
    let mut next_batch = || {
        let batch = batches.next_batch(poll_interrupts);
        let batch = batch.map_err(|error| LoadError::of_threads(file, error))?;
        if batch.is_none() {
            blocks.take();
            memory::release_free();
        }
        Ok(batch)
    };
    loader.append(&blocks, &mut next_batch, run.is_last, progress)?;
    drop(batches);
    loader.count(progress)
}

/// The error that ended the reading of a run: of a thread, or of the load itself.
enum RunError {
    Thread(PoolError),
    Load(LoadError),
}

impl RunError {
    fn of(self, file: &FileName) -> LoadError {
        match self {
            Self::Thread(error) => LoadError::of_threads(file, error),
            Self::Load(error) => error,
        }
    }
}

impl From<PoolError> for RunError {
    fn from(error: PoolError) -> Self {
        Self::Thread(error)
    }
}

impl From<LoadError> for RunError {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}
