//! The monitor itself: the main function of the background worker.
//!
//! It never waits long for one load while others need it: it gives up a lock after [`writer::LOCK_TIMEOUT`] and retries later.
//! It ends a second after the last load, because DROP DATABASE and CREATE DATABASE … TEMPLATE wait five seconds for
//! other sessions.

use std::time::{Duration, Instant};

use super::message::Message;
use super::open_loads::{OpenLoad, Stage};
use super::writer::{self, Outcome};
use crate::pg::locks::{Lock, SessionLock};
use crate::pg::shared_state::registry::Registry;
use crate::pg::shared_state::{LoadStep, Mailbox};
use crate::pg::worker;

/// Interval between two checks for ended loads.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// Interval after a session has rolled back, while it releases its locks.
const ROLLBACK_INTERVAL: Duration = Duration::from_millis(2);
const ROLLBACK_TIMEOUT: Duration = Duration::from_millis(100);
/// How long the monitor waits without loads. The next load need not start another one. DROP DATABASE waits five seconds
/// for sessions, so it does not fail.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);
/// Delay before a write is retried that could not lock.
const RETRY_DELAY: Duration = Duration::from_millis(200);
/// Interval between two deletions of old events, and between two attempts to start a worker for a queue.
const HOUSEKEEPING: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(1)];
/// How long a second monitor searches for the first one.
const FORWARD_TIMEOUT: Duration = Duration::from_secs(5);

/// The main function of the monitor; `mailbox` is that of the session which has started it. Returns when no load is open.
/// `start_queue_worker` is called when loads have ended, because their slots are free then.
pub fn monitor(mailbox: u32, start_queue_worker: fn() -> bool) {
    let begin = Instant::now();
    let _lock = loop {
        if let Some(lock) = SessionLock::try_lock(Lock::Monitor) {
            break lock;
        }
        if Registry::post_handle(mailbox) || begin.elapsed() > FORWARD_TIMEOUT {
            return;
        }
        worker::wait(Duration::from_millis(2));
    };
    let Some(registry) = Registry::create() else {
        worker::log(
            "could not create the shared state of the load monitor: too many dynamic shared memory segments",
        );
        writer::close_dead(&[]);
        return;
    };
    let mut monitor = Monitor::new(registry, start_queue_worker);
    monitor.adopt_mailbox(mailbox);
    monitor.run();
}

/// Closes the loads that were running when the server stopped, for a caller that does not wait for the next monitor.
pub fn close_dead() {
    writer::close_dead(&[]);
}

/// A session that has registered its mailbox.
struct Session {
    id: u64,
    mailbox: Mailbox,
    rollbacks: u32,
}

struct Monitor {
    registry: Registry,
    sessions: Vec<Session>,
    loads: Vec<OpenLoad>,
    next_session: u64,
    /// Since when no load has been open.
    idle_since: Instant,
    /// Until when a session that has rolled back may still hold its locks.
    rollback_until: Option<Instant>,
    /// When old events were deleted, and the queue was checked.
    housekeeping_at: [Option<Instant>; 2],
    /// A load has ended since the last check of the queue.
    is_queue_due: bool,
    /// A queued load waits for a worker, and only the slot of this process is free.
    is_slot_needed: bool,
    /// Starts a worker if there are queued loads; `false` if one is needed and no slot is free.
    start_queue_worker: fn() -> bool,
}

impl Monitor {
    fn new(registry: Registry, start_queue_worker: fn() -> bool) -> Self {
        Self {
            registry,
            sessions: Vec::new(),
            loads: Vec::new(),
            next_session: 0,
            idle_since: Instant::now(),
            rollback_until: None,
            housekeeping_at: [None; 2],
            is_queue_due: false,
            is_slot_needed: false,
            start_queue_worker,
        }
    }

    fn run(mut self) {
        self.registry.publish();
        self.receive();
        self.take_over();
        loop {
            self.registry.publish();
            self.receive();
            self.look_for_ends();
            self.retry();
            self.publish_progress();
            self.do_housekeeping();
            if !self.loads.is_empty() {
                self.idle_since = Instant::now();
            } else if (self.idle_since.elapsed() >= IDLE_TIMEOUT || self.is_slot_needed)
                && self.leave()
            {
                break;
            }
            let timeout = self.timeout();
            worker::wait(timeout);
            worker::reload_settings();
        }
        for session in self.sessions {
            session.mailbox.detach();
        }
        self.registry.detach();
        writer::delete_old_events();
    }

