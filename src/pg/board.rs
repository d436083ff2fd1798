//! What a load and its witness tell each other: a segment of shared memory that both have mapped.

use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use pgrx::pg_sys;

/// Bytes for the words of a failure.
const FAILURE_ROOM: usize = 24 * 1024;

/// How a load stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is at work.
    Running = 0,
    /// Its function has returned; its transaction has not ended yet.
    Finished = 1,
    /// It has failed, and waits until its witness has written that down.
    Failed = 2,
}

/// What the witness has made of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Nothing yet.
    None = 0,
    /// It is in the ledger.
    Written = 1,
    /// It cannot be written.
    Refused = 2,
}

/// What the segment begins with; the words of the beginning follow it, then those of a failure.
#[repr(C)]
struct Head {
    state: AtomicU32,
    answer: AtomicU32,
    /// The latch of the witness, in PostgreSQL's own shared memory, which all processes have mapped
    /// at the same address; NULL until the witness is there.
    latch: AtomicPtr<pg_sys::Latch>,
    beginning: u32,
    failure: AtomicU32,
    /// The segment is pinned: it stays, whoever unmaps it, until its witness has come.
    is_kept: AtomicBool,
}

/// A mapped segment. It is unmapped by [`Board::detach`], or by the abort of the transaction that made
/// it; a witness keeps it until its process ends.
pub struct Board {
    segment: *mut pg_sys::dsm_segment,
    head: *mut Head,
}

impl Board {
    /// Makes a segment whose beginning says this; none when the server has as many as it can.
    pub fn create(beginning: &[u8]) -> Option<Self> {
        let size = size_of::<Head>() + beginning.len() + FAILURE_ROOM;
        // SAFETY: the segment has room for the head and what follows it; nobody else knows it yet.
        unsafe {
            let flags = pg_sys::DSM_CREATE_NULL_IF_MAXSEGMENTS;
            let segment = pg_sys::dsm_create(size, flags.cast_signed());
            if segment.is_null() {
                return None;
            }
            let head = pg_sys::dsm_segment_address(segment).cast::<Head>();
            head.write(Head {
                state: AtomicU32::new(State::Running as u32),
                answer: AtomicU32::new(Answer::None as u32),
                latch: AtomicPtr::default(),
                beginning: u32::try_from(beginning.len()).expect("a path is short"),
                failure: AtomicU32::new(0),
                is_kept: AtomicBool::new(true),
            });
            let text = head.add(1).cast::<u8>();
            std::ptr::copy_nonoverlapping(beginning.as_ptr(), text, beginning.len());
            // Its maker may have ended before its witness comes.
            pg_sys::dsm_pin_segment(segment);
            Some(Self { segment, head })
        }
    }

    /// Maps the segment of this number, unless it is gone: a witness that is started again after an
    /// error or a crash does not find it any more.
    pub fn attach(handle: u32) -> Option<Self> {
        // SAFETY: a handle that is unknown gives NULL. The mapping is pinned: a witness maps it
        // between transactions, and unmaps it when it ends.
        unsafe {
            let segment = pg_sys::dsm_attach(handle);
            if segment.is_null() {
                return None;
            }
            pg_sys::dsm_pin_mapping(segment);
            let head = pg_sys::dsm_segment_address(segment).cast();
            let board = Self { segment, head };
            board.let_go();
            Some(board)
        }
    }

    /// The segment is kept no longer than somebody has it mapped.
    fn let_go(&self) {
        if self.head().is_kept.swap(false, Ordering::AcqRel) {
            // SAFETY: it was pinned by its maker, and is unpinned once.
            unsafe { pg_sys::dsm_unpin_segment(self.handle()) }
        }
    }

    /// Nobody comes: unmaps it.
    pub fn discard(self) {
        self.let_go();
        self.detach();
    }

    /// The number by which others map it.
    pub fn handle(&self) -> u32 {
        // SAFETY: the segment is mapped while `self` lives.
        unsafe { pg_sys::dsm_segment_handle(self.segment) }
    }

    fn head(&self) -> &Head {
        // SAFETY: the segment is mapped while `self` lives and begins with a Head; what changes in it
        // is atomic.
        unsafe { &*self.head }
    }

    /// What the load said at its beginning.
    pub fn beginning(&self) -> &[u8] {
        let length = self.head().beginning as usize;
        // SAFETY: so many bytes follow the head, and nobody writes to them after `create`.
        unsafe { std::slice::from_raw_parts(self.head.add(1).cast(), length) }
    }

    fn failure_at(&self) -> *mut u8 {
        // SAFETY: behind the beginning there is room for a failure.
        unsafe { self.head.add(1).cast::<u8>().add(self.head().beginning as usize) }
    }

    /// Says how the load failed, and wakes the witness; what is too long is refused.
    pub fn fail(&self, failure: &[u8]) -> bool {
        if failure.len() > FAILURE_ROOM {
            return false;
        }
        // SAFETY: there is room, and the witness reads it only after the state has changed.
        unsafe {
            std::ptr::copy_nonoverlapping(failure.as_ptr(), self.failure_at(), failure.len());
        }
        let length = u32::try_from(failure.len()).expect("under the room");
        self.head().failure.store(length, Ordering::Relaxed);
        self.set_state(State::Failed);
        true
    }

    /// How the load failed, once its state says so.
    pub fn failure(&self) -> &[u8] {
        let length = self.head().failure.load(Ordering::Relaxed) as usize;
        // SAFETY: the load wrote so many bytes before it changed its state, and none afterwards.
        unsafe { std::slice::from_raw_parts(self.failure_at(), length) }
    }

    /// Changes the state, and wakes the witness.
    pub fn set_state(&self, state: State) {
        self.head().state.store(state as u32, Ordering::Release);
        let latch = self.head().latch.load(Ordering::Acquire);
        if !latch.is_null() {
            // SAFETY: latches lie in PostgreSQL's shared memory and are never given back. If the
            // witness has ended, another process wakes once for nothing, which all are made for.
            unsafe { pg_sys::SetLatch(latch) }
        }
    }

    /// How the load stands.
    pub fn state(&self) -> State {
        match self.head().state.load(Ordering::Acquire) {
            0 => State::Running,
            1 => State::Finished,
            _ => State::Failed,
        }
    }

    /// The process that calls this is the witness.
    pub fn witnessed(&self) {
        // SAFETY: reads a variable of this process.
        let latch = unsafe { pg_sys::MyLatch };
        self.head().latch.store(latch, Ordering::Release);
    }

    /// What the witness has made of the failure.
    pub fn answer(&self) -> Answer {
        match self.head().answer.load(Ordering::Acquire) {
            0 => Answer::None,
            1 => Answer::Written,
            _ => Answer::Refused,
        }
    }

    /// The witness has done with the failure what it could.
    pub fn set_answer(&self, answer: Answer) {
        self.head().answer.store(answer as u32, Ordering::Release);
    }

    /// Unmaps it.
    pub fn detach(self) {
        // SAFETY: it is mapped, and `self` is used up.
        unsafe { pg_sys::dsm_detach(self.segment) }
    }
}
