//! The stream of a page: what it has missed, then what the hub sends.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::mpsc::Receiver;
use trips_libpq::Row;

use super::{
    EVENTS, Hub, Kind, Message, Messages, PAGE, begin_text, event_of, event_text, id_field,
};
use crate::answer::ApiError;
use crate::database::{Database, Limit};

/// How often something is sent, so that proxies keep the stream open.
const ALIVE: Duration = Duration::from_secs(15);
/// How often a page that misses events looks for a session.
const RETRY: Duration = Duration::from_secs(1);
/// Whether the newest event has a number less than this one.
const RESTORED: &str = "SELECT coalesce(max(e.seq), 0) < $1::bigint FROM trips.events AS e";

/// What a page has got.
struct Seen {
    /// Events after this number are missing; None if none is.
    missed_after: Option<i64>,
    /// The last event that was sent to it.
    sent: i64,
}

/// A page's stream.
struct Stream {
    receiver: Receiver<Messages>,
    hub: Arc<Hub>,
    database: Arc<Database>,
    /// What to send before anything else.
    first: Option<String>,
    /// The last event that was sent before the page listened; None if there was no session yet.
    listened_after: Option<i64>,
    seen: Seen,
}

/// The stream of a new page. `after` is the last event that it has seen.
pub fn stream(
    hub: Arc<Hub>,
    database: Arc<Database>,
    after: Option<i64>,
) -> Result<Response, ApiError> {
    // First the place, then the events that were missed: none is lost in between.
    let (receiver, first, listened_after) = hub.listen(after.is_some())?;
    let stream = Stream {
        receiver,
        hub,
        database,
        first: Some(first),
        listened_after,
        seen: Seen { missed_after: after, sent: after.unwrap_or(0) },
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

impl Seen {
    /// The text of a message; empty if the page must not get it.
    fn pass<'m>(&mut self, message: &'m Message) -> Cow<'m, str> {
        match message.kind {
            // The replay has it.
            Kind::Event(seq) if seq <= self.sent || self.missed_after.is_some() => {
                return "".into();
            }
            Kind::Event(seq) => self.sent = seq,
            Kind::Begin(seq) => (self.sent, self.missed_after) = (seq, None),
            // The page goes on behind this number after a break. So it gets none while it misses events.
            Kind::Now(Some(last)) if self.missed_after.is_none() => {
                return (id_field(Some(last.max(self.sent))) + &message.text).into();
            }
            Kind::Now(_) | Kind::Other => {}
        }
        message.text.as_str().into()
    }
}

impl Stream {
    async fn next(&mut self) -> Option<String> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            if let Some(after) = self.seen.missed_after
                && let Some(text) = self.replay(after).await
            {
                return Some(text);
            }
            let wait = if self.seen.missed_after.is_some() { RETRY } else { ALIVE };
            let messages = match tokio::time::timeout(wait, self.receiver.recv()).await {
                Err(_) if self.seen.missed_after.is_some() => {
                    return Some(": waiting for the database\n\n".into());
                }
                Err(_) => return Some(": alive\n\n".into()),
                Ok(None) => return None,
                Ok(Some(messages)) => messages,
            };
            let text: String = messages.iter().map(|message| self.seen.pass(message)).collect();
            if !text.is_empty() {
                return Some(text);
            }
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
            let start = start(self.listened_after, self.hub.begun(), last);
            self.seen = Seen { missed_after: Some(start), sent: start };
            return Some(begin_text(start));
        }
        let rows = read(EVENTS, after).await.ok()?;
        let events: Vec<(i64, &str)> = rows.iter().filter_map(event_of).collect();
        let sent = events.last().map_or(after, |event| event.0);
        self.seen = Seen { missed_after: (events.len() >= PAGE).then_some(sent), sent };
        let text: String = events.into_iter().map(|(seq, json)| event_text(seq, json)).collect();
        Some(if text.is_empty() { ": nothing was missed\n\n".into() } else { text })
    }
}

/// Where a page begins in a restored database: what the hub sends since the page listens may be in its queue, or passed.
fn start(listened_after: Option<i64>, begun: i64, last: i64) -> i64 {
    // A greater number is one of before.
    listened_after.filter(|listened_after| *listened_after <= last).unwrap_or(begun)
}

fn is_true(rows: &[Row]) -> bool {
    rows.first().and_then(|row| row.first()?.as_deref()) == Some("t")
}

#[cfg(test)]
mod tests {
    use super::super::now_text;
    use super::*;

    /// The hub may have heard of events since the page listens: they are not skipped.
    #[test]
    fn a_page_begins_in_a_restored_database_where_it_has_listened() {
        assert_eq!(start(Some(40), 40, 41), 40);
        // There was no session when it began to listen.
        assert_eq!(start(None, 40, 43), 40);
        // It listened before the hub saw that the database was restored.
        assert_eq!(start(Some(100), 40, 41), 40);
    }

    #[test]
    fn a_page_that_misses_events_gets_no_number_behind_them() {
        let now = Message { kind: Kind::Now(Some(9)), text: now_text("{}") };
        let event = Message { kind: Kind::Event(9), text: event_text(9, "{}") };
        let mut missing = Seen { missed_after: Some(4), sent: 4 };
        assert_eq!(missing.pass(&now), now.text);
        assert_eq!(missing.pass(&event), "", "the replay has it");
        let mut page = Seen { missed_after: None, sent: 8 };
        assert_eq!(page.pass(&now), format!("id: 9\n{}", now.text));
        assert_eq!(page.pass(&event), event.text);
        assert_eq!(page.pass(&event), "");
        // It has read more than the console has heard.
        let mut page = Seen { missed_after: None, sent: 12 };
        assert_eq!(page.pass(&now), format!("id: 12\n{}", now.text));
    }
}
