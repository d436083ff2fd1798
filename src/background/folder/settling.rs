//! Files that are not loaded yet because a process may still write to them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::os::lease::Writers;
use crate::source::FileVersion;

/// Delay before a file that is open for writing is checked again. Its close event arrives a moment before the kernel
/// has closed the file.
const RECHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Why a file is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// A close event, or a move into the folder.
    Closed,
    /// The watch has begun, or has missed events.
    FullScan,
    /// A scan found it.
    Interval,
}

#[derive(Debug)]
struct Settling {
    size: u64,
    changed_at: i64,
    trigger: Trigger,
    since: Instant,
    due_at: Instant,
}

/// The files in their quiet period.
#[derive(Debug, Default)]
pub struct SettlingFiles(BTreeMap<String, Settling>);

impl SettlingFiles {
    /// Whether a file can be loaded now. If not, its quiet period begins, and `due` returns it later. If the kernel
    /// cannot say, a file is complete when it was unchanged for this long.
    pub fn is_ready(
        &mut self,
        file: &FileVersion,
        writers: Writers,
        trigger: Trigger,
        quiet_period: Duration,
    ) -> bool {
        let now = Instant::now();
        let new = || Settling {
            size: file.size,
            changed_at: file.changed_at,
            trigger,
            since: now,
            due_at: now,
        };
        let is_first = !self.0.contains_key(&file.path);
        let settling = self.0.entry(file.path.clone()).or_insert_with(new);
        if (settling.size, settling.changed_at) != (file.size, file.changed_at) {
            *settling = new();
        }
        if trigger == Trigger::Closed {
            settling.trigger = trigger;
        }
        let is_quiet = settling.since.elapsed() >= quiet_period;
        let is_ready = match (writers, settling.trigger) {
            (Writers::Some, _) => false,
            (Writers::None, Trigger::Closed | Trigger::FullScan)
            | (Writers::Unknown, Trigger::Closed) => true,
            (Writers::Unknown, Trigger::FullScan) => is_quiet || file.age() >= quiet_period,
            (_, Trigger::Interval) => is_quiet,
        };
        settling.due_at = match writers {
            Writers::Some => now + if is_first { RECHECK_INTERVAL } else { quiet_period },
            _ => settling.since + quiet_period,
        };
        if is_ready {
            self.0.remove(&file.path);
        }
        is_ready
    }

    /// A file changed while it was read: its quiet period begins again.
    pub fn has_changed(&mut self, file: &FileVersion) {
        let now = Instant::now();
        let settling = Settling {
            size: file.size,
            changed_at: file.changed_at,
            trigger: Trigger::FullScan,
            since: now,
            due_at: now + RECHECK_INTERVAL,
        };
        self.0.insert(file.path.clone(), settling);
    }

    /// Ends the quiet period of a file.
    pub fn remove(&mut self, path: &str) {
        self.0.remove(path);
    }

    /// Keeps the files for which this is true.
    pub fn retain(&mut self, is_there: impl Fn(&str) -> bool) {
        self.0.retain(|path, _| is_there(path));
    }

    /// The files that are due now, and why; in the order of their paths.
    pub fn due(&self) -> Vec<(String, Trigger)> {
        let now = Instant::now();
        let due = self.0.iter().filter(|(_, settling)| settling.due_at <= now);
        due.map(|(path, settling)| (path.clone(), settling.trigger)).collect()
    }
}
