//! Shared state of the sessions that load and of the load monitor of their database: segments of dynamic shared
//! memory, which need no `shared_preload_libraries`.
//!
//! Each session that loads has one segment, its [`Mailbox`]: a ring of messages that the session writes and the monitor
//! reads, and one word per open load in which both agree on the next step. The monitor finds a mailbox by the handle that it
//! was started with, or by the handles in its own segment, the [`registry::Registry`].

pub mod registry;

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64};

use pgrx::{pg_guard, pg_sys};

/// Marks the segment of a session.
const MAGIC: u64 = 0x7472_6970_6d61_696c;
/// Bytes for messages.
pub const RING: usize = 64 * 1024;
/// Limit of the loads of a session that can be open at the same time. More than one is open only if a trigger of a load
/// loads.
const WORDS: usize = 16;

/// The reader of the mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailboxReader {
    /// A monitor that was started and has not attached yet.
    Awaited = 0,
    /// A monitor.
    Attached = 1,
    /// No monitor: it has ended, or was never started.
    Gone = 2,
}

/// The step of one load, agreed by the session and the monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadStep {
    /// The session requests the `running` row of the load.
    Requested = 1,
    /// The monitor is inserting the row.
    Entering = 2,
    /// The monitor has inserted the row, or could not.
    Decided = 3,
    /// The session has written the row itself, or is about to: the monitor must not.
    Withdrawn = 4,
    /// The session waits until the monitor has recorded its failure.
    FailureRequested = 5,
    /// The failure is in the ledger.
    FailureWritten = 6,
    /// The failure is not in the ledger yet.
    FailureDeferred = 7,
}

const LOAD_STEPS: [LoadStep; 7] = [
    LoadStep::Requested,
    LoadStep::Entering,
    LoadStep::Decided,
    LoadStep::Withdrawn,
    LoadStep::FailureRequested,
    LoadStep::FailureWritten,
    LoadStep::FailureDeferred,
];

/// The begin of the segment. The ring follows.
#[repr(C)]
struct MailboxHead {
    magic: u64,
    database: u32,
    reader: AtomicU32,
    /// The latch of the monitor, in PostgreSQL's own shared memory, which every process has mapped at the same address.
    latch: AtomicPtr<pg_sys::Latch>,
    /// The segment is pinned: it outlives its session until a monitor has mapped it.
    is_pinned: AtomicBool,
    /// The session has ended.
    is_orphan: AtomicBool,
    /// Number of rollbacks of transactions with loads in the session.
    rollbacks: AtomicU32,
    /// Bytes that were written to the ring since its begin, and read from it.
    written: AtomicU64,
    read: AtomicU64,
    words: [AtomicU64; WORDS],
}

/// The mapped segment of a session. It stays mapped until [`Mailbox::detach`] or the end of the process.
#[derive(Debug)]
pub struct Mailbox {
    segment: *mut pg_sys::dsm_segment,
    head: *mut MailboxHead,
}

impl Mailbox {
    /// Creates the segment of this session; `None` if the server has its maximum of segments.
    pub fn create() -> Option<Self> {
        // SAFETY: the segment has room for the head and the ring, and no other process knows it yet. The mapping
        // outlives the transaction. The callback is called before the segment is unmapped.
        unsafe {
            let flags = pg_sys::DSM_CREATE_NULL_IF_MAXSEGMENTS.cast_signed();
            let segment = pg_sys::dsm_create(size_of::<MailboxHead>() + RING, flags);
            if segment.is_null() {
                return None;
            }
            pg_sys::dsm_pin_mapping(segment);
            let head = pg_sys::dsm_segment_address(segment).cast::<MailboxHead>();
            head.write(MailboxHead {
                magic: MAGIC,
                database: pg_sys::MyDatabaseId.to_u32(),
                reader: AtomicU32::new(MailboxReader::Gone as u32),
                latch: AtomicPtr::default(),
                is_pinned: AtomicBool::new(false),
                is_orphan: AtomicBool::new(false),
                rollbacks: AtomicU32::new(0),
                written: AtomicU64::new(0),
                read: AtomicU64::new(0),
                words: [const { AtomicU64::new(0) }; WORDS],
            });
            pg_sys::on_dsm_detach(segment, Some(session_ends), head.into());
            Some(Self { segment, head })
        }
    }

