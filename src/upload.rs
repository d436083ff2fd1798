//! Multipart uploads: a client creates one, uploads its parts, and completes or aborts it.

mod merge;
pub mod parts;

use pgrx::pg_sys;
use serde_json::json;
use trips_core::key::SameId;
use trips_core::upload::part;
use trips_core::upload::part_reader::{PartReader, PartSource, Stop};

use self::merge::Merge;
use self::parts::OpenUpload;
use crate::error::{FileError, LoadError, UploadError};
use crate::feeds::definitions;
use crate::ledger::{self, LoadHeader, LoadRow, LoadSource};
use crate::load::{LoadContext, OwnerPrivileges, record_failure_of, summarize};
use crate::pg::locks::Lock;
use crate::pg::{interrupts, session};
use crate::progress::{Passes, Phase, Progress};
use crate::settings;

/// Creates the upload of a file. If its role already uploads the file with the same options, that upload continues
/// with its parts. With other options, a new upload replaces it.
pub fn create(
    context: LoadContext,
    source: LoadSource,
    reader_options: String,
    on_change: Option<SameId>,
) -> Result<LoadRow, LoadError> {
    let header = &context.header;
    let digest = source.digest.unwrap_or_default();
    if let Some(known) = ledger::same_bytes(&digest, source.bytes) {
        let row = context.skip(&source, known)?;
        context.finish();
        return Ok(row);
    }
    let new = OpenUpload { header: header.clone(), source, reader_options, on_change };
    while !parts::create(&new)? {
        interrupts::check();
        // Another session may have deleted it since: then the next attempt creates one.
        let Some(there) = parts::of_bytes(&digest, header.role)? else { continue };
        let load_id = there.header.load_id;
        let is_same = there.reader_options == new.reader_options
            && there.on_change == new.on_change
            && there.source.bytes == new.source.bytes;
        if is_same {
            return ledger::unrecorded_row(&there.header, &there.source);
        }
        if parts::lock(load_id)?.is_some() {
            parts::delete(load_id)?;
        }
    }
    ledger::unrecorded_row(&new.header, &new.source)
}

/// Stores a part for the current user; `false` when the upload has it already.
pub fn upload_part(load_id: i64, content: &[u8]) -> Result<bool, LoadError> {
    let caller = session::current_user();
    let _privileges = OwnerPrivileges::acquire()?;
    let open = parts::of_load(load_id)?.ok_or(UploadError::Unknown(load_id))?;
    require_own(&open, caller)?;
    let (constraints, max_record) = (settings::constraints()?, settings::max_record_size());
    // Checked in place, without a copy.
    let reader = begin(load_id, InPlace(content))?;
    let header = reader.header;
    let feed = definitions::definition(header.feed_name())?;
    let found = reader.read(&constraints, &feed.identity, max_record, |_| Ok(()));
    let found = found.map_err(|stop| of(load_id, stop))?;
    let end = header.first_byte + header.bytes;
    let bytes = if header.content > 0 { header.content } else { open.source.bytes };
    if end > bytes {
        return Err(UploadError::BeyondTheEnd { end, bytes }.into());
    }
    parts::add(header, found, content)
}

/// Deletes an upload of the current user and its parts; `false` if it does not exist.
pub fn abort(load_id: i64) -> Result<bool, LoadError> {
    let caller = session::current_user();
    let _privileges = OwnerPrivileges::acquire()?;
    if locked_by(load_id, caller)?.is_none() {
        return Ok(false);
    }
    parts::delete(load_id)?;
    Ok(true)
}

/// Whether there is an upload of this number.
pub fn is_open(load_id: i64) -> Result<bool, LoadError> {
    let _privileges = OwnerPrivileges::acquire()?;
    Ok(parts::of_load(load_id)?.is_some())
}

