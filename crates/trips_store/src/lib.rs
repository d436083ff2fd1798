//! Objects of stores as streams of bytes: `s3://`, `gs://`, `az://`, `https://`. Knows nothing of PostgreSQL.
//!
//! A [`Policy`] lists the addresses that may be read. [`Stores`] reads them, with the credentials of an [`Environment`].
//! Every call polls a function of the caller while it waits, so that the caller can cancel it.
//!
//! ```
//! use trips_store::{Policy, Url};
//!
//! let policy = Policy::parse(["s3://trips/incoming"])?;
//! assert!(policy.allows(&Url::parse("s3://trips/incoming/may.csv")?));
//! assert!(!policy.allows(&Url::parse("s3://trips/incoming2/may.csv")?));
//! # Ok::<(), trips_store::UrlError>(())
//! ```

mod address;
mod connector;
mod environment;
mod error;
mod fetch;
mod flow;
mod list;
mod note;
mod object;
mod pattern;
mod policy;
mod profile;
mod retry;
mod runtime;
mod service;
mod source;
mod stores;
mod stream;
mod url;
mod web;

pub use self::environment::Environment;
pub use self::error::{ErrorKind, StoreError};
pub use self::list::Listed;
pub use self::object::Object;
pub use self::pattern::{Pattern, is_wild};
pub use self::policy::Policy;
pub use self::retry::Options;
pub use self::stores::Stores;
pub use self::stream::{ObjectStream, Stop};
pub use self::url::{Scheme, Url, UrlError, is_url};
