//! What the load monitor must know of a load.

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
