//! The sessions' side: a load registers with the monitor of its database, and reports how it ends.
//!
//! A session remembers the loads of its open transaction. If the monitor ends before them (it was terminated), the next
//! contact starts another one and registers them again.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use pgrx::{
    PgSubXactCallbackEvent, PgTryBuilder, PgXactCallbackEvent, register_subxact_callback,
    register_xact_callback,
};

use super::message::Message;
use crate::ledger::{LoadFailure, LoadInfo};
use crate::pg::interrupts;
use crate::pg::locks::Lock;
use crate::pg::shared_state::registry::Registry;
use crate::pg::shared_state::{LoadStep, Mailbox, MailboxReader};
use crate::pg::worker::{self, WorkerKind};

/// The load monitor.
const MONITOR: WorkerKind =
    WorkerKind { name: "trips_pipeline monitor", function: "trips_monitor" };
/// How long a load waits at its end for the monitor's `running` row, if at all.
const ENTER_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a failing load waits until the monitor has recorded the failure.
const FAIL_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a worker may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(5);
/// Other sessions may have taken the last worker slots for a monitor that is about to begin.
const PUBLISH_TIMEOUT: Duration = Duration::from_millis(300);
/// How often it waits for that.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(10);

thread_local! {
    static CLIENT: RefCell<Client> = const { RefCell::new(Client::new()) };
}

/// A load of this session that is registered with the monitor, or will be.
#[derive(Debug, Clone, Copy)]
pub struct MonitoredLoad {
    load_id: i64,
    tag: u64,
}

/// Registers a load. The session keeps it until its transaction ends, with or without a monitor.
pub fn register(info: LoadInfo) -> MonitoredLoad {
    CLIENT.with_borrow_mut(|client| client.register(info.bounded()))
}

impl MonitoredLoad {
    /// Whether to report that the load has no monitor: once, until a monitor can be reached again.
    pub fn must_report_unmonitored(self) -> bool {
        CLIENT.with_borrow_mut(|client| {
            let is_monitored = client.contact();
            !std::mem::replace(&mut client.has_reported, !is_monitored) && !is_monitored
        })
    }

    /// Returns when the monitor has inserted the `running` row, or will not insert it. Until then, the load must not
    /// touch its row of the ledger.
    pub fn wait_until_entered(self) {
        let begin = Instant::now();
        while self.is_pending(begin.elapsed()) {
            interrupts::check();
            pause(begin.elapsed());
        }
    }

    fn is_pending(self, waited: Duration) -> bool {
        CLIENT.with_borrow_mut(|client| match client.step(self.tag) {
            Some(LoadStep::Requested) => {
                let is_pending = waited < ENTER_TIMEOUT && client.contact();
                is_pending
                    || !client.change_step(self.tag, LoadStep::Requested, LoadStep::Withdrawn)
            }
            // Its transaction does not wait longer for locks.
            Some(LoadStep::Entering) => waited < 2 * ENTER_TIMEOUT && client.contact(),
            _ => false,
        })
    }

    /// Reports the failure of the load; returns whether it is in the ledger.
    ///
    /// It reads no table and no catalog, so that it can be called after an error of PostgreSQL
    /// ([`after_error`](crate::pg::session::after_error)). While the monitor runs, it uses the shared memory of the
    /// mailbox. Without a monitor it also reads the lock table, and registers a worker: both are shared memory, too.
    pub fn fail(self, failure: &LoadFailure) -> bool {
        let begin = Instant::now();
        CLIENT.with_borrow_mut(|client| client.fail(self, failure));
        loop {
            let step = CLIENT.with_borrow_mut(|client| {
                if client.contact() {
                    client.step(self.tag)
                } else {
                    Some(LoadStep::FailureDeferred)
                }
            });
            if step != Some(LoadStep::FailureRequested) {
                return step == Some(LoadStep::FailureWritten);
            }
            if begin.elapsed() > FAIL_TIMEOUT {
                return false;
            }
            pause(begin.elapsed());
        }
    }

    /// The function of the load has returned. The monitor itself finds out whether the transaction commits.
    pub fn finish(self) {
        CLIENT.with_borrow_mut(|client| client.finish(self));
    }
}

