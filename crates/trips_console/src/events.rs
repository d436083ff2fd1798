//! Server-sent events: from one listening session to all pages.
//!
//! A page's queue is bounded. A page that does not read loses its stream, and asks again for what it has missed: each
//! event has its number in `trips.events`, and browsers send back the last one that they have seen.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use trips_libpq::Row;

use crate::answer::{ApiError, ErrorBody};
use crate::database::{Database, Limit};
use crate::views::now::load_runs;

/// Pages that may listen at the same time.
const MAX_LISTENERS: usize = 1000;
/// Messages that wait for a page.
const QUEUE: usize = 64;
/// Events that a page gets at once after a break.
const PAGE: usize = 500;
/// How often something is sent, so that proxies keep the stream open.
const ALIVE: Duration = Duration::from_secs(15);

/// How often a page that misses events looks for a session.
const RETRY: Duration = Duration::from_secs(1);

/// Whether the newest event has a number less than this one.
const RESTORED: &str = "SELECT coalesce(max(e.seq), 0) < $1::bigint FROM trips.events AS e";
/// Events after a number, in order, with the files of their loads.
pub const EVENTS: &str = include_str!("events.sql");

/// A message for all pages.
#[derive(Clone)]
struct Message {
    kind: Kind,
    text: Arc<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The event of this number, which some pages have already.
    Event(i64),
    /// The next event has a number greater than this one, which may be less than those before.
    Begin(i64),
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
    listeners: Vec<Sender<Message>>,
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

    /// Whether it is known that no load runs.
    pub fn is_quiet(&self) -> bool {
        self.inner().now.as_deref().is_some_and(|now| !load_runs(now))
    }

    /// Sets after which number events begin: in the first session, or in a database that was restored, whose numbers
    /// begin earlier.
    pub fn begin(&self, last: i64) {
        let mut inner = self.inner();
        if inner.last.replace(last).is_some() {
            inner.send(Kind::Begin(last), begin_text(last));
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

    /// Sends an event of a load.
    pub fn event(&self, seq: i64, json: &str) {
        let mut inner = self.inner();
        inner.last = Some(seq);
        inner.send(Kind::Event(seq), event_text(seq, json));
    }

    /// Sends what runs now, if it has changed.
    pub fn now(&self, json: String) {
        let mut inner = self.inner();
        if inner.now.as_deref() != Some(&json) {
            let text = now_text(inner.last, &json);
            inner.now = Some(json.into());
            inner.send(Kind::Other, text);
        }
    }

    /// A place among the listeners, and what a page shows first.
    fn listen(&self, misses: bool) -> Result<(Receiver<Message>, String), ApiError> {
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
            text.push_str(&now_text(inner.last.filter(|_| !misses), now));
        }
        Ok((receiver, text))
    }
}

impl Inner {
    fn stand(&mut self, standing: Standing) {
        let text = standing_text(&standing);
        self.standing = standing;
        self.send(Kind::Other, text);
    }

    /// A page whose queue is full loses its place.
    fn send(&mut self, kind: Kind, text: String) {
        let message = Message { kind, text: text.into() };
        self.listeners.retain(|listener| listener.try_send(message.clone()).is_ok());
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

/// With a number: a page that has seen no event yet knows where to go on.
fn now_text(last: Option<i64>, json: &str) -> String {
    let id = last.map(|last| format!("id: {last}\n")).unwrap_or_default();
    format!("event: now\n{id}data: {}\n\n", one_line(json))
}

/// A page's stream.
struct Stream {
    receiver: Receiver<Message>,
    hub: Arc<Hub>,
    database: Arc<Database>,
    /// What to send before anything else.
    first: Option<String>,
    /// Events after this number are missing; None if none is.
    missed_after: Option<i64>,
    /// The last event that was sent here.
    sent: i64,
}

/// The stream of a new page. `after` is the last event that it has seen.
pub fn stream(
    hub: Arc<Hub>,
    database: Arc<Database>,
    after: Option<i64>,
) -> Result<Response, ApiError> {
    // First the place, then the events that were missed: none is lost in between.
    let (receiver, first) = hub.listen(after.is_some())?;
    let stream = Stream {
        receiver,
        hub,
        database,
        first: Some(first),
        missed_after: after,
        sent: after.unwrap_or(0),
    };
    let body = Body::from_stream(stream::unfold(stream, |mut stream| async {
        let text = stream.next().await?;
        Some((Ok::<_, std::convert::Infallible>(text), stream))
    }));
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    // Proxies of nginx's kind would keep events back.
    Ok((headers, [("x-accel-buffering", "no")], body).into_response())
}

impl Stream {
    async fn next(&mut self) -> Option<String> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            if let Some(after) = self.missed_after
                && let Some(text) = self.replay(after).await
            {
                return Some(text);
            }
            let wait = if self.missed_after.is_some() { RETRY } else { ALIVE };
            let message = match tokio::time::timeout(wait, self.receiver.recv()).await {
                Err(_) if self.missed_after.is_some() => {
                    return Some(": waiting for the database\n\n".into());
                }
                Err(_) => return Some(": alive\n\n".into()),
                Ok(None) => return None,
                Ok(Some(message)) => message,
            };
            match message.kind {
                // The replay has it.
                Kind::Event(seq) if seq <= self.sent || self.missed_after.is_some() => continue,
                Kind::Event(seq) => self.sent = seq,
                Kind::Begin(seq) => (self.sent, self.missed_after) = (seq, None),
                Kind::Other => {}
            }
            return Some(message.text.to_string());
        }
    }

