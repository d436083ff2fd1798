//! The name of a file in messages.

use std::fmt;
use std::ops::Deref;

use trips_core::text::escape::quoted_path;

/// A file, and the member of it that a message concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName(Box<Names>);

/// The names of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Its path.
    pub path: String,
    /// The member, if the file is an archive.
    pub member: Option<String>,
}

impl FileName {
    /// A file, or a member of it.
    pub fn of(path: &str, member: Option<String>) -> Self {
        Self(Box::new(Names { path: path.to_owned(), member }))
    }
}

impl Deref for FileName {
    type Target = Names;

    fn deref(&self) -> &Names {
        &self.0
    }
}

impl From<&str> for FileName {
    fn from(path: &str) -> Self {
        Self::of(path, None)
    }
}

impl From<String> for FileName {
    fn from(path: String) -> Self {
        Self::of(&path, None)
    }
}

/// Quoted and escaped.
impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quoted_path(&self.path))?;
        match &self.member {
            Some(member) => write!(f, ", member {}", quoted_path(member)),
            None => Ok(()),
        }
    }
}
