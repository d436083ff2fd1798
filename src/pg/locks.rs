//! Locks on numbers of our own, kept apart from the advisory locks that users take. PostgreSQL gives
//! them back when the transaction ends, however it ends.

use pgrx::pg_sys;

/// What is locked.
#[derive(Debug, Clone, Copy)]
pub enum Lock {
    /// A load: who gets its lock knows that it is over, and that all it has committed can be seen.
    Load(i64),
    /// The end of the list of events: who has it gives the next numbers.
    Events,
    /// An inbox: who has it brings its files in.
    Inbox(u64),
    /// A place among the workers of the queue.
    Worker(u16),
}

impl Lock {
    fn tag(self) -> pg_sys::LOCKTAG {
        // Users' advisory locks have 1 or 2 in this field.
        let (space, number) = match self {
            Self::Load(load_id) => (0x7470, load_id.cast_unsigned()),
            Self::Events => (0x7471, 0),
            Self::Inbox(hash) => (0x7472, hash),
            Self::Worker(place) => (0x7473, u64::from(place)),
        };
        let [high, low] = [number >> 32, number & 0xffff_ffff]
            .map(|half| u32::try_from(half).expect("half of 64 bits"));
        pg_sys::LOCKTAG {
            // SAFETY: reads a variable of the backend.
            locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
            locktag_field2: high,
            locktag_field3: low,
            locktag_field4: space,
            locktag_type: u8::try_from(pg_sys::LockTagType::LOCKTAG_ADVISORY).expect("a small number"),
            locktag_lockmethodid: u8::try_from(pg_sys::USER_LOCKMETHOD).expect("a small number"),
        }
    }

    fn acquire(self, only_if_free: bool) -> bool {
        let tag = self.tag();
        let mode = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;
        // SAFETY: the tag lives through the call; we are in a transaction, which owns the lock.
        let result = unsafe { pg_sys::LockAcquire(&raw const tag, mode, false, only_if_free) };
        result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
    }

    /// Takes it until the transaction ends; `false` when another process has it.
    pub fn try_take(self) -> bool {
        self.acquire(true)
    }

    /// Takes it until the transaction ends, and waits until it is free.
    pub fn take(self) {
        self.acquire(false);
    }
}
