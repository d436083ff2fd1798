//! Files that are not loaded yet because somebody may still be writing to them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::os::lease::Writers;
use crate::source::FileVersion;

/// When a file is looked at again that somebody has open for writing. When he closes it, that is heard; but it is
/// heard a moment before the kernel has forgotten him.
const SOON: Duration = Duration::from_secs(1);

/// Why a file is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// Somebody has closed it, or moved it there.
    Heard,
    /// The watch has begun, or has missed something.
    Begin,
    /// It was found when the folder was looked through in between.
    Interval,
}

#[derive(Debug)]
struct Resting {
    size: u64,
    changed_at: i64,
    occasion: Occasion,
    since: Instant,
    look_at: Instant,
}

/// The files that rest until nobody is likely to write to them any more.
#[derive(Debug, Default)]
pub struct RestingFiles(BTreeMap<String, Resting>);

impl RestingFiles {
    /// Whether a file can be loaded now. If not, it rests, and `due` names it later. Without a word from the kernel,
    /// a file is complete that was left alone for this long.
    pub fn is_ready(
        &mut self,
        file: &FileVersion,
        writers: Writers,
        occasion: Occasion,
        rest: Duration,
    ) -> bool {
        let now = Instant::now();
        let new = || Resting {
            size: file.size,
            changed_at: file.changed_at,
            occasion,
            since: now,
            look_at: now,
        };
        let is_first = !self.0.contains_key(&file.path);
        let resting = self.0.entry(file.path.clone()).or_insert_with(new);
        if (resting.size, resting.changed_at) != (file.size, file.changed_at) {
            *resting = new();
        }
        if occasion == Occasion::Heard {
            resting.occasion = occasion;
        }
        let has_rested = resting.since.elapsed() >= rest;
        let is_ready = match (writers, resting.occasion) {
            (Writers::Some, _) => false,
            (Writers::None, Occasion::Heard | Occasion::Begin)
            | (Writers::Unknown, Occasion::Heard) => true,
            (Writers::Unknown, Occasion::Begin) => has_rested || file.age() >= rest,
            (_, Occasion::Interval) => has_rested,
        };
        resting.look_at = match writers {
            Writers::Some => now + if is_first { SOON } else { rest },
            _ => resting.since + rest,
        };
        if is_ready {
            self.0.remove(&file.path);
        }
        is_ready
    }

    /// A file has changed while it was read: it is looked at again, as one of which nothing was heard.
    pub fn has_changed(&mut self, file: &FileVersion) {
        let now = Instant::now();
        let resting = Resting {
            size: file.size,
            changed_at: file.changed_at,
            occasion: Occasion::Begin,
            since: now,
            look_at: now + SOON,
        };
        self.0.insert(file.path.clone(), resting);
    }

    /// Lets a file rest no more.
    pub fn forget(&mut self, path: &str) {
        self.0.remove(path);
    }

    /// Keeps those for which this is true.
    pub fn retain(&mut self, is_there: impl Fn(&str) -> bool) {
        self.0.retain(|path, _| is_there(path));
    }

    /// The files that are to be looked at now, and for which reason; in the order of their paths.
    pub fn due(&self) -> Vec<(String, Occasion)> {
        let now = Instant::now();
        let due = self.0.iter().filter(|(_, resting)| resting.look_at <= now);
        due.map(|(path, resting)| (path.clone(), resting.occasion)).collect()
    }
}
