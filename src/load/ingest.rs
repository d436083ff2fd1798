//! Loads a file into the history (ingest), or only into staging (stage).

use std::time::{Duration, Instant};

use pgrx::{PgLogLevel, PgSqlErrorCode, check_for_interrupts, ereport};
use trips_core::check::reject::BadLine;
use trips_core::feed::Feed;
use trips_core::feed::plan::Layout;
use trips_core::format::delimited::header::{self, HeaderError, UNCLOSED_QUOTES};
use trips_core::format::delimited::parse::{MAX_BAD_LINES_REPORTED, Parsed, Parser, Target};
use trips_core::format::delimited::record::RecordReader;
use trips_core::pool::{Pool, PoolError};
use trips_core::sort::batch::RunBlocks;

use super::context::LoadContext;
use super::runs::{Loader, summarize};
use crate::error::{FileError, LoadError};
use crate::ledger::{self, LoadSource, SameBytes};
use crate::os::memory;
use crate::os::signals;
use crate::pg::row::LoadRow;
use crate::progress::{Passes, Phase, Progress};
use crate::settings;
use crate::source::{Access, Bytes, Source};

/// Number of ignored columns that a notice names; of more it gives only the number.
const COLUMNS_TOLD: usize = 20;
/// When the rows for staging reach this many bytes, they are written at once.
const STAGED_AT_ONCE: usize = 1024 * 1024;
/// A load that hashes its file for this long registers with the monitor before it knows whether the bytes are new.
const HASHED_UNSEEN: Duration = Duration::from_millis(500);

/// The arguments of a load.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Absolute path of the file on the server.
    pub path: &'a str,
    /// The files that the caller may load. A caller that may not read all files gets no contents of them in errors.
    pub access: &'a Access,
    /// Target of its rows.
    pub target: Target,
    /// The first bad row makes the load fail.
    pub abort_on_error: bool,
    /// More bad rows than this make the load fail.
    pub max_errors: Option<u64>,
    /// Load it although its bytes are known.
    pub force: bool,
}

/// Loads the file. The context gets what is found out about it, also if the load fails.
pub fn deliver(request: &Request<'_>, context: &LoadContext) -> Result<LoadRow, LoadError> {
    let header = &context.header;
    let mut file = Source::open(request.path, request.access)?;
    let source = &mut *context.source.borrow_mut();
    source.bytes = file.size();
    source.changed_at = Some(file.changed_at());
    let passes = match request.target {
        Target::History => Passes::ReadingAndWriting,
        Target::Staging => Passes::Reading,
    };
    let interval = settings::notice_interval();
    let progress = Progress::begin(header.load_id, header.role, file.size(), passes, interval);
    // The first check takes no lock: known bytes need not wait for a running load.
    let known = find_same_bytes(&mut file, source, context, &progress)?;
    if let Some(known) = known.filter(|_| !request.force) {
        return context.skip(source, known);
    }
    progress.phase(Phase::Waiting);
    let history = context.lock_history(source)?;
    let known = find_same_bytes(&mut file, source, context, &progress)?;
    if let Some(known) = known.filter(|_| !request.force) {
        return context.skip(source, known);
    }
    progress.read(0, 0);
    context.register(source);
    let mut loader = Loader::new(&history)?;
    let bytes = file.bytes()?;
    let bytes = read(request, &file, bytes, header.load_id, &mut loader, &progress)?;
    source.digest = Some(file.digest_of_loaded(&bytes, source.digest)?);
    summarize(loader.totals.inserted, &progress)?;
    let same_as = known.map(|known| known.load_id);
    context.enter(source, Some(loader.totals), same_as)
}

/// The load of the same bytes. The file is hashed here only if a load has loaded a file of its size. Otherwise its
/// bytes must be new, and are hashed while they are parsed. If the hashing takes long, the load registers with the
/// monitor.
fn find_same_bytes(
    file: &mut Source,
    source: &mut LoadSource,
    context: &LoadContext,
    progress: &Progress,
) -> Result<Option<SameBytes>, LoadError> {
    if source.digest.is_none() && ledger::has_size(source.bytes) {
        progress.phase(Phase::Hashing);
        let (begin, mut is_long) = (Instant::now(), false);
        let digest = file.digest(|done| {
            progress.hashed(done);
            if !is_long && begin.elapsed() > HASHED_UNSEEN {
                is_long = true;
                context.register(source);
            }
        })?;
        source.digest = Some(digest);
    }
    Ok(source.digest.and_then(|digest| ledger::same_bytes(&digest, source.bytes)))
}

