//! An allocator with a reserve for small allocations.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(test)]
mod tests;

/// Usual size of the reserve, bytes. The system gives its pages when they are first used.
pub const RESERVE: usize = 4 * 1024 * 1024;
/// Bytes of the largest allocation that the reserve serves.
pub const LARGEST: usize = 1024 * 1024;
/// Bytes of the largest allocation that may use all of the reserve. Larger ones leave a quarter to these.
pub const SMALL: usize = 64 * 1024;
/// The strictest alignment that it serves, which is that of the space itself.
const ALIGNMENT: usize = 4096;
/// Bytes of a block: an allocation has whole ones.
const BLOCK: usize = 64;

#[repr(align(4096))]
struct Space<const BYTES: usize>(UnsafeCell<[u8; BYTES]>);

/// What the lock guards, beside the map of the blocks at the begin of the space: a byte for each block, which is not 0
/// if the block is taken.
struct Taken {
    /// Number of allocations that are in use.
    in_use: usize,
}

/// An allocator that gives what `A` gives, and from its reserve what `A` has no memory for, if that is not large. The
/// owner of the process asks [`Reserve::take_shortage`], and stops with an error.
///
/// # Example
/// ```
/// use std::alloc::System;
/// use trips_memory::Reserve;
///
/// #[global_allocator]
/// static ALLOCATOR: Reserve<System> = Reserve::new(System);
///
/// assert_eq!(ALLOCATOR.take_shortage(), None);
/// ```
pub struct Reserve<A, const BYTES: usize = RESERVE> {
    allocator: A,
    space: Space<BYTES>,
    taken: Mutex<Taken>,
    /// Bytes of the last allocation that the reserve served and of which nobody was told; 0 for none.
    shortage: AtomicUsize,
}

// SAFETY: the space is handed out in parts that do not overlap, under the lock of `taken`; all else is Sync, if A is.
unsafe impl<A: Sync, const BYTES: usize> Sync for Reserve<A, BYTES> {}

impl<A, const BYTES: usize> Reserve<A, BYTES> {
    /// An allocator that is based on this one.
    pub const fn new(allocator: A) -> Self {
        Self {
            allocator,
            space: Space(UnsafeCell::new([0; BYTES])),
            taken: Mutex::new(Taken { in_use: 0 }),
            shortage: AtomicUsize::new(0),
        }
    }

    /// Bytes of the last allocation for which the system had no memory, once, and only while the reserve is in use: a
    /// shortage that has passed is none.
    pub fn take_shortage(&self) -> Option<usize> {
        if self.shortage.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let bytes = self.shortage.swap(0, Ordering::Relaxed);
        (bytes > 0 && self.lock().in_use > 0).then_some(bytes)
    }

    /// The lock allocates nothing, and is held for a few instructions.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> *mut u8 {
        self.space.0.get().cast()
    }

    /// Whether this allocation is in the reserve.
    fn holds(&self, allocation: *mut u8) -> bool {
        allocation.addr().wrapping_sub(self.begin().addr()) < BYTES
    }

    /// A part of the reserve; null if this is too large, or the reserve is used up.
    #[cold]
    fn take(&self, layout: Layout) -> *mut u8 {
        if layout.size() > LARGEST || layout.align() > ALIGNMENT {
            return ptr::null_mut();
        }
        let (count, step) = (layout.size().div_ceil(BLOCK), layout.align().div_ceil(BLOCK));
        let mut taken = self.lock();
        let map = self.map(&mut taken);
        let end = if layout.size() > SMALL { map.len() / 4 * 3 } else { map.len() };
        // The blocks of the map itself come before.
        let mut at = map.len().div_ceil(BLOCK).next_multiple_of(step);
        let blocks = loop {
            let Some(blocks) = map[..end].get_mut(at..at + count) else { return ptr::null_mut() };
            match blocks.iter().rposition(|block| *block != 0) {
                Some(used) => at = (at + used + 1).next_multiple_of(step),
                None => break blocks,
            }
        };
        blocks.fill(1);
        taken.in_use += 1;
        drop(taken);
        self.shortage.store(layout.size(), Ordering::Relaxed);
        self.begin().wrapping_add(at * BLOCK)
    }

    /// Gives a part of the reserve back, which `take` has given for this layout.
    #[cold]
    fn give_back(&self, allocation: *mut u8, layout: Layout) {
        let at = (allocation.addr() - self.begin().addr()) / BLOCK;
        let mut taken = self.lock();
        self.map(&mut taken)[at..at + layout.size().div_ceil(BLOCK)].fill(0);
        taken.in_use -= 1;
    }

    /// The map of the blocks.
    fn map<'t>(&'t self, _: &'t mut MutexGuard<'_, Taken>) -> &'t mut [u8] {
        // SAFETY: the space has these bytes, no allocation is among them, and the guard, which is borrowed as long as
        // the map, excludes all other calls.
        unsafe { std::slice::from_raw_parts_mut(self.begin(), BYTES / BLOCK) }
    }
}

// SAFETY: an allocation is one of `allocator`, which keeps the contract, or a part of the space that no other
// allocation in use overlaps (`take`), aligned as asked, because the space is aligned to ALIGNMENT. None unwinds.
unsafe impl<A: GlobalAlloc, const BYTES: usize> GlobalAlloc for Reserve<A, BYTES> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's layout has a size.
        let allocation = unsafe { self.allocator.alloc(layout) };
        if allocation.is_null() { self.take(layout) } else { allocation }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's layout has a size.
        let mut allocation = unsafe { self.allocator.alloc_zeroed(layout) };
        if allocation.is_null() {
            allocation = self.take(layout);
            if !allocation.is_null() {
                // SAFETY: the part has the size of the layout, and belongs to this call alone.
                unsafe { allocation.write_bytes(0, layout.size()) };
            }
        }
        allocation
    }

    unsafe fn dealloc(&self, allocation: *mut u8, layout: Layout) {
        if self.holds(allocation) {
            self.give_back(allocation, layout);
        } else {
            // SAFETY: the caller has the allocation from here with this layout, and it is not of the reserve.
            unsafe { self.allocator.dealloc(allocation, layout) };
        }
    }

    unsafe fn realloc(&self, allocation: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !self.holds(allocation) {
            // SAFETY: the caller has the allocation from here with this layout, and it is not of the reserve.
            let moved = unsafe { self.allocator.realloc(allocation, layout, size) };
            if !moved.is_null() || size > LARGEST {
                return moved;
            }
        }
        // SAFETY: the caller says that the size is not 0 and is valid with this alignment.
        let moved = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !moved.is_null() {
            // SAFETY: both have at least this many bytes; the new one overlaps nothing. The old one is the caller's.
            unsafe {
                ptr::copy_nonoverlapping(allocation, moved, layout.size().min(size));
                self.dealloc(allocation, layout);
            }
        }
        moved
    }
}
