//! The types that describe a load: its header, its source, its progress, its status.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;
use trips_core::feed::choice::Options;

/// The longest name of a source in a message to the load monitor, bytes. A path has 4,096 at most.
const MAX_SOURCE: usize = 8192;
/// The longest name of a role in any encoding, bytes.
const MAX_ROLE: usize = 256;

/// The properties of a load at its begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadInfo {
    /// Number of the load.
    pub load_id: i64,
    /// Path of the file.
    pub source: String,
    /// Size of the file, bytes.
    pub bytes: u64,
    /// Its ctime: microseconds since 2000-01-01 UTC.
    pub changed_at: Option<i64>,
    /// The role that requested the load.
    pub requested_by: String,
    /// When the load began: microseconds since 2000-01-01 UTC.
    pub started_at: i64,
    /// The oid of the ledger. The extension may be dropped and created again while the load monitor runs.
    pub ledger: u32,
    /// The load's transaction could not change a row that was committed after its snapshot. So the monitor does not
    /// insert it during the load.
    pub one_snapshot: bool,
}

impl LoadInfo {
    /// No message about a bounded load has more bytes of it.
    pub const MOST_BYTES: usize = MAX_SOURCE + MAX_ROLE + 128;

    /// The same with texts of bounded length.
    pub fn bounded(mut self) -> Self {
        cut(&mut self.source, MAX_SOURCE);
        cut(&mut self.requested_by, MAX_ROLE);
        self
    }
}

/// Shortens a text, and marks it as shortened.
fn cut(text: &mut String, limit: usize) {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit));
        text.push('…');
    }
}

/// Counts of all rows that were read, by target.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    /// Into the history.
    pub inserted: u64,
    /// Nowhere: the history already has that trip, or an earlier row of the load had it.
    pub duplicate: u64,
    /// Into the history, for a trip with the same id and other values.
    pub corrected: u64,
    /// Into staging.
    pub staged: u64,
}

impl Totals {
    /// The rows after those of an earlier moment.
    pub fn since(self, before: Self) -> Self {
        Self {
            inserted: self.inserted - before.inserted,
            duplicate: self.duplicate - before.duplicate,
            corrected: self.corrected - before.corrected,
            staged: self.staged - before.staged,
        }
    }

    /// All of them.
    pub fn read(self) -> u64 {
        self.inserted + self.duplicate + self.corrected + self.staged
    }
}

/// A load that has begun.
#[derive(Debug, Clone)]
pub struct LoadHeader {
    /// Its number; a failed load has one, too.
    pub load_id: i64,
    /// When it began.
    pub started_at: TimestampWithTimeZone,
    /// The name of the requesting role.
    pub requested_by: String,
    /// The role itself: its name may later be another role's.
    pub role: pg_sys::Oid,
}

/// The source of a load.
#[derive(Debug, Clone, Default)]
pub struct LoadSource {
    /// Path of the file, or another source.
    pub name: String,
    /// BLAKE3 of its bytes, when it was read to its end.
    pub digest: Option<[u8; 32]>,
    /// How many bytes.
    pub bytes: u64,
    /// When the file was changed last (its ctime): microseconds since 2000-01-01 UTC.
    pub changed_at: Option<i64>,
    /// What the store changes with each write of an object; None for a file.
    pub version: Option<String>,
    /// The feed of the file, when its header was read.
    pub feed: Option<String>,
    /// Arguments and settings that decide which records are valid: a JSON object.
    pub options: Option<String>,
    /// The days on which it inserted trips, since 2000-01-01: ranges, both ends inside, in order.
    pub days: Vec<(i32, i32)>,
}

/// The feed of a load, and the arguments of the load that its trips depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedFeed {
    /// Name of the feed.
    pub feed: String,
    /// The arguments.
    pub options: Options,
}

/// An earlier load of the same bytes.
#[derive(Debug, Clone, Copy)]
pub struct SameBytes {
    /// Its number.
    pub load_id: i64,
    /// Number of its rows in staging.
    pub staged: i64,
    /// It is retracted since.
    pub is_retracted: bool,
}

/// The progress of a load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadProgress {
    /// Bytes of the file that are done; None: as many as in the last event.
    pub bytes_done: Option<i64>,
    /// Size of the file.
    pub bytes_total: i64,
    /// Rows that are read.
    pub rows_read: i64,
}

/// The state of a load.
#[derive(Debug, Clone)]
pub struct LoadStatus {
    /// Its number.
    pub load_id: i64,
    /// Its state in the ledger.
    pub state: String,
    /// Its progress.
    pub progress: LoadProgress,
}
