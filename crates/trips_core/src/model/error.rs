//! The error of a value, with its SQLSTATE.

/// The kind of a fault, as one of PostgreSQL's SQLSTATE codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlState {
    /// 22001: a text is longer than a trip's may be.
    StringDataRightTruncation,
    /// 22003: a number is outside the range of its kind.
    NumericValueOutOfRange,
    /// 22007: a text is not a date and time.
    InvalidDatetimeFormat,
    /// 22008: a date or time that no calendar has.
    DatetimeFieldOverflow,
    /// 22021: bytes that are not text.
    CharacterNotInRepertoire,
    /// 22P02: a text is not a point.
    InvalidTextRepresentation,
    /// 22P04: a line that is not a record of this file.
    BadCopyFileFormat,
    /// 23502: a required value is empty.
    NotNullViolation,
    /// 23505: another trip has the id.
    UniqueViolation,
    /// 42701: a header names a column twice.
    DuplicateColumn,
    /// 42703: a header does not name a column.
    UndefinedColumn,
    /// 42704: a feed does not exist.
    UndefinedObject,
    /// 42809: a file is of another kind.
    WrongObjectType,
    /// 42P09: a header is of several feeds.
    AmbiguousAlias,
    /// 54000: a record is longer, or needs more new partitions, than a setting allows.
    ProgramLimitExceeded,
    /// 58030: the system could not read the file.
    IoError,
}

impl SqlState {
    /// The five characters.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::StringDataRightTruncation => "22001",
            Self::NumericValueOutOfRange => "22003",
            Self::InvalidDatetimeFormat => "22007",
            Self::DatetimeFieldOverflow => "22008",
            Self::CharacterNotInRepertoire => "22021",
            Self::InvalidTextRepresentation => "22P02",
            Self::BadCopyFileFormat => "22P04",
            Self::NotNullViolation => "23502",
            Self::UniqueViolation => "23505",
            Self::DuplicateColumn => "42701",
            Self::UndefinedColumn => "42703",
            Self::UndefinedObject => "42704",
            Self::WrongObjectType => "42809",
            Self::AmbiguousAlias => "42P09",
            Self::ProgramLimitExceeded => "54000",
            Self::IoError => "58030",
        }
    }
}

/// The error of one value, before its column is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueError {
    /// The kind of error.
    pub state: SqlState,
    /// What was found and what was expected, for a message.
    pub reason: String,
}

impl ValueError {
    /// A rejection with this code and message.
    pub fn new(state: SqlState, reason: impl Into<String>) -> Self {
        Self { state, reason: reason.into() }
    }
}
