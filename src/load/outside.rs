//! Files that outside readers bring, part by part: opened, staged, and merged when all of it is there.

use pgrx::{check_for_interrupts, pg_sys};
use trips_core::wire::staged_row::StagedRows;
use trips_core::wire::upload_part;
use trips_core::wire::upload_part_reader::{Content, PartReader, Source, Stop};

use super::context::{Attempt, Rights, observed};
use super::ingest::warn_of_zero_coordinates;
use super::runs::{Collector, Loader, summarize};
use crate::error::{DeliveryError, LoadError};
use crate::history::History;
use crate::ledger::{self, Delivery, Ticket, Totals};
use crate::os::memory;
use crate::parts::{self, OpenDelivery, StoredPart};
use crate::pg::locks::Lock;
use crate::pg::row::LoadRow;
use crate::pg::session;
use crate::progress::{Passes, Phase, Progress};
use crate::settings;

/// Announces a file for a role. The same file opened again is the same delivery, and what has arrived of
/// it stays; with other reader options, it begins anew.
pub fn open(
    attempt: Attempt,
    delivery: Delivery,
    reader_options: String,
) -> Result<LoadRow, LoadError> {
    let ticket = &attempt.ticket;
    let digest = delivery.digest.unwrap_or_default();
    if let Some(known) = ledger::same_bytes(&digest, delivery.bytes) {
        let row = attempt.skip(&delivery, known)?;
        attempt.finish();
        return Ok(row);
    }
    let new = OpenDelivery { ticket: ticket.clone(), delivery, reader_options };
    while !parts::open(&new)? {
        check_for_interrupts!();
        // It may be gone again: then it is this one's turn.
        let Some(there) = parts::of_bytes(&digest, ticket.role)? else { continue };
        let load_id = there.ticket.load_id;
        if there.reader_options == new.reader_options && there.delivery.bytes == new.delivery.bytes
        {
            return ledger::not_entered(&there.ticket, &there.delivery);
        }
        if parts::hold(load_id)?.is_some() {
            parts::forget(load_id)?;
        }
    }
    ledger::not_entered(&new.ticket, &new.delivery)
}

/// Stages a part of a delivery for the current user; `false` when it is there already.
pub fn upload_part(load_id: i64, content: &[u8]) -> Result<bool, LoadError> {
    let caller = session::current_user();
    let _rights = Rights::take()?;
    let open = parts::of_load(load_id)?.ok_or(DeliveryError::Unknown(load_id))?;
    require_own(&open, caller)?;
    let (rules, max_record) = (settings::rules()?, settings::max_record_size());
    // It is checked where it is.
    let reader = begin(load_id, InPlace(content))?;
    let header = reader.header;
    let found = reader.read(&rules, max_record, |_| Ok(())).map_err(|stop| of(load_id, stop))?;
    let (end, bytes) = (header.first_byte + header.bytes, open.delivery.bytes);
    if end > bytes {
        return Err(DeliveryError::BeyondTheEnd { end, bytes }.into());
    }
    parts::add(header, found, content)
}

/// Forgets a delivery of the current user; `false` when there is none.
pub fn drop(load_id: i64) -> Result<bool, LoadError> {
    let caller = session::current_user();
    let _rights = Rights::take()?;
    if held_by(load_id, caller)?.is_none() {
        return Ok(false);
    }
    parts::forget(load_id)?;
    Ok(true)
}

/// Whether there is an upload of this number.
pub fn is_open(load_id: i64) -> Result<bool, LoadError> {
    let _rights = Rights::take()?;
    Ok(parts::of_load(load_id)?.is_some())
}

/// Brings an upload of the current user into the history, and enters it into the ledger. One that is complete already
/// is not brought again: a caller whose connection was lost at the commit may call once more.
pub fn complete(load_id: i64) -> Result<LoadRow, LoadError> {
    let caller = session::current_user();
    let rights = Rights::take()?;
    let Some(OpenDelivery { ticket, delivery, .. }) = held_by(load_id, caller)? else {
        let row = ledger::loaded(load_id)?;
        return row.ok_or_else(|| DeliveryError::Unknown(load_id).into());
    };
    // It is asked too early, or of a delivery that must begin anew: that is no failure of the load.
    if let Some(byte) = parts::first_gap(load_id, delivery.bytes)? {
        let source_name = delivery.source;
        return Err(DeliveryError::Incomplete { load_id, byte, source_name }.into());
    }
    // A worker that closes what the server has stopped with may be looking at it.
    Lock::Load(load_id).take();
    observed(Attempt::of(ticket, delivery, rights), merge_whole)
}

