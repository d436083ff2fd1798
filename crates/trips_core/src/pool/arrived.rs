//! Chunks that arrive from their threads, some in steps, and leave in the order of the file.
//!
//! A thread assumes that a chunk begins with the last known columns. If an earlier chunk turns out to have another
//! header, the chunk is parsed again before any of its rows leave.

use std::collections::TryReserveError;
use std::io::Read;
use std::sync::PoisonError;
use std::sync::mpsc::{Sender, channel};

use super::{CHUNK, Done, PARTIAL_BYTES, Pool, PoolError, SPARE_BUFFERS, Shared};
use crate::format::Chunk;
use crate::format::delimited::header_state::HeaderState;
use crate::format::parser::Parsed;
use crate::sort::block::RowBuffer;

/// A chunk, or a part of its results.
pub(super) enum Arrived {
    Partial(Box<Partial>),
    Whole(Box<Whole>),
}

/// Rows for staging of a chunk whose thread waits for an answer.
pub(super) struct Partial {
    pub(super) parsed: Parsed,
    /// The assumed columns at its begin.
    begins_with: HeaderState,
    /// Its thread waits for the permission to continue. It begins again when it gets other columns.
    answer: Sender<Option<HeaderState>>,
}

/// All of a chunk, or the rest.
pub(super) struct Whole {
    pub(super) parsed: Parsed,
    /// Bytes that its trips take until they are written.
    pub(super) cost: usize,
    /// The assumed columns at its begin.
    begins_with: HeaderState,
    /// The chunk itself: it is parsed again if it begins with other columns.
    chunk: Chunk,
}

/// The error that stopped the parsing of a chunk.
enum Stopped<E> {
    /// A header before it, which was found meanwhile, has these columns.
    Again(HeaderState),
    Memory(TryReserveError),
    By(E),
}

impl<E> From<TryReserveError> for Stopped<E> {
    fn from(error: TryReserveError) -> Self {
        Self::Memory(error)
    }
}

impl Arrived {
    pub(super) fn number(&self) -> u64 {
        match self {
            Self::Partial(partial) => partial.parsed.number,
            Self::Whole(whole) => whole.parsed.number,
        }
    }
}

impl<R> Pool<R> {
    /// Passes partial results of the next chunk on, or lets the chunk begin again.
    pub(super) fn take_partial<E>(
        &self,
        partial: Partial,
        each: &mut impl FnMut(&mut Parsed) -> Result<(), E>,
    ) -> Result<(), E> {
        let Partial { mut parsed, begins_with, answer } = partial;
        let is_right = begins_with == self.header;
        if is_right {
            each(&mut parsed)?;
        }
        drop(parsed);
        // Its thread may have ended; the wait then reports it.
        let _ = answer.send((!is_right).then(|| self.header.clone()));
        Ok(())
    }

    /// The next chunk with its right columns, and the cost of its trips. It is parsed again here, in the backend,
    /// because all threads may be waiting for their turn, which comes after it. This is rare.
    pub(super) fn settle<E: From<PoolError>>(
        &mut self,
        whole: Whole,
        each: &mut impl FnMut(&mut Parsed) -> Result<(), E>,
    ) -> Result<(Parsed, usize), E> {
        let Whole { mut parsed, mut cost, begins_with, mut chunk } = whole;
        let parser = &self.shared.parser;
        if begins_with != self.header {
            drop(parsed);
            let give = |mut partial: Parsed| each(&mut partial).map_err(Stopped::By);
            let buffer = &mut RowBuffer::default();
            let again = chunk.parse(parser, &self.header, PARTIAL_BYTES, buffer, give);
            parsed = again.map_err(|stopped| match stopped {
                Stopped::By(error) => error,
                Stopped::Memory(error) => PoolError::from(error).into(),
                Stopped::Again(_) => unreachable!("its columns are known"),
            })?;
            cost = parsed.block.cost(parser.keeps_grid_points);
        }
        if let Some(after) = parsed.header.take() {
            let mut shared = self.shared.header.lock().unwrap_or_else(PoisonError::into_inner);
            shared.clone_from(&after);
            drop(shared);
            self.header = after;
        }
        self.shared.keep_buffer(chunk);
        Ok((parsed, cost))
    }
}

impl<R> Shared<R> {
    /// Keeps the buffer of a chunk that is done, for the next ones.
    fn keep_buffer(&self, chunk: Chunk) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let buffer = chunk.into_buffer().filter(|buffer| buffer.capacity() <= 2 * CHUNK);
        if spare.len() < SPARE_BUFFERS {
            spare.extend(buffer);
        }
    }
}

impl<R: Read> Shared<R> {
    /// Parses a chunk, and again if an earlier chunk has changed the columns with which it begins.
    pub(super) fn parse_chunk(
        &self,
        mut chunk: Chunk,
        mut begins_with: HeaderState,
        buffer: &mut RowBuffer,
        results: &Sender<Done>,
    ) -> Result<Whole, PoolError> {
        loop {
            let give = |parsed| hand_over(parsed, &begins_with, results);
            match chunk.parse(&self.parser, &begins_with, PARTIAL_BYTES, buffer, give) {
                Ok(parsed) => {
                    let cost = parsed.block.cost(self.parser.keeps_grid_points);
                    return Ok(Whole { parsed, cost, begins_with, chunk });
                }
                Err(Stopped::Again(header)) => begins_with = header,
                Err(Stopped::Memory(error)) => return Err(error.into()),
                Err(Stopped::By(error)) => return Err(error),
            }
        }
    }
}

/// Sends partial results to the owner, and waits for the answer.
fn hand_over(
    parsed: Parsed,
    begins_with: &HeaderState,
    results: &Sender<Done>,
) -> Result<(), Stopped<PoolError>> {
    let (answer, answered) = channel();
    let partial = Partial { parsed, begins_with: begins_with.clone(), answer };
    // A receiver that does not take it does not answer either.
    let _ = results.send(Done::Parsed(Arrived::Partial(Box::new(partial))));
    match answered.recv() {
        Ok(None) => Ok(()),
        Ok(Some(header)) => Err(Stopped::Again(header)),
        Err(_) => Err(Stopped::By(PoolError::Thread("the load has ended".into()))),
    }
}