/// Loads an upload of the current user into the history, and enters it into the ledger. For a completed upload it
/// returns the row of the ledger again: a client that lost its connection at the commit may repeat the call.
pub fn complete(load_id: i64) -> Result<LoadRow, LoadError> {
    let caller = session::current_user();
    let privileges = OwnerPrivileges::acquire()?;
    let Some(OpenUpload { header, mut source, on_change, .. }) = locked_by(load_id, caller)? else {
        let row = ledger::find_loaded(load_id)?;
        return row.ok_or_else(|| UploadError::Unknown(load_id).into());
    };
    // A missing part is not a failure of the load: the client uploads it and completes again.
    if let Some(byte) = parts::first_gap(load_id, source.bytes)? {
        let source_name = source.name;
        return Err(UploadError::Incomplete { load_id, byte, source_name }.into());
    }
    source.options = on_change.map(|policy| json!({ "on_change": policy.word() }).to_string());
    // A worker that closes the loads of a stopped server may hold the lock for a moment.
    Lock::Load(load_id).lock();
    let context = LoadContext::of(header, source, privileges);
    record_failure_of(context, |context| load_all(context, on_change))
}

/// Locks an upload until the transaction ends, if it exists and the caller may use it.
fn locked_by(load_id: i64, caller: pg_sys::Oid) -> Result<Option<OpenUpload>, LoadError> {
    let locked = parts::lock(load_id)?;
    locked.map(|open| require_own(&open, caller).map(|()| open)).transpose()
}

/// Loads all parts of a complete upload into the history.
fn load_all(context: &LoadContext, on_change: Option<SameId>) -> Result<LoadRow, LoadError> {
    let (header, source) = (&context.header, &mut *context.source.borrow_mut());
    let (load_id, bytes) = (header.load_id, source.bytes);
    if let Some(limit) = settings::max_errors()
        && parts::rejected(load_id)? > limit
    {
        let path = source.name.clone();
        return Err(
            FileError::TooManyBadLines { file: path.into(), limit, first: Vec::new() }.into()
        );
    }
    let interval = settings::notice_interval();
    let progress = Progress::begin(load_id, header.role, bytes, Passes::Reading, interval);
    progress.phase(Phase::Waiting);
    let history = context.lock_history(source)?;
    // Another load may have loaded the same bytes since.
    let row = match source.digest.and_then(|digest| ledger::same_bytes(&digest, bytes)) {
        Some(known) => context.skip(source, known)?,
        None => {
            context.register(source);
            let merge = Merge::begin(&history, (load_id, on_change), bytes, &progress)?;
            let merged = merge.all(&mut source.feed)?;
            ledger::record_members(load_id, &merged.members)?;
            source.days = merged.days;
            summarize(merged.totals.inserted + merged.totals.corrected, &progress)?;
            context.record_end(source, Some(merged.totals), None)?
        }
    };
    ledger::delete_failure(load_id)?;
    parts::delete(load_id)?;
    Ok(row)
}

/// Begins to read a part, whose content is not trusted. The parts of an upload cover its file once, and none has more
/// records than bytes. So no sum over them exceeds the size of the file.
fn begin<S: PartSource<Error = LoadError>>(
    load_id: i64,
    source: S,
) -> Result<PartReader<S>, LoadError> {
    let (bytes, limit) = (source.size(), part::most_bytes(settings::max_record_size()));
    if bytes > limit {
        return Err(UploadError::TooLarge { bytes, limit }.into());
    }
    let reader = PartReader::new(source).map_err(|stop| of(load_id, stop))?;
    let found = reader.header.load_id;
    if found != load_id {
        return Err(UploadError::OtherUpload { load_id, found }.into());
    }
    Ok(reader)
}

/// The error of a part of this upload.
fn of(load_id: i64, stop: Stop<LoadError>) -> LoadError {
    match stop {
        Stop::Part(error) => UploadError::NotAPart { load_id, error }.into(),
        Stop::Other(error) => error,
    }
}

/// A part in the memory of the caller.
struct InPlace<'a>(&'a [u8]);

impl PartSource for InPlace<'_> {
    type Error = LoadError;

    fn size(&self) -> usize {
        self.0.len()
    }

    fn read(&mut self, at: usize, length: usize) -> Result<&[u8], LoadError> {
        interrupts::check();
        Ok(&self.0[at..][..length])
    }
}

/// Fails unless the caller is the role of the upload, or a member of it.
fn require_own(open: &OpenUpload, caller: pg_sys::Oid) -> Result<(), LoadError> {
    let LoadHeader { load_id, requested_by, role, .. } = &open.header;
    if session::may_become(caller, *role) {
        return Ok(());
    }
    Err(UploadError::OfAnother { load_id: *load_id, role: requested_by.clone() }.into())
}
