//! Loads: a file into the history or into staging, staged rows into the history. `upload` uses the same steps.

mod context;
mod corrections;
pub mod diff;
mod error_limit;
mod explain;
mod failure;
mod identity;
mod ingest;
mod known_ids;
mod members;
mod merge;
mod merged_rows;
mod notices;
mod occurrences;
mod open;
pub mod preview;
mod read;
mod request;
mod retry;
mod runs;
mod same_id;
mod staged_feed;

pub use self::context::{LoadContext, OwnerPrivileges};
pub use self::explain::explain;
pub use self::failure::record_failure_of;
pub use self::ingest::load_file;
pub use self::merge::{merge_staged, retry_staged};
pub use self::notices::zero_coordinates as warn_of_zero_coordinates;
pub use self::request::Request;
pub use self::retry::Retry;
pub use self::runs::{Loader, RunBuilder, summarize};
pub use self::staged_feed::StagedFeed;
