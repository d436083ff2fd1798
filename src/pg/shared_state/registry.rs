//! The segment of a load monitor, where sessions register the handles of their mailboxes.
//!
//! The monitor publishes the segment's handle in the progress slots of its own process, which every session can read.
//! It runs no command with progress, so no progress view shows them.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32};

use pgrx::{pg_guard, pg_sys};

use crate::pg::progress_slots;

/// Marks the segment of a monitor, and its progress slots: "tripmoni" in ASCII.
const MAGIC: i64 = 0x7472_6970_6d6f_6e69;

/// The begin of the segment. The handles follow; 0 is a free entry.
#[repr(C)]
struct RegistryHead {
    magic: i64,
    count: usize,
    is_open: AtomicBool,
    latch: AtomicPtr<pg_sys::Latch>,
}

/// The mapped segment of a monitor, in the monitor.
pub struct Registry {
    segment: *mut pg_sys::dsm_segment,
    head: *mut RegistryHead,
}

impl Registry {
    /// Creates the segment of this monitor; `None` if the server has its maximum of segments.
    pub fn create() -> Option<Self> {
        // SAFETY: the segment has room for the head and a handle of every process that the server can have; no other
        // process knows it yet. The callback is called before it is unmapped.
        unsafe {
            let count = usize::try_from(pg_sys::MaxBackends).unwrap_or(0) + 64;
            let size = size_of::<RegistryHead>() + count * size_of::<AtomicU32>();
            let flags = pg_sys::DSM_CREATE_NULL_IF_MAXSEGMENTS.cast_signed();
            let segment = pg_sys::dsm_create(size, flags);
            if segment.is_null() {
                return None;
            }
            pg_sys::dsm_pin_mapping(segment);
            let head = pg_sys::dsm_segment_address(segment).cast::<RegistryHead>();
            let latch = AtomicPtr::new(pg_sys::MyLatch);
            head.write(RegistryHead { magic: MAGIC, count, is_open: AtomicBool::new(true), latch });
            for slot in 0..count {
                head.add(1).cast::<AtomicU32>().add(slot).write(AtomicU32::new(0));
            }
            pg_sys::on_dsm_detach(segment, Some(monitor_ends), head.into());
            let registry = Self { segment, head };
            Some(registry)
        }
    }

    fn head(&self) -> &RegistryHead {
        // SAFETY: the segment is mapped while `self` lives and begins with a RegistryHead; its changing fields are atomic.
        unsafe { &*self.head }
    }

    fn slots(&self) -> &[AtomicU32] {
        // SAFETY: this many handles follow the head.
        unsafe { std::slice::from_raw_parts(self.head.add(1).cast(), self.head().count) }
    }

    /// Publishes the handle of the segment. Code of the ledger's owner may have used the slots since.
    pub fn publish(&self) {
        // SAFETY: the segment is mapped; reads a variable of this process.
        let (handle, pid) =
            unsafe { (pg_sys::dsm_segment_handle(self.segment), pg_sys::MyProcPid) };
        progress_slots::publish_numbers([MAGIC, handle.into(), pid.into()]);
    }

    /// The handles that sessions have registered since the last call.
    pub fn drain_handles(&self) -> Vec<u32> {
        let taken = self.slots().iter().filter(|slot| slot.load(SeqCst) != 0);
        taken.map(|slot| slot.swap(0, SeqCst)).filter(|&handle| handle != 0).collect()
    }

    /// Opens the registry, or closes it: then sessions register no more handles.
    pub fn set_open(&self, is_open: bool) {
        self.head().is_open.store(is_open, SeqCst);
    }

    /// Unmaps the segment.
    pub fn detach(self) {
        // SAFETY: it is mapped, and `self` is used up.
        unsafe { pg_sys::dsm_detach(self.segment) }
    }

    /// Registers a handle with the monitor of this database, and wakes it; `false` if there is no monitor.
    pub fn post_handle(mailbox: u32) -> bool {
        let Some([_, handle, _]) = progress_slots::numbers_of_a_process(MAGIC) else {
            return false;
        };
        let Ok(handle) = u32::try_from(handle) else { return false };
        // SAFETY: an unknown handle gives NULL. A segment without our mark is not read further; it is unmapped before
        // we return.
        unsafe {
            if !pg_sys::dsm_find_mapping(handle).is_null() {
                return false;
            }
            let segment = pg_sys::dsm_attach(handle);
            if segment.is_null() {
                return false;
            }
            let head = pg_sys::dsm_segment_address(segment).cast::<RegistryHead>();
            let is_left = pg_sys::dsm_segment_map_length(segment) >= size_of::<RegistryHead>()
                && (*head).magic == MAGIC
                && Self { segment, head }.add(mailbox);
            pg_sys::dsm_detach(segment);
            is_left
        }
    }

    fn add(&self, mailbox: u32) -> bool {
        let is_free = |slot: &&AtomicU32| slot.compare_exchange(0, mailbox, SeqCst, SeqCst).is_ok();
        if !self.head().is_open.load(SeqCst) {
            return false;
        }
        let Some(slot) = self.slots().iter().find(is_free) else { return false };
        // A monitor that has closed its registry meanwhile has either taken the handle, or not seen it.
        if !self.head().is_open.load(SeqCst)
            && slot.compare_exchange(mailbox, 0, SeqCst, SeqCst).is_ok()
        {
            return false;
        }
        let latch = self.head().latch.load(SeqCst);
        // SAFETY: latches are in PostgreSQL's shared memory and are never freed.
        unsafe { pg_sys::SetLatch(latch) }
        true
    }
}

/// The process of the monitor ends, or another monitor takes over.
#[pg_guard]
unsafe extern "C-unwind" fn monitor_ends(_segment: *mut pg_sys::dsm_segment, head: pg_sys::Datum) {
    // SAFETY: the head that was registered, in a segment that is still mapped.
    unsafe { &*head.cast_mut_ptr::<RegistryHead>() }.is_open.store(false, SeqCst);
}
