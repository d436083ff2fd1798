//! zip archives, also inside each other.
//!
//! Every byte of an archive must belong to something: to a member, a header, the directory or the comment. So two
//! programs cannot see different members in one archive. The directory and the local headers must agree.

mod directory;
mod end;
mod fields;
mod layout;
mod level;
mod member;
mod name;
mod office;
mod passed_over;

use std::io::{self, Read};
use std::sync::Arc;

use crate::budget::Budget;
use crate::error::{ContainerError, Kind};
use crate::ranges::{Ranges, Spool};

pub use passed_over::{PassedOver, Reason};

/// The members of a zip archive and of the archives inside it.
pub struct Archive {
    members: Vec<Member>,
    sources: Vec<level::Source>,
    passed_over: Vec<PassedOver>,
    budget: Budget,
}

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The path through all archives: `2020.zip/202001.csv`. It is a label, never a path of the file system.
    pub name: String,
    /// Bytes in the archive.
    pub stored: u64,
    /// Bytes after the archive's compression. A member `x.csv.gz` unpacks to more.
    pub unpacked: u64,
}

impl Archive {
    /// Reads the directories of the archive and of the archives inside it, and verifies them.
    ///
    /// An inner archive that is compressed is unpacked into a file of the spool. An archive without any member is an
    /// error, [`Kind::Empty`]. Errors are a [`ContainerError`] inside an [`io::Error`], or those of the ranges and of
    /// the spool.
    pub fn open(ranges: Arc<dyn Ranges>, budget: &Budget, spool: &dyn Spool) -> io::Result<Self> {
        let mut opening = level::Opening::new(budget, spool);
        opening.open(ranges, 1, "")?;
        opening.check_names()?;
        let (members, sources) = opening.members.into_iter().unzip();
        let archive =
            Self { members, sources, passed_over: opening.passed_over, budget: budget.clone() };
        if archive.members.is_empty() {
            return Err(archive.empty().into());
        }
        Ok(archive)
    }

    /// In the order of the directory, with the members of an inner archive in its place.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// What no load reads.
    pub fn passed_over(&self) -> &[PassedOver] {
        &self.passed_over
    }

    /// The unpacked bytes of the member with this index. A compressed stream, such as `x.csv.gz`, is unpacked, too.
    ///
    /// The reader verifies checksum and size before it reports the end. Its errors name the member. A member may be
    /// read several times; the budget counts its bytes once.
    pub fn read(&self, index: usize) -> io::Result<Box<dyn Read + Send>> {
        match (self.members.get(index), self.sources.get(index)) {
            (Some(member), Some(source)) => source.read(&member.name, &self.budget),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn empty(&self) -> ContainerError {
        let found = match self.passed_over.as_slice() {
            [] => "no member".to_owned(),
            [one] => format!("only the member \"{}\"", one.name.escape_debug()),
            [first, ..] => {
                format!(
                    "{} members, such as \"{}\"",
                    self.passed_over.len(),
                    first.name.escape_debug()
                )
            }
        };
        ContainerError::new(Kind::Empty, "archive has no file of trips")
            .found(found, "CSV, JSON or Parquet")
    }
}
