//! The threads parse the file; the backend writes what they send.

use pgrx::check_for_interrupts;
use trips_core::feed::choice::{FeedChoice, Options};
use trips_core::feed::plan::Plan;
use trips_core::feed::program::NotNumbers;
use trips_core::format::delimited::header::{self, HeaderError};
use trips_core::format::delimited::record::RecordReader;
use trips_core::format::encoding::Decoder;
use trips_core::format::order::{self, OrderError};
use trips_core::format::parser::{Parsed, Parser};
use trips_core::model::time_form::DayMonthOrder;
use trips_core::pool::{Pool, PoolError, Run};
use trips_core::sort::batch::RunBlocks;

use super::error_limit::ErrorLimit;
use super::notices;
use super::request::Request;
use super::runs::Loader;
use crate::error::{FileError, FileName, LoadError};
use crate::feeds;
use crate::os::{memory, signals};
use crate::progress::{Phase, Progress};
use crate::settings::{self, LoadOptions};
use crate::source::{Bytes, Reading, Source, StopReading};

/// Staged rows of so many bytes return their memory at once.
const RELEASED_AT_ONCE: usize = 1024 * 1024;

/// Reads the file from its header to its end, run by run, and writes each run. Returns what was read, hashed. Sets the
/// name of its feed, also if the load fails later.
pub fn read_file(
    request: &Request<'_>,
    (file, feed): (&Source, &mut Option<String>),
    load_id: i64,
    loader: &mut Loader<'_>,
    progress: &Progress,
) -> Result<Reading, LoadError> {
    progress.phase(Phase::Reading);
    let max_record = settings::max_record_size();
    let named = |name: &str| *feed = Some(name.to_owned());
    let (plan, reader, (reading, stopper)) = open(request, file, named)?;
    if request.access.shows_content() {
        notices::unused_columns(plan.not_stored());
    }
    let name = FileName::from(request.path);
    let mut limit = ErrorLimit::new(name.clone(), request.options);
    limit.begin(&name, &plan);
    loader.set_identity(&plan.feed().definition.identity);
    let definition = plan.feed().definition.clone();
    let (target, keeps_grid_points) = (request.target, loader.keeps_grid_points());
    let constraints = settings::constraints()?;
    let parser = Parser { plan, target, load_id, max_record, constraints, keeps_grid_points };
    let of_threads = |error: PoolError| LoadError::of_threads(&name, error);
    // The chunks follow the header.
    let mut counts = ReadCounts { covered: reader.position(), ..ReadCounts::default() };
    let mut pool = {
        let _blocked = signals::BlockedSignals::all();
        Pool::start(reader, parser, settings::parse_threads()).map_err(of_threads)?
    };
    // Dropped before the pool, which waits for its threads.
    let _stop_reading = stopper;
    loop {
        let run = pool.read_run(settings::work_mem(), poll_interrupts, |parsed| {
            limit.check(parsed).map_err(LoadError::from)?;
            counts.add(parsed, progress);
            stage(parsed, loader, progress)?;
            Ok::<(), RunError>(())
        });
        let run = run.map_err(|stopped| stopped.of(&name))?;
        let is_last = run.is_last;
        if run.trips() > 0 {
            write_run((&name, load_id), &mut pool, run, loader, progress)?;
            progress.phase(Phase::Reading);
        }
        progress.end_run();
        memory::release_free();
        if is_last {
            notices::zero_coordinates(counts.zero_coordinates);
            notices::unknown_places(counts.unknown_places);
            notices::not_numbers(&counts.not_numbers.named(&definition));
            return Ok(reading);
        }
    }
}

/// Counts of all chunks so far.
#[derive(Debug, Default)]
struct ReadCounts {
    rows: u64,
    covered: u64,
    zero_coordinates: u64,
    unknown_places: u64,
    not_numbers: NotNumbers,
}

impl ReadCounts {
    /// Adds a chunk, and reports the progress.
    fn add(&mut self, parsed: &Parsed, progress: &Progress) {
        self.zero_coordinates += parsed.zero_coordinates;
        self.unknown_places += parsed.unknown_places;
        self.not_numbers.join(&parsed.not_numbers);
        self.rows += parsed.rows;
        self.covered += parsed.covers;
        progress.read(self.covered, self.rows);
    }
}

