//! The bytes of an object, for a thread that reads them.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

use futures_util::stream::{FuturesOrdered, StreamExt};

use crate::error::{ErrorKind, StoreError};
use crate::fetch::{self, Body, Failure, Fetched, Part};
use crate::flow::{Entry, Sent, flow};
use crate::object::Object;
use crate::retry::{Attempts, Options};
use crate::runtime::{Nothing, Runtime, Task, wait};
use crate::source::Source;
use crate::stores::{Shared, cancelled, internal};

/// Bytes that are passed on at once where the server does not answer requests for ranges.
const PIECE: usize = 1024 * 1024;

type Piece = Result<Vec<u8>, StoreError>;

/// The bytes of an object from its beginning, all of one version. Its errors are [`StoreError`]s.
///
/// At most [`Options::ranges`] ranges are in memory. The requests end when it is dropped.
#[derive(Debug)]
pub struct ObjectStream {
    pieces: Receiver<Sent<Piece>>,
    piece: Option<Sent<Piece>>,
    position: usize,
    read: u64,
    object: Object,
    stop: Stop,
    _task: Task,
    _runtime: Arc<Runtime>,
}

/// Ends the reading of a stream that another thread reads.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// The stream returns an error within 20 milliseconds.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl ObjectStream {
    pub(crate) fn open(runtime: Arc<Runtime>, shared: Arc<Shared>, object: Object) -> Self {
        let (entry, pieces) = flow(shared.options.ranges.max(1));
        let whole = object.clone();
        let task = runtime.spawn(async move {
            let done = match shared.source(&whole.url) {
                Ok(source) => read(&source, &whole, &shared.options, &entry).await,
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                let room = entry.room().await;
                entry.send(Err(error), room);
            }
        });
        Self {
            pieces,
            piece: None,
            position: 0,
            read: 0,
            object,
            stop: Stop::default(),
            _task: task,
            _runtime: runtime,
        }
    }

    /// What is read.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// Ends the reading from another thread.
    pub fn stopper(&self) -> Stop {
        self.stop.clone()
    }

    /// The next bytes that are in memory.
    fn available(&mut self) -> Result<&[u8], StoreError> {
        loop {
            let length = match &self.piece {
                Some(Sent { value: Ok(piece), .. }) => piece.len(),
                Some(Sent { value: Err(error), .. }) => return Err(error.clone()),
                None => 0,
            };
            if self.position < length || self.read == self.object.size {
                break;
            }
            // Its memory is free before the next one is waited for.
            self.piece = None;
            self.position = 0;
            let stop = &self.stop.0;
            let mut go_on = || !stop.load(Ordering::Relaxed);
            self.piece = Some(match wait(&self.pieces, &mut go_on) {
                Ok(piece) => piece,
                Err(Nothing::Cancelled) => return Err(cancelled(&self.object.url)),
                Err(Nothing::Ended) => return Err(internal(&self.object.url)),
            });
        }
        Ok(match &self.piece {
            Some(Sent { value: Ok(piece), .. }) => &piece[self.position..],
            _ => &[],
        })
    }
}

impl Read for ObjectStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.0.load(Ordering::Relaxed) {
            return Err(io::Error::other(cancelled(&self.object.url)));
        }
        if buffer.is_empty() {
            return Ok(0);
        }
        let available = self.available().map_err(io::Error::other)?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.position += count;
        self.read += count as u64;
        Ok(count)
    }
}

/// Sends the ranges of an object in their order.
async fn read(
    source: &Source,
    object: &Object,
    options: &Options,
    entry: &Entry<Piece>,
) -> Result<(), StoreError> {
    let step = options.range.max(1);
    let mut next = step.min(object.size);
    if object.size == 0 {
        return Ok(());
    }
    // The first answer shows whether the server answers requests for ranges.
    let room = entry.room().await;
    match fetch::range(source, object, 0..next, options).await? {
        Fetched::Whole(body) => {
            drop(room);
            return whole(source, object, options, entry, body).await;
        }
        Fetched::Range(bytes) => {
            if !entry.send(Ok(bytes), room) {
                return Ok(());
            }
        }
    }
    let fetch = |from: u64| async move {
        let room = entry.room().await;
        let range = from..object.size.min(from.saturating_add(step));
        (fetch::range(source, object, range, options).await, room)
    };
    let mut ahead = FuturesOrdered::new();
    loop {
        while next < object.size && ahead.len() < options.ranges.saturating_sub(1).max(1) {
            ahead.push_back(fetch(next));
            next = next.saturating_add(step);
        }
        let Some((fetched, room)) = ahead.next().await else { return Ok(()) };
        let Fetched::Range(bytes) = fetched? else {
            let reason = "the server answers only some requests for ranges";
            return Err(StoreError::new(ErrorKind::Unsupported, &object.url, reason));
        };
        if !entry.send(Ok(bytes), room) {
            return Ok(());
        }
    }
}

/// Sends the pieces of an object from one answer. It is requested again only as long as nothing was sent.
async fn whole(
    source: &Source,
    object: &Object,
    options: &Options,
    entry: &Entry<Piece>,
    mut body: Body,
) -> Result<(), StoreError> {
    let mut attempts = Attempts::new(options);
    loop {
        let mut sent = 0;
        let failure = match pieces(object, options, entry, &mut body, &mut sent).await {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        match failure {
            Failure::Final(error) => return Err(error),
            Failure::Passing(error) if sent > 0 => {
                let reason = format!(
                    "{} after {sent} bytes, and the server does not answer requests for the rest",
                    error.reason()
                );
                return Err(StoreError::new(ErrorKind::Network, &object.url, reason));
            }
            Failure::Passing(error) if !attempts.pause().await => return Err(error),
            Failure::Passing(_) => {}
        }
        // Another failure is the next turn's.
        body = match fetch::part(source, object, 0..object.size, options).await {
            Ok(Part::Whole(body) | Part::Range(body)) => body,
            Err(failure) => futures_util::stream::iter([Err(failure)]).boxed(),
        };
    }
}

async fn pieces(
    object: &Object,
    options: &Options,
    entry: &Entry<Piece>,
    body: &mut Body,
    sent: &mut u64,
) -> Result<(), Failure> {
    while *sent < object.size {
        let room = entry.room().await;
        let rest = object.size - *sent;
        let length = usize::try_from(rest).unwrap_or(PIECE).min(PIECE);
        let mut piece = Vec::with_capacity(length);
        while piece.len() < length {
            let next = fetch::next(body, &object.url, options).await?;
            let next = next.ok_or_else(|| fetch::cut(&object.url))?;
            piece.extend_from_slice(&next);
        }
        *sent += piece.len() as u64;
        if *sent > object.size {
            return Err(fetch::changed(&object.url));
        }
        if !entry.send(Ok(piece), room) {
            return Ok(());
        }
    }
    Ok(())
}
