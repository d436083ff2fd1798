//! Server-sent events: from one listening session to all pages.
//!
//! A page's queue is bounded. A page that does not read loses its stream, and asks again for what it has missed: each
//! event has its number in `trips.events`, and browsers send back the last one that they have seen.

mod stream;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use trips_libpq::Row;

use crate::answer::{ApiError, ErrorBody};
use crate::views::now::load_runs;

pub use self::stream::stream;

/// Pages that may listen at the same time.
const MAX_LISTENERS: usize = 1000;
/// Moments that wait for a page: each has the messages of one.
const QUEUE: usize = 64;
/// Events that are read at once: the limit in [`EVENTS`].
pub const PAGE: usize = 500;
/// Events after a number, in order, with the files of their loads.
pub const EVENTS: &str = include_str!("events.sql");

/// A message for all pages.
struct Message {
    kind: Kind,
    text: String,
}

/// Messages of one moment: a page gets them at once.
type Messages = Arc<[Message]>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The event of this number, which some pages have already.
    Event(i64),
    /// The next event has a number greater than this one, which may be less than those before.
    Begin(i64),
    /// What runs now, after the event of this number.
    Now(Option<i64>),
    Other,
}

/// What is known of the database's session.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Standing {
    pub connected: bool,
    pub fault: Option<ErrorBody>,
}

/// The session's address, once there was one.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Place {
    pub database: String,
    pub host: String,
    pub port: String,
    pub role: String,
    pub server_version: String,
    pub extension_version: String,
}

#[derive(Default)]
struct Inner {
    standing: Standing,
    place: Option<Place>,
    /// What runs now, as JSON.
    now: Option<Arc<str>>,
    /// Number of the last event that was sent.
    last: Option<i64>,
    /// The number after which events have begun, in the first session or anew.
    begun: i64,
    listeners: Vec<Sender<Messages>>,
}

/// The pages that listen.
#[derive(Default)]
pub struct Hub(Mutex<Inner>);

impl Hub {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn standing(&self) -> Standing {
        self.inner().standing.clone()
    }

    pub fn place(&self) -> Option<Place> {
        self.inner().place.clone()
    }

    pub fn last(&self) -> Option<i64> {
        self.inner().last
    }

    /// The number after which events have begun.
    fn begun(&self) -> i64 {
        self.inner().begun
    }

    /// Whether it is known that no load runs.
    pub fn is_quiet(&self) -> bool {
        self.inner().now.as_deref().is_some_and(|now| !load_runs(now))
    }

    /// Sets after which number events begin: in the first session, or in a database that was restored, whose numbers
    /// begin earlier.
    pub fn begin(&self, last: i64) {
        let mut inner = self.inner();
        inner.begun = last;
        if inner.last.replace(last).is_some() {
            inner.send([(Kind::Begin(last), begin_text(last))]);
        }
    }

    /// There is a session.
    pub fn connected(&self, place: Place) {
        let mut inner = self.inner();
        inner.place = Some(place);
        inner.stand(Standing { connected: true, fault: None });
    }

    /// There is none.
    pub fn disconnected(&self, fault: ErrorBody) {
        self.inner().stand(Standing { connected: false, fault: Some(fault) });
    }

    /// Sends events of loads, which have numbers, and what runs now, if it is known and has changed: all of it at once.
    pub fn heard(&self, events: &[(i64, &str)], now: Option<String>) {
        let mut inner = self.inner();
        let mut messages = Vec::with_capacity(events.len() + 1);
        for &(seq, json) in events {
            inner.last = Some(seq);
            messages.push((Kind::Event(seq), event_text(seq, json)));
        }
        if let Some(json) = now.filter(|json| inner.now.as_deref() != Some(json)) {
            messages.push((Kind::Now(inner.last), now_text(&json)));
            inner.now = Some(json.into());
        }
        inner.send(messages);
    }

    /// A place among the listeners, what a page shows first, and the last event that was sent before.
    fn listen(&self, misses: bool) -> Result<(Receiver<Messages>, String, Option<i64>), ApiError> {
        let mut inner = self.inner();
        inner.listeners.retain(|listener| !listener.is_closed());
        if inner.listeners.len() >= MAX_LISTENERS {
            return Err(ApiError::busy(
                "too many pages listen",
                "Close other pages of this console.",
            ));
        }
        let (sender, receiver) = channel(QUEUE);
        inner.listeners.push(sender);
        let mut text = format!("retry: 2000\n\n{}", standing_text(&inner.standing));
        if let Some(now) = &inner.now {
            // A page that misses events has not seen the last one yet.
            text.push_str(&id_field(inner.last.filter(|_| !misses)));
            text.push_str(&now_text(now));
        }
        Ok((receiver, text, inner.last))
    }
}

