//! The types that describe a load: its header, its source, its progress, its status.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;

/// The longest name of a source in a message to the load monitor, bytes. A path has 4,096 at most.
const MAX_SOURCE: usize = 8192;
/// The longest name of a role, in whatever encoding it came, bytes.
const MAX_ROLE: usize = 256;

/// What is known of a load when it begins.
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
    /// The role that asked for the load.
    pub requested_by: String,
    /// When the load began: microseconds since 2000-01-01 UTC.
    pub started_at: i64,
    /// The oid of the ledger. The extension may be dropped and created again while the load monitor lives.
    pub ledger: u32,
    /// The load's transaction could not change a row that was committed after its snapshot: the monitor does not enter
    /// it while it runs.
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

/// Cuts a text that is longer, and marks that it was cut.
fn cut(text: &mut String, limit: usize) {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit));
        text.push('…');
    }
}

/// Where every row that was read went.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    /// Into the history.
    pub inserted: u64,
    /// Nowhere: the history has that trip, or the load brought it before.
    pub duplicate: u64,
    /// Into staging.
    pub staged: u64,
}

impl Totals {
    /// All of them.
    pub fn read(self) -> u64 {
        self.inserted + self.duplicate + self.staged
    }
}

/// A load that has begun.
#[derive(Debug, Clone)]
pub struct LoadHeader {
    /// Its number, taken whether it succeeds or not.
    pub load_id: i64,
    /// When it began.
    pub started_at: TimestampWithTimeZone,
    /// The role that asked for it: its name, for people.
    pub requested_by: String,
    /// The role itself: a name may be given to another one.
    pub role: pg_sys::Oid,
}

/// Bytes that were delivered.
#[derive(Debug, Clone, Default)]
pub struct LoadSource {
    /// Path of the file, or what else it is.
    pub name: String,
    /// BLAKE3 of its bytes, when it was read to its end.
    pub digest: Option<[u8; 32]>,
    /// How many bytes.
    pub bytes: u64,
    /// When the file was changed last (its ctime): microseconds since 2000-01-01 UTC.
    pub changed_at: Option<i64>,
    /// Arguments and settings by which its records are judged: a JSON object.
    pub options: Option<String>,
}

/// A load that had the same bytes.
#[derive(Debug, Clone, Copy)]
pub struct SameBytes {
    /// Its number.
    pub load_id: i64,
    /// How many of its rows wait in staging.
    pub staged: i64,
}

/// How far a load is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadProgress {
    /// Bytes of the file that are done; none: as many as were told before.
    pub bytes_done: Option<i64>,
    /// Size of the file.
    pub bytes_total: i64,
    /// Rows that are read.
    pub rows_read: i64,
}

/// How a load stands.
#[derive(Debug, Clone)]
pub struct LoadStatus {
    /// Its number.
    pub load_id: i64,
    /// Its state, as the ledger calls it.
    pub state: String,
    /// How far it is.
    pub progress: LoadProgress,
}
