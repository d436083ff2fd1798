//! Addresses of objects.

use std::fmt;

/// Limit of the length of an address, bytes.
const MAX_LENGTH: usize = 4096;
/// Limit of the length of a key, bytes: that of S3, GCS and Azure.
const MAX_KEY: usize = 1024;

/// Kind of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// S3 and servers with its API.
    S3,
    /// Google Cloud Storage.
    Gs,
    /// Azure Blob Storage: the container; the environment names the account.
    Az,
    /// A web server.
    Https,
    /// A web server without encryption.
    Http,
}

impl Scheme {
    const ALL: [Self; 5] = [Self::S3, Self::Gs, Self::Az, Self::Https, Self::Http];

    /// The text before `://`.
    pub fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gs => "gs",
            Self::Az => "az",
            Self::Https => "https",
            Self::Http => "http",
        }
    }

    /// Whether the address names a host, and not a bucket.
    pub fn is_web(self) -> bool {
        matches!(self, Self::Https | Self::Http)
    }
}

/// The normalized address of an object, or of a prefix of objects. It has no user, password, query or fragment.
///
/// Two addresses of one object are equal: schemes and hosts are in lower case, the default port is left out, and only
/// characters of a web address that need it are percent-encoded. A key of a bucket is taken literally.
///
/// ```
/// # use trips_store::Url;
/// assert_eq!(Url::parse("HTTPS://Example.com:443/a%2Db")?.to_string(), "https://example.com/a-b");
/// assert!(Url::parse("https://example.com/a/../b").is_err());
/// # Ok::<(), trips_store::UrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Url {
    scheme: Scheme,
    authority: String,
    key: String,
}

/// Why a text is not the address of an object. It does not contain the text, which may have a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlError {
    /// No scheme of [`Scheme`].
    Scheme,
    /// Longer than the limits.
    TooLong,
    /// A user or a password before the host.
    User,
    /// A query or a fragment.
    Query,
    /// A bucket or host that cannot exist.
    Authority,
    /// A component `.` or `..`, also percent-encoded, or an empty one.
    Component,
    /// A control character, a backslash, or a percent sign without two digits.
    Character,
    /// A wildcard where a web server cannot list.
    Wildcard,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the scheme is not s3, gs, az or https",
            Self::TooLong => "the address has more than 4096 bytes, or its key more than 1024",
            Self::User => "the address has a user or a password",
            Self::Query => "the address has a query or a fragment",
            Self::Authority => "the bucket or host is not valid",
            Self::Component => "a component of the path is empty, \".\" or \"..\"",
            Self::Character => {
                "a control character, a backslash, or a percent sign without two digits"
            }
            Self::Wildcard => "web servers do not list files",
        })
    }
}

impl std::error::Error for UrlError {}

/// Whether a text is an address and not a path: it begins with a scheme and `://`.
pub fn is_url(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once("://") else { return false };
    let mut bytes = scheme.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

impl Url {
    /// The address of an object.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let url = Self::parse_prefix(text)?;
        if url.key.is_empty() || text.ends_with('/') { Err(UrlError::Component) } else { Ok(url) }
    }

    /// The address of an object or of a prefix: a slash at the end is left out, and the key may be empty.
    pub fn parse_prefix(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = split_scheme(text)?;
        if rest.contains(['?', '#']) {
            return Err(UrlError::Query);
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.strip_suffix('/').unwrap_or(path);
        let authority = normalize_authority(scheme, authority)?;
        let key = if scheme.is_web() { normalize_web_path(path)? } else { path.to_owned() };
        Self::from_parts(scheme, authority, key)
    }

    /// An object of the same bucket.
    pub(crate) fn with_key(&self, key: &str) -> Result<Self, UrlError> {
        if key.contains(['?', '#']) {
            return Err(UrlError::Query);
        }
        Self::from_parts(self.scheme, self.authority.clone(), key.to_owned())
    }

    fn from_parts(scheme: Scheme, authority: String, key: String) -> Result<Self, UrlError> {
        if key.len() > MAX_KEY {
            return Err(UrlError::TooLong);
        }
        let is_bad = |part: &str| matches!(part, "" | "." | "..");
        if !key.is_empty() && key.split('/').any(is_bad) {
            return Err(UrlError::Component);
        }
        if key.contains(|c: char| c.is_control() || c == '\\') {
            return Err(UrlError::Character);
        }
        Ok(Self { scheme, authority, key })
    }

    /// Kind of the store.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Bucket, container, or host with its port.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Host without its port; the bucket of a store.
    pub fn host(&self) -> &str {
        if let Some(rest) = self.authority.strip_prefix('[') {
            return rest.split(']').next().unwrap_or_default();
        }
        self.authority.split(':').next().unwrap_or_default()
    }

    /// The key in the bucket, or the path of a web address without its first slash.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/{}", self.scheme.name(), self.authority, self.key)
    }
}

/// The scheme of an address, and what follows `://`.
pub(crate) fn split_scheme(text: &str) -> Result<(Scheme, &str), UrlError> {
    if text.len() > MAX_LENGTH {
        return Err(UrlError::TooLong);
    }
    let (name, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
    let is_named = |scheme: &&Scheme| name.eq_ignore_ascii_case(scheme.name());
    let scheme = Scheme::ALL.iter().find(is_named).ok_or(UrlError::Scheme)?;
    if text.contains(|c: char| c.is_control() || c == '\\') {
        return Err(UrlError::Character);
    }
    Ok((*scheme, rest))
}

/// Bucket, or host and port.
pub(crate) fn normalize_authority(scheme: Scheme, authority: &str) -> Result<String, UrlError> {
    if authority.contains('@') {
        return Err(UrlError::User);
    }
    if !scheme.is_web() {
        let is_bucket =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let is_valid = authority.len() <= 255
            && authority.bytes().all(is_bucket)
            && authority.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
            && !authority.contains("..");
        return is_valid.then(|| authority.to_owned()).ok_or(UrlError::Authority);
    }
    // The crate reads hosts as web browsers do: 0x7f.1 and 2130706433 are 127.0.0.1.
    let parsed = ::url::Url::parse(&format!("{}://{authority}/", scheme.name()));
    let parsed = parsed.map_err(|_| UrlError::Authority)?;
    let host = parsed.host_str().unwrap_or_default().to_ascii_lowercase();
    if host.is_empty()
        || host.ends_with('.')
        || host.contains(['%', '*'])
        || parsed.port() == Some(0)
    {
        return Err(UrlError::Authority);
    }
    Ok(parsed.port().map_or(host.clone(), |port| format!("{host}:{port}")))
}

/// The path of a web address: characters that RFC 3986 does not reserve are not encoded, the others are.
fn normalize_web_path(path: &str) -> Result<String, UrlError> {
    let mut normal = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let (byte, is_encoded) = if byte == b'%' {
            let digits = [bytes.next(), bytes.next()].map(|digit| digit.and_then(hex));
            let [Some(high), Some(low)] = digits else { return Err(UrlError::Character) };
            (high * 16 + low, true)
        } else {
            (byte, false)
        };
        // An encoded slash or backslash would be a component to some servers and a character to others.
        if byte.is_ascii_control() || matches!(byte, b'\\') || (is_encoded && byte == b'/') {
            return Err(UrlError::Character);
        }
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if is_plain || (!is_encoded && b"/!$&'()*+,;=:@[]".contains(&byte)) {
            normal.push(char::from(byte));
        } else {
            normal.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(normal)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
