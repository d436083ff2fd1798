//! Running loads: those that the caller may see, and their processes.

use pgrx::{Spi, pg_sys};

use crate::error::{LoadError, QueueError};
use crate::pg::locks::Lock;
use crate::pg::relation::Table;
use crate::pg::session;
use crate::progress::{self, RunningLoad};

/// The running loads that the current user may see.
pub fn visible_loads() -> Vec<RunningLoad> {
    let caller = Caller::now();
    progress::running_loads().into_iter().filter(|load| caller.may_see(load)).collect()
}

/// The load of this number, if its progress is visible.
pub fn find(load_id: i64) -> Option<RunningLoad> {
    progress::discard_copies();
    progress::running_loads().into_iter().find(|load| load.load_id == load_id)
}

/// The role that wants to see or to cancel a load.
pub struct Caller {
    role: pg_sys::Oid,
    /// Whether the role has the privileges of the ledger's owner.
    is_owner: bool,
}

impl Caller {
    /// The current user.
    pub fn now() -> Self {
        // It takes no lock on the ledger: monitoring must not wait for one.
        Self { role: session::current_user(), is_owner: Table::is_owned_by_current_user(c"loads") }
    }

    /// The requesting role, its members, and the owner of the tables may cancel a load.
    pub fn may_cancel(&self, asked_by: Option<pg_sys::Oid>) -> bool {
        let is_of = |role| role != pg_sys::InvalidOid && session::is_member_of(self.role, role);
        self.is_owner || asked_by.is_some_and(is_of)
    }

    /// Fails unless the caller may cancel the load.
    pub fn require(&self, asked_by: Option<pg_sys::Oid>, load_id: i64) -> Result<(), LoadError> {
        if self.may_cancel(asked_by) {
            Ok(())
        } else {
            Err(QueueError::MayNotCancel(load_id).into())
        }
    }

    /// Roles that may cancel a load see it. So do roles that see the activity of its session.
    fn may_see(&self, load: &RunningLoad) -> bool {
        self.may_cancel(Some(load.requested_by))
            || session::may_see_session_of(self.role, load.user)
    }
}

/// The process that holds a lock.
pub fn holder_of(lock: Lock) -> Result<Option<i32>, LoadError> {
    let [high, low, space] = lock.in_pg_locks();
    Spi::connect(|client| {
        let query = "SELECT pid FROM pg_locks
                      WHERE locktype = 'advisory' AND granted
                        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                        AND classid::bigint = $1 AND objid::bigint = $2 AND objsubid = $3";
        let rows = client.select(query, Some(1), &[high.into(), low.into(), space.into()])?;
        if rows.is_empty() { Ok(None) } else { Ok(rows.first().get_one::<i32>()?) }
    })
}
