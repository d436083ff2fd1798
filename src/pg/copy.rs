//! Rows into a table through COPY's own machinery, in its binary format.
//!
//! So multi-insert, indexes, constraints, triggers, WAL, progress and error context are PostgreSQL's.

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};

use pgrx::{pg_guard, pg_sys};

use super::relation::Table;
use super::{error_fields, interrupts, session};

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

/// The source of the rows: each as binary COPY writes it, the number of its columns first.
pub trait Rows {
    /// The next rows, one after the other, or None after the last.
    fn next_rows(&mut self) -> Option<&[u8]>;
}

impl Rows for Option<&[u8]> {
    fn next_rows(&mut self) -> Option<&[u8]> {
        self.take()
    }
}

/// Rows that an iterator owns.
pub struct OwnedRows<I> {
    rows: I,
    current: Vec<u8>,
}

impl<I: Iterator<Item = Vec<u8>>> OwnedRows<I> {
    /// The rows of an iterator.
    pub fn of(rows: I) -> Self {
        Self { rows, current: Vec::new() }
    }
}

impl<I: Iterator<Item = Vec<u8>>> Rows for OwnedRows<I> {
    fn next_rows(&mut self) -> Option<&[u8]> {
        self.current = self.rows.next()?;
        Some(&self.current)
    }
}

/// Appends all rows to the table and returns how many PostgreSQL took. COPY clears the progress that the backend has
/// published: `begun` is called after that, to publish it again.
pub fn copy_rows(
    table: &Table,
    columns: &[&CStr],
    rows: &mut dyn Rows,
    begun: &mut dyn FnMut(),
) -> u64 {
    // Text is UTF-8 here; COPY would take it to be in the client's encoding.
    let _utf8 = session::Utf8Client::set();
    // SAFETY: reads a variable of the backend.
    let memory = unsafe { pg_sys::CurrentMemoryContext };
    let mut stream =
        Stream { rows, begun: Some(begun), memory, rest: Vec::new(), at: 0, ended: false };
    stream.rest.extend_from_slice(SIGNATURE);
    stream.rest.extend_from_slice(&[0; 8]); // flags, length of the header's extension
    let _current = CurrentStream::set(&mut stream);
    // SAFETY: the table is open and locked for inserting; every node is allocated in the current
    // memory context, which outlives the copy; the callback finds our stream in `CURRENT`, which
    // `_current` keeps valid until after EndCopyFrom and restores even when an ERROR unwinds.
    unsafe {
        let relation = table.as_ptr();
        let pstate = pg_sys::make_parsestate(std::ptr::null_mut());
        pg_sys::addRangeTableEntryForRelation(
            pstate,
            relation,
            pg_sys::RowExclusiveLock as c_int,
            std::ptr::null_mut(),
            false,
            false,
        );
        let mut names = std::ptr::null_mut();
        for column in columns {
            let name = pg_sys::makeString(pg_sys::pstrdup(column.as_ptr()));
            names = pg_sys::lappend(names, name.cast());
        }
        let binary = pg_sys::makeString(pg_sys::pstrdup(c"binary".as_ptr()));
        let format = pg_sys::makeDefElem(pg_sys::pstrdup(c"format".as_ptr()), binary.cast(), -1);
        let options = pg_sys::lappend(std::ptr::null_mut(), format.cast());
        let state = pg_sys::BeginCopyFrom(
            pstate,
            relation,
            std::ptr::null_mut(),
            std::ptr::null(),
            false,
            Some(read_stream),
            names,
            options,
        );
        let count = pg_sys::CopyFrom(state);
        pg_sys::EndCopyFrom(state);
        pg_sys::free_parsestate(pstate);
        count
    }
}

/// Rows as the stream of bytes that COPY reads.
struct Stream<'a> {
    rows: &'a mut dyn Rows,
    /// To be called when COPY has begun.
    begun: Option<&'a mut dyn FnMut()>,
    /// Memory for what `rows` keeps: COPY calls back in the memory context of a single row.
    memory: pg_sys::MemoryContext,
    /// Bytes that did not fit into COPY's buffer at the last call.
    rest: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Stream<'_> {
    /// Fills the buffer as far as there are rows; 0 is the end.
    fn read(&mut self, out: &mut [u8]) -> usize {
        if let Some(begun) = self.begun.take() {
            begun();
        }
        let mut filled = 0;
        loop {
            let due = &self.rest[self.at..];
            let count = due.len().min(out.len() - filled);
            out[filled..filled + count].copy_from_slice(&due[..count]);
            filled += count;
            self.at += count;
            if self.at < self.rest.len() || self.ended {
                return filled;
            }
            // Rows go straight into COPY's buffer until one does not fit.
            loop {
                let Some(row) = self.rows.next_rows() else {
                    self.ended = true;
                    self.set_rest(&TRAILER);
                    break;
                };
                let room = out.len() - filled;
                if row.len() > room {
                    out[filled..].copy_from_slice(&row[..room]);
                    self.rest.clear();
                    self.at = 0;
                    // What rows for staging take together is not small.
                    if self.rest.try_reserve(row.len() - room).is_err() {
                        interrupts::no_memory(row.len() - room);
                    }
                    self.rest.extend_from_slice(&row[room..]);
                    return out.len();
                }
                out[filled..filled + row.len()].copy_from_slice(row);
                filled += row.len();
            }
        }
    }

    fn set_rest(&mut self, bytes: &[u8]) {
        self.rest.clear();
        self.rest.extend_from_slice(bytes);
        self.at = 0;
    }
}

thread_local! {
    /// COPY's callback has no argument of ours: it finds the stream here. A trigger may start another copy within a
    /// copy, so [`CurrentStream`] keeps the previous one.
    static CURRENT: Cell<*mut c_void> = const { Cell::new(std::ptr::null_mut()) };
}

/// Makes a stream the current one. The previous stream is current again when this guard is dropped.
struct CurrentStream {
    before: *mut c_void,
}

impl CurrentStream {
    fn set(stream: &mut Stream<'_>) -> Self {
        Self { before: CURRENT.replace(std::ptr::from_mut(stream).cast()) }
    }
}

impl Drop for CurrentStream {
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}

/// COPY's callback: at least `minimum` bytes unless the rows end, at most `maximum`.
#[pg_guard]
unsafe extern "C-unwind" fn read_stream(
    out: *mut c_void,
    _minimum: c_int,
    maximum: c_int,
) -> c_int {
    // PostgreSQL raises the errors here, with our code above and below it.
    let _errors = error_fields::preserve();
    let size = usize::try_from(maximum).expect("COPY's buffer has a size");
    // SAFETY: COPY passes a buffer of `maximum` bytes. The context is the one in which copy_rows was called, and still
    // exists; an ERROR resets it by itself. CURRENT is the stream of the innermost copy_rows, which is on the stack
    // below us, and nothing else uses it now.
    unsafe {
        let stream = CURRENT.get().cast::<Stream<'_>>().as_mut().expect("a copy is running");
        let before = pg_sys::MemoryContextSwitchTo(stream.memory);
        let filled = stream.read(std::slice::from_raw_parts_mut(out.cast(), size));
        pg_sys::MemoryContextSwitchTo(before);
        c_int::try_from(filled).expect("no more than COPY's buffer")
    }
}
