//! Listens to the channel `trips_ingest`, and draws a line for each load.

use std::io::Write;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use postgres::fallible_iterator::FallibleIterator;
use postgres::{Client, Config, NoTls};
use serde::Deserialize;

/// Width of the bar.
const WIDTH: u64 = 30;
/// Delay before a lost connection is restored.
const RETRY: Duration = Duration::from_secs(1);

/// The state of a load.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Event {
    /// Number of the event.
    pub seq: i64,
    /// Number of the load.
    pub load_id: i64,
    /// queued, running, loaded, skipped or failed.
    pub state: String,
    /// Bytes of the file that are done.
    pub bytes_done: u64,
    /// Size of the file, bytes.
    pub bytes_total: u64,
    /// Rows read so far.
    pub rows_read: u64,
}

impl Event {
    /// One line: bar, percentage, bytes, rows.
    #[must_use]
    pub fn line(&self) -> String {
        let total = self.bytes_total.max(1);
        let done = self.bytes_done.min(total);
        let full = usize::try_from(done * WIDTH / total).unwrap_or(0);
        let rest = usize::try_from(WIDTH).unwrap_or(0) - full;
        format!(
            "load {:>5}  {:<8} [{}{}] {:>3} %  {:>8.1} of {:.1} MB  {:>11} rows",
            self.load_id,
            self.state,
            "#".repeat(full),
            ".".repeat(rest),
            done * 100 / total,
            megabytes(self.bytes_done),
            megabytes(self.bytes_total),
            self.rows_read,
        )
    }

    /// Whether the load has ended.
    #[must_use]
    pub fn is_last(&self) -> bool {
        !matches!(self.state.as_str(), "queued" | "running")
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number for people")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Passes every event to `on_event`, until it breaks. After a lost connection, it connects again and reads the missed
/// events: no event is skipped.
///
/// # Errors
/// When the first connection fails, or the database does not have the extension.
pub fn watch(
    config: &Config,
    on_event: &mut dyn FnMut(&Event) -> ControlFlow<()>,
) -> Result<(), postgres::Error> {
    let mut client = config.connect(NoTls)?;
    let row = client.query_one("SELECT coalesce(max(seq), 0) FROM trips.events", &[])?;
    let mut last: i64 = row.get(0);
    loop {
        match listen(&mut client, &mut last, on_event) {
            Ok(()) => return Ok(()),
            Err(error) => eprintln!("{error}; connecting again"),
        }
        client = loop {
            std::thread::sleep(RETRY);
            if let Ok(client) = config.connect(NoTls) {
                break client;
            }
        };
    }
}

fn listen(
    client: &mut Client,
    last: &mut i64,
    on_event: &mut dyn FnMut(&Event) -> ControlFlow<()>,
) -> Result<(), postgres::Error> {
    // Listen first, then query. Events in between arrive twice, and are recognized by their number.
    client.batch_execute("LISTEN trips_ingest")?;
    let missed = "SELECT row_to_json(e)::text FROM trips.events_since($1) AS e";
    for row in client.query(missed, &[last])? {
        if accept(row.get(0), last, on_event).is_break() {
            return Ok(());
        }
    }
    let mut notifications = client.notifications();
    let mut received = notifications.blocking_iter();
    while let Some(notification) = received.next()? {
        if accept(notification.payload(), last, on_event).is_break() {
            return Ok(());
        }
    }
    Ok(())
}

fn accept(
    json: &str,
    last: &mut i64,
    on_event: &mut dyn FnMut(&Event) -> ControlFlow<()>,
) -> ControlFlow<()> {
    match serde_json::from_str::<Event>(json) {
        Ok(event) if event.seq > *last => {
            *last = event.seq;
            on_event(&event)
        }
        _ => ControlFlow::Continue(()),
    }
}

/// Draws events on a terminal: the line of a running load is updated.
pub struct Screen<W> {
    out: W,
    /// The load whose line is open.
    open: Option<i64>,
    began: Instant,
}

impl<W: Write> Screen<W> {
    /// Nothing is drawn yet.
    pub fn new(out: W) -> Self {
        Self { out, open: None, began: Instant::now() }
    }

    /// Draws an event.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn draw(&mut self, event: &Event) -> std::io::Result<()> {
        if self.open == Some(event.load_id) {
            write!(self.out, "\r")?;
        } else {
            if self.open.is_some() {
                writeln!(self.out)?;
            }
            self.began = Instant::now();
        }
        write!(self.out, "{}  {:>6.1} s", event.line(), self.began.elapsed().as_secs_f64())?;
        self.open = Some(event.load_id);
        if event.is_last() {
            writeln!(self.out)?;
            self.open = None;
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(state: &str, bytes_done: u64, bytes_total: u64) -> Event {
        Event { seq: 1, load_id: 7, state: state.into(), bytes_done, bytes_total, rows_read: 42 }
    }

    #[test]
    fn lines() {
        let line = event("running", 130_000_000, 260_000_000).line();
        assert_eq!(
            line,
            "load     7  running  [###############...............]  50 %     130.0 of 260.0 MB           42 rows"
        );
        assert!(event("loaded", 0, 0).line().contains("  0 %"));
        assert!(event("loaded", 9, 5).line().contains("100 %"));
    }

    #[test]
    fn a_load_is_drawn_in_place() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out);
        for e in [event("running", 1, 2), event("running", 2, 2), event("loaded", 2, 2)] {
            screen.draw(&e).unwrap();
        }
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches('\r').count(), 2);
        assert_eq!(text.matches('\n').count(), 1);
    }
}