    /// Maps the segment of this handle for the monitor; `None` if it is freed, mapped already, or not a mailbox of this
    /// database.
    pub fn attach(handle: u32) -> Option<Self> {
        // SAFETY: an unknown handle gives NULL. A segment that is too short or lacks our mark is not read further.
        unsafe {
            if !pg_sys::dsm_find_mapping(handle).is_null() {
                return None;
            }
            let segment = pg_sys::dsm_attach(handle);
            if segment.is_null() {
                return None;
            }
            pg_sys::dsm_pin_mapping(segment);
            let head = pg_sys::dsm_segment_address(segment).cast::<MailboxHead>();
            let is_mailbox = pg_sys::dsm_segment_map_length(segment)
                >= size_of::<MailboxHead>() + RING
                && (*head).magic == MAGIC
                && (*head).database == pg_sys::MyDatabaseId.to_u32();
            if !is_mailbox {
                pg_sys::dsm_detach(segment);
                return None;
            }
            pg_sys::on_dsm_detach(segment, Some(monitor_ends), head.into());
            let mailbox = Self { segment, head };
            mailbox.adopt();
            Some(mailbox)
        }
    }

    /// The monitor reads this mailbox from now on.
    pub fn adopt(&self) {
        let head = self.head();
        // SAFETY: reads a variable of this process.
        head.latch.store(unsafe { pg_sys::MyLatch }, SeqCst);
        head.reader.store(MailboxReader::Attached as u32, SeqCst);
        if head.is_pinned.swap(false, SeqCst) {
            // SAFETY: the session has pinned the segment before it set the flag, and the flag is taken once.
            unsafe { pg_sys::dsm_unpin_segment(self.handle()) }
        }
    }

    /// A monitor will attach: the segment outlives its session until then.
    ///
    /// [`Self::adopt`] or [`Self::stop_waiting`] unpins it. Neither happens if the session ends after an error between the
    /// two (only a lack of memory raises one there), or if the database is closed to connections before the monitor
    /// connects. Then these 64 kB stay until the server restarts.
    pub fn await_reader(&self) {
        let head = self.head();
        if !head.is_pinned.load(SeqCst) {
            // SAFETY: the segment is mapped and not pinned: only this session pins it.
            unsafe { pg_sys::dsm_pin_segment(self.segment) }
            head.is_pinned.store(true, SeqCst);
        }
        let (gone, awaited) = (MailboxReader::Gone as u32, MailboxReader::Awaited as u32);
        // A monitor that has decided not to end is attached again.
        let _ = head.reader.compare_exchange(gone, awaited, SeqCst, SeqCst);
    }

    /// No monitor will attach.
    pub fn stop_waiting(&self) {
        let head = self.head();
        let (gone, awaited) = (MailboxReader::Gone as u32, MailboxReader::Awaited as u32);
        if head.reader.compare_exchange(awaited, gone, SeqCst, SeqCst).is_ok()
            && head.is_pinned.swap(false, SeqCst)
        {
            // SAFETY: as in `adopt`.
            unsafe { pg_sys::dsm_unpin_segment(self.handle()) }
        }
    }

    /// The reader of the mailbox.
    pub fn reader(&self) -> MailboxReader {
        match self.head().reader.load(SeqCst) {
            0 => MailboxReader::Awaited,
            1 => MailboxReader::Attached,
            _ => MailboxReader::Gone,
        }
    }

    /// The monitor no longer reads the mailbox.
    pub fn leave(&self) {
        self.head().reader.store(MailboxReader::Gone as u32, SeqCst);
    }

    /// The handle by which another process maps the segment.
    pub fn handle(&self) -> u32 {
        // SAFETY: the segment is mapped while `self` lives.
        unsafe { pg_sys::dsm_segment_handle(self.segment) }
    }

    fn head(&self) -> &MailboxHead {
        // SAFETY: the segment is mapped while `self` lives and begins with a MailboxHead; its changing fields are atomic.
        unsafe { &*self.head }
    }

    fn ring(&self) -> *mut u8 {
        // SAFETY: the ring follows the head in the same segment.
        unsafe { self.head.add(1).cast() }
    }

    /// Writes a message; `false` if there is no room until the monitor has read others.
    pub fn push(&self, message: &[u8]) -> bool {
        let head = self.head();
        let (written, read) = (head.written.load(SeqCst), head.read.load(SeqCst));
        let Ok(length) = u32::try_from(message.len()) else { return false };
        let end = written + 4 + u64::from(length);
        if end - read > RING as u64 {
            return false;
        }
        self.copy_in(written, &length.to_ne_bytes());
        self.copy_in(written + 4, message);
        head.written.store(end, SeqCst);
        true
    }

    /// Reads the next message.
    pub fn pop(&self) -> Option<Vec<u8>> {
        let head = self.head();
        let (written, read) = (head.written.load(SeqCst), head.read.load(SeqCst));
        if written - read < 4 {
            return None;
        }
        let mut length = [0; 4];
        self.copy_out(read, &mut length);
        let mut message = vec![0; u32::from_ne_bytes(length) as usize];
        self.copy_out(read + 4, &mut message);
        head.read.store(read + 4 + message.len() as u64, SeqCst);
        Some(message)
    }

