//! Threads that fail, and chunks that arrive in steps.

use std::io::{self, Read};

use super::{Pool, PoolError};
use crate::check::constraints::Constraints;
use crate::feed::choice::FeedChoice;
use crate::format::delimited::header;
use crate::format::delimited::record::RecordReader;
use crate::format::parser::{Parser, Target};

const HEADER: &[u8] = b"region,origin_coord,destination_coord,date_time,datasource\n";

fn start<R: Read + Send + 'static>(rest: R, threads: usize) -> Pool<io::Chain<&'static [u8], R>> {
    let max_record = 1 << 20;
    let mut reader = RecordReader::new(HEADER.chain(rest), max_record);
    let header = reader.next_record().unwrap().unwrap();
    let plan = header::resolve(&FeedChoice::builtin(), &header).unwrap();
    let (target, constraints) = (Target::History, Constraints::default());
    let parser =
        Parser { plan, target, load_id: 1, max_record, constraints, keeps_grid_points: true };
    Pool::start(reader, parser, threads).unwrap()
}

/// Returns a line at the first read, and panics at the second.
struct Panics(bool);

impl Read for Panics {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(!self.0, "the disk said {}", "no");
        self.0 = true;
        (&b"x\n"[..]).read(buffer)
    }
}

#[test]
fn a_thread_that_panics_says_why() {
    // The line of the header arrives before the rest is read.
    let mut pool = start(Panics(false), 2);
    let error = pool.read_run(1 << 30, || (), |_| Ok::<(), PoolError>(())).unwrap_err();
    assert_eq!(error.to_string(), "a thread failed: the disk said no");
}

/// Returns lines, then an error, then others.
struct Fails(u32);

impl Read for Fails {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0 += 1;
        match self.0 {
            1..4 => (&b"x\n".repeat(50_000)[..]).read(buffer),
            4 => Err(io::Error::other("the first")),
            _ => Err(io::Error::other("another")),
        }
    }
}

/// A file that failed is not read again: what it then says is not what is wrong with it.
#[test]
fn the_first_error_of_a_file_is_the_one_that_is_reported() {
    for _ in 0..200 {
        let mut pool = start(Fails(0), 4);
        let error = pool.read_run(1 << 30, || (), |_| Ok::<(), PoolError>(())).unwrap_err();
        assert_eq!(error.to_string(), "the first");
    }
}

/// Every line once, in order, with many threads; and threads that wait for their turn end with the pool.
#[test]
fn rejected_lines_come_in_pieces_and_in_order() {
    let lines = 1_500_000;
    let file = "x\n".repeat(lines);
    for stops in [false, true] {
        let mut pool = start(io::Cursor::new(file.clone()), 4);
        let (mut rows, mut calls, mut largest) = (0, 0, 0);
        let run = pool.read_run(
            1 << 20,
            || (),
            |parsed| {
                rows += parsed.staged.len();
                assert_eq!(parsed.rows, parsed.staged.len() as u64);
                largest = largest.max(parsed.staged.bytes());
                calls += 1;
                if stops && calls > 3 {
                    return Err(PoolError::Thread("enough".into()));
                }
                Ok(())
            },
        );
        assert!(largest < 3 << 20, "{largest}");
        assert_eq!(run.is_err(), stops);
        assert!(stops || (rows == lines && calls > 50), "{rows} rows in {calls} steps");
    }
}
