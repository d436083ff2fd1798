//! Loads that are at work, or that wait for it: `trips.loads_at_work`, `trips.cancel`.

use std::time::Duration;

use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{Spi, check_for_interrupts, name, pg_extern, pg_sys};

use crate::error::LoadError;
use crate::events;
use crate::ledger::{self, Failure};
use crate::pg::error_fields;
use crate::pg::locks::Lock;
use crate::pg::progress::{self, AtWork};
use crate::pg::relation::Table;
use crate::pg::session::{self, AsOwner};
use crate::pg::worker;
use crate::queue::{self, Wake};

/// How often, and after how long, a load is looked for that somebody has and that is not at work.
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// `trips.loads_at_work() -> (load_id, pid, phase, bytes_done, bytes_total, rows_read, started)`
#[pg_extern(sql = false)]
fn loads_at_work() -> TableIterator<
    'static,
    (
        name!(load_id, i64),
        name!(pid, i32),
        name!(phase, i32),
        name!(bytes_done, i64),
        name!(bytes_total, i64),
        name!(rows_read, i64),
        name!(started, i64),
    ),
> {
    let _errors = error_fields::preserve();
    let caller = Caller::now();
    let rows = progress::at_work().into_iter().filter(|load| caller.may_see(load)).map(|load| {
        let [done, all] = load.bytes;
        let phase = i32::try_from(load.phase).unwrap_or_default();
        (load.load_id, load.pid, phase, done, all, load.rows_read, load.started)
    });
    TableIterator::new(rows.collect::<Vec<_>>())
}

/// `trips.cancel(load_id) -> void`
#[pg_extern(sql = false)]
fn cancel(load_id: Option<i64>) -> Result<(), ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.cancel()");
    let load_id = load_id.ok_or(LoadError::NullArgument("load_id"))?;
    Ok(cancel_load(load_id, Caller::now())?)
}

fn cancel_load(load_id: i64, caller: Caller) -> Result<(), LoadError> {
    if cancel_at_work(load_id, &caller)? {
        return Ok(());
    }
    let ledger = Table::open_for_insert(c"loads");
    let _owner = AsOwner::of(&ledger);
    let asked_by = ledger::requested_by(load_id)?;
    let is_entered = asked_by.is_some();
    if let Some(name) = asked_by {
        caller.require(role_of(load_id, &name)?, load_id)?;
    }
    for _ in 0..LOOKS {
        if let Some(load) = at_work(load_id) {
            // It may be one that the ledger does not show yet.
            caller.require(Some(load.asked_by), load_id)?;
            session::cancel(load.pid);
            return Ok(());
        }
        // While PostgreSQL builds an index for it, a load is not to be seen.
        if let Some(pid) = holder_of(Lock::AtWork(load_id))? {
            if !is_entered {
                caller.require(progress::user_of(pid), load_id)?;
            }
            session::cancel(pid);
            return Ok(());
        }
        let holder = holder_of(Lock::Load(load_id))?;
        match holder {
            None if !is_entered => return Err(LoadError::UnknownLoad(load_id)),
            // It will come to the load, or end with the cancel.
            Some(pid) if is_entered && worker::is_queue_worker(pid) => {
                session::cancel(pid);
                return Ok(());
            }
            None if Lock::Load(load_id).try_take() => return cancel_waiting(load_id),
            // A session before or behind its load, or a worker that closes what the server has stopped with.
            _ => std::thread::sleep(BETWEEN_LOOKS),
        }
        check_for_interrupts!();
    }
    Err(LoadError::NotRunning(load_id))
}

/// Cancels a load that is seen at work; `false` when the ledger must be asked. It takes no lock on the ledger,
/// which somebody may have locked.
fn cancel_at_work(load_id: i64, caller: &Caller) -> Result<bool, LoadError> {
    let pid = match at_work(load_id) {
        Some(load) => {
            caller.require(Some(load.asked_by), load_id)?;
            Some(load.pid)
        }
        None => holder_of(Lock::AtWork(load_id))?
            .filter(|&pid| caller.may_cancel(progress::user_of(pid))),
    };
    Ok(pid.is_some_and(session::cancel))
}

/// The role that has asked for a load that the ledger shows: as the queue has it, as the load itself says, or whose
/// process makes it. By its name only when nothing else tells; then it is over, or comes from a dump.
fn role_of(load_id: i64, name: &str) -> Result<Option<pg_sys::Oid>, LoadError> {
    if let Some(role) = queue::role_of(load_id)? {
        return Ok(Some(role));
    }
    if let Some(load) = at_work(load_id) {
        return Ok(Some(load.asked_by));
    }
    let session = holder_of(Lock::AtWork(load_id))?.and_then(progress::user_of);
    Ok(session.or_else(|| session::role_of_name(name)))
}

/// Takes a load out of the queue at which nobody is.
fn cancel_waiting(load_id: i64) -> Result<(), LoadError> {
    if !ledger::is_queued(load_id)? {
        return Err(LoadError::NotRunning(load_id));
    }
    // If this is rolled back, the load waits again, and a worker that has found it locked may be gone.
    Lock::Queued(load_id).take();
    queue::wake_worker(load_id, Wake::AtEnd);
    queue::remove(load_id)?;
    ledger::fail_job(load_id, &Failure::new("57014", "cancelled before it began"))?;
    events::publish_at_commit(load_id);
    Ok(())
}

fn at_work(load_id: i64) -> Option<AtWork> {
    progress::look_again();
    progress::at_work().into_iter().find(|load| load.load_id == load_id)
}

/// Who asks.
struct Caller {
    role: pg_sys::Oid,
    /// Whether the role may do what the owner of the ledger may.
    is_owner: bool,
}

impl Caller {
    fn now() -> Self {
        // Who watches waits for nobody who has locked the ledger.
        Self { role: session::current_user(), is_owner: Table::is_own(c"loads") }
    }

    /// The role that asked for a load, its members, and the owner of the tables may cancel it.
    fn may_cancel(&self, asked_by: Option<pg_sys::Oid>) -> bool {
        let is_of = |role| role != pg_sys::InvalidOid && session::is_member_of(self.role, role);
        self.is_owner || asked_by.is_some_and(is_of)
    }

    fn require(&self, asked_by: Option<pg_sys::Oid>, load_id: i64) -> Result<(), LoadError> {
        if self.may_cancel(asked_by) { Ok(()) } else { Err(LoadError::MayNotCancel(load_id)) }
    }

    /// They see it, too; and who sees what that session does.
    fn may_see(&self, load: &AtWork) -> bool {
        self.may_cancel(Some(load.asked_by)) || session::may_see_session_of(self.role, load.user)
    }
}

/// The process that has a lock.
fn holder_of(lock: Lock) -> Result<Option<i32>, LoadError> {
    let [high, low, space] = lock.as_pg_locks_shows_it();
    Spi::connect(|client| {
        let query = "SELECT pid FROM pg_locks
                      WHERE locktype = 'advisory' AND granted
                        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                        AND classid::bigint = $1 AND objid::bigint = $2 AND objsubid = $3";
        let rows = client.select(query, Some(1), &[high.into(), low.into(), space.into()])?;
        if rows.is_empty() { Ok(None) } else { Ok(rows.first().get_one::<i32>()?) }
    })
}
