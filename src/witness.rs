//! The witness of a load: a process that writes down what the load's transaction cannot, because it is
//! lost when the load fails, and seen by nobody before it commits.
//!
//! A load that has something to do starts it, and tells it by shared memory how it stands. The witness
//! enters the load as `running`, and when it fails, as `failed` with the reason. It stays until the
//! load's transaction has ended: so it also sees the session that dies without a word, and the
//! surrounding transaction that is rolled back. When the whole server dies, PostgreSQL starts the
//! witness again, and the next load looks too: who is still `running` then has failed.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use pgrx::Spi;
use pgrx::bgworkers::BackgroundWorker;
use serde::{Deserialize, Serialize};

use crate::error::LoadError;
use crate::events::{self, Position, Standing};
use crate::ledger::{self, Delivery, Failure, Ticket};
use crate::pg::board::{Answer, Board, State};
use crate::pg::locks::Lock;
use crate::pg::progress::{self, AtWork, Phase};
use crate::pg::relation::Table;
use crate::pg::session::{self, AsOwner};
use crate::pg::{extension, worker};

/// How long a failing load waits for its witness to write.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the witness looks whether the load is over.
const TICK: Duration = Duration::from_millis(200);

/// How often listeners are told how far a load is, at most.
const TOLD_EVERY: Duration = Duration::from_millis(500);

/// What the witness is told at the beginning.
#[derive(Debug, Serialize, Deserialize)]
pub struct Beginning {
    /// Number of the load.
    pub load_id: i64,
    /// Path of the file.
    pub source: String,
    /// Size of the file, bytes.
    pub bytes: u64,
    /// Its ctime: microseconds since 2000-01-01 UTC.
    pub changed_at: Option<i64>,
    /// The role that asked for the load.
    pub requested_by: String,
    /// When the load began: microseconds since 2000-01-01 UTC.
    pub started_at: i64,
    /// The oid of the ledger. The extension may be dropped and created again while a witness looks away.
    pub ledger: u32,
    /// The load's transaction could not change a row that was committed after its snapshot: it is
    /// not entered while it runs.
    pub one_snapshot: bool,
}

/// The load's side of its witness.
pub struct Witness(Board);

impl Witness {
    /// Starts the witness of a load; none when no worker is free.
    pub fn start(ticket: &Ticket, delivery: &Delivery) -> Option<Self> {
        let beginning = Beginning {
            load_id: ticket.load_id,
            source: delivery.source.clone(),
            bytes: delivery.bytes,
            changed_at: delivery.changed_at,
            requested_by: ticket.requested_by.clone(),
            started_at: ticket.started_at.into(),
            ledger: Table::open_for_insert(c"loads").oid().to_u32(),
            one_snapshot: session::has_one_snapshot(),
        };
        let board = Board::create(&serde_json::to_vec(&beginning).ok()?)?;
        if worker::start_witness(&board) {
            return Some(Self(board));
        }
        board.discard();
        None
    }

    /// Has the failure written down; returns whether it was. Safe after an error of PostgreSQL too: it
    /// touches nothing but shared memory.
    pub fn fail(&self, failure: &Failure) -> bool {
        let begin = Instant::now();
        let told = self.0.fail(&failure.encode());
        while told && begin.elapsed() < PATIENCE {
            match self.0.answer() {
                Answer::None => std::thread::sleep(Duration::from_millis(1)),
                answer => return answer == Answer::Written,
            }
        }
        false
    }

    /// The load is done; whether it is committed, the witness finds out by itself.
    pub fn finish(self) {
        self.0.set_state(State::Finished);
        self.0.detach();
    }
}

/// The witness's own side, in its own process. Without a board it comes after a crash, and only closes
/// what is dead.
pub fn watch(board: Option<Board>) {
    let Some(board) = board else {
        close_dead(None);
        return;
    };
    let Ok(beginning) = serde_json::from_slice::<Beginning>(board.beginning()) else { return };
    board.witnessed();
    watch_load(&board, &beginning);
    in_database(events::forget_old);
}