    /// Takes over from another monitor, or after a restart: closes dead loads, and tracks those of open transactions.
    fn take_over(&mut self) {
        // The transaction of a load ends after its session has reported the end. So messages are read in between.
        let known = |monitor: &Self| -> Vec<i64> {
            monitor.loads.iter().map(|load| load.info.load_id).collect()
        };
        let others = writer::running(&known(self));
        self.receive();
        for info in others {
            if self.loads.iter().all(|load| load.info.load_id != info.load_id)
                && Lock::Load(info.load_id).is_held_by_transaction()
            {
                self.loads.push(OpenLoad::new(info, None, 0, Stage::Finished));
            }
        }
        writer::close_dead(&known(self));
    }

    fn timeout(&mut self) -> Duration {
        let now = Instant::now();
        self.rollback_until = self.rollback_until.filter(|&until| until > now);
        let timeout = if self.rollback_until.is_some() {
            ROLLBACK_INTERVAL
        } else if self.loads.is_empty() {
            IDLE_TIMEOUT.saturating_sub(self.idle_since.elapsed())
        } else {
            POLL_INTERVAL
        };
        timeout.max(Duration::from_millis(1))
    }

    fn adopt_mailbox(&mut self, handle: u32) {
        if let Some(session) =
            self.sessions.iter().find(|session| session.mailbox.handle() == handle)
        {
            session.mailbox.adopt();
        } else if let Some(mailbox) = Mailbox::attach(handle) {
            self.next_session += 1;
            let rollbacks = mailbox.rollbacks();
            self.sessions.push(Session { id: self.next_session, mailbox, rollbacks });
        }
    }

    /// Reads all messages of the sessions.
    fn receive(&mut self) {
        for handle in self.registry.drain_handles() {
            self.adopt_mailbox(handle);
        }
        for index in 0..self.sessions.len() {
            let session = &mut self.sessions[index];
            let rollbacks = session.mailbox.rollbacks();
            if std::mem::replace(&mut session.rollbacks, rollbacks) != rollbacks
                || session.mailbox.is_orphan()
            {
                self.rollback_until = Some(Instant::now() + ROLLBACK_TIMEOUT);
            }
            while let Some(message) = self.sessions[index].mailbox.pop() {
                let id = self.sessions[index].id;
                match Message::decode(&message) {
                    Some(message) => self.handle(id, message),
                    None => worker::log("the load monitor ignored an invalid message"),
                }
            }
        }
        let is_over =
            |session: &mut Session| session.mailbox.is_orphan() && session.mailbox.is_empty();
        for session in self.sessions.extract_if(.., is_over) {
            session.mailbox.detach();
        }
    }

    fn handle(&mut self, session: u64, message: Message) {
        self.idle_since = Instant::now();
        match message {
            Message::Begin { tag, info } => {
                let load_id = info.load_id;
                self.loads.retain(|load| load.info.load_id != load_id);
                self.loads.push(OpenLoad::new(info, Some(session), tag, Stage::Running));
                self.enter_running(self.loads.len() - 1);
            }
            Message::Finish { load_id } => {
                if let Some(load) = self.loads.iter_mut().find(|load| load.info.load_id == load_id)
                {
                    load.stage = Stage::Finished;
                }
            }
            Message::Fail { load_id, tag, failure } => {
                let is_it = |load: &OpenLoad| load.info.load_id == load_id && load.tag == tag;
                if let Some(index) = self.loads.iter().position(is_it) {
                    self.loads[index].stage = Stage::Failed(failure);
                    self.loads[index].retry_at = None;
                    self.enter_failed(index);
                }
            }
        }
    }

    fn mailbox_of(&self, index: usize) -> Option<(&Mailbox, u64)> {
        let OpenLoad { session, tag, .. } = &self.loads[index];
        let session = self.sessions.iter().find(|other| Some(other.id) == *session)?;
        Some((&session.mailbox, *tag))
    }

    /// Writes the `running` row of a load, if its session still requests it.
    fn enter_running(&mut self, index: usize) {
        let Some((mailbox, tag)) = self.mailbox_of(index) else { return };
        let load = &self.loads[index];
        let is_asked = mailbox.change_step(tag, LoadStep::Requested, LoadStep::Entering);
        if !is_asked && !load.info.one_snapshot {
            // Another monitor has written the row, or the load itself: listeners have its first event.
            let begun = writer::beginning(load.bytes_total());
            self.loads[index].reported = Some((Instant::now(), begun));
            return;
        }
        let begun = load.reported.is_none();
        let outcome = writer::enter_running(&load.info, is_asked, load.bytes_total());
        // The session may have given up, or failed, meanwhile.
        let next = if outcome == Outcome::Locked { LoadStep::Requested } else { LoadStep::Decided };
        mailbox.change_step(tag, LoadStep::Entering, next);
        let load = &mut self.loads[index];
        load.retry_at = (outcome == Outcome::Locked).then(|| Instant::now() + RETRY_DELAY);
        if outcome == Outcome::Done {
            if begun {
                load.reported = Some((Instant::now(), writer::beginning(load.bytes_total())));
            }
            // The session need not wait for the flush. But a row that others have seen must survive a crash.
            worker::flush_commits();
        }
    }

