//! A build without object stores (Cargo feature `object_store`): each address is refused.

use std::convert::Infallible;
use std::io;

use super::listing::Listing;
use crate::error::{LoadError, SourceError, StoreFault, StoreFaultKind};

/// There is none.
pub struct ObjectFile(Infallible);

impl ObjectFile {
    pub fn open(_text: &str) -> Result<Self, LoadError> {
        Err(refused())
    }

    pub fn path(&self) -> String {
        match self.0 {}
    }

    pub fn size(&self) -> u64 {
        match self.0 {}
    }

    pub fn version(&self) -> &str {
        match self.0 {}
    }

    pub fn changed_at(&self) -> Option<i64> {
        match self.0 {}
    }

    pub fn read_at(
        &self,
        _offset: u64,
        _buffer: &mut [u8],
        _require_wanted: &dyn Fn() -> io::Result<()>,
    ) -> io::Result<usize> {
        match self.0 {}
    }

    pub fn digest(&self, _done: &mut dyn FnMut(u64)) -> io::Result<[u8; 32]> {
        match self.0 {}
    }
}

pub fn list(_pattern: &str, _after: Option<&str>) -> Result<Listing, LoadError> {
    Err(refused())
}

pub fn require_allowed(_text: &str) -> Result<(), LoadError> {
    Err(refused())
}

pub fn require_pattern_allowed(_text: &str) -> Result<(), LoadError> {
    Err(refused())
}

fn refused() -> LoadError {
    let (url, kind, reason) = (String::new(), StoreFaultKind::NoStores, String::new());
    SourceError::Store(StoreFault { url, kind, reason }).into()
}
