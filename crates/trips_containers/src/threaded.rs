//! A reader in a thread of its own.

use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use trips_memory::thread;

/// Bytes of a buffer between the threads.
const BUFFER: usize = 256 << 10;

/// Buffers that wait between the threads; one more is being filled, and one is being read.
const WAITING: usize = 4;

/// Runs a reader in a thread of its own, up to a MiB ahead.
///
/// The thread inherits the signal mask: a caller with signal handlers blocks its signals before. It ends when the
/// result is dropped, after the read of the source that it is in. A panic of the reader is an error of the result.
pub fn threaded(source: Box<dyn Read + Send>) -> io::Result<Threaded> {
    let (sender, blocks) = sync_channel(WAITING);
    let (empty, returned) = channel();
    // A reader that is dropped elsewhere may not be waited for: its source may be a network.
    thread::start("unpack", move || run(source, &sender, &returned))
        .map_err(thread::NoThread::in_error)?;
    Ok(Threaded { blocks, empty, block: Vec::new(), position: 0, ended: false })
}

/// The bytes of a reader that runs in a thread of its own; made by [`threaded`].
pub struct Threaded {
    blocks: Receiver<io::Result<Vec<u8>>>,
    /// Takes buffers back that were read.
    empty: Sender<Vec<u8>>,
    block: Vec<u8>,
    position: usize,
    ended: bool,
}

/// Sends all blocks of a reader, until the end, an error, or nobody receives them.
fn run(
    mut source: Box<dyn Read + Send>,
    blocks: &SyncSender<io::Result<Vec<u8>>>,
    returned: &Receiver<Vec<u8>>,
) {
    loop {
        let mut block = returned.try_recv().unwrap_or_default();
        block.resize(BUFFER, 0);
        // The reader is not used after a panic.
        let filled = catch_unwind(AssertUnwindSafe(|| fill(&mut source, &mut block)))
            .unwrap_or_else(|panic| Filled { count: 0, end: Some(Err(panic_error(&*panic))) });
        block.truncate(filled.count);
        if filled.count > 0 && blocks.send(Ok(block)).is_err() {
            return;
        }
        match filled.end {
            None => {}
            // An empty block is the end: a thread that ended otherwise is an error.
            Some(Ok(())) => return drop(blocks.send(Ok(Vec::new()))),
            Some(Err(error)) => return drop(blocks.send(Err(error))),
        }
    }
}

struct Filled {
    count: usize,
    end: Option<io::Result<()>>,
}

/// Fills a block. What was read before an error is kept.
fn fill(source: &mut dyn Read, block: &mut [u8]) -> Filled {
    let mut count = 0;
    while count < block.len() {
        match source.read(&mut block[count..]) {
            Ok(0) => return Filled { count, end: Some(Ok(())) },
            Ok(read) => count += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Filled { count, end: Some(Err(error)) },
        }
    }
    Filled { count, end: None }
}

fn panic_error(panic: &(dyn std::any::Any + Send)) -> io::Error {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    io::Error::other(format!(
        "the thread that unpacks the file panicked: {}",
        text.unwrap_or("no message")
    ))
}

impl Read for Threaded {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        if self.position == self.block.len() {
            if self.ended {
                return Ok(0);
            }
            // The other side is gone only if the thread was ended.
            let _ = self.empty.send(std::mem::take(&mut self.block));
            self.position = 0;
            let ended = || Err(io::Error::other("the thread that unpacks the file ended"));
            self.block = self.blocks.recv().unwrap_or_else(|_| ended())?;
            self.ended = self.block.is_empty();
        }
        let count = out.len().min(self.block.len() - self.position);
        out[..count].copy_from_slice(&self.block[self.position..self.position + count]);
        self.position += count;
        Ok(count)
    }
}
