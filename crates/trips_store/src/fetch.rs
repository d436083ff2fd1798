//! Requests for bytes, and what their failures mean.

use std::ops::Range;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};

use crate::error::{ErrorKind, StoreError};
use crate::note::{Fault, Note, noted};
use crate::object::{Object, quoted};
use crate::retry::{Attempts, Options};
use crate::source::Source;
use crate::url::Url;

/// Why a request failed.
#[derive(Debug)]
pub enum Failure {
    /// Another attempt may succeed.
    Passing(StoreError),
    /// It fails in the same way again.
    Final(StoreError),
}

impl Failure {
    /// The error of it.
    pub fn into_error(self) -> StoreError {
        match self {
            Self::Passing(error) | Self::Final(error) => error,
        }
    }
}

/// The bytes of an answer.
pub type Body = BoxStream<'static, Result<Bytes, Failure>>;

/// The answer to a request for a range.
pub enum Part {
    /// The range.
    Range(Body),
    /// The whole object: the server does not answer requests for ranges.
    Whole(Body),
}

/// A fetched range.
pub enum Fetched {
    /// Its bytes.
    Range(Vec<u8>),
    /// The whole object, as far as it has not been read.
    Whole(Body),
}

/// Fetches a range. Failures that may pass are tried again, from the byte that was reached.
pub async fn range(
    source: &Source,
    object: &Object,
    range: Range<u64>,
    options: &Options,
) -> Result<Fetched, StoreError> {
    let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(length);
    let mut attempts = Attempts::new(options);
    loop {
        let before = bytes.len();
        let rest = range.start + before as u64..range.end;
        let failure = match part(source, object, rest, options).await {
            Ok(Part::Whole(body)) => return Ok(Fetched::Whole(body)),
            Ok(Part::Range(body)) => match fill(&mut bytes, length, body, object, options).await {
                Ok(()) => return Ok(Fetched::Range(bytes)),
                Err(failure) => failure,
            },
            Err(failure) => failure,
        };
        if bytes.len() > before {
            attempts.progressed();
        }
        match failure {
            Failure::Final(error) => return Err(error),
            Failure::Passing(error) if !attempts.pause().await => return Err(error),
            Failure::Passing(_) => {}
        }
    }
}

/// One request for a range.
pub async fn part(
    source: &Source,
    object: &Object,
    range: Range<u64>,
    options: &Options,
) -> Result<Part, Failure> {
    let request = async {
        match source {
            Source::Bucket(store) => bucket_part(store.as_ref(), object, range).await,
            Source::Web(web) => web.part(object, range).await,
        }
    };
    // Credentials may have to be fetched first.
    match tokio::time::timeout(options.stall * 2, request).await {
        Ok(part) => part,
        Err(_) => Err(stalled(&object.url)),
    }
}

async fn bucket_part(
    store: &dyn ObjectStore,
    object: &Object,
    range: Range<u64>,
) -> Result<Part, Failure> {
    let url = &object.url;
    let request = GetOptions {
        range: Some(GetRange::Bounded(range)),
        if_match: object.strong_etag().map(str::to_owned),
        ..GetOptions::default()
    };
    let (answer, note) = noted(store.get_opts(&path_of(url)?, request)).await;
    let answer = answer.map_err(|error| match of_bucket(url, &error, &note) {
        // It was there when the load began.
        Failure::Final(error) if error.kind() == ErrorKind::NotFound => changed(url),
        failure => failure,
    })?;
    let etag = answer.meta.e_tag.as_deref().map(quoted);
    if answer.meta.size != object.size || etag.is_some_and(|etag| etag != object.version) {
        return Err(changed(url));
    }
    let url = url.clone();
    let body = answer.into_stream().map(move |bytes| bytes.map_err(|_| cut(&url)));
    Ok(Part::Range(body.boxed()))
}

/// Appends a body until the length is reached.
async fn fill(
    bytes: &mut Vec<u8>,
    length: usize,
    mut body: Body,
    object: &Object,
    options: &Options,
) -> Result<(), Failure> {
    while bytes.len() < length {
        let next = next(&mut body, &object.url, options).await?.ok_or_else(|| cut(&object.url))?;
        // More than was asked for would belong to another range.
        let room = length - bytes.len();
        bytes.extend_from_slice(&next[..next.len().min(room)]);
    }
    Ok(())
}

/// The next bytes of a body, unless it stalls.
pub async fn next(body: &mut Body, url: &Url, options: &Options) -> Result<Option<Bytes>, Failure> {
    match tokio::time::timeout(options.stall, body.next()).await {
        Ok(next) => next.transpose(),
        Err(_) => Err(stalled(url)),
    }
}

