//! zip archives, also inside each other.

use std::io::{self, Read};
use std::sync::Arc;

use crate::budget::Budget;
use crate::error::ContainerError;
use crate::ranges::{Ranges, Spool};

/// The members of a zip archive and of the archives inside it.
pub struct Archive {
    members: Vec<Member>,
    passed_over: Vec<PassedOver>,
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

/// A member that no load reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// As [`Member::name`].
    pub name: String,
    /// Why it is passed over.
    pub reason: Reason,
}

/// Why a member is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A folder.
    Folder,
    /// A file that an operating system makes: `__MACOSX`, `.DS_Store`, `Thumbs.db`.
    SystemFile,
    /// A text or picture for people: README, licence, PDF.
    Document,
    /// A symbolic link.
    Link,
}

impl Archive {
    /// Reads the directories of the archive and of the archives inside it, and verifies them.
    ///
    /// An inner archive that is compressed is unpacked into a file of the spool. Errors are a
    /// [`ContainerError`](crate::ContainerError) inside an [`io::Error`], or those of the ranges and of the spool.
    pub fn open(
        _ranges: Arc<dyn Ranges>,
        _budget: &Budget,
        _spool: &dyn Spool,
    ) -> io::Result<Self> {
        Err(ContainerError::unsupported("zip archive").into())
    }

    /// In the order of the directory, with the members of an inner archive in its place.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// What no load reads.
    pub fn passed_over(&self) -> &[PassedOver] {
        &self.passed_over
    }

    /// The unpacked bytes of a member. A compressed stream, such as `x.csv.gz`, is unpacked, too.
    ///
    /// The reader verifies checksum and size before it reports the end. A member may be read several times.
    pub fn read(&self, _index: usize) -> io::Result<Box<dyn Read + Send>> {
        Err(ContainerError::unsupported("zip archive").into())
    }
}