fn watch_load(board: &Board, load: &Beginning) {
    let in_ledger = |work: &dyn Fn() -> Result<(), LoadError>| in_ledger(Some(load.ledger), work);
    let enter_failed = |failure: &Failure| {
        let is_written = in_ledger(&|| ledger::enter_failed(load, failure));
        tell(&[load.load_id]);
        is_written
    };
    if board.state() == State::Running {
        close_dead(Some(load.load_id));
        in_ledger(&|| {
            if load.one_snapshot { Ok(()) } else { ledger::enter_running(load) }
        });
    }
    let mut told = None;
    loop {
        if board.state() == State::Failed {
            let failure = Failure::decode(board.failure());
            let written = failure.is_some_and(|failure| enter_failed(&failure));
            board.set_answer(if written { Answer::Written } else { Answer::Refused });
            return;
        }
        // In this order: a load that fails says so before its lock goes.
        let is_over = BackgroundWorker::transaction(|| Lock::Load(load.load_id).try_take());
        if is_over && board.state() != State::Failed {
            if board.state() == State::Running && is_back_in_queue(load) {
                tell(&[load.load_id]);
            } else {
                let failure = over_without_a_word(board.state());
                in_ledger(&|| ledger::enter_lost(load, &failure));
                tell(&[load.load_id]);
            }
            return;
        }
        if board.state() == State::Running {
            tell_position(load, &mut told);
        }
        worker::wait(TICK);
    }
}

/// The worker is gone that made this load; another is to begin it again.
fn is_back_in_queue(load: &Beginning) -> bool {
    let mut is_queued = false;
    in_ledger(Some(load.ledger), || {
        is_queued = ledger::back_to_queue(load.load_id)?;
        Ok(())
    });
    is_queued
}

/// Tells listeners how far the load is, when it is further than at the last time and that is long ago.
fn tell_position(load: &Beginning, told: &mut Option<(Instant, Position)>) {
    if told.is_some_and(|(when, _)| when.elapsed() < TOLD_EVERY) {
        return;
    }
    let bytes_total = i64::try_from(load.bytes).unwrap_or(i64::MAX);
    let position = match told {
        // First of all, that it begins.
        None => Position { bytes_done: Some(0), bytes_total, rows_read: 0 },
        // While PostgreSQL builds an index, or refreshes the summary, nothing else is shown. What is only hashed
        // is not done.
        Some((_, last)) => progress::of_load(load.load_id)
            .filter(|at_work| !Phase::Hashing.is_of(at_work))
            .map_or(*last, |AtWork { bytes: [bytes_done, _], rows_read, .. }| Position {
                bytes_done: Some(bytes_done),
                bytes_total,
                rows_read,
            }),
    };
    if told.is_none_or(|(_, before)| before != position) {
        let standing = Standing { load_id: load.load_id, state: "running".into(), position };
        in_database(|| events::publish(&[standing]));
        *told = Some((Instant::now(), position));
    }
}

/// Closes what is dead, and tells it.
fn close_dead(except: Option<i64>) {
    let mut closed = Vec::new();
    in_ledger(None, || {
        closed = ledger::close_dead(except)?;
        Ok(())
    });
    if !closed.is_empty() {
        tell(&closed);
    }
}

/// Tells how the ledger has these loads.
fn tell(loads: &[i64]) {
    let mut standings = Vec::new();
    in_ledger(None, || {
        standings = ledger::standings(loads)?;
        Ok(())
    });
    in_database(|| events::publish(&standings));
}

/// What is said of a load whose transaction has ended and which is not in the ledger as done.
fn over_without_a_word(state: State) -> Failure {
    let (code, error) = match state {
        State::Finished => ("40000", "the transaction that loaded it was rolled back"),
        _ => ("57P01", "the session ended while it was loading"),
    };
    Failure::new(code, error)
}

/// Works on the ledger in a transaction of its own, with the rights of its owner. `false` when the
/// extension is not there (it was created in the transaction that loads, or dropped meanwhile), or its
/// ledger is not the one that is meant.
fn in_ledger(ledger: Option<u32>, work: impl FnOnce() -> Result<(), LoadError>) -> bool {
    let mut is_done = false;
    in_database(|| {
        let table = Table::open_for_insert(c"loads");
        if ledger.is_some_and(|ledger| ledger != table.oid().to_u32()) {
            return Ok(());
        }
        let _owner = AsOwner::of(&table);
        work()?;
        is_done = true;
        Ok(())
    });
    is_done
}

/// Works in a transaction of its own, if the extension is there.
fn in_database(work: impl FnOnce() -> Result<(), LoadError>) {
    BackgroundWorker::transaction(AssertUnwindSafe(|| {
        let result = prepare().and_then(|is_there| if is_there { work() } else { Ok(()) });
        result.unwrap_or_else(|error| pgrx::error!("{error}"));
    }));
}

/// Names mean PostgreSQL's own, whatever a trigger has set before; whether the extension is there. A lock on the
/// ledger is waited for as long as it takes: the load that may hold it does not wait for us longer than its patience.
fn prepare() -> Result<bool, LoadError> {
    session::use_own_names()?;
    let is_held = extension::hold();
    let is_there = Spi::get_one::<bool>("SELECT to_regclass('trips.loads') IS NOT NULL")?;
    Ok(is_held && is_there == Some(true))
}