/// Reads the file from its header to its end into the runs, and frees them.
fn read(
    request: &Request<'_>,
    file: &Source,
    bytes: Bytes,
    load_id: i64,
    loader: &mut Loader<'_>,
    progress: &Progress,
) -> Result<Bytes, LoadError> {
    progress.phase(Phase::Reading);
    let max_record = settings::max_record_size();
    let stopper = bytes.stopper();
    let mut reader = RecordReader::new(bytes, max_record);
    let layout = read_header(request, file, &mut reader)?;
    let (target, keeps_grid_points) = (request.target, loader.keeps_grid_points());
    let constraints = settings::constraints()?;
    let parser = Parser { layout, target, load_id, max_record, constraints, keeps_grid_points };
    let name = |error: PoolError| LoadError::of_threads(request.path, error);
    let mut pool = {
        let _blocked = signals::BlockedSignals::all();
        Pool::start(reader, parser, settings::parse_threads()).map_err(name)?
    };
    // Dropped before the pool, which waits for its threads.
    let _stop_reading = stopper;
    let mut judge = ErrorLimit::new(request);
    let (mut rows, mut covered, mut zero_coordinates) = (0, 0, 0);
    loop {
        let run = pool.read_run(settings::memory(), poll_interrupts, |parsed| {
            judge.hear(parsed)?;
            zero_coordinates += parsed.zero_coordinates;
            rows += parsed.rows;
            covered += parsed.covers;
            progress.read(covered, rows);
            let staged = std::mem::take(&mut parsed.staged);
            loader.stage(&staged, progress)?;
            if staged.bytes() > STAGED_AT_ONCE {
                drop(staged);
                memory::release_free();
            }
            Ok::<(), Stopped>(())
        });
        let run = run.map_err(|stopped| stopped.of(request.path))?;
        let is_last = run.is_last;
        if run.trips() > 0 {
            progress.begin_run(run.trips() as u64);
            memory::release_free();
            let mut batches = pool.batches(run.blocks);
            let blocks = RunBlocks::new(batches.blocks());
            let mut next_batch = || {
                let batch = batches.next_batch(poll_interrupts).map_err(name)?;
                if batch.is_none() {
                    blocks.take();
                    memory::release_free();
                }
                Ok(batch)
            };
            loader.append(&blocks, &mut next_batch, progress)?;
            drop(batches);
            loader.count(progress)?;
            progress.phase(Phase::Reading);
        }
        progress.end_run();
        memory::release_free();
        if is_last {
            warn_of_zero_coordinates(zero_coordinates);
            let reader = pool.finish().ok_or_else(|| name(PoolError::Thread("it stays".into())))?;
            return Ok(reader.into_source());
        }
    }
}

/// Reports the number of trips with a coordinate that receivers without a position write.
pub fn warn_of_zero_coordinates(count: u64) {
    if count > 0 {
        ereport!(
            PgLogLevel::WARNING,
            PgSqlErrorCode::ERRCODE_WARNING,
            format!("{count} trips have the coordinate (0 0)"),
            "Receivers without a position write it. SET trips.zero_coordinates = 'stage' refuses such lines, 'keep' takes them without this warning."
        );
    }
}

/// The error that ended the reading of a run: of a thread, or of the load itself.
enum Stopped {
    Thread(PoolError),
    Load(LoadError),
}

impl Stopped {
    fn of(self, path: &str) -> LoadError {
        match self {
            Self::Thread(error) => LoadError::of_threads(path, error),
            Self::Load(error) => error,
        }
    }
}

impl From<PoolError> for Stopped {
    fn from(error: PoolError) -> Self {
        Self::Thread(error)
    }
}

impl From<LoadError> for Stopped {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

/// Finds the columns of the feed in the first record of the file.
fn read_header(
    request: &Request<'_>,
    file: &Source,
    reader: &mut RecordReader<Bytes>,
) -> Result<Layout, LoadError> {
    let path = request.path.to_owned();
    let layout = header::read_header(&Feed::trips(), reader, settings::max_record_size());
    let layout = layout.map_err(|error| match error {
        HeaderError::Read(error) => file.read_error(error),
        error => FileError::Header { path, error }.into(),
    })?;
    if request.access.shows_content() {
        notice_unused(&layout.unused);
    }
    Ok(layout)
}

/// Reports the ignored columns, by name while they are few.
fn notice_unused(columns: &[String]) {
    if columns.is_empty() {
        return;
    }
    let told = columns.len().min(COLUMNS_TOLD);
    let more = match columns.len() - told {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    ereport!(
        PgLogLevel::NOTICE,
        PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
        format!(
            "columns that are no part of a trip are not read: {}{more}",
            columns[..told].join(", ")
        )
    );
}

/// Decides when a file has too many bad rows.
struct ErrorLimit<'a> {
    request: &'a Request<'a>,
    bad_lines: u64,
    first: Vec<BadLine>,
    unclosed: usize,
}

impl<'a> ErrorLimit<'a> {
    fn new(request: &'a Request<'a>) -> Self {
        Self { request, bad_lines: 0, first: Vec::new(), unclosed: 0 }
    }

    /// Processes the next chunk, in the order of the file.
    fn hear(&mut self, parsed: &Parsed) -> Result<(), LoadError> {
        let path = || self.request.path.to_owned();
        if let Some(bad) = parsed.first_bad.first()
            && self.request.abort_on_error
        {
            return Err(FileError::BadLine { path: path(), bad: bad.clone() }.into());
        }
        if let Some(&last) = parsed.unclosed.get(UNCLOSED_QUOTES - 1 - self.unclosed) {
            return Err(
                FileError::UnclosedQuotes { path: path(), count: UNCLOSED_QUOTES, last }.into()
            );
        }
        self.unclosed += parsed.unclosed.len();
        self.bad_lines += parsed.bad_lines;
        let told = MAX_BAD_LINES_REPORTED - self.first.len();
        self.first.extend(parsed.first_bad.iter().take(told).cloned());
        match self.request.max_errors {
            Some(limit) if self.bad_lines > limit => {
                let first = std::mem::take(&mut self.first);
                Err(FileError::TooManyBadLines { path: path(), limit, first }.into())
            }
            _ => Ok(()),
        }
    }
}

/// Ends the load if the user has cancelled it.
fn poll_interrupts() {
    check_for_interrupts!();
}