/// Sleeps a moment: shorter at the beginning, when an answer is most likely.
fn pause(waited: Duration) {
    let is_new = waited < Duration::from_millis(20);
    std::thread::sleep(if is_new { Duration::from_micros(100) } else { Duration::from_millis(1) });
}

/// A load of the open transaction.
struct RegisteredLoad {
    info: LoadInfo,
    tag: u64,
    is_finished: bool,
    failure: Option<LoadFailure>,
}

struct Client {
    mailbox: Option<Mailbox>,
    open: Vec<RegisteredLoad>,
    /// Messages that did not fit into the mailbox, or that no monitor has read.
    unsent: Vec<Message>,
    next_tag: u64,
    has_callbacks: bool,
    /// Whether the session has reported that it cannot reach a monitor.
    has_reported: bool,
    /// When a monitor was started that has not attached yet.
    started: Option<Instant>,
    /// When this session gave up waiting for a monitor that another session had started.
    waited: Option<Instant>,
}

impl Client {
    const fn new() -> Self {
        Self {
            mailbox: None,
            open: Vec::new(),
            unsent: Vec::new(),
            next_tag: 0,
            has_callbacks: false,
            has_reported: false,
            started: None,
            waited: None,
        }
    }

    fn register(&mut self, info: LoadInfo) -> MonitoredLoad {
        if !self.has_callbacks {
            self.has_callbacks = true;
            call_at_ends();
        }
        self.next_tag += 1;
        let load = MonitoredLoad { load_id: info.load_id, tag: self.next_tag };
        self.mailbox = self.mailbox.take().or_else(Mailbox::create);
        if let Some(mailbox) = &self.mailbox {
            let step = if info.one_snapshot { LoadStep::Withdrawn } else { LoadStep::Requested };
            mailbox.set_step(load.tag, step);
        }
        self.unsent.push(Message::Begin { tag: load.tag, info: info.clone() });
        self.open.push(RegisteredLoad { info, tag: load.tag, is_finished: false, failure: None });
        self.contact();
        load
    }

    fn fail(&mut self, load: MonitoredLoad, failure: &LoadFailure) {
        if let Some(mailbox) = &self.mailbox {
            mailbox.set_step(load.tag, LoadStep::FailureRequested);
        }
        let failure = failure.clone();
        if let Some(open) = self.open.iter_mut().find(|open| open.tag == load.tag) {
            open.failure = Some(failure.clone());
        }
        let MonitoredLoad { load_id, tag } = load;
        self.unsent.push(Message::Fail { load_id, tag, failure: Box::new(failure) });
    }

    fn finish(&mut self, load: MonitoredLoad) {
        if let Some(open) = self.open.iter_mut().rfind(|open| open.tag == load.tag) {
            open.is_finished = true;
        }
        self.unsent.push(Message::Finish { load_id: load.load_id });
        self.contact();
    }

    fn step(&self, tag: u64) -> Option<LoadStep> {
        self.mailbox.as_ref().and_then(|mailbox| mailbox.step(tag))
    }

    fn change_step(&self, tag: u64, from: LoadStep, to: LoadStep) -> bool {
        self.mailbox.as_ref().is_some_and(|mailbox| mailbox.change_step(tag, from, to))
    }

    /// Sends the pending messages, to a new monitor if the last one has ended; `false` if there is none.
    fn contact(&mut self) -> bool {
        let Some(mailbox) = &self.mailbox else { return false };
        let is_served = match mailbox.reader() {
            MailboxReader::Attached => true,
            MailboxReader::Awaited => self.started.is_some_and(|at| at.elapsed() < START_TIMEOUT),
            MailboxReader::Gone => false,
        };
        if !is_served {
            if !self.find_monitor() {
                return false;
            }
            self.send_again();
        }
        self.send();
        true
    }

    /// Writes the messages that fit into the mailbox; the others follow at the next contact.
    fn send(&mut self) {
        let Some(mailbox) = &self.mailbox else { return };
        let sent = self.unsent.iter().take_while(|message| mailbox.push(&message.encode())).count();
        if sent > 0 {
            self.unsent.drain(..sent);
            mailbox.wake_reader();
        }
    }

