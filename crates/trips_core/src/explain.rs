//! Why records wait in staging: their reasons, grouped, and a cause where the records prove one.
//!
//! A cause is proved by a second reading: under its [rules](crate::mend::rules::Rules) the records are trips. So the call
//! that is proposed mends exactly the records that are counted.

mod cause;
mod facts;
mod proposal;
mod reason;
mod search;
mod tally;

pub use self::proposal::Explained;
pub use self::reason::kind_of;
pub use self::search::{Checker, StagedText};
pub use self::tally::{MAX_EXAMPLES, Tally};
