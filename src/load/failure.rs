//! A load that fails: its ledger row says why.

use std::panic::AssertUnwindSafe;

use pgrx::PgTryBuilder;

use super::context::LoadContext;
use super::notices;
use crate::error::LoadError;
use crate::ledger::{LoadFailure, LoadRow, LoadSource};
use crate::monitor::client;
use crate::pg::error_fields::Caught;
use crate::pg::session;

/// Runs the work of a load. Publishes its end; if the work fails, the load monitor records the failure.
pub fn record_failure_of(
    context: LoadContext,
    work: impl FnOnce(&LoadContext) -> Result<LoadRow, LoadError>,
) -> Result<LoadRow, LoadError> {
    // An error of PostgreSQL (a cancel, a full disk, a lost lock) is recorded and raised again.
    let observer = AssertUnwindSafe(&context);
    let result = PgTryBuilder::new(AssertUnwindSafe(|| work(&context)))
        .catch_others(move |cause| {
            let failure = LoadFailure::of_caught(Caught::of(&cause));
            session::after_error();
            // A second error must not replace the first.
            PgTryBuilder::new(AssertUnwindSafe(|| record(&observer, failure)))
                .catch_others(|_| false)
                .execute();
            cause.rethrow()
        })
        .execute();
    match &result {
        Ok(_) => context.finish(),
        // Without a word, the monitor would record a registered load as lost.
        Err(error) if error.is_recorded() || context.monitored.get().is_some() => {
            if !record(&context, LoadFailure::of_load(error)) {
                notices::unrecorded_failure();
            }
        }
        Err(_) => {}
    }
    result
}

/// Reports the failure to the load monitor. Returns whether the ledger has it.
fn record(context: &LoadContext, failure: LoadFailure) -> bool {
    let LoadSource { digest, options, feed, .. } = context.source.borrow().clone();
    let failure =
        LoadFailure { digest, options, feed, role: context.header.role.to_u32(), ..failure };
    let register = || client::register(context.info(&context.source.borrow()));
    let load = context.monitored.take().unwrap_or_else(register);
    load.fail(&failure)
}