/// The key of an object, for the crate.
pub fn path_of(url: &Url) -> Result<Path, Failure> {
    Path::parse(url.key()).map_err(|_| {
        let reason = "the store's client does not support this key";
        Failure::Final(StoreError::new(ErrorKind::Unsupported, url, reason))
    })
}

/// The object was replaced or removed.
pub fn changed(url: &Url) -> Failure {
    let reason = "the object was replaced or removed while it was read";
    Failure::Final(StoreError::new(ErrorKind::Changed, url, reason))
}

fn stalled(url: &Url) -> Failure {
    let reason = "the server did not answer in time";
    Failure::Passing(StoreError::new(ErrorKind::Network, url, reason))
}

/// The connection ended in the middle of an answer.
pub fn cut(url: &Url) -> Failure {
    let reason = "the connection ended in the middle of an answer";
    Failure::Passing(StoreError::new(ErrorKind::Network, url, reason))
}

/// What an error of the crate means. Its text may have an answer of the server, so it is not shown.
pub fn of_bucket(url: &Url, error: &object_store::Error, note: &Note) -> Failure {
    let fail = |kind, reason: String| StoreError::new(kind, url, reason);
    if note.credentials {
        let reason = match note.status {
            Some(200..300) => "the answer of the server that issues credentials is not valid",
            _ => "the server that issues credentials refused them or could not be reached",
        };
        return Failure::Final(fail(ErrorKind::NoCredentials, reason.to_owned()));
    }
    if let Some(failure) = note.fault.and_then(|fault| of_fault(url, fault)) {
        return failure;
    }
    match (error, note.status) {
        (object_store::Error::InvalidPath { .. }, _) => Failure::Final(fail(
            ErrorKind::Unsupported,
            "a key below this prefix has an empty component".to_owned(),
        )),
        (_, Some(status)) if !(200..300).contains(&status) => of_status(url, status, note),
        (_, None) => Failure::Final(fail(
            ErrorKind::NoCredentials,
            "the environment has no credentials that can be used".to_owned(),
        )),
        _ => Failure::Final(fail(
            ErrorKind::Server,
            "the server's answer is not one of this kind of store".to_owned(),
        )),
    }
}

/// What a request without an answer means.
pub fn of_fault(url: &Url, fault: Fault) -> Option<Failure> {
    let network = |reason: &str| StoreError::new(ErrorKind::Network, url, reason);
    Some(match fault {
        Fault::Connect => Failure::Passing(network("no connection to the server")),
        Fault::Name => Failure::Passing(network("the name of the host is not known")),
        Fault::Certificate => {
            let reason = "the certificate of the server is not trusted, or is one of another host";
            Failure::Final(StoreError::new(ErrorKind::Certificate, url, reason))
        }
        Fault::Timeout => stalled(url),
        Fault::Ended => cut(url),
        Fault::Refused(ip) => Failure::Final(StoreError::new(
            ErrorKind::RefusedAddress,
            url,
            format!("the host has the address {ip}, which is refused"),
        )),
        Fault::RefusedName => Failure::Final(StoreError::new(
            ErrorKind::RefusedAddress,
            url,
            "the host is a metadata server",
        )),
    })
}

/// What the status of an answer means.
pub fn of_status(url: &Url, status: u16, note: &Note) -> Failure {
    let answered = match &note.code {
        Some(code) => format!("the server answered {status} ({code})"),
        None => format!("the server answered {status}"),
    };
    let fail = |kind| StoreError::new(kind, url, answered.clone());
    let is_about_keys = note.code.as_deref().is_some_and(|code| {
        ["Token", "Signature", "AccessKey", "Authorization", "Authentication"]
            .iter()
            .any(|word| code.contains(word))
    });
    match status {
        408 | 429 | 500..=599 => Failure::Passing(fail(ErrorKind::Network)),
        404 | 410 => Failure::Final(fail(ErrorKind::NotFound)),
        304 | 412 | 416 => changed(url),
        401 | 403 => Failure::Final(fail(ErrorKind::Denied)),
        400 if is_about_keys => Failure::Final(fail(ErrorKind::Denied)),
        300..=399 => Failure::Final(StoreError::new(
            ErrorKind::Server,
            url,
            "the bucket is in another region or at another endpoint than the environment names",
        )),
        _ => Failure::Final(fail(ErrorKind::Server)),
    }
}
