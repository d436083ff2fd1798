//! Locks on numbers, in a space of their own that users' advisory locks do not use, and locks on tables and other
//! objects. PostgreSQL releases them when the transaction ends.

use pgrx::{PgSqlErrorCode, PgTryBuilder, pg_sys};

use super::compat;

const MODE: pg_sys::LOCKMODE = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;

/// The object of the lock. The objects of all rooms are in one type, so that no two have the same number.
#[derive(Debug, Clone, Copy)]
pub enum Lock {
    /// A load. Its holder knows that no other process runs the load, and sees all that the load has committed.
    Load(i64),
    /// A load whose function is running: `trips.cancel()` may cancel the statement of its holder.
    Cancelable(i64),
    /// A load that is being queued. Its holder sees the load in the queue, or never will.
    Queued(i64),
    /// The end of the list of events: its holder assigns the next numbers.
    Events,
    /// A pattern of files: its holder loads the matching files.
    Pattern(u64),
    /// A worker slot of the queue.
    WorkerSlot(u16),
    /// Its holder waits to retry loads that could not begin: one worker of each database does.
    QueueRetry,
    /// The watched folder: its holder watches it.
    Watcher,
    /// A process whose statement a load has cancelled, because the load waits for its transaction. The load holds it.
    Yield(i32),
    /// The load monitor of the database holds it.
    Monitor,
}

impl Lock {
    fn tag(self) -> pg_sys::LOCKTAG {
        // Users' advisory locks have 1 or 2 in this field.
        let (space, number) = match self {
            Self::Load(load_id) => (0x7470, load_id.cast_unsigned()),
            Self::Cancelable(load_id) => (0x7476, load_id.cast_unsigned()),
            Self::Queued(load_id) => (0x7474, load_id.cast_unsigned()),
            Self::Events => (0x7471, 0),
            Self::Pattern(hash) => (0x7472, hash),
            Self::WorkerSlot(slot) => (0x7473, u64::from(slot)),
            Self::QueueRetry => (0x7477, 0),
            Self::Watcher => (0x7475, 0),
            Self::Yield(pid) => (0x7478, u64::from(pid.cast_unsigned())),
            Self::Monitor => (0x7479, 0),
        };
        let [high, low] = [number >> 32, number & 0xffff_ffff]
            .map(|half| u32::try_from(half).expect("half of 64 bits"));
        pg_sys::LOCKTAG {
            // SAFETY: reads a variable of the backend.
            locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
            locktag_field2: high,
            locktag_field3: low,
            locktag_field4: space,
            locktag_type: u8::try_from(pg_sys::LockTagType::LOCKTAG_ADVISORY)
                .expect("a small number"),
            locktag_lockmethodid: u8::try_from(pg_sys::USER_LOCKMETHOD).expect("a small number"),
        }
    }

    /// `classid`, `objid` and `objsubid`, as the view pg_locks shows them.
    pub fn in_pg_locks(self) -> [i64; 3] {
        let tag = self.tag();
        [tag.locktag_field2.into(), tag.locktag_field3.into(), tag.locktag_field4.into()]
    }

    fn acquire(self, for_session: bool, no_wait: bool) -> bool {
        let tag = self.tag();
        // SAFETY: the tag lives through the call. The current transaction owns the lock, or the session, whose process
        // releases it when it ends.
        let result = unsafe { pg_sys::LockAcquire(&raw const tag, MODE, for_session, no_wait) };
        result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
    }

    /// Whether a load has cancelled the statement of this process.
    pub fn must_yield() -> bool {
        // SAFETY: reads a variable of the backend.
        Self::Yield(unsafe { pg_sys::MyProcPid }).is_held_by_transaction()
    }

    /// Whether a running transaction of another process holds it. The lock is not acquired, so no other process finds
    /// it taken meanwhile. A process that holds it for its session ([`SessionLock`]) counts only while it runs a
    /// transaction.
    pub fn is_held_by_transaction(self) -> bool {
        has_holders(&self.tag(), MODE)
    }

    /// Acquires it until the transaction ends; `false` when another process holds it.
    pub fn try_lock(self) -> bool {
        self.acquire(false, true)
    }

    /// Acquires it until the transaction ends. Waits while another process holds it.
    pub fn lock(self) {
        self.acquire(false, false);
    }

    /// Releases it before the transaction ends.
    pub fn unlock(self) {
        let tag = self.tag();
        // SAFETY: the tag lives through the call. PostgreSQL warns a process that does not hold the lock.
        unsafe { pg_sys::LockRelease(&raw const tag, MODE, false) };
    }
}

/// A lock that the session holds across transactions, until this is dropped.
pub struct SessionLock(Lock);

impl SessionLock {
    /// Acquires it; `None` when another process holds it.
    pub fn try_lock(lock: Lock) -> Option<Self> {
        // A lock that was not acquired must not be released.
        lock.acquire(true, true).then(|| Self(lock))
    }
}

