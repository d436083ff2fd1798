//! Waiting for conditions, never for a time.

use std::fmt::{Debug, Display};
use std::time::{Duration, Instant};

use postgres::fallible_iterator::FallibleIterator;
use postgres::{Client, GenericClient, Notification, SimpleQueryMessage};

/// How long a condition may take on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(180);
/// The pauses between two looks grow from the first to the second.
const POLL_INTERVALS: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(10)];

/// Waits until a query returns this: its rows as lines, their columns divided by `|`, as `psql -At` prints them.
///
/// # Panics
/// When it does not.
#[track_caller]
pub fn eventually(client: &mut impl GenericClient, query: &str, expected: impl Display) {
    let expected = expected.to_string();
    let mut found = String::new();
    let is_expected = poll(TIMEOUT, || {
        found = text_of(client, query);
        (found == expected).then_some(())
    });
    assert!(is_expected.is_some(), "after {TIMEOUT:?}: {found:?} instead of {expected:?}: {query}");
}

/// What a query returns, as `psql -At` prints it.
///
/// # Panics
/// When the query fails.
#[track_caller]
pub fn text_of(client: &mut impl GenericClient, query: &str) -> String {
    let messages = client.simple_query(query);
    let messages = messages.unwrap_or_else(|error| panic!("{query}: {error:?}"));
    let lines = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            let columns = (0..row.len()).map(|i| row.get(i).unwrap_or_default());
            Some(columns.collect::<Vec<_>>().join("|"))
        }
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Waits until a closure returns something, and returns that. `what` says what did not happen.
///
/// # Panics
/// When it does not.
#[track_caller]
pub fn until<T>(what: impl Display, look: impl FnMut() -> Option<T>) -> T {
    until_within(TIMEOUT, what, look)
}

/// As [`until`], with another timeout.
///
/// # Panics
/// When the closure returns nothing in that time.
#[track_caller]
pub fn until_within<T>(
    timeout: Duration,
    what: impl Display,
    look: impl FnMut() -> Option<T>,
) -> T {
    poll(timeout, look).unwrap_or_else(|| panic!("after {timeout:?}: {what}"))
}

fn poll<T>(timeout: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let [mut interval, longest] = POLL_INTERVALS;
    let begin = Instant::now();
    while begin.elapsed() < timeout {
        if let Some(found) = look() {
            return Some(found);
        }
        std::thread::sleep(interval);
        interval = longest.min(interval * 2);
    }
    None
}

/// Receives notifications until the last one satisfies a condition, and returns all of them.
///
/// # Panics
/// When none does.
#[track_caller]
pub fn notifications_until(
    listener: &mut Client,
    mut is_last: impl FnMut(&Notification) -> bool,
) -> Vec<Notification> {
    let begin = Instant::now();
    let mut received: Vec<Notification> = Vec::new();
    while !received.last().is_some_and(&mut is_last) {
        let wait = TIMEOUT.saturating_sub(begin.elapsed());
        let next = listener.notifications().timeout_iter(wait).next().expect("a connection");
        received.push(next.unwrap_or_else(|| panic!("after {TIMEOUT:?}: {received:?}")));
    }
    received
}

/// Looks at something for half a second, in which it must not become anything else.
///
/// # Panics
/// When it does.
#[track_caller]
pub fn stays<T: PartialEq + Debug>(expected: T, mut look: impl FnMut() -> T) {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(500) {
        assert_eq!(look(), expected);
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Asserts that something can be done in this time: one of 20 runs must be as fast, since other work of the machine
/// slows single runs.
///
/// # Panics
/// When none is.
#[track_caller]
pub fn takes_less_than(limit: Duration, what: impl Display, mut run: impl FnMut() -> Duration) {
    let mut fastest = Duration::MAX;
    for _ in 0..20 {
        fastest = fastest.min(run());
        if fastest < limit {
            return;
        }
    }
    panic!("{what}: {fastest:?} instead of less than {limit:?}");
}
