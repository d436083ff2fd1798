//! The name of a file in messages.

use std::fmt;

use trips_core::text::escape::quoted_path;

/// A file, and the member of it that a message concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    /// Its path.
    pub path: String,
    /// The member, if the file is an archive.
    pub member: Option<String>,
}

impl From<&str> for FileName {
    fn from(path: &str) -> Self {
        Self { path: path.to_owned(), member: None }
    }
}

impl From<String> for FileName {
    fn from(path: String) -> Self {
        Self { path, member: None }
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
