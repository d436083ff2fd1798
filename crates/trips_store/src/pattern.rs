//! Patterns of keys.

use glob::{MatchOptions, Pattern as Glob};

use crate::url::{Scheme, Url, UrlError, normalize_authority, split_scheme};

/// As for files: `*` and `?` match neither a slash nor the dot of a hidden name.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// An address whose key has components with `*`, `?` or `[…]`, as the patterns of files have them.
///
/// ```
/// # use trips_store::{Pattern, UrlError};
/// let pattern = Pattern::parse("s3://trips/in/2026-*/*.csv")?;
/// assert_eq!(pattern.prefix(), "in");
/// assert!(pattern.matches("in/2026-05/a.csv"));
/// assert!(!pattern.matches("in/2026-05/old/a.csv"));
/// # Ok::<(), UrlError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Pattern {
    bucket: Url,
    components: Vec<(String, Option<Glob>)>,
    prefix: String,
}

/// Whether a component of a key has a wildcard.
pub fn is_wild(component: &str) -> bool {
    component.contains(['*', '?', '['])
}

impl Pattern {
    /// The pattern of an address. Web addresses have none.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = split_scheme(text)?;
        let (authority, path) = rest.split_once('/').ok_or(UrlError::Component)?;
        if matches!(scheme, Scheme::Https | Scheme::Http) {
            return Err(UrlError::Wildcard);
        }
        let authority = normalize_authority(scheme, authority)?;
        let bucket = Url::parse_prefix(&format!("{}://{authority}", scheme.name()))?;
        let mut components = Vec::new();
        for component in path.split('/') {
            if matches!(component, "" | "." | "..") {
                return Err(UrlError::Component);
            }
            let glob = is_wild(component).then(|| Glob::new(component)).transpose();
            components.push((component.to_owned(), glob.map_err(|_| UrlError::Wildcard)?));
        }
        let fixed = components.iter().take_while(|(_, glob)| glob.is_none());
        let mut fixed = fixed.map(|(text, _)| text.as_str()).collect::<Vec<_>>();
        // Without wildcards the last component is the name of an object.
        fixed.truncate(components.len().saturating_sub(1));
        let prefix = fixed.join("/");
        bucket.with_key(&prefix)?;
        Ok(Self { bucket, components, prefix })
    }

    /// The bucket, with an empty key.
    pub fn bucket(&self) -> &Url {
        &self.bucket
    }

    /// The components before the first one with a wildcard.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether the key of an object matches, component by component.
    pub fn matches(&self, key: &str) -> bool {
        let mut names = key.split('/');
        let all = self.components.iter().all(|(text, glob)| {
            names.next().is_some_and(|name| match glob {
                Some(glob) => glob.matches_with(name, OPTIONS),
                None => name == text,
            })
        });
        all && names.next().is_none()
    }
}
