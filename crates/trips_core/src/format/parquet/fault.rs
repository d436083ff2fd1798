//! Why a Parquet file cannot be read.

use std::any::Any;
use std::collections::TryReserveError;
use std::fmt;
use std::io;

/// The kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The file is damaged, or ends too early.
    Damaged,
    /// Something is larger than a limit.
    Limit,
    /// Its pages need more memory than the caller allows.
    Memory,
    /// It uses something of Parquet that is not read.
    Unsupported,
    /// The system has no memory. The error of a reader is [`io::ErrorKind::OutOfMemory`], without this.
    NoMemory,
}

/// Why a Parquet file cannot be read, and where. It is in an [`io::Error`], from which [`ParquetFault::of`] takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParquetFault {
    /// The kind.
    pub kind: FaultKind,
    /// The row group, from 0.
    pub row_group: Option<usize>,
    /// The name of the column.
    pub column: Option<String>,
    /// The byte of the file, from 0, at which the damaged part begins.
    pub byte: Option<u64>,
    /// What was found and what was expected.
    pub reason: String,
}

/// A result whose error is an [`io::Error`] with a [`ParquetFault`], or one of the source.
pub type Result<T> = io::Result<T>;

impl ParquetFault {
    /// A fault whose place is not known yet.
    pub(super) fn new(kind: FaultKind, reason: impl Into<String>) -> Self {
        Self { kind, row_group: None, column: None, byte: None, reason: reason.into() }
    }

    /// The file is damaged.
    pub(super) fn damaged(reason: impl Into<String>) -> Self {
        Self::new(FaultKind::Damaged, reason)
    }

    /// Something is larger than a limit.
    pub(super) fn limit(reason: impl Into<String>) -> Self {
        Self::new(FaultKind::Limit, reason)
    }

    /// The system has no memory: nothing is said of the file.
    pub(super) fn no_memory(_: TryReserveError) -> Self {
        Self::new(FaultKind::NoMemory, "out of memory")
    }

    /// It uses something that is not read.
    pub(super) fn unsupported(reason: impl Into<String>) -> Self {
        Self::new(FaultKind::Unsupported, reason)
    }

    /// The same at this byte of the file.
    #[must_use]
    pub(super) fn at(self, byte: u64) -> Self {
        Self { byte: Some(byte), ..self }
    }

    /// The fault in an error of this module; None if the error is one of the source.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref().and_then(|inner| inner.downcast_ref())
    }

    /// The fault of a panic of the crate that decodes values: it meets bytes that it does not expect.
    pub(super) fn of_panic(payload: Box<dyn Any + Send>) -> Self {
        Self::damaged(format!("the values cannot be decoded: {}", trips_areas::panic_text(payload)))
    }
}

impl From<ParquetFault> for io::Error {
    fn from(fault: ParquetFault) -> Self {
        if fault.kind == FaultKind::NoMemory {
            return io::ErrorKind::OutOfMemory.into();
        }
        Self::new(io::ErrorKind::InvalidData, fault)
    }
}

impl std::error::Error for ParquetFault {}

/// `row group 2, column "VendorID", byte 1234: …`
impl fmt::Display for ParquetFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let mut part = |f: &mut fmt::Formatter<'_>, text: fmt::Arguments<'_>| {
            let result = write!(f, "{separator}{text}");
            separator = ", ";
            result
        };
        if let Some(row_group) = self.row_group {
            part(f, format_args!("row group {row_group}"))?;
        }
        if let Some(column) = &self.column {
            part(f, format_args!("column {column}"))?;
        }
        if let Some(byte) = self.byte {
            part(f, format_args!("byte {byte}"))?;
        }
        let colon = if separator.is_empty() { "" } else { ": " };
        write!(f, "{colon}{}", self.reason)
    }
}