impl Drop for SessionLock {
    fn drop(&mut self) {
        let tag = self.0.tag();
        // While an ERROR unwinds, too: the abort of the transaction does not release a lock of the session.
        // SAFETY: the session has acquired the lock once more than it has released it, so that LockRelease does not warn.
        // It takes the lock's partition LWLock, which no code holds while it raises an ERROR, and allocates nothing.
        unsafe { pg_sys::LockRelease(&raw const tag, MODE, true) };
    }
}

/// Locks an object that is not a table until the transaction ends, as DDL does. Does not wait: `false` when another
/// process holds a conflicting lock.
pub fn try_lock_object(class: pg_sys::Oid, object: pg_sys::Oid) -> bool {
    let (class, object) = (class.to_u32(), object.to_u32());
    let tag = tag_of(pg_sys::LockTagType::LOCKTAG_OBJECT, class, object);
    // SAFETY: the tag lives through the call; the current transaction owns the lock.
    let result = unsafe { pg_sys::LockAcquire(&raw const tag, MODE, false, true) };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

/// Locks an object that is not a table until the transaction ends. Waits for conflicting locks. Returns `false` when their
/// holder waits for this transaction: then the transaction must end.
#[must_use]
pub fn lock_object(class: pg_sys::Oid, object: pg_sys::Oid) -> bool {
    let mode = MODE;
    // SAFETY: locks an oid of a catalog in a transaction.
    PgTryBuilder::new(|| unsafe {
        pg_sys::LockDatabaseObject(class, object, 0, mode);
        true
    })
    .catch_when(PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED, |_| false)
    .catch_when(PgSqlErrorCode::ERRCODE_QUERY_CANCELED, |error| {
        if Lock::must_yield() { false } else { error.rethrow() }
    })
    .execute()
}

/// Releases the lock on an object before the transaction ends.
pub fn unlock_object(class: pg_sys::Oid, object: pg_sys::Oid) {
    let (class, object) = (class.to_u32(), object.to_u32());
    let tag = tag_of(pg_sys::LockTagType::LOCKTAG_OBJECT, class, object);
    // SAFETY: the tag lives through the call. PostgreSQL warns a process that does not hold the lock.
    unsafe { pg_sys::LockRelease(&raw const tag, MODE, false) };
}

/// Whether this backend holds EXCLUSIVE or ACCESS EXCLUSIVE on a table.
pub fn holds_exclusive(table: pg_sys::Oid) -> bool {
    holds(table, pg_sys::ExclusiveLock) || holds(table, pg_sys::AccessExclusiveLock)
}

/// Whether this backend holds SHARE on a table, which excludes others that insert into it.
pub fn holds_share(table: pg_sys::Oid) -> bool {
    holds(table, pg_sys::ShareLock)
}

/// Whether this backend holds a lock on a table that attaching or detaching a partition needs.
pub fn holds_ddl_lock(table: pg_sys::Oid) -> bool {
    let modes = [
        pg_sys::ShareUpdateExclusiveLock,
        pg_sys::ShareRowExclusiveLock,
        pg_sys::ExclusiveLock,
        pg_sys::AccessExclusiveLock,
    ];
    modes.into_iter().any(|mode| holds(table, mode))
}

/// Whether this backend holds a lock on a table, in any mode.
pub fn holds_any(table: pg_sys::Oid) -> bool {
    (pg_sys::AccessShareLock..=pg_sys::AccessExclusiveLock).any(|mode| holds(table, mode))
}

/// Whether a running transaction of another process holds a lock on a table that conflicts with this mode. A process that
/// waits for such a lock does not count.
pub fn has_conflicting_holder(table: pg_sys::Oid, mode: pg_sys::LOCKMODE) -> bool {
    has_holders(&tag_of(pg_sys::LockTagType::LOCKTAG_RELATION, table.to_u32(), 0), mode)
}

/// Holders without a running transaction are missing: GetLockConflicts lists transactions to wait for.
fn has_holders(tag: &pg_sys::LOCKTAG, mode: pg_sys::LOCKMODE) -> bool {
    let mut holders = 0;
    // SAFETY: the tag and the count live through the call. The list is palloc'd for the caller: only a standby uses a
    // static one, and no caller runs there.
    unsafe {
        let list = pg_sys::GetLockConflicts(tag, mode, &raw mut holders);
        pg_sys::pfree(list.cast());
    }
    holders > 0
}

fn holds(table: pg_sys::Oid, mode: u32) -> bool {
    let tag = tag_of(pg_sys::LockTagType::LOCKTAG_RELATION, table.to_u32(), 0);
    // SAFETY: the tag lives through the call, which reads the backend's own memory.
    unsafe { compat::holds_lock(&raw const tag, mode as pg_sys::LOCKMODE) }
}

/// The tag of a table, or of another object of this database.
fn tag_of(kind: pg_sys::LockTagType::Type, second: u32, third: u32) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: reads a variable of the backend.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: second,
        locktag_field3: third,
        locktag_field4: 0,
        locktag_type: u8::try_from(kind).expect("a small number"),
        locktag_lockmethodid: u8::try_from(pg_sys::DEFAULT_LOCKMETHOD).expect("a small number"),
    }
}
