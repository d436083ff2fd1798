//! The addresses that may be read.

use std::net::IpAddr;

use crate::pattern::Pattern;
use crate::url::{Url, UrlError};

/// A list of prefixes of addresses. An empty one allows nothing.
///
/// A prefix allows the addresses that continue it by whole components: `s3://trips/in` allows `s3://trips/in/may.csv`,
/// and does not allow `s3://trips/inner.csv`.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    prefixes: Vec<Url>,
}

impl Policy {
    /// A list of prefixes.
    pub fn parse<T: AsRef<str>>(prefixes: impl IntoIterator<Item = T>) -> Result<Self, UrlError> {
        let parse = |prefix: T| {
            if prefix.as_ref().contains('*') {
                return Err(UrlError::Wildcard);
            }
            Url::parse_prefix(prefix.as_ref())
        };
        let prefixes = prefixes.into_iter().map(parse).collect::<Result<_, _>>()?;
        Ok(Self { prefixes })
    }

    /// Whether nothing is allowed.
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// Whether an object may be read.
    pub fn allows(&self, url: &Url) -> bool {
        self.allows_key(url, url.key())
    }

    /// Whether the objects of a pattern may be listed: its components before the first wildcard continue a prefix.
    pub fn allows_pattern(&self, pattern: &Pattern) -> bool {
        self.allows_key(pattern.bucket(), pattern.prefix())
    }

    fn allows_key(&self, url: &Url, key: &str) -> bool {
        self.prefixes.iter().any(|prefix| {
            let is_same = prefix.scheme() == url.scheme() && prefix.authority() == url.authority();
            let below = key.strip_prefix(prefix.key());
            is_same
                && below.is_some_and(|rest| {
                    prefix.key().is_empty() || rest.is_empty() || rest.starts_with('/')
                })
        })
    }

    /// Whether a web address of the list names this host.
    pub(crate) fn names_host(&self, host: &str) -> bool {
        self.prefixes.iter().any(|prefix| prefix.scheme().is_web() && prefix.host() == host)
    }

    /// Whether a web address of the list has this IP address as its host.
    pub(crate) fn names_ip(&self, ip: IpAddr) -> bool {
        self.prefixes
            .iter()
            .any(|prefix| prefix.scheme().is_web() && prefix.host().parse() == Ok(ip))
    }
}
