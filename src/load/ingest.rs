//! A file is loaded into the history (`trips.ingest`) or into staging only (`trips.stage`).

use std::time::{Duration, Instant};

use trips_core::format::parser::Target;

use super::context::LoadContext;
use super::failure::record_failure_of;
use super::read::{Writing, read_file};
use super::request::Request;
use super::runs::{Loader, summarize};
use crate::error::LoadError;
use crate::feeds;
use crate::ledger::{self, LoadRow, LoadSource, SameBytes};
use crate::progress::{Passes, Phase, Progress};
use crate::settings;
use crate::source::{Contents, Source};

/// A load whose file is hashed for longer registers with the load monitor before it knows whether the bytes are new.
const UNREGISTERED_HASHING: Duration = Duration::from_millis(500);

/// Loads a file. If the load fails, the ledger has the failure.
pub fn load_file(request: &Request<'_>, context: LoadContext) -> Result<LoadRow, LoadError> {
    context.source.borrow_mut().options = Some(request.options.to_json());
    record_failure_of(context, |context| {
        let result = ingest(request, context);
        let shows_content = request.access.shows_content();
        if shows_content { result } else { result.map_err(LoadError::redacted) }
    })
}

/// Opens the file, skips bytes that are loaded, locks the history, reads and writes, records the end. The context has
/// what is known of the file, also when the load fails.
fn ingest(request: &Request<'_>, context: &LoadContext) -> Result<LoadRow, LoadError> {
    let file = Source::open(request.path, request.access)?;
    let source = &mut *context.source.borrow_mut();
    (source.bytes, source.changed_at) = (file.size(), file.changed_at());
    file.path().clone_into(&mut source.name);
    source.version = file.version().map(str::to_owned);
    let progress = begin_progress(request, context, &file);

    // Without a lock first: known bytes do not wait for a running load.
    let known = find_same_bytes(request, &file, (source, context), &progress)?;
    if let Some(known) = known.filter(|_| !request.force) {
        return context.skip(source, known);
    }
    progress.phase(Phase::Waiting);
    let history = context.lock_history(source)?;
    let known = find_same_bytes(request, &file, (source, context), &progress)?;
    if let Some(known) = known.filter(|_| !request.force) {
        return context.skip(source, known);
    }

    progress.read(0, 0);
    context.register(source);
    let mut loader = Loader::new(&history, context.header.load_id)?;
    let load_id = context.header.load_id;
    let contents = Contents::open(&file)?;
    if feeds::is_read_at_offsets(&contents) && source.digest.is_none() {
        source.digest = Some(hash(&file, source, context, &progress)?);
    }
    let mut writing = Writing { load_id, loader: &mut loader, progress: &progress };
    let (reading, members) = read_file(request, &contents, source, &mut writing)?;
    source.digest = Some(file.digest_of_loaded(&reading, source.digest)?);
    ledger::record_members(load_id, &members)?;
    loader.end(&progress)?;
    summarize(loader.totals.inserted + loader.totals.corrected, &progress)?;
    source.days = loader.take_days();
    context.record_end(source, Some(loader.totals), known.map(|known| known.load_id))
}

fn begin_progress(request: &Request<'_>, context: &LoadContext, file: &Source) -> Progress {
    let passes = match request.target {
        Target::History | Target::Upload => Passes::ReadingAndWriting,
        Target::Staging => Passes::Reading,
    };
    let (header, interval) = (&context.header, settings::notice_interval());
    Progress::begin(header.load_id, header.role, file.size(), passes, interval)
}

/// The load that has the same bytes, if any. A known version of an object is not fetched. The file is hashed here only if the ledger has a file of its size. Otherwise
/// its bytes are new, and are hashed while they are parsed.
fn find_same_bytes(
    request: &Request<'_>,
    file: &Source,
    (source, context): (&mut LoadSource, &LoadContext),
    progress: &Progress,
) -> Result<Option<SameBytes>, LoadError> {
    if let Some(known) = ledger::same_object(source) {
        return Ok(Some(known));
    }
    if source.digest.is_none() && ledger::has_size(source.bytes, request.is_automatic) {
        source.digest = Some(hash(file, source, context, progress)?);
    }
    let Some(digest) = source.digest else { return Ok(None) };
    let known = ledger::same_bytes(&digest, source.bytes);
    if known.is_some() || !request.is_automatic {
        return Ok(known);
    }
    Ok(ledger::retracted_bytes(&digest, source.bytes))
}

/// Hashes the file. A long hash registers the load with the load monitor.
fn hash(
    file: &Source,
    source: &LoadSource,
    context: &LoadContext,
    progress: &Progress,
) -> Result<[u8; 32], LoadError> {
    progress.phase(Phase::Hashing);
    let (begin, mut is_long) = (Instant::now(), false);
    file.digest(|done| {
        progress.hashed(done);
        if !is_long && begin.elapsed() > UNREGISTERED_HASHING {
            is_long = true;
            context.register(source);
        }
    })
}
