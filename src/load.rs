//! The ways of a load: a file into the history, a file into staging, staging into the history, and the
//! parts of a file that others have read.

mod context;
mod ingest;
mod merge;
pub mod outside;
mod runs;

pub use self::context::{LoadContext, load_file};
pub use self::ingest::Request;
pub use self::merge::merge_staged;
