//! `trips.submit`: puts a load into the queue.

use super::{QueuedLoad, QueuedOptions, Wake};
use crate::error::LoadError;
use crate::ledger::{self, LoadSource};
use crate::load::LoadContext;
use crate::pg::locks::Lock;
use crate::pg::session;
use crate::settings::LoadOptions;
use crate::source::{Access, Source};
use crate::{events, settings};

/// The arguments of `trips.submit`.
pub struct Submission<'a> {
    /// Absolute path of the file.
    pub path: &'a str,
    /// Load it although its bytes are known.
    pub force: bool,
    /// Which records it takes.
    pub options: LoadOptions<'a>,
}

/// Inserts a load of the current user into the queue, and returns its number.
pub fn submit(request: &Submission<'_>) -> Result<i64, LoadError> {
    let &Submission { path, force, options } = request;
    settings::constraints()?;
    let access = &Access::of(session::current_user());
    access.require_any(path)?;
    // A mistyped path is an error of this statement, not of the worker.
    let source = Source::open(path, access)?;
    let path = source.path();
    let context = LoadContext::begin(path)?;
    let load_id = context.header.load_id;
    let load_source =
        LoadSource { name: path.to_owned(), bytes: source.size(), ..LoadSource::default() };
    Lock::Queued(load_id).lock();
    ledger::record_queued(&context.header, &load_source)?;
    super::enter(&QueuedLoad {
        load_id,
        path: path.to_owned(),
        force,
        options: QueuedOptions::of(options),
        settings: super::settings_of_session(),
        attempts: 0,
        role: Some(context.header.role),
    })?;
    events::publish_at_commit(load_id);
    super::wake_worker(load_id, Wake::AtCommit);
    Ok(load_id)
}
