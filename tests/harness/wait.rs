//! Waiting for conditions, never for a time.

use std::fmt::{Debug, Display};
use std::time::{Duration, Instant};

use postgres::{GenericClient, SimpleQueryMessage};

/// How long a condition may take on a machine with much else to do.
const TIMEOUT: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Waits until a query returns this: its rows as lines, their columns divided by `|`, as `psql -At` prints them.
///
/// # Panics
/// When it does not.
#[track_caller]
pub fn eventually(client: &mut impl GenericClient, query: &str, expected: impl Display) {
    let expected = expected.to_string();
    let mut found = String::new();
    let begin = Instant::now();
    while begin.elapsed() < TIMEOUT {
        found = text_of(client, query);
        if found == expected {
            return;
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    panic!("after {TIMEOUT:?}: {found:?} instead of {expected:?}: {query}");
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
pub fn until<T>(what: impl Display, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    while begin.elapsed() < TIMEOUT {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    panic!("after {TIMEOUT:?}: {what}");
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
