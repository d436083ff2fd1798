//! The allocator against one that has memory only while it may.

use std::alloc::System;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::*;

/// A small reserve: it is made on the stack.
const BYTES: usize = 4 * SMALL;

/// Has memory while it is told so.
struct Some {
    has_memory: AtomicBool,
}

impl Some {
    fn may(&self) -> bool {
        self.has_memory.load(Ordering::Relaxed)
    }
}

// SAFETY: as System, or null.
unsafe impl GlobalAlloc for Some {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's.
        if self.may() { unsafe { System.alloc(layout) } } else { ptr::null_mut() }
    }

    unsafe fn dealloc(&self, allocation: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { System.dealloc(allocation, layout) };
    }

    unsafe fn realloc(&self, allocation: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if self.may() {
            // SAFETY: the caller's.
            unsafe { System.realloc(allocation, layout, size) }
        } else {
            ptr::null_mut()
        }
    }
}

fn reserve(has_memory: bool) -> Box<Reserve<Some, BYTES>> {
    Box::new(Reserve::new(Some { has_memory: AtomicBool::new(has_memory) }))
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

/// An allocation with its own bytes.
struct Held {
    at: *mut u8,
    layout: Layout,
    byte: u8,
}

impl Held {
    fn fill(&self) {
        // SAFETY: it has this many bytes.
        unsafe { self.at.write_bytes(self.byte, self.layout.size()) };
    }

    fn require_intact(&self, bytes: usize) {
        // SAFETY: it has at least this many bytes, which were written.
        let found = unsafe { std::slice::from_raw_parts(self.at, bytes) };
        assert!(found.iter().all(|byte| *byte == self.byte));
    }
}

#[derive(Debug, Clone)]
enum Step {
    Allocate { size: usize, align: u32, zeroed: bool },
    Resize { which: usize, size: usize },
    Free { which: usize },
    Memory(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..9000_usize, 0..13_u32, any::<bool>())
            .prop_map(|(size, align, zeroed)| Step::Allocate { size, align, zeroed }),
        3 => (any::<usize>(), 1..9000_usize).prop_map(|(which, size)| Step::Resize { which, size }),
        3 => any::<usize>().prop_map(|which| Step::Free { which }),
        1 => any::<bool>().prop_map(Step::Memory),
    ]
}

fn take_step(reserve: &Reserve<Some, BYTES>, held: &mut Vec<Held>, step: Step, byte: u8) {
    match step {
        Step::Allocate { size, align, zeroed } => {
            let layout = layout(size, 1 << align);
            // SAFETY: the layout has a size.
            let at = unsafe {
                if zeroed { reserve.alloc_zeroed(layout) } else { reserve.alloc(layout) }
            };
            if at.is_null() {
                return;
            }
            assert_eq!(at.addr() % layout.align(), 0);
            if zeroed {
                Held { at, layout, byte: 0 }.require_intact(size);
            }
            held.push(Held { at, layout, byte });
            held.last().unwrap().fill();
        }
        Step::Resize { which, size } if !held.is_empty() => {
            let which = which % held.len();
            let old = &held[which];
            // SAFETY: it was allocated here with this layout, and is in use.
            let at = unsafe { reserve.realloc(old.at, old.layout, size) };
            if at.is_null() {
                return;
            }
            assert_eq!(at.addr() % old.layout.align(), 0);
            let kept = old.layout.size().min(size);
            let new = Held { at, layout: layout(size, old.layout.align()), byte: old.byte };
            new.require_intact(kept);
            new.fill();
            held[which] = new;
        }
        Step::Free { which } if !held.is_empty() => {
            let freed = held.swap_remove(which % held.len());
            freed.require_intact(freed.layout.size());
            // SAFETY: it was allocated here with this layout, and is in use.
            unsafe { reserve.dealloc(freed.at, freed.layout) };
        }
        Step::Resize { .. } | Step::Free { .. } => {}
        Step::Memory(has) => reserve.allocator.has_memory.store(has, Ordering::Relaxed),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 10 } else { 500 }))]

    /// Allocations keep their bytes, whoever serves them, and the reserve is free when none of its own is in use.
    #[test]
    fn allocations_do_not_overlap(steps in proptest::collection::vec(step(), 0..200)) {
        let reserve = reserve(true);
        let mut held = Vec::new();
        for (byte, step) in (0..=u8::MAX).cycle().zip(steps) {
            take_step(&reserve, &mut held, step, byte);
        }
        while !held.is_empty() {
            take_step(&reserve, &mut held, Step::Free { which: 0 }, 0);
        }
        let mut taken = reserve.lock();
        prop_assert_eq!(taken.in_use, 0);
        prop_assert!(reserve.map(&mut taken).iter().all(|block| *block == 0));
    }
}

#[test]
fn a_shortage_is_told_once_and_only_while_it_lasts() {
    let reserve = reserve(true);
    let small = layout(900, 8);
    // SAFETY: the layout has a size, and each allocation is freed once with it.
    unsafe {
        let first = reserve.alloc(small);
        assert!(!reserve.holds(first));
        assert_eq!(reserve.take_shortage(), None);
        reserve.allocator.has_memory.store(false, Ordering::Relaxed);
        let second = reserve.alloc(small);
        assert!(reserve.holds(second));
        assert_eq!(reserve.take_shortage(), Some(900));
        assert_eq!(reserve.take_shortage(), None);
        let third = reserve.alloc(layout(12, 1));
        reserve.dealloc(third, layout(12, 1));
        reserve.dealloc(second, small);
        reserve.dealloc(first, small);
    }
    // It has passed.
    assert_eq!(reserve.take_shortage(), None);
}

/// What is large fails, so that its caller says so; so does what is beyond the reserve.
#[test]
fn the_reserve_has_limits() {
    let reserve = reserve(false);
    let [large, small, one] = [SMALL + 1, SMALL, 1].map(|size| layout(size, 1));
    // SAFETY: the layouts have sizes, and each allocation is freed once.
    unsafe {
        assert!(reserve.alloc(layout(LARGEST + 1, 1)).is_null());
        assert!(reserve.alloc(layout(8, 2 * ALIGNMENT)).is_null());
        let first: Vec<*mut u8> = (0..2).map(|_| reserve.alloc(large)).collect();
        assert!(first.iter().all(|allocation| reserve.holds(*allocation)));
        assert!(reserve.alloc(large).is_null(), "the last quarter is for small ones");
        let last = reserve.alloc(small);
        assert!(reserve.holds(last));
        assert!(reserve.alloc(small).is_null());
        assert!(reserve.realloc(last, small, LARGEST + 1).is_null());
        first.into_iter().for_each(|allocation| reserve.dealloc(allocation, large));
        reserve.dealloc(last, small);
        let again = reserve.alloc(one);
        assert!(reserve.holds(again));
        reserve.dealloc(again, one);
    }
}

/// What stays in the reserve does not use it up: its other parts are given again and again.
#[test]
fn a_part_that_is_kept_costs_only_itself() {
    let reserve = reserve(false);
    let (kept, large) = (layout(100, 8), layout(SMALL, 8));
    // SAFETY: the layouts have sizes, and each allocation is freed once with its own.
    unsafe {
        let first = reserve.alloc(kept);
        for _ in 0..1000 {
            let second = reserve.alloc(large);
            assert!(reserve.holds(second));
            reserve.dealloc(second, large);
        }
        reserve.dealloc(first, kept);
    }
}
