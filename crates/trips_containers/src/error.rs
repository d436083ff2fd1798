//! What can be wrong with a container.

use std::borrow::Cow;
use std::fmt;
use std::io;

use crate::packing::PARQUET;

/// Which limit a file exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::unpacked`](crate::Limits::unpacked), in bytes.
    Unpacked,
    /// [`Limits::ratio`](crate::Limits::ratio), in unpacked bytes for each stored byte.
    Ratio,
    /// [`Limits::members`](crate::Limits::members).
    Members,
    /// [`Limits::depth`](crate::Limits::depth), in containers.
    Depth,
    /// The memory that a decoder needs, in bytes. No setting changes it.
    Memory,
}

/// The kind of a [`ContainerError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A checksum, a size or a structure is wrong.
    Damaged,
    /// The file ends too early.
    Cut,
    /// The file has bytes that belong to nothing.
    Padded,
    /// The file exceeds a limit: which one, and how much is allowed.
    Limit(Limit, u64),
    /// The container, its method or its content is not read; the name says what it is.
    Unsupported(&'static str),
    /// A member is encrypted.
    Encrypted,
    /// An archive without a member that could be a file of trips.
    Empty,
    /// The system had no memory for a decoder. The error of a reader is [`io::ErrorKind::OutOfMemory`], without this.
    NoMemory,
}

/// What is wrong with a container: the member, the byte, what was found and what was expected.
///
/// Readers return it inside an [`io::Error`]; [`ContainerError::of`] gets it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerError(Box<Fault>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    kind: Kind,
    message: Cow<'static, str>,
    member: Option<String>,
    offset: Option<u64>,
    found: String,
    expected: String,
    is_placed: bool,
}

impl ContainerError {
    /// An error with a message in PostgreSQL's style, which does not name the byte.
    pub(crate) fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        let (found, expected) = (String::new(), String::new());
        Self(Box::new(Fault {
            kind,
            message: message.into(),
            member: None,
            offset: None,
            is_placed: false,
            found,
            expected,
        }))
    }

    /// A file of a kind that no load reads, by the name that
    /// [`unsupported_kind_of`](crate::unsupported_kind_of) gives it.
    pub fn unsupported(name: &'static str) -> Self {
        Self::new(Kind::Unsupported(name), format!("{name} cannot be loaded"))
    }

    /// A Parquet file, for programs that were built without the format.
    ///
    /// ```
    /// let error = trips_containers::ContainerError::no_parquet();
    /// assert_eq!(error.message(), "this build does not support Parquet files");
    /// assert!(error.hint().is_some_and(|hint| hint.starts_with("Convert the file to CSV")));
    /// ```
    pub fn no_parquet() -> Self {
        Self::new(Kind::Unsupported(PARQUET), "this build does not support Parquet files")
    }

    /// A decoder that got no memory: nothing is said of the file.
    pub(crate) fn no_memory() -> Self {
        Self::new(Kind::NoMemory, "out of memory")
    }

    /// Says at which byte the fault is.
    pub(crate) fn at(mut self, offset: u64) -> Self {
        self.0.offset = Some(offset);
        self
    }

    /// Says at which byte the fault is, unless that is known.
    pub(crate) fn at_unless_known(mut self, offset: u64) -> Self {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// Says what is at the byte, and what should be.
    pub(crate) fn found(mut self, found: impl Into<String>, expected: impl Into<String>) -> Self {
        self.0.found = found.into();
        self.0.expected = expected.into();
        self
    }

    /// Says in which member the fault is, unless a deeper level has said so.
    pub(crate) fn in_member(mut self, member: &str) -> Self {
        self.0.member.get_or_insert_with(|| member.to_owned());
        self
    }

    /// Whether the member's name is complete: an inner archive has put its own before it.
    pub(crate) fn is_placed(&self) -> bool {
        self.0.is_placed
    }

    /// Puts the names of all outer archives before the member's.
    pub(crate) fn in_archive(mut self, prefix: &str) -> Self {
        self.0.is_placed = true;
        if !prefix.is_empty() {
            self.0.member = Some(match self.0.member.take() {
                Some(member) => format!("{prefix}{member}"),
                None => prefix.trim_end_matches('/').to_owned(),
            });
        }
        self
    }

    /// The error inside an error of a reader; `None` if the source itself failed.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// What kind of error it is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The member, as its path through all archives: `2020.zip/202001.csv`. `None` if the file itself is damaged.
    pub fn member(&self) -> Option<&str> {
        self.0.member.as_deref()
    }

    /// The offset of the fault, counted from 0.
    ///
    /// It is one of the stored file. In a member of an inner archive, it is one of that archive.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// What was found at the byte; empty if the message says it all.
    pub fn found_text(&self) -> &str {
        &self.0.found
    }

    /// What was expected at the byte; empty if the message says it all.
    pub fn expected_text(&self) -> &str {
        &self.0.expected
    }

    /// The primary message: lower case, no period, with the byte. It names neither the file nor the member.
    pub fn message(&self) -> String {
        match self.0.offset {
            Some(offset) => format!("{} at byte {offset}", self.0.message),
            None => self.0.message.to_string(),
        }
    }

    /// DETAIL: what was found and what was expected, as a full sentence.
    pub fn detail(&self) -> Option<String> {
        let Fault { found, expected, .. } = &*self.0;
        match (found.is_empty(), expected.is_empty()) {
            (true, _) => None,
            (false, true) => Some(format!("Found {found}.")),
            (false, false) => Some(format!("Found {found}, expected {expected}.")),
        }
    }

    /// HINT: what the user can do, if the kind says it. The caller names the settings of the limits.
    pub fn hint(&self) -> Option<&'static str> {
        match self.0.kind {
            Kind::Damaged | Kind::Cut | Kind::Padded => {
                Some("Get the file again from where it was published.")
            }
            Kind::Encrypted => Some("Decrypt the archive before the load."),
            Kind::Unsupported(name) => Some(crate::packing::hint_for(name)),
            Kind::Limit(Limit::Memory, _) => {
                Some("Compress the file again with a smaller window or dictionary.")
            }
            Kind::Limit(..) | Kind::NoMemory => None,
            Kind::Empty => Some("Load an archive that has a file of trips."),
        }
    }
}

impl fmt::Display for ContainerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(member) = self.member() {
            write!(f, "member \"{}\": ", member.escape_debug())?;
        }
        f.write_str(&self.message())?;
        match self.detail() {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ContainerError {}

impl From<ContainerError> for io::Error {
    fn from(error: ContainerError) -> Self {
        if error.kind() == Kind::NoMemory {
            return io::ErrorKind::OutOfMemory.into();
        }
        Self::other(error)
    }
}

/// Bytes as hexadecimal digits, at most eight of them, for messages.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::from("0x");
    for byte in bytes.iter().take(8) {
        text.push_str(&format!("{byte:02x}"));
    }
    if bytes.len() > 8 {
        text.push_str("...");
    }
    text
}

/// `1 byte`, `2 bytes`.
pub(crate) fn bytes(count: u64) -> String {
    format!("{count} byte{}", if count == 1 { "" } else { "s" })
}
