//! Limits of what one stored file may unpack to.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{ContainerError, Kind, Limit, bytes};

/// The ratio is checked when so many bytes are unpacked.
const RATIO_FROM: u64 = 1 << 20;

/// No setting allows more containers inside each other: each one takes memory and stack.
const MAX_DEPTH: u32 = 16;

/// The limits of one stored file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes, of all members and levels together.
    pub unpacked: u64,
    /// Unpacked bytes for each stored byte, checked after the first MiB.
    pub ratio: u64,
    /// Members of all archives together, also those that are passed over.
    pub members: u64,
    /// Containers inside each other; a plain `.zip` or `.gz` has 1. More than 16 is 16.
    pub depth: u32,
}

impl Default for Limits {
    /// 64 GiB, 1000 to 1, 10,000 members, 2 levels.
    fn default() -> Self {
        Self { unpacked: 64 << 30, ratio: 1_000, members: 10_000, depth: 2 }
    }
}

/// Counts what all streams of one stored file unpack to. Clones share the counters.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    limits: Limits,
    stored: u64,
    unpacked: AtomicU64,
    members: AtomicU64,
}

impl Budget {
    /// The budget of a file of `stored` bytes.
    pub fn new(limits: Limits, stored: u64) -> Self {
        Self(Arc::new(Counters {
            limits,
            stored,
            unpacked: AtomicU64::new(0),
            members: AtomicU64::new(0),
        }))
    }

    /// The bytes that were unpacked so far.
    pub fn unpacked(&self) -> u64 {
        self.0.unpacked.load(Ordering::Relaxed)
    }

    /// Counts unpacked bytes. A limit that is exceeded is an error.
    fn add(&self, count: u64) -> Result<(), ContainerError> {
        let Counters { limits, stored, unpacked, .. } = &*self.0;
        let total = unpacked.fetch_add(count, Ordering::Relaxed).saturating_add(count);
        if total > limits.unpacked {
            return Err(over(Limit::Unpacked, limits.unpacked, "file unpacks to too many bytes")
                .found(
                    format!("more than {}", bytes(limits.unpacked)),
                    format!("at most {}", limits.unpacked),
                ));
        }
        if total > RATIO_FROM && total > stored.saturating_mul(limits.ratio) {
            return Err(over(
                Limit::Ratio,
                limits.ratio,
                "compression ratio of the file is too high",
            )
            .found(
                format!("{} in a file of {}", bytes(total), bytes(*stored)),
                format!("at most {} times the size of the file", limits.ratio),
            ));
        }
        Ok(())
    }

    /// Counts the members of an archive.
    pub(crate) fn add_members(&self, count: u64) -> Result<(), ContainerError> {
        let allowed = self.0.limits.members;
        let total = self.0.members.fetch_add(count, Ordering::Relaxed).saturating_add(count);
        if total > allowed {
            return Err(over(Limit::Members, allowed, "archive has too many members")
                .found(format!("{total} members"), format!("at most {allowed}")));
        }
        Ok(())
    }

    /// Fails if a container may not be so many levels deep.
    pub(crate) fn check_depth(&self, depth: u32) -> Result<(), ContainerError> {
        let allowed = self.0.limits.depth.min(MAX_DEPTH);
        if depth > allowed {
            return Err(over(
                Limit::Depth,
                allowed.into(),
                "file has too many containers inside each other",
            )
            .found(format!("container of level {depth}"), format!("at most {allowed}")));
        }
        Ok(())
    }
}

fn over(limit: Limit, allowed: u64, message: &'static str) -> ContainerError {
    ContainerError::new(Kind::Limit(limit, allowed), message)
}

/// How far each container of a member was unpacked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks(Arc<[AtomicU64; MAX_DEPTH as usize + 1]>);

impl Marks {
    /// The mark of the container of a level from 0 on.
    pub(crate) fn of(&self, level: u32) -> Mark {
        Mark { marks: self.clone(), level: level.min(MAX_DEPTH) as usize }
    }
}

/// How far a container was unpacked by any of its readers: what is read again is not counted again.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    marks: Marks,
    level: usize,
}

/// Counts the bytes of one reader in the budget.
#[derive(Debug)]
pub(crate) struct Meter {
    budget: Budget,
    mark: Mark,
    position: u64,
}

impl Meter {
    /// A meter of a container, of which other readers may have read a part.
    pub(crate) fn new(budget: &Budget, mark: Mark) -> Self {
        Self { budget: budget.clone(), mark, position: 0 }
    }

    /// Counts bytes that were unpacked.
    pub(crate) fn add(&mut self, count: usize) -> io::Result<()> {
        self.position = self.position.saturating_add(count as u64);
        let Mark { marks, level } = &self.mark;
        let before = marks.0[*level].fetch_max(self.position, Ordering::Relaxed);
        Ok(self.budget.add(self.position.saturating_sub(before).min(count as u64))?)
    }
}
