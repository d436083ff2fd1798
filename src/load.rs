//! The ways of a load: a file into the history, a file into staging, staging into the history, and the
//! parts of a file that others have read.

mod attempt;
mod deliver;
mod loader;
mod merge;
pub mod outside;

pub use self::attempt::{Attempt, load_file};
pub use self::deliver::Request;
pub use self::merge::merge_staged;
