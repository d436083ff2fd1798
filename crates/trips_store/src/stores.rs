//! What callers use: descriptions, listings and streams of objects.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use object_store::ObjectStoreExt;

use crate::connector;
use crate::environment::Environment;
use crate::error::{ErrorKind, StoreError};
use crate::fetch::{Failure, of_bucket, path_of};
use crate::list::{self, Listed};
use crate::note::noted;
use crate::object::{Object, quoted};
use crate::pattern::Pattern;
use crate::policy::Policy;
use crate::retry::{Attempts, Options};
use crate::runtime::{Nothing, Runtime};
use crate::service::Gate;
use crate::source::{Maker, Source};
use crate::stream::ObjectStream;
use crate::url::{Scheme, Url};

/// The objects that a policy allows.
///
/// All requests run in a thread of its own, which ends when this and all streams are dropped.
#[derive(Debug)]
pub struct Stores {
    runtime: Arc<Runtime>,
    shared: Arc<Shared>,
}

/// What the tasks use.
#[derive(Debug)]
pub(crate) struct Shared {
    policy: Policy,
    maker: Maker,
    pub options: Options,
    sources: Mutex<HashMap<(Scheme, String), Source>>,
}

impl Shared {
    /// The client for an address. A host of the web needs no own one.
    pub fn source(&self, url: &Url) -> Result<Source, StoreError> {
        let authority =
            if url.scheme().is_web() { String::new() } else { url.authority().to_owned() };
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = sources.get(&(url.scheme(), authority.clone())) {
            return Ok(source.clone());
        }
        let source = self.maker.source(url)?;
        sources.insert((url.scheme(), authority), source.clone());
        Ok(source)
    }
}

impl Stores {
    /// The objects that the policy allows, with the credentials of an environment. Nothing is requested yet.
    pub fn new(policy: Policy, environment: Environment, options: Options) -> io::Result<Self> {
        let endpoints = environment.endpoints();
        let gate = Arc::new(Gate { policy: policy.clone(), endpoints });
        let tls = connector::tls().map_err(io::Error::other)?;
        let maker = Maker::new(gate, environment, &tls, &options);
        let shared = Shared { policy, maker, options, sources: Mutex::default() };
        Ok(Self { runtime: Arc::new(Runtime::start()?), shared: Arc::new(shared) })
    }

    /// Describes an object. `go_on` is called every 20 milliseconds; `false` cancels.
    pub fn head(&self, url: &Url, go_on: &mut dyn FnMut() -> bool) -> Result<Object, StoreError> {
        self.require_allowed(self.shared.policy.allows(url), url)?;
        let (shared, object) = (self.shared.clone(), url.clone());
        let task = async move { head(&shared, &object).await };
        match self.runtime.run(task, go_on) {
            Ok(described) => described,
            Err(Nothing::Cancelled) => Err(cancelled(url)),
            Err(Nothing::Ended) => Err(internal(url)),
        }
    }

    /// Passes the objects of a pattern to `each`, in the order in which the store lists them; those up to the key
    /// `after` are left out. `go_on` is called every 20 milliseconds and with each page; `false` cancels.
    pub fn list(
        &self,
        pattern: &Pattern,
        after: Option<&str>,
        each: &mut dyn FnMut(Object),
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Listed, StoreError> {
        self.require_allowed(self.shared.policy.allows_pattern(pattern), pattern.bucket())?;
        let request = list::Request { pattern: pattern.clone(), after: after.map(str::to_owned) };
        list::run(&self.runtime, self.shared.clone(), request, each, go_on)
    }

    /// Reads an object from its beginning, as it was when it was described.
    pub fn open(&self, object: &Object) -> Result<ObjectStream, StoreError> {
        self.require_allowed(self.shared.policy.allows(&object.url), &object.url)?;
        Ok(ObjectStream::open(self.runtime.clone(), self.shared.clone(), object.clone()))
    }

    fn require_allowed(&self, is_allowed: bool, url: &Url) -> Result<(), StoreError> {
        let error = || StoreError::new(ErrorKind::NotAllowed, url, "the address is not allowed");
        is_allowed.then_some(()).ok_or_else(error)
    }
}

/// The task has panicked.
pub(crate) fn internal(url: &Url) -> StoreError {
    StoreError::new(ErrorKind::Internal, url, "the thread of the requests has failed")
}

/// The caller does not want to go on.
pub(crate) fn cancelled(url: &Url) -> StoreError {
    StoreError::new(ErrorKind::Cancelled, url, "the call was cancelled")
}

async fn head(shared: &Shared, url: &Url) -> Result<Object, StoreError> {
    let source = shared.source(url)?;
    let mut attempts = Attempts::new(&shared.options);
    loop {
        let described = match &source {
            Source::Bucket(store) => match path_of(url) {
                Ok(path) => {
                    let (answer, note) = noted(store.head(&path)).await;
                    answer
                        .map_err(|error| of_bucket(url, &error, &note))
                        .and_then(|found| object_of(url.clone(), &found))
                }
                Err(failure) => Err(failure),
            },
            Source::Web(web) => web.head(url).await,
        };
        match described {
            Ok(object) => return Ok(object),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Passing(error)) if !attempts.pause().await => return Err(error),
            Err(Failure::Passing(_)) => {}
        }
    }
}

/// An object of a store, as that describes it.
pub(crate) fn object_of(url: Url, found: &object_store::ObjectMeta) -> Result<Object, Failure> {
    let Some(etag) = &found.e_tag else {
        let reason = "the store does not state an ETag of the object";
        return Err(Failure::Final(StoreError::new(ErrorKind::Unsupported, url, reason)));
    };
    let (size, version) = (found.size, quoted(etag));
    Ok(Object { url, size, version, modified: Some(found.last_modified.into()) })
}
