//! A file is delivered: into the history (ingest), or only into staging (stage).

use pgrx::{PgLogLevel, PgSqlErrorCode, check_for_interrupts, ereport};
use trips_core::feed::Feed;
use trips_core::header::Layout;
use trips_core::record::{Fault, Record, RecordReader};
use trips_core::trip;

use super::loader::{Loader, summarize};
use crate::error::{BadLine, LoadError};
use crate::history::History;
use crate::ledger::{self, Delivery, SameBytes, Ticket};
use crate::pg::progress::{Phase, Progress};
use crate::pg::row::LoadRow;
use crate::settings;
use crate::source::Source;

/// Rows between two looks at whether the user has cancelled.
const ROWS_AT_ONCE: u64 = 1024;
/// Quotes that are never closed, before the file is taken for something else than CSV.
const UNCLOSED_QUOTES: u32 = 3;
/// Bad lines that the refusal of a file tells.
const BAD_LINES_TOLD: usize = 10;

/// What happens to the rows of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Trips into the history, bad lines into staging.
    History,
    /// Everything into staging.
    Staging,
}

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Absolute path of the file on the server.
    pub path: &'a str,
    /// Where its rows go.
    pub target: Target,
    /// The first bad line refuses the file.
    pub abort_on_error: bool,
    /// More bad lines than that refuse the file.
    pub max_errors: Option<u64>,
    /// Load it although its bytes are known.
    pub force: bool,
}

/// Brings the file in. `delivery` learns what is found out about it, also when the load fails.
pub fn deliver(
    request: &Request<'_>,
    ticket: &Ticket,
    delivery: &mut Delivery,
) -> Result<LoadRow, LoadError> {
    let mut source = Source::open(request.path)?;
    delivery.bytes = source.size();
    let mut progress = Progress::begin(ticket.load_id, source.size());
    let digest = source.digest(|done| progress.bytes(done))?;
    delivery.digest = Some(digest);
    // A look without a lock first: known bytes need not wait for a running load.
    if let Some(known) = ledger::same_bytes(&digest)
        && !request.force
    {
        return skip(ticket, delivery, known);
    }
    progress.phase(Phase::Waiting);
    let history = History::hold();
    let known = ledger::same_bytes(&digest);
    if let Some(known) = known
        && !request.force
    {
        return skip(ticket, delivery, known);
    }
    progress.bytes(0);
    progress.phase(Phase::Reading);
    let mut loader = Loader::new(&history, ticket.load_id);
    read(request, &source, &mut loader, &mut progress)?;
    source.require_unchanged()?;
    let totals = loader.finish(&mut progress)?;
    summarize(totals.inserted, &mut progress)?;
    ledger::enter(ticket, delivery, Some(totals), known.map(|known| known.load_id))
}

/// The bytes are known: only the ledger hears of it.
fn skip(ticket: &Ticket, delivery: &Delivery, known: SameBytes) -> Result<LoadRow, LoadError> {
    if known.staged > 0 {
        let (load_id, staged) = (known.load_id, known.staged);
        ereport!(
            PgLogLevel::NOTICE,
            PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
            format!(
                "load {load_id} has the same bytes; {staged} of its rows wait in staging: SELECT * FROM trips.merge_staged({load_id})"
            )
        );
    }
    ledger::enter(ticket, delivery, None, Some(known.load_id))
}

/// Reads the file from its header to its end into the loader.
fn read(
    request: &Request<'_>,
    source: &Source,
    loader: &mut Loader<'_>,
    progress: &mut Progress,
) -> Result<(), LoadError> {
    let mut reader = RecordReader::new(source, settings::max_record_bytes());
    let layout = read_header(request.path, source, &mut reader)?;
    let mut judge = Judge::new(request);
    loop {
        let position = reader.position();
        let Some(record) = reader.next_record().map_err(|error| source.read_error(error))? else {
            return Ok(());
        };
        take(request.target, &layout, &record, loader, &mut judge)?;
        loader.flush_if_full(progress)?;
        if loader.rows_read().is_multiple_of(ROWS_AT_ONCE) {
            check_for_interrupts!();
            progress.bytes(position);
            progress.rows(loader.rows_read());
        }
    }
}

