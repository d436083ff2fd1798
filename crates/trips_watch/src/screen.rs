//! Draws lines: on a terminal those of running loads change in place, elsewhere all lines stay.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use crate::line;
use crate::session::{Event, Load};

/// How often a running load has a line where lines stay.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);
/// Running loads that have a line on a terminal.
const MAX_LINES: usize = 10;
/// Width of a terminal that does not say it.
const WIDTH: usize = 100;

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const CYAN: &str = "\x1b[36m";
const RESET: &str = "\x1b[0m";

/// Where lines are drawn.
pub struct Screen<W> {
    out: W,
    is_terminal: bool,
    has_color: bool,
    /// Lines at the end of the output that change.
    open_lines: usize,
    /// The last line of each running load, where lines stay.
    printed: BTreeMap<i64, (Instant, String)>,
    width: Option<usize>,
}

impl<W: Write> Screen<W> {
    /// Nothing is drawn yet.
    pub fn new(out: W, is_terminal: bool, has_color: bool) -> Self {
        Self { out, is_terminal, has_color, open_lines: 0, printed: BTreeMap::new(), width: None }
    }

    /// The session begins, or begins again.
    pub fn connected(&mut self, description: &str, is_again: bool) -> std::io::Result<()> {
        let again = if is_again { " again" } else { "" };
        let text =
            format!("connected{again} to {}; waiting for loads", trips_libpq::shown(description));
        self.line(&text)
    }

    /// Something about the session. The text may have lines of its own.
    pub fn warn(&mut self, text: &str) -> std::io::Result<()> {
        let text = self.colored(YELLOW, text);
        self.line(&text)
    }

    /// A load begins. On a terminal it gets its line when it is drawn.
    pub fn begins(&mut self, event: &Event, load: &Load) -> std::io::Result<()> {
        if self.is_terminal {
            return Ok(());
        }
        self.state(event, load, CYAN, &line::beginning(event, load))
    }

    /// A load was queued, or has ended.
    pub fn changes(&mut self, event: &Event, load: &Load) -> std::io::Result<()> {
        self.printed.remove(&event.load_id);
        let color = match event.state.as_str() {
            "loaded" => GREEN,
            "failed" => RED,
            "queued" => CYAN,
            _ => YELLOW,
        };
        self.state(event, load, color, &line::outcome(event, load))
    }

    fn state(
        &mut self,
        event: &Event,
        load: &Load,
        color: &str,
        text: &str,
    ) -> std::io::Result<()> {
        let clock = if load.clock.is_empty() { "        " } else { &load.clock };
        let state = self.colored(color, &format!("{:<9}", trips_libpq::shown(&event.state)));
        self.line(&format!("{clock}  load {:>5}  {state}  {text}", event.load_id))
    }

    /// Draws the lines of running loads.
    pub fn draw(&mut self, live: &[(&Event, &Load)]) -> std::io::Result<()> {
        if !self.is_terminal {
            return self.print_progress(live);
        }
        let width = self.width();
        let mut text = self.erase();
        for (event, load) in live.iter().take(MAX_LINES) {
            let number = format!("load {:>5}  ", event.load_id);
            // The last column stays free: some terminals wrap behind it.
            let line = line::running(event, load, width.saturating_sub(number.len() + 1));
            text += &format!("{number}{}\n", self.phase_in_color(&line));
        }
        if live.len() > MAX_LINES {
            text += &format!("and {} more\n", live.len() - MAX_LINES);
        }
        self.open_lines = live.len().min(MAX_LINES + 1);
        self.write(&text)
    }

    fn print_progress(&mut self, live: &[(&Event, &Load)]) -> std::io::Result<()> {
        let mut text = String::new();
        for (event, load) in live {
            let line = line::progress(event, load);
            let now = Instant::now();
            match self.printed.get(&event.load_id) {
                None => {
                    self.printed.insert(event.load_id, (now, line));
                }
                Some((at, last)) if now - *at >= PLAIN_INTERVAL && *last != line => {
                    text += &format!(
                        "{}  load {:>5}  {:<9}  {line}\n",
                        load.clock, event.load_id, "running"
                    );
                    self.printed.insert(event.load_id, (now, line));
                }
                Some(_) => (),
            }
        }
        self.write(&text)
    }

    /// A line that stays, above those that change.
    fn line(&mut self, text: &str) -> std::io::Result<()> {
        let erase = self.erase();
        self.write(&format!("{erase}{text}\n"))
    }

    /// Takes the lines away that change.
    fn erase(&mut self) -> String {
        match std::mem::take(&mut self.open_lines) {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\r\x1b[J"),
        }
    }

    fn write(&mut self, text: &str) -> std::io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    fn phase_in_color(&self, line: &str) -> String {
        match line.split_once(' ') {
            Some((phase, rest)) => format!("{} {rest}", self.colored(CYAN, phase)),
            None => line.into(),
        }
    }

    fn colored(&self, color: &str, text: &str) -> String {
        if self.has_color { format!("{color}{text}{RESET}") } else { text.into() }
    }

    /// Asked each time: a window changes its size.
    fn width(&self) -> usize {
        let size = || rustix::termios::tcgetwinsize(std::io::stdout()).ok();
        let found = self.width.or_else(|| size().map(|size| usize::from(size.ws_col)));
        found.filter(|&width| width >= 20).unwrap_or(WIDTH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(load_id: i64, state: &str) -> Event {
        Event { seq: 1, load_id, state: state.into(), bytes_done: 1, bytes_total: 2, rows_read: 3 }
    }

    fn drawn(is_terminal: bool, has_color: bool) -> String {
        let mut out = Vec::new();
        let mut screen =
            Screen { width: Some(80), ..Screen::new(&mut out, is_terminal, has_color) };
        let load =
            Load { source: Some("a.csv".into()), clock: "14:03:07".into(), ..Load::default() };
        let (one, two) = (event(1, "running"), event(2, "running"));
        screen.connected("database \"trips\"", false).unwrap();
        screen.begins(&one, &load).unwrap();
        screen.draw(&[(&one, &load)]).unwrap();
        screen.draw(&[(&one, &load), (&two, &load)]).unwrap();
        screen.changes(&event(1, "failed"), &load).unwrap();
        screen.draw(&[(&two, &load)]).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn running_loads_are_drawn_in_place() {
        let text = drawn(true, false);
        let one = "load     1  running      [##########..........]   50 %  3 rows  a.csv\n";
        let two = &one.replace("1  r", "2  r");
        let failed = "14:03:07  load     1  failed     trips.loads has no reason: a.csv\n";
        let expected = format!(
            "connected to database \"trips\"; waiting for loads\n{one}\x1b[1A\r\x1b[J{one}{two}\x1b[2A\r\x1b[J{failed}{two}"
        );
        assert_eq!(text, expected);
        let colored = drawn(true, true);
        assert!(
            colored.contains("\x1b[31mfailed   \x1b[0m")
                && colored.contains("\x1b[36mrunning\x1b[0m")
        );
    }

    #[test]
    fn lines_stay_elsewhere() {
        let expected = "connected to database \"trips\"; waiting for loads\n\
                        14:03:07  load     1  running    2 bytes: a.csv\n\
                        14:03:07  load     1  failed     trips.loads has no reason: a.csv\n";
        assert_eq!(drawn(false, false), expected);
    }
}
