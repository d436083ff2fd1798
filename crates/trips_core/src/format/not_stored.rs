//! The names in a file that its feed does not know: their fields are not stored.

use std::collections::HashSet;

use crate::feed::definition::fold;

/// The most names that are remembered, unless a header has more.
const NAMES: usize = 10_000;

/// Names, escaped and quoted, in the order in which they were found.
///
/// ```
/// use trips_core::format::not_stored::NotStored;
/// let mut found = NotStored::default();
/// found.add_header(&[r#""fare""#.to_owned(), r#""home""#.to_owned()]);
/// found.add(&[r#""Fare""#.to_owned(), r#""home.street""#.to_owned(), r#""tip""#.to_owned()]);
/// assert_eq!(found.names(), [r#""fare""#, r#""home""#, r#""tip""#]);
/// ```
#[derive(Debug, Default)]
pub struct NotStored {
    names: Vec<String>,
    folded: HashSet<String>,
}

impl NotStored {
    /// Adds the names of a header, each as often as it is there, but for those that were found before.
    pub fn add_header(&mut self, names: &[String]) {
        let new: Vec<&String> = names.iter().filter(|name| !self.has(&fold(name))).collect();
        self.names.extend(new.iter().map(|name| (*name).clone()));
        self.folded.extend(new.iter().map(|name| fold(name)));
    }

    /// Adds names, but not those of members of an object that was added.
    pub fn add(&mut self, names: &[String]) {
        for name in names {
            let folded = fold(name);
            if self.names.len() < NAMES && !self.has(&folded) {
                self.folded.insert(folded);
                self.names.push(name.clone());
            }
        }
    }

    /// All of them.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    fn has(&self, folded: &str) -> bool {
        let mut outer = folded.match_indices('.').map(|(at, _)| format!("{}\"", &folded[..at]));
        self.folded.contains(folded) || outer.any(|outer| self.folded.contains(&outer))
    }
}