    /// Registers the open transaction with a new monitor: all of its loads.
    fn send_again(&mut self) {
        self.unsent.clear();
        for RegisteredLoad { info, tag, is_finished, failure } in &self.open {
            self.unsent.push(Message::Begin { tag: *tag, info: info.clone() });
            if *is_finished {
                self.unsent.push(Message::Finish { load_id: info.load_id });
            }
            // A load that is already in the ledger needs no row.
            let is_asked = self.mailbox.as_ref().is_some_and(|mailbox| {
                matches!(
                    mailbox.step(*tag),
                    Some(LoadStep::FailureRequested | LoadStep::FailureDeferred)
                )
            });
            if let Some(failure) = failure.as_ref().filter(|_| is_asked) {
                let (load_id, failure) = (info.load_id, failure.clone());
                self.unsent.push(Message::Fail { load_id, tag: *tag, failure: Box::new(failure) });
            }
        }
    }

    /// Registers the mailbox with the monitor of the database, or starts one; `false` if there is no worker slot.
    fn find_monitor(&mut self) -> bool {
        let Some(mailbox) = &self.mailbox else { return false };
        mailbox.await_reader();
        let is_found = Registry::post_handle(mailbox.handle())
            || !Lock::Monitor.is_held_by_transaction() && start_monitor(mailbox)
            || self.wait_for_monitor(mailbox)
            || start_monitor(mailbox);
        if is_found {
            (self.started, self.waited) = (Some(Instant::now()), None);
        } else {
            mailbox.stop_waiting();
            self.waited = self.waited.or_else(|| Some(Instant::now()));
        }
        is_found
    }

    /// Another session may have started a monitor that cannot be found yet.
    fn wait_for_monitor(&self, mailbox: &Mailbox) -> bool {
        if worker::has_no_workers() || self.waited.is_some_and(|at| at.elapsed() < PUBLISH_INTERVAL)
        {
            return false;
        }
        let begin = Instant::now();
        while begin.elapsed() < PUBLISH_TIMEOUT {
            std::thread::sleep(Duration::from_millis(2));
            if Registry::post_handle(mailbox.handle()) {
                return true;
            }
        }
        false
    }

    /// The transaction has ended, or is prepared: the monitor then tracks its loads without the session.
    fn transaction_ended(&mut self, is_rolled_back: bool) {
        self.has_callbacks = false;
        if is_rolled_back && !self.open.is_empty() {
            self.contact();
        }
        self.open.clear();
        if is_rolled_back {
            self.rolled_back();
        } else {
            self.unsent.clear();
        }
    }

    fn rolled_back(&self) {
        if let Some(mailbox) = &self.mailbox {
            mailbox.count_rollback();
        }
    }
}

/// Starts a load monitor of this database for a session; `false` if there is no free slot.
fn start_monitor(mailbox: &Mailbox) -> bool {
    MONITOR.start(worker::current_database(), mailbox.handle().into())
}

/// Wakes the monitor, which checks whether a load has ended, because this transaction or a subtransaction is rolled
/// back.
fn call_at_ends() {
    // The session may have begun to end while the client was borrowed: then there is nothing to do.
    let ended = |is_rolled_back| {
        let contact = AssertUnwindSafe(|| {
            CLIENT.with(|client| {
                if let Ok(mut client) = client.try_borrow_mut() {
                    client.transaction_ended(is_rolled_back);
                }
            });
        });
        // An error at this point would end the server.
        PgTryBuilder::new(contact).catch_others(|_| ()).execute();
    };
    for event in [PgXactCallbackEvent::Commit, PgXactCallbackEvent::Prepare] {
        register_xact_callback(event, move || ended(false));
    }
    register_xact_callback(PgXactCallbackEvent::Abort, move || ended(true));
    register_subxact_callback(PgSubXactCallbackEvent::AbortSub, |_, _| {
        CLIENT.with(|client| {
            if let Ok(client) = client.try_borrow() {
                client.rolled_back();
            }
        });
    });
}
