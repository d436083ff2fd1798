//! The ways of a load: a file into the history, a file into staging, staging into the history.

mod attempt;
mod deliver;
mod loader;
pub mod merge;

pub use self::attempt::{Attempt, load_file};
pub use self::deliver::Request;
