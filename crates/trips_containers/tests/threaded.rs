//! A reader in a thread of its own.

use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, mpsc};

use trips_containers::threaded;

/// Counts its reads; says when it is dropped.
struct Source {
    reads: Arc<AtomicUsize>,
    dropped: Sender<()>,
    act: fn(usize, &mut [u8]) -> io::Result<usize>,
}

impl Read for Source {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let number = self.reads.fetch_add(1, Ordering::SeqCst);
        (self.act)(number, out)
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let _ = self.dropped.send(());
    }
}

fn source(
    act: fn(usize, &mut [u8]) -> io::Result<usize>,
) -> (Box<Source>, Arc<AtomicUsize>, Receiver<()>) {
    let reads = Arc::new(AtomicUsize::new(0));
    let (dropped, is_dropped) = channel();
    (Box::new(Source { reads: Arc::clone(&reads), dropped, act }), reads, is_dropped)
}

#[test]
fn the_bytes_are_those_of_the_source() {
    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut read = Vec::new();
    let mut reader = threaded(Box::new(io::Cursor::new(bytes.clone()))).unwrap();
    assert_eq!(reader.read(&mut []).unwrap(), 0, "an empty buffer is no end");
    reader.read_to_end(&mut read).unwrap();
    assert!(read == bytes);
    assert_eq!(reader.read(&mut [0]).unwrap(), 0, "the end stays the end");
}

#[test]
fn an_error_comes_after_the_bytes_before_it() {
    let (source, _, dropped) = source(|number, out| match number {
        0..3 => Ok(out.len().min(10)),
        3 => Err(io::ErrorKind::Interrupted.into()),
        _ => Err(io::Error::new(io::ErrorKind::NotConnected, "gone")),
    });
    let mut reader = threaded(source).unwrap();
    let mut read = Vec::new();
    let error = reader.read_to_end(&mut read).unwrap_err();
    assert_eq!((read.len(), error.kind()), (30, io::ErrorKind::NotConnected));
    dropped.recv().expect("the thread ends");
    assert!(reader.read(&mut [0]).is_err(), "no end of the file after an error");
}

#[test]
fn a_panic_is_an_error() {
    let (source, _, dropped) =
        source(
            |number, out| if number > 0 { panic!("of a decoder") } else { Ok(out.len().min(5)) },
        );
    let mut reader = threaded(source).unwrap();
    let mut read = Vec::new();
    let error = reader.read_to_end(&mut read).unwrap_err();
    assert!(error.to_string().ends_with("panicked: of a decoder"), "{error}");
    dropped.recv().expect("the thread ends");
}

#[test]
fn the_thread_reads_a_few_buffers_ahead_and_ends_with_its_reader() {
    let (source, reads, dropped) = source(|_, out| Ok(out.len()));
    let mut reader = threaded(source).unwrap();
    reader.read_exact(&mut [0; 1]).unwrap();
    // It waits for the channel: one buffer was taken, four wait, one waits to be sent.
    while reads.load(Ordering::SeqCst) < 6 {
        std::thread::yield_now();
    }
    assert!(matches!(dropped.try_recv(), Err(mpsc::TryRecvError::Empty)));
    drop(reader);
    dropped.recv().expect("the thread ends");
    assert_eq!(reads.load(Ordering::SeqCst), 6, "it reads no further");
}
