//! A lock that a load holds on its own number until its transaction ends, however it ends: who gets it
//! knows that the load is over, and that all it has committed can be seen.

use pgrx::pg_sys;

/// Keeps these locks apart from the advisory locks that users take, which have 1 or 2 here.
const SPACE: u16 = 0x7470;

fn tag(load_id: i64) -> pg_sys::LOCKTAG {
    let bytes = load_id.to_be_bytes();
    let half = |i: usize| u32::from_be_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]);
    pg_sys::LOCKTAG {
        // SAFETY: reads a variable of the backend.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: half(0),
        locktag_field3: half(4),
        locktag_field4: SPACE,
        locktag_type: u8::try_from(pg_sys::LockTagType::LOCKTAG_ADVISORY).expect("a small number"),
        locktag_lockmethodid: u8::try_from(pg_sys::USER_LOCKMETHOD).expect("a small number"),
    }
}

/// Takes the lock of a load until the transaction ends; `false` when another process has it.
pub fn try_lock(load_id: i64) -> bool {
    let tag = tag(load_id);
    // SAFETY: the tag lives through the call; we are in a transaction, which owns the lock.
    let result = unsafe {
        pg_sys::LockAcquire(&raw const tag, pg_sys::ExclusiveLock as pg_sys::LOCKMODE, false, true)
    };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}