    /// Records a failure, and stops tracking the load; or retries later if a lock was not available.
    fn enter_failed(&mut self, index: usize) {
        let load = &self.loads[index];
        let outcome = match &load.stage {
            Stage::Failed(failure) => writer::enter_failed(&load.info, failure),
            Stage::Finished | Stage::Running => writer::enter_lost(&load.info, &load.loss()),
        };
        if let Some((mailbox, tag)) = self.mailbox_of(index) {
            let is_written = outcome == Outcome::Done;
            let step =
                if is_written { LoadStep::FailureWritten } else { LoadStep::FailureDeferred };
            let _ = mailbox.change_step(tag, LoadStep::FailureRequested, step)
                || mailbox.change_step(tag, LoadStep::FailureDeferred, step);
        }
        if outcome == Outcome::Locked {
            self.loads[index].retry_at = Some(Instant::now() + RETRY_DELAY);
        } else {
            self.loads.remove(index);
            self.is_queue_due = true;
        }
    }

    /// Retries what could not lock.
    fn retry(&mut self) {
        for index in (0..self.loads.len()).rev() {
            let load = &self.loads[index];
            if load.retry_at.is_none() || !load.is_due() {
                continue;
            }
            if load.is_over || matches!(load.stage, Stage::Failed(_)) {
                self.enter_failed(index);
            } else {
                self.loads[index].retry_at = None;
                self.enter_running(index);
            }
        }
    }

    /// Finds the transactions that have ended. They report before they release their locks: so messages are read
    /// afterwards, and count.
    fn look_for_ends(&mut self) {
        let is_over = |load: &&OpenLoad| {
            !load.is_over && !Lock::Load(load.info.load_id).is_held_by_transaction()
        };
        let over: Vec<i64> =
            self.loads.iter().filter(is_over).map(|load| load.info.load_id).collect();
        if over.is_empty() {
            return;
        }
        self.receive();
        self.is_queue_due = true;
        let Some(not_done) = writer::not_done(&over) else { return };
        self.loads.retain(|load| {
            let load_id = load.info.load_id;
            !over.contains(&load_id) || not_done.contains(&load_id)
        });
        for index in (0..self.loads.len()).rev() {
            if not_done.contains(&self.loads[index].info.load_id) {
                self.loads[index].is_over = true;
                self.enter_failed(index);
            }
        }
    }

    fn publish_progress(&mut self) {
        let mut running: Vec<&mut OpenLoad> =
            self.loads.iter_mut().filter(|load| load.is_running()).collect();
        writer::publish_progress(&mut running);
    }

    /// Work that is not urgent: queued loads without a worker, and old events.
    fn do_housekeeping(&mut self) {
        let is_time = |since: Option<Instant>, pause| since.is_none_or(|at| at.elapsed() >= pause);
        if self.is_queue_due && is_time(self.housekeeping_at[1], HOUSEKEEPING[1]) {
            self.is_slot_needed = !(self.start_queue_worker)();
            self.is_queue_due = self.is_slot_needed;
            self.housekeeping_at[1] = Some(Instant::now());
        }
        if is_time(self.housekeeping_at[0], HOUSEKEEPING[0]) {
            if self.housekeeping_at[0].is_some() {
                writer::delete_old_events();
            }
            self.housekeeping_at[0] = Some(Instant::now());
        }
    }

    /// Ends, unless a session has just registered. A session first leaves its mailbox or a message and then checks that
    /// the monitor exists. The monitor first marks itself as closed and then checks for messages.
    fn leave(&mut self) -> bool {
        self.registry.set_open(false);
        for session in &self.sessions {
            session.mailbox.leave();
        }
        let handles = self.registry.drain_handles();
        let is_needed = |session: &Session| !session.mailbox.is_empty();
        if handles.is_empty() && !self.sessions.iter().any(is_needed) {
            return true;
        }
        self.registry.set_open(true);
        for session in &self.sessions {
            session.mailbox.adopt();
        }
        for handle in handles {
            self.adopt_mailbox(handle);
        }
        self.idle_since = Instant::now();
        false
    }
}