    /// Whether the monitor has read every message.
    pub fn is_empty(&self) -> bool {
        self.head().written.load(SeqCst) == self.head().read.load(SeqCst)
    }

    fn copy_in(&self, position: u64, bytes: &[u8]) {
        let (begin, first) = ring_range(position, bytes.len());
        // SAFETY: both ranges are within the ring, and free: the monitor has read them.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.ring().add(begin), first);
            let rest = &bytes[first..];
            std::ptr::copy_nonoverlapping(rest.as_ptr(), self.ring(), rest.len());
        }
    }

    fn copy_out(&self, position: u64, bytes: &mut [u8]) {
        let length = bytes.len().min(RING);
        let (begin, first) = ring_range(position, length);
        // SAFETY: both ranges are within the ring; the session does not write there before `read` has moved.
        unsafe {
            std::ptr::copy_nonoverlapping(self.ring().add(begin), bytes.as_mut_ptr(), first);
            let rest = bytes.as_mut_ptr().add(first);
            std::ptr::copy_nonoverlapping(self.ring(), rest, length - first);
        }
    }

    /// Wakes the monitor.
    pub fn wake_reader(&self) {
        let latch = self.head().latch.load(SeqCst);
        if self.reader() == MailboxReader::Attached && !latch.is_null() {
            // SAFETY: latches are in PostgreSQL's shared memory and are never freed. If the monitor has just ended,
            // another process wakes once without a reason, which every process tolerates.
            unsafe { pg_sys::SetLatch(latch) }
        }
    }

    /// The session has rolled back: wakes the monitor, which checks whether a load has ended.
    pub fn count_rollback(&self) {
        self.head().rollbacks.fetch_add(1, SeqCst);
        self.wake_reader();
    }

    /// Number of rollbacks of the session.
    pub fn rollbacks(&self) -> u32 {
        self.head().rollbacks.load(SeqCst)
    }

    /// Whether the session has ended.
    pub fn is_orphan(&self) -> bool {
        self.head().is_orphan.load(SeqCst)
    }

    fn word(&self, tag: u64) -> &AtomicU64 {
        &self.head().words[usize::try_from(tag % WORDS as u64).expect("under WORDS")]
    }

    /// The step of a load of this session; `None` if the word belongs to a later load now.
    pub fn step(&self, tag: u64) -> Option<LoadStep> {
        let word = self.word(tag).load(SeqCst);
        LOAD_STEPS.into_iter().find(|&step| word == word_of(tag, step))
    }

    /// Sets the step of a load, unconditionally. Only the session does this, and only for its latest loads.
    pub fn set_step(&self, tag: u64, step: LoadStep) {
        self.word(tag).store(word_of(tag, step), SeqCst);
    }

    /// Changes the step of a load from one value to another; `false` if it has a third value.
    pub fn change_step(&self, tag: u64, from: LoadStep, to: LoadStep) -> bool {
        let (from, to) = (word_of(tag, from), word_of(tag, to));
        self.word(tag).compare_exchange(from, to, SeqCst, SeqCst).is_ok()
    }

    /// Unmaps the segment.
    pub fn detach(self) {
        // SAFETY: it is mapped, and `self` is used up.
        unsafe { pg_sys::dsm_detach(self.segment) }
    }
}

fn word_of(tag: u64, step: LoadStep) -> u64 {
    tag << 3 | step as u64
}

/// Start of the bytes of this position, and how many of them precede the end of the ring.
fn ring_range(position: u64, length: usize) -> (usize, usize) {
    let begin = usize::try_from(position % RING as u64).expect("under RING");
    (begin, length.min(RING - begin))
}

/// The process of the session ends.
#[pg_guard]
unsafe extern "C-unwind" fn session_ends(_segment: *mut pg_sys::dsm_segment, head: pg_sys::Datum) {
    // SAFETY: the head that was registered, in a segment that is still mapped.
    let head = unsafe { &*head.cast_mut_ptr::<MailboxHead>() };
    head.is_orphan.store(true, SeqCst);
    let latch = head.latch.load(SeqCst);
    if head.reader.load(SeqCst) == MailboxReader::Attached as u32 && !latch.is_null() {
        // SAFETY: as in `wake_reader`.
        unsafe { pg_sys::SetLatch(latch) }
    }
}

/// The process of the monitor ends, or no longer needs the mailbox.
#[pg_guard]
unsafe extern "C-unwind" fn monitor_ends(_segment: *mut pg_sys::dsm_segment, head: pg_sys::Datum) {
    // SAFETY: as above.
    let head = unsafe { &*head.cast_mut_ptr::<MailboxHead>() };
    head.reader.store(MailboxReader::Gone as u32, SeqCst);
}
