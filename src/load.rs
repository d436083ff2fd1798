//! Loads: a file into the history, a file into staging, staging into the history, and uploads.

mod context;
mod ingest;
mod merge;
mod runs;

pub use self::context::{LoadContext, OwnerPrivileges, load_file, record_failure_of};
pub use self::ingest::{Request, warn_of_zero_coordinates};
pub use self::merge::merge_staged;
pub use self::runs::{Collector, Loader, summarize};