/// Appends the rejected rows of a chunk to staging.
fn stage(
    parsed: &mut Parsed,
    loader: &mut Loader<'_>,
    progress: &Progress,
) -> Result<(), LoadError> {
    let staged = std::mem::take(&mut parsed.staged);
    loader.stage(&staged, progress)?;
    if staged.bytes() > RELEASED_AT_ONCE {
        drop(staged);
        memory::release_free();
    }
    Ok(())
}

/// Writes the trips of a run: the threads build its batches, the backend appends and counts them.
fn write_run(
    (name, load_id): (&FileName, i64),
    pool: &mut Pool<Decoder<Bytes>>,
    mut run: Run,
    loader: &mut Loader<'_>,
    progress: &Progress,
) -> Result<(), LoadError> {
    progress.begin_run(run.trips() as u64);
    memory::release_free();
    loader.remove_known_ids(load_id, &mut run.blocks, progress)?;
    let mut batches = pool.batches(run.blocks);
    let blocks = RunBlocks::new(batches.blocks());
    let mut next_batch = || {
        let batch = batches.next_batch(poll_interrupts);
        let batch = batch.map_err(|error| LoadError::of_threads(name, error))?;
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

/// The feeds that the file may be of.
fn choice(request: &Request<'_>) -> Result<FeedChoice, LoadError> {
    let LoadOptions { feed, region, datasource, .. } = request.options;
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let options = Options { region: owned(region), datasource: owned(datasource) };
    feeds::choice(feed, options)
}

/// Finds the columns of the feed in the first record of the file.
fn read_header(
    request: &Request<'_>,
    file: &Source,
    reader: &mut RecordReader<Decoder<Bytes>>,
) -> Result<Plan, LoadError> {
    let name = request.path.into();
    let plan = header::read_header(&choice(request)?, reader, settings::max_record_size());
    let plan = plan.map_err(|error| match error {
        HeaderError::Read(error) => file.read_error(error),
        error => FileError::Header { file: name, error }.into(),
    })?;
    Ok(plan)
}

/// The plan of a file, the records after its header, and what ends the reading of the file.
type Opened = (Plan, RecordReader<Decoder<Bytes>>, (Reading, StopReading));

/// Reads the header, and the order of day and month if the file has its own. `named` gets the name of the feed as soon as
/// it is known.
pub(super) fn open(
    request: &Request<'_>,
    file: &Source,
    named: impl FnOnce(&str),
) -> Result<Opened, LoadError> {
    let (plan, reader, stopper) = begin(request, file)?;
    named(plan.feed_name());
    if !plan.feed().needs_order() {
        return Ok((plan, reader, stopper));
    }
    let order = find_order(request, file, &plan, reader)?;
    let (mut plan, reader, stopper) = begin(request, file)?;
    plan.set_order(order);
    Ok((plan, reader, stopper))
}

/// Begins to read the file.
fn begin(request: &Request<'_>, file: &Source) -> Result<Opened, LoadError> {
    let bytes = file.bytes();
    let reading = bytes.reading();
    let stopper = reading.stopper();
    let bytes = Decoder::detect(bytes).map_err(|error| file.read_error(error))?;
    let encoding = bytes.encoding();
    let reader = RecordReader::new(bytes, settings::max_record_size());
    let mut reader = reader.with_encoding(encoding);
    let plan = read_header(request, file, &mut reader)?;
    Ok((plan, reader, (reading, stopper)))
}

/// Finds the order of day and month of a file whose feed has both.
fn find_order(
    request: &Request<'_>,
    file: &Source,
    plan: &Plan,
    reader: RecordReader<Decoder<Bytes>>,
) -> Result<DayMonthOrder, LoadError> {
    order::find_order(plan, reader, settings::max_record_size(), poll_interrupts).map_err(|error| {
        match error {
            OrderError::Read(error) => file.read_error(error),
            OrderError::Unproved(unproved) => {
                FileError::Unproved { file: request.path.into(), unproved }.into()
            }
        }
    })
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

/// Raises the error of a query cancel.
fn poll_interrupts() {
    check_for_interrupts!();
}