/// The delivery that is held from now on, if it is there and this role's.
fn held_by(load_id: i64, caller: pg_sys::Oid) -> Result<Option<OpenDelivery>, LoadError> {
    let held = parts::hold(load_id)?;
    held.map(|open| require_own(&open, caller).map(|()| open)).transpose()
}

/// Brings a delivery that is complete into the history.
fn merge_whole(attempt: &Attempt) -> Result<LoadRow, LoadError> {
    let (ticket, delivery) = (&attempt.ticket, &*attempt.delivery.borrow());
    let (load_id, bytes) = (ticket.load_id, delivery.bytes);
    if let Some(limit) = settings::max_errors()
        && parts::rejected(load_id)? > limit
    {
        let path = delivery.source.clone();
        return Err(LoadError::TooManyBadLines { path, limit, first: Vec::new() });
    }
    let interval = settings::notice_interval();
    let progress = Progress::begin(load_id, ticket.role, bytes, Passes::Reading, interval);
    progress.phase(Phase::Waiting);
    let history = attempt.hold_history(delivery)?;
    // Another load may have brought the same bytes meanwhile.
    let row = match delivery.digest.and_then(|digest| ledger::same_bytes(&digest, bytes)) {
        Some(known) => attempt.skip(delivery, known)?,
        None => {
            attempt.register(delivery);
            let totals = merge_parts(&history, load_id, &progress)?;
            summarize(totals.inserted, &progress)?;
            attempt.enter(delivery, Some(totals), None)?
        }
    };
    ledger::forget_error(load_id)?;
    parts::forget(load_id)?;
    Ok(row)
}

fn merge_parts(history: &History, load_id: i64, progress: &Progress) -> Result<Totals, LoadError> {
    progress.phase(Phase::Reading);
    let mut loader = Loader::new(history)?;
    let mut collector = Collector::new(load_id, &loader);
    let (rules, max_record) = (settings::rules()?, settings::max_record_size());
    let (mut rows, mut zero_coordinates, mut behind) = (0, 0, -1);
    while let Some(part) = StoredPart::behind(load_id, behind)? {
        behind = part.first_byte;
        let reader = begin(load_id, part)?;
        let part = reader.header;
        let take = |content: Content<'_>| {
            match content {
                Content::Trip(trip) => collector.push(trip)?,
                Content::Rejected(rows, count) => {
                    loader.stage(&StagedRows::copy(rows, count)?, progress)?;
                    memory::release_free();
                }
            }
            if collector.is_full() {
                collector.write(&mut loader, progress)?;
                memory::release_free();
                progress.phase(Phase::Reading);
            }
            Ok(())
        };
        reader.read(&rules, max_record, take).map_err(|stop| of(load_id, stop))?;
        rows += part.rows;
        zero_coordinates += part.zero_coordinates;
        loader.totals.duplicate += part.duplicates;
        progress.read(part.first_byte + part.bytes, rows);
    }
    collector.write(&mut loader, progress)?;
    warn_of_zero_coordinates(zero_coordinates);
    Ok(loader.totals)
}

/// Begins to read a part, of which nothing is believed that is not checked. The parts of a delivery cover its file once,
/// and none has more records than bytes: no sum of theirs is greater than the file's size.
fn begin<S: Source<Error = LoadError>>(
    load_id: i64,
    source: S,
) -> Result<PartReader<S>, LoadError> {
    let (bytes, limit) = (source.size(), upload_part::most_bytes(settings::max_record_size()));
    if bytes > limit {
        return Err(DeliveryError::TooLarge { bytes, limit }.into());
    }
    let reader = PartReader::new(source).map_err(|stop| of(load_id, stop))?;
    let found = reader.header.load_id;
    if found != load_id {
        return Err(DeliveryError::OtherDelivery { load_id, found }.into());
    }
    Ok(reader)
}

/// Why a part of this delivery is not read to its end.
fn of(load_id: i64, stop: Stop<LoadError>) -> LoadError {
    match stop {
        Stop::Part(error) => DeliveryError::NotAPart { load_id, error }.into(),
        Stop::Other(error) => error,
    }
}

/// A part that the caller holds.
struct InPlace<'a>(&'a [u8]);

impl Source for InPlace<'_> {
    type Error = LoadError;

    fn size(&self) -> usize {
        self.0.len()
    }

    fn read(&mut self, at: usize, length: usize) -> Result<&[u8], LoadError> {
        check_for_interrupts!();
        Ok(&self.0[at..][..length])
    }
}

/// A delivery is its role's, and of members of that role.
fn require_own(open: &OpenDelivery, caller: pg_sys::Oid) -> Result<(), LoadError> {
    let Ticket { load_id, requested_by, role, .. } = &open.ticket;
    if session::may_become(caller, *role) {
        return Ok(());
    }
    Err(DeliveryError::OfAnother { load_id: *load_id, role: requested_by.clone() }.into())
}