/// Finds the columns of the feed in the first record of the file.
fn read_header(
    path: &str,
    source: &Source,
    reader: &mut RecordReader<&Source>,
) -> Result<Layout, LoadError> {
    let read_error = |error| source.read_error(error);
    let first_bytes = reader.peek(3).map_err(read_error)?;
    if first_bytes == b"\xef\xbb\xbf" {
        reader.skip(3);
    } else if first_bytes.starts_with(b"\xff\xfe") || first_bytes.starts_with(b"\xfe\xff") {
        return Err(LoadError::Utf16(path.to_owned()));
    }
    let Some(header) = reader.next_record().map_err(read_error)? else {
        return Err(LoadError::Empty(path.to_owned()));
    };
    if header.fault.is_some() {
        return Err(LoadError::HeaderFault(path.to_owned()));
    }
    let layout = Layout::resolve(&Feed::trips(), &header)
        .map_err(|error| LoadError::Header { path: path.to_owned(), error })?;
    if !layout.unused.is_empty() {
        ereport!(
            PgLogLevel::NOTICE,
            PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
            format!(
                "columns that are no part of a trip are not read: {}",
                layout.unused.join(", ")
            )
        );
    }
    Ok(layout)
}

/// Sends one record to where it belongs.
fn take(
    target: Target,
    layout: &Layout,
    record: &Record<'_>,
    loader: &mut Loader<'_>,
    judge: &mut Judge<'_>,
) -> Result<(), LoadError> {
    let texts = trip::texts(layout, record);
    let checked = match &texts {
        Ok(texts) => texts.validate(),
        Err(rejection) => Err(rejection.clone()),
    };
    let load_id = loader.load_id();
    match (checked, &texts, target) {
        (Ok(trip), _, Target::History) => loader.push(&trip)?,
        (Ok(_), Ok(texts), Target::Staging) => {
            loader.stage(record.raw.len())?.push_waiting(load_id, record, texts);
        }
        (Err(rejection), ..) => {
            judge.bad_line(record, &rejection)?;
            let staged = loader.stage(record.raw.len())?;
            staged.push_rejected(load_id, record, texts.as_ref().ok(), &rejection);
        }
        (Ok(_), Err(_), Target::Staging) => unreachable!("a trip is made of texts"),
    }
    Ok(())
}

/// Decides when bad lines are too many.
struct Judge<'a> {
    request: &'a Request<'a>,
    bad_lines: u64,
    first: Vec<BadLine>,
    unclosed_quotes: u32,
}

impl<'a> Judge<'a> {
    fn new(request: &'a Request<'a>) -> Self {
        Self { request, bad_lines: 0, first: Vec::new(), unclosed_quotes: 0 }
    }

    fn bad_line(
        &mut self,
        record: &Record<'_>,
        rejection: &trips_core::reject::Rejection,
    ) -> Result<(), LoadError> {
        let path = || self.request.path.to_owned();
        let bad = BadLine { line: record.line, rejection: rejection.clone() };
        if self.request.abort_on_error {
            return Err(LoadError::BadLine { path: path(), bad });
        }
        self.bad_lines += 1;
        if self.first.len() < BAD_LINES_TOLD {
            self.first.push(bad);
        }
        if record.fault == Some(Fault::UnclosedQuote) {
            self.unclosed_quotes += 1;
            if self.unclosed_quotes == UNCLOSED_QUOTES {
                let (count, last) = (UNCLOSED_QUOTES, record.line);
                return Err(LoadError::UnclosedQuotes { path: path(), count, last });
            }
        }
        match self.request.max_errors {
            Some(limit) if self.bad_lines > limit => {
                let first = std::mem::take(&mut self.first);
                Err(LoadError::TooManyBadLines { path: path(), limit, first })
            }
            _ => Ok(()),
        }
    }
}
