//! Sessions whose steps are run in a given order, as PostgreSQL's isolation tester does it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use postgres::{Client, NoTls};

use crate::{Cluster, server_error, until};

/// A step that has ended.
#[derive(Debug, Clone)]
pub struct Step {
    /// Number of its session.
    pub session: usize,
    /// Number of the step in its session.
    pub number: usize,
    /// Whether it waited for a lock of another session.
    pub waited: bool,
    /// SQLSTATE and message of its error.
    pub error: Option<(String, String)>,
}

/// All orders in which sessions with so many steps can be run: each order names the session of every step.
#[must_use]
pub fn permutations(steps: &[usize]) -> Vec<Vec<usize>> {
    if steps.iter().all(|&left| left == 0) {
        return vec![Vec::new()];
    }
    let mut orders = Vec::new();
    for session in (0..steps.len()).filter(|&session| steps[session] > 0) {
        let mut rest = steps.to_vec();
        rest[session] -= 1;
        for mut order in permutations(&rest) {
            order.insert(0, session);
            orders.push(order);
        }
    }
    orders
}

/// Those orders in which some session begins before another one has ended.
#[must_use]
pub fn interleavings(steps: &[usize]) -> Vec<Vec<usize>> {
    let mut orders = permutations(steps);
    orders.retain(|order| order.chunk_by(|a, b| a == b).count() > steps.len());
    orders
}

/// SQLSTATE and message of an error.
type StepResult = Result<(), (String, String)>;

struct Session {
    pid: i32,
    commands: Sender<String>,
    results: Receiver<StepResult>,
    thread: JoinHandle<()>,
    /// The step that it is at, and whether it has been seen to wait.
    busy: Option<(usize, bool)>,
    next: usize,
    /// A step has failed: the others are left out.
    is_over: bool,
}

impl Session {
    fn start(cluster: &Cluster, database: &str) -> Self {
        let mut client = cluster.config_of(database).connect(NoTls).expect("a connection");
        let pid = client.query_one("SELECT pg_backend_pid()", &[]).expect("a pid").get(0);
        let (commands, todo) = channel::<String>();
        let (done, results) = channel();
        let thread = std::thread::spawn(move || {
            for command in todo {
                let result = client.batch_execute(&command).map_err(|error| {
                    let (code, message, _) = server_error(&error);
                    (code, message)
                });
                if result.is_err() {
                    client.batch_execute("ROLLBACK").expect("a rollback");
                }
                if done.send(result).is_err() {
                    return;
                }
            }
        });
        Self { pid, commands, results, thread, busy: None, next: 0, is_over: false }
    }
}

struct Run<'a> {
    control: Client,
    sessions: Vec<Session>,
    steps: &'a [Vec<String>],
    ended: Vec<Step>,
}

impl Run<'_> {
    /// Whether a session has no step under way. Records the result of a step that has ended.
    fn look(&mut self, number: usize) -> bool {
        let session = &mut self.sessions[number];
        let Some((step, waited)) = session.busy else { return true };
        let Ok(result) = session.results.try_recv() else { return false };
        session.busy = None;
        session.is_over = result.is_err();
        self.ended.push(Step { session: number, number: step, waited, error: result.err() });
        true
    }

    fn is_blocked(&mut self, number: usize) -> bool {
        let query = "SELECT cardinality(pg_blocking_pids($1)) > 0";
        let pid = self.sessions[number].pid;
        self.control.query_one(query, &[&pid]).expect("a row").get(0)
    }

    /// Waits until a session has ended its step, or waits for another one.
    fn settle(&mut self, number: usize) {
        let mut seen = 0;
        until("a step neither ends nor waits", || {
            if self.look(number) || seen == 2 {
                return Some(());
            }
            seen = if self.is_blocked(number) { seen + 1 } else { 0 };
            None
        });
        if let Some((_, waited)) = &mut self.sessions[number].busy {
            *waited = true;
        }
    }

    /// The first step of the order that can begin: its position, or `Some(None)` if no step is left or under way.
    #[expect(clippy::option_option, reason = "the outer one is for a wait")]
    fn next_of(&mut self, order: &mut Vec<usize>) -> Option<Option<usize>> {
        order.retain(|&session| !self.sessions[session].is_over);
        if let Some(i) = (0..order.len()).find(|&i| self.look(order[i])) {
            return Some(Some(i));
        }
        // Each result is recorded, whatever the others have.
        let busy = (0..self.sessions.len()).filter(|&session| !self.look(session)).count();
        (busy == 0).then_some(None)
    }

    fn begin(&mut self, number: usize) {
        let session = &mut self.sessions[number];
        let step = session.next;
        session.next += 1;
        session.busy = Some((step, false));
        session.commands.send(self.steps[number][step].clone()).expect("a session");
        self.settle(number);
    }
}

/// Runs the steps of sessions in an order. A step whose session waits for another is put off, and those of the others
/// are run meanwhile. Behind an error the session rolls back, and its other steps are left out.
///
/// # Panics
/// When all sessions wait, and none of them ends.
#[must_use]
pub fn run(
    cluster: &Cluster,
    database: &str,
    sessions: &[Vec<String>],
    order: &[usize],
) -> Vec<Step> {
    let started = sessions.iter().map(|_| Session::start(cluster, database)).collect();
    let mut run = Run {
        control: cluster.client_of(database),
        sessions: started,
        steps: sessions,
        ended: Vec::new(),
    };
    let mut order = order.to_vec();
    while let Some(i) = until("all sessions wait", || run.next_of(&mut order)) {
        let session = order.remove(i);
        if !run.sessions[session].is_over {
            run.begin(session);
        }
    }
    for session in run.sessions {
        drop(session.commands);
        session.thread.join().expect("a session");
    }
    run.ended
}