    /// The next events that were missed; None if there is no session. Then there are no new events, either.
    ///
    /// Not before the console's own session listens: it begins with the event that is the newest then. An event between
    /// a read before that and the beginning would be in neither.
    async fn replay(&mut self, after: i64) -> Option<String> {
        let last = self.hub.last()?;
        let read =
            |sql, after: i64| self.database.rows(Limit::View, sql, vec![Some(after.to_string())]);
        // The database was restored while the page was away. The hub may be a moment behind a page that has read itself.
        if after > last && is_true(&read(RESTORED, after).await.ok()?) {
            (self.sent, self.missed_after) = (last, None);
            return Some(begin_text(last));
        }
        let rows = read(EVENTS, after).await.ok()?;
        let events: Vec<(i64, &str)> = rows.iter().filter_map(event_of).collect();
        self.sent = events.last().map_or(after, |event| event.0);
        self.missed_after = (events.len() >= PAGE).then_some(self.sent);
        let text: String = events.into_iter().map(|(seq, json)| event_text(seq, json)).collect();
        Some(if text.is_empty() { ": nothing was missed\n\n".into() } else { text })
    }
}

fn is_true(rows: &[Row]) -> bool {
    rows.first().and_then(|row| row.first()?.as_deref()) == Some("t")
}

/// A row of [`EVENTS`].
pub fn event_of(row: &Row) -> Option<(i64, &str)> {
    Some((row.first()?.as_deref()?.parse().ok()?, row.get(1)?.as_deref()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_does_not_read_loses_its_place() {
        let hub = Hub::default();
        let (mut slow, _) = hub.listen(false).unwrap();
        let (mut quick, _) = hub.listen(false).unwrap();
        for seq in 1..=200 {
            hub.event(seq, "{}");
            assert_eq!(quick.try_recv().unwrap().kind, Kind::Event(seq));
        }
        let kept: Vec<_> = std::iter::from_fn(|| slow.try_recv().ok()).collect();
        assert_eq!(kept.len(), QUEUE);
        assert!(slow.is_closed(), "it must ask for the rest");
        assert_eq!(hub.last(), Some(200));
    }

    #[test]
    fn pages_hear_that_numbers_begin_earlier() {
        let hub = Hub::default();
        let (mut page, _) = hub.listen(false).unwrap();
        hub.begin(40);
        assert!(page.try_recv().is_err(), "the first session");
        hub.event(41, "{}");
        hub.begin(7);
        hub.event(8, "{}");
        let kinds: Vec<_> =
            std::iter::from_fn(|| page.try_recv().ok()).map(|message| message.kind).collect();
        assert_eq!(kinds, [Kind::Event(41), Kind::Begin(7), Kind::Event(8)]);
    }

    #[test]
    fn listeners_are_bounded() {
        let hub = Hub::default();
        let mut pages: Vec<_> = (0..MAX_LISTENERS).map(|_| hub.listen(false).unwrap()).collect();
        assert!(hub.listen(false).is_err());
        pages.pop();
        assert!(hub.listen(false).is_ok());
    }

    #[test]
    fn data_are_one_line() {
        assert_eq!(event_text(7, "[1,\n 2]"), "event: load\nid: 7\ndata: [1,  2]\n\n");
        assert_eq!(now_text(None, "{}"), "event: now\ndata: {}\n\n");
    }
}