impl Inner {
    fn stand(&mut self, standing: Standing) {
        let text = standing_text(&standing);
        self.standing = standing;
        self.send([(Kind::Other, text)]);
    }

    /// A page whose queue is full loses its place.
    fn send(&mut self, messages: impl IntoIterator<Item = (Kind, String)>) {
        let messages: Messages =
            messages.into_iter().map(|(kind, text)| Message { kind, text }).collect();
        if !messages.is_empty() {
            self.listeners.retain(|listener| listener.try_send(messages.clone()).is_ok());
        }
    }
}

fn standing_text(standing: &Standing) -> String {
    let json = serde_json::to_string(standing).unwrap_or_default();
    format!("event: connection\ndata: {json}\n\n")
}

fn event_text(seq: i64, json: &str) -> String {
    format!("event: load\nid: {seq}\ndata: {}\n\n", one_line(json))
}

fn begin_text(last: i64) -> String {
    format!("event: begin\nid: {last}\ndata: {{}}\n\n")
}

/// A line end would end the field. In JSON of PostgreSQL, it is between values only.
fn one_line(json: &str) -> String {
    json.replace(['\n', '\r'], " ")
}

fn now_text(json: &str) -> String {
    format!("event: now\ndata: {}\n\n", one_line(json))
}

/// The field before a message that says behind which event a page goes on after a break, also one that has seen no event.
fn id_field(last: Option<i64>) -> String {
    last.map(|last| format!("id: {last}\n")).unwrap_or_default()
}

/// A row of [`EVENTS`].
pub fn event_of(row: &Row) -> Option<(i64, &str)> {
    Some((row.first()?.as_deref()?.parse().ok()?, row.get(1)?.as_deref()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(page: &mut Receiver<Messages>) -> Vec<Kind> {
        let messages = std::iter::from_fn(|| page.try_recv().ok());
        messages
            .flat_map(|some| some.iter().map(|message| message.kind).collect::<Vec<_>>())
            .collect()
    }

    #[test]
    fn what_is_heard_at_once_is_told_at_once() {
        let hub = Hub::default();
        let (mut page, ..) = hub.listen(false).unwrap();
        hub.heard(&[(1, "{}"), (2, "{}")], Some("[]".into()));
        assert_eq!(page.len(), 1);
        assert_eq!(kinds(&mut page), [Kind::Event(1), Kind::Event(2), Kind::Now(Some(2))]);
        hub.heard(&[], Some("[]".into()));
        assert!(page.is_empty(), "nothing has changed");
        hub.heard(&[(3, "{}")], Some("[]".into()));
        assert_eq!(kinds(&mut page), [Kind::Event(3)]);
    }

    #[test]
    fn a_page_that_does_not_read_loses_its_place() {
        let hub = Hub::default();
        let (mut slow, ..) = hub.listen(false).unwrap();
        let (mut quick, ..) = hub.listen(false).unwrap();
        for seq in 1..=200 {
            hub.heard(&[(seq, "{}")], None);
            assert_eq!(kinds(&mut quick), [Kind::Event(seq)]);
        }
        let kept: Vec<_> = std::iter::from_fn(|| slow.try_recv().ok()).collect();
        assert_eq!(kept.len(), QUEUE);
        assert!(slow.is_closed(), "it must ask for the rest");
        assert_eq!(hub.last(), Some(200));
    }

    #[test]
    fn pages_hear_that_numbers_begin_earlier() {
        let hub = Hub::default();
        let (mut page, ..) = hub.listen(false).unwrap();
        hub.begin(40);
        assert!(page.try_recv().is_err(), "the first session");
        hub.heard(&[(41, "{}")], None);
        hub.begin(7);
        hub.heard(&[(8, "{}")], None);
        assert_eq!(kinds(&mut page), [Kind::Event(41), Kind::Begin(7), Kind::Event(8)]);
    }

    #[test]
    fn listeners_are_bounded() {
        let hub = Hub::default();
        let mut pages: Vec<_> = (0..MAX_LISTENERS).map(|_| hub.listen(false).unwrap()).collect();
        assert!(hub.listen(false).is_err());
        pages.pop();
        assert!(hub.listen(false).is_ok());
    }

    /// Fewer events than the limit are the last ones: another limit would leave some until the next notification.
    #[test]
    fn as_many_events_are_read_as_the_query_returns() {
        assert!(EVENTS.contains(&format!("LIMIT {PAGE})")), "{EVENTS}");
    }

    #[test]
    fn data_are_one_line() {
        assert_eq!(event_text(7, "[1,\n 2]"), "event: load\nid: 7\ndata: [1,  2]\n\n");
        assert_eq!(now_text("{}"), "event: now\ndata: {}\n\n");
    }
}
