//! Locks on numbers of our own, kept apart from the advisory locks that users take. PostgreSQL gives
//! them back when the transaction ends, however it ends.

use pgrx::{PgSqlErrorCode, PgTryBuilder, pg_sys};

use super::compat;

const MODE: pg_sys::LOCKMODE = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;

/// What is locked.
#[derive(Debug, Clone, Copy)]
pub enum Lock {
    /// A load: who gets its lock knows that it is over, and that all it has committed can be seen.
    Load(i64),
    /// A load whose function is at work: what its process does may be cancelled for it.
    AtWork(i64),
    /// A load that is being queued: who gets its lock sees it in the queue, or never.
    Queued(i64),
    /// The end of the list of events: who has it gives the next numbers.
    Events,
    /// An inbox: who has it brings its files in.
    Inbox(u64),
    /// A place among the workers of the queue.
    Worker(u16),
    /// Who has it waits to try again what could not be begun: one for each database does.
    Resting,
    /// The watched folder: who has it watches it.
    Watcher,
    /// A process whose statement was cancelled because the load that has this lock waits for its transaction.
    GiveWay(i32),
    /// The load monitor of the database holds it.
    Monitor,
}

impl Lock {
    fn tag(self) -> pg_sys::LOCKTAG {
        // Users' advisory locks have 1 or 2 in this field.
        let (space, number) = match self {
            Self::Load(load_id) => (0x7470, load_id.cast_unsigned()),
            Self::AtWork(load_id) => (0x7476, load_id.cast_unsigned()),
            Self::Queued(load_id) => (0x7474, load_id.cast_unsigned()),
            Self::Events => (0x7471, 0),
            Self::Inbox(hash) => (0x7472, hash),
            Self::Worker(place) => (0x7473, u64::from(place)),
            Self::Resting => (0x7477, 0),
            Self::Watcher => (0x7475, 0),
            Self::GiveWay(pid) => (0x7478, u64::from(pid.cast_unsigned())),
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

    /// `classid`, `objid` and `objsubid`, as the view pg_locks has them.
    pub fn as_pg_locks_shows_it(self) -> [i64; 3] {
        let tag = self.tag();
        [tag.locktag_field2.into(), tag.locktag_field3.into(), tag.locktag_field4.into()]
    }

    fn acquire(self, for_session: bool, only_if_free: bool) -> bool {
        let tag = self.tag();
        // SAFETY: the tag lives through the call. The lock is owned by the transaction that we are in, or
        // by the session, whose process gives it back when it ends.
        let result =
            unsafe { pg_sys::LockAcquire(&raw const tag, MODE, for_session, only_if_free) };
        result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
    }

    /// Whether a load has cancelled what this process does.
    pub fn must_give_way() -> bool {
        // SAFETY: reads a variable of the backend.
        !Self::GiveWay(unsafe { pg_sys::MyProcPid }).is_free()
    }

    /// Whether no process has it; it is not taken.
    pub fn is_free(self) -> bool {
        !has_holders(&self.tag(), MODE)
    }

    /// Takes it until the transaction ends; `false` when another process has it.
    pub fn try_take(self) -> bool {
        self.acquire(false, true)
    }

    /// Gives it back before the transaction ends.
    pub fn give_back(self) {
        let tag = self.tag();
        // SAFETY: the tag lives through the call. Who does not have it is warned.
        unsafe { pg_sys::LockRelease(&raw const tag, MODE, false) };
    }

    /// Takes it until the transaction ends, and waits until it is free.
    pub fn take(self) {
        self.acquire(false, false);
    }
}

/// A lock that is held over the ends of transactions, until this goes.
pub struct HeldLock(Lock);

impl HeldLock {
    /// Takes it; none when another process has it.
    pub fn try_take(lock: Lock) -> Option<Self> {
        // What is not taken must not be given back.
        lock.acquire(true, true).then(|| Self(lock))
    }
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        let tag = self.0.tag();
        // SAFETY: the session owns the lock once more than it has given it back.
        unsafe { pg_sys::LockRelease(&raw const tag, MODE, true) };
    }
}

/// Takes a lock on an object that is no table, as DDL does, if nobody has to be waited for; until the transaction
/// ends.
pub fn try_object(class: pg_sys::Oid, object: pg_sys::Oid) -> bool {
    let (class, object) = (class.to_u32(), object.to_u32());
    let tag = tag_of(pg_sys::LockTagType::LOCKTAG_OBJECT, class, object);
    // SAFETY: the tag lives through the call; the lock is owned by the transaction that we are in.
    let result = unsafe { pg_sys::LockAcquire(&raw const tag, MODE, false, true) };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

/// Waits for a lock on an object that is no table, and takes it until the transaction ends; `false` when whoever has
/// it waits for this transaction: then the transaction must end.
#[must_use]
pub fn take_object(class: pg_sys::Oid, object: pg_sys::Oid) -> bool {
    let mode = MODE;
    // SAFETY: locks an oid of a catalog in a transaction.
    PgTryBuilder::new(|| unsafe {
        pg_sys::LockDatabaseObject(class, object, 0, mode);
        true
    })
    .catch_when(PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED, |_| false)
    .catch_when(PgSqlErrorCode::ERRCODE_QUERY_CANCELED, |error| {
        if Lock::must_give_way() { false } else { error.rethrow() }
    })
    .execute()
}

/// Gives a lock on an object back that was taken last, before the transaction ends.
pub fn give_object_back(class: pg_sys::Oid, object: pg_sys::Oid) {
    let (class, object) = (class.to_u32(), object.to_u32());
    let tag = tag_of(pg_sys::LockTagType::LOCKTAG_OBJECT, class, object);
    // SAFETY: the tag lives through the call. Who does not have it is warned.
    unsafe { pg_sys::LockRelease(&raw const tag, MODE, false) };
}

/// Whether this backend has a table for itself to write to, at least.
pub fn writes_alone(table: pg_sys::Oid) -> bool {
    holds(table, pg_sys::ExclusiveLock) || holds(table, pg_sys::AccessExclusiveLock)
}

/// Whether this backend holds a lock on a table that its partitions cannot come or go without.
pub fn may_have_altered(table: pg_sys::Oid) -> bool {
    let modes = [
        pg_sys::ShareUpdateExclusiveLock,
        pg_sys::ShareRowExclusiveLock,
        pg_sys::ExclusiveLock,
        pg_sys::AccessExclusiveLock,
    ];
    modes.into_iter().any(|mode| holds(table, mode))
}

/// Whether this transaction has a lock on a table, in any mode.
pub fn is_held(table: pg_sys::Oid) -> bool {
    (pg_sys::AccessShareLock..=pg_sys::AccessExclusiveLock).any(|mode| holds(table, mode))
}

/// Whether another process has a lock on a table that conflicts with this mode. Who only waits for one does not count.
pub fn has_conflicting_holder(table: pg_sys::Oid, mode: pg_sys::LOCKMODE) -> bool {
    has_holders(&tag_of(pg_sys::LockTagType::LOCKTAG_RELATION, table.to_u32(), 0), mode)
}

fn has_holders(tag: &pg_sys::LOCKTAG, mode: pg_sys::LOCKMODE) -> bool {
    let mut holders = 0;
    // SAFETY: the tag and the count live through the call. The list is made for the caller, as nowhere but on a
    // standby, where nobody asks.
    unsafe {
        let list = pg_sys::GetLockConflicts(tag, mode, &raw mut holders);
        pg_sys::pfree(list.cast());
    }
    holders > 0
}

fn holds(table: pg_sys::Oid, mode: u32) -> bool {
    let tag = tag_of(pg_sys::LockTagType::LOCKTAG_RELATION, table.to_u32(), 0);
    // SAFETY: the tag lives through the call, which looks into the backend's own memory.
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
