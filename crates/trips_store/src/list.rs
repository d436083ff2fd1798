//! The objects of a pattern.

use std::sync::Arc;

use futures_util::stream::{BoxStream, StreamExt};
use object_store::ObjectMeta;
use object_store::path::Path;

use crate::error::{ErrorKind, StoreError};
use crate::fetch::{Failure, of_bucket};
use crate::flow::{Entry, flow};
use crate::note::noted;
use crate::object::Object;
use crate::pattern::Pattern;
use crate::retry::Attempts;
use crate::runtime::{Nothing, Runtime, wait};
use crate::source::Source;
use crate::stores::{Shared, cancelled, internal, object_of};
use crate::url::Url;

/// Objects that are passed on at once.
const PAGE: usize = 1000;
/// Pages in memory.
const PAGES: usize = 2;

/// What a listing left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Listed {
    /// Number of matches that cannot be loaded: empty objects, such as those that programs show as folders, and keys
    /// with `?` or `#`.
    pub others: u64,
}

/// What is listed.
pub struct Request {
    pub pattern: Pattern,
    /// The key after which the listing begins.
    pub after: Option<String>,
}

/// Some matches.
struct Page {
    objects: Vec<Object>,
    /// The number of other matches so far.
    others: u64,
    /// No other page follows. Without it, the task has panicked.
    is_last: bool,
}

/// Passes the matches to the caller.
pub fn run(
    runtime: &Runtime,
    shared: Arc<Shared>,
    request: Request,
    each: &mut dyn FnMut(Object),
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Listed, StoreError> {
    let bucket = request.pattern.bucket().clone();
    let (entry, pages) = flow::<Result<Page, StoreError>>(PAGES);
    let _task = runtime.spawn(async move {
        if let Err(error) = list(&shared, request, &entry).await {
            let room = entry.room().await;
            entry.send(Err(error), room);
        }
    });
    let mut listed = Listed::default();
    loop {
        match wait(&pages, go_on) {
            Ok(page) => {
                let Page { objects, others, is_last } = page.value?;
                listed.others = others;
                objects.into_iter().for_each(&mut *each);
                if is_last {
                    return Ok(listed);
                }
                if !go_on() {
                    return Err(cancelled(&bucket));
                }
            }
            Err(Nothing::Ended) => return Err(internal(&bucket)),
            Err(Nothing::Cancelled) => return Err(cancelled(&bucket)),
        }
    }
}

/// Lists all keys below the prefix of the pattern; those that match are sent on.
async fn list(
    shared: &Shared,
    request: Request,
    entry: &Entry<Result<Page, StoreError>>,
) -> Result<(), StoreError> {
    let Request { pattern, mut after } = request;
    let bucket = pattern.bucket();
    let source = shared.source(bucket)?;
    let Source::Bucket(store) = source else {
        return Err(StoreError::new(
            ErrorKind::Unsupported,
            bucket,
            "web servers do not list files",
        ));
    };
    let prefix = Path::parse(pattern.prefix()).ok().filter(|path| !path.is_root());
    let mut attempts = Attempts::new(&shared.options);
    let mut page = Vec::new();
    let mut others = 0;
    loop {
        let mut keys = match after.as_ref().and_then(|key| Path::parse(key).ok()) {
            Some(after) => store.list_with_offset(prefix.as_ref(), &after),
            None => store.list(prefix.as_ref()),
        };
        let failure = loop {
            let found = match next(&mut keys, bucket, shared).await {
                Ok(Some(found)) => found,
                Ok(None) => {
                    let room = entry.room().await;
                    entry.send(Ok(Page { objects: page, others, is_last: true }), room);
                    return Ok(());
                }
                Err(failure) => break failure,
            };
            attempts.progressed();
            match object(&pattern, &found)? {
                Match::Object(object) => page.push(object),
                Match::Other => others += 1,
                Match::None => {}
            }
            after = Some(found.location.to_string());
            if page.len() == PAGE {
                let room = entry.room().await;
                let objects = std::mem::take(&mut page);
                if !entry.send(Ok(Page { objects, others, is_last: false }), room) {
                    return Ok(());
                }
            }
        };
        match failure {
            Failure::Final(error) => return Err(error),
            Failure::Passing(error) if !attempts.pause().await => return Err(error),
            Failure::Passing(_) => {}
        }
    }
}

/// The next key, unless the server stalls.
async fn next(
    keys: &mut BoxStream<'static, object_store::Result<ObjectMeta>>,
    bucket: &Url,
    shared: &Shared,
) -> Result<Option<ObjectMeta>, Failure> {
    match tokio::time::timeout(shared.options.stall * 2, noted(keys.next())).await {
        Ok((found, note)) => found.transpose().map_err(|error| of_bucket(bucket, &error, &note)),
        Err(_) => {
            let reason = "the server did not answer in time";
            Err(Failure::Passing(StoreError::new(ErrorKind::Network, bucket, reason)))
        }
    }
}

/// What a key is to a pattern.
enum Match {
    Object(Object),
    /// It matches, and cannot be loaded.
    Other,
    None,
}

fn object(pattern: &Pattern, found: &ObjectMeta) -> Result<Match, StoreError> {
    let key = found.location.as_ref();
    if !pattern.matches(key) {
        return Ok(Match::None);
    }
    match pattern.bucket().with_key(key) {
        Ok(url) if found.size > 0 => {
            object_of(url, found).map(Match::Object).map_err(Failure::into_error)
        }
        _ => Ok(Match::Other),
    }
}
