//! The words of a line.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::session::{Event, Load};
use trips_libpq::shown;

/// Width of the bar.
const BAR: usize = 20;

/// How far a running load is.
struct Position<'a> {
    phase: &'a str,
    done: u64,
    total: u64,
    rows: u64,
    rate: Option<f64>,
    left: Option<f64>,
}

/// From its progress, if the role may see it; otherwise from its last event.
#[expect(clippy::cast_precision_loss, reason = "a number for people")]
fn position<'a>(event: &'a Event, load: &'a Load) -> Position<'a> {
    if let Some(progress) = &load.progress {
        return Position {
            phase: &progress.phase,
            done: progress.bytes_done.max(event.bytes_done),
            total: progress.bytes_total,
            rows: progress.rows_read.max(event.rows_read),
            rate: progress.bytes_per_second,
            left: progress.seconds_left,
        };
    }
    let (done, total) = (event.bytes_done, event.bytes_total);
    let rate = load.seconds.filter(|&s| s > 0.0 && done > 0).map(|seconds| done as f64 / seconds);
    let left = rate.map(|rate| total.saturating_sub(done) as f64 / rate);
    Position { phase: &event.state, done, total, rows: event.rows_read, rate, left }
}

/// The parts of a line of a running load, in their order, each with its importance: the least are left out of narrow
/// terminals.
fn parts(event: &Event, load: &Load, with_bar: bool) -> Vec<(u8, String)> {
    let Position { phase, done, total, rows, rate, left } = position(event, load);
    let mut parts = vec![(9, format!("{phase:<11}"))];
    if total > 0 {
        let done = done.min(total);
        if with_bar {
            let full = usize::try_from(done * BAR as u64 / total).unwrap_or(0);
            parts.push((4, format!("[{}{}]", "#".repeat(full), ".".repeat(BAR - full))));
        }
        parts.push((8, format!("{:>3} %", done * 100 / total)));
        parts.push((2, format!("{} of {}", bytes(done), bytes(total))));
        parts.extend(rate.filter(|_| done > 0).map(|rate| (5, format!("{:.1} MB/s", rate / 1e6))));
    }
    parts.push((3, format!("{} rows", grouped(rows))));
    match left.filter(|_| total > 0) {
        Some(left) => parts.push((6, format!("{} left", duration(left.max(0.0))))),
        None => parts.extend(load.seconds.map(|seconds| (6, duration(seconds)))),
    }
    parts
}

/// The line of a running load, without its number, as wide as this at most.
pub fn running(event: &Event, load: &Load, width: usize) -> String {
    let mut parts = parts(event, load, true);
    let wide =
        |parts: &[(u8, String)]| parts.iter().map(|(_, text)| text.width() + 2).sum::<usize>();
    while parts.len() > 2 && wide(&parts) > width {
        let least = (0..parts.len()).min_by_key(|&i| parts[i].0).unwrap_or(0);
        parts.remove(least);
    }
    let rest = width.saturating_sub(wide(&parts));
    let texts: Vec<String> = parts.into_iter().map(|(_, text)| text).collect();
    let name = source(load);
    if rest < 12 || name.is_empty() {
        return texts.join("  ");
    }
    format!("{}  {}", texts.join("  "), end_of(&name, rest))
}

/// A line of a running load that stays.
pub fn progress(event: &Event, load: &Load) -> String {
    let texts: Vec<String> =
        parts(event, load, false).into_iter().map(|(_, text)| text.trim().into()).collect();
    named(texts.join(", "), load)
}

/// What a load begins with.
pub fn beginning(event: &Event, load: &Load) -> String {
    let size = if event.bytes_total > 0 { bytes(event.bytes_total) } else { String::new() };
    named(size, load)
}

/// How a load has ended.
pub fn outcome(event: &Event, load: &Load) -> String {
    match event.state.as_str() {
        "loaded" => {
            let [read, inserted, duplicate, corrected, staged] = load.rows;
            let mut text = format!("{} rows read: {} inserted", grouped(read), grouped(inserted));
            for (count, what) in
                [(duplicate, "duplicate"), (corrected, "corrected"), (staged, "staged")]
            {
                if count > 0 || what != "corrected" {
                    text += &format!(", {} {what}", grouped(count));
                }
            }
            named(text + &time(load, read), load)
        }
        "skipped" => {
            let same = load
                .same_as
                .map_or(String::new(), |same| format!("load {same} has the same bytes"));
            named(same, load)
        }
        "failed" => named(failure(load), load),
        "retracted" => named(format!("{} trips were inserted", grouped(load.rows[1])), load),
        _ => named(String::new(), load),
    }
}

fn failure(load: &Load) -> String {
    let code = load.error_code.as_deref().unwrap_or_default();
    let message = load.error.as_deref().unwrap_or("trips.loads has no reason");
    let hint = load.hint.as_deref().map_or(String::new(), |hint| format!(" (hint: {hint})"));
    // A message of the ledger has a second line for readers without its details.
    shown(format!("{code} {message}{hint}").replace('\n', " ").trim())
}

#[expect(clippy::cast_precision_loss, reason = "a number for people")]
fn time(load: &Load, rows: u64) -> String {
    let Some(seconds) = load.seconds else { return String::new() };
    let mut text = format!("; {}", duration(seconds));
    if seconds >= 0.1 && rows > 0 {
        text += &format!(", {} rows/s", grouped((rows as f64 / seconds).round()));
    }
    text
}

fn named(text: String, load: &Load) -> String {
    match (text.is_empty(), source(load)) {
        (_, name) if name.is_empty() => text,
        (true, name) => name,
        (false, name) => format!("{text}: {name}"),
    }
}

fn source(load: &Load) -> String {
    shown(load.source.as_deref().unwrap_or_default())
}

/// The end of a name that is too wide: it says more than the begin.
fn end_of(name: &str, width: usize) -> String {
    if name.width() <= width {
        return name.into();
    }
    let mut rest = width.saturating_sub(1);
    let fits = |&(_, c): &(usize, char)| {
        let wide = c.width().unwrap_or(0);
        let fits = wide <= rest;
        rest = rest.saturating_sub(wide);
        fits
    };
    let first = name.char_indices().rev().take_while(fits).last().map_or(name.len(), |(at, _)| at);
    format!("…{}", &name[first..])
}

#[expect(clippy::cast_precision_loss, reason = "a number for people")]
fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..10_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

fn grouped(number: impl std::fmt::Display) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number for people")]
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 if seconds < 10.0 => format!("{seconds:.1} s"),
        0..60 => format!("{whole} s"),
        60..3_600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3_600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Progress;

    fn event(state: &str) -> Event {
        Event {
            seq: 1,
            load_id: 7,
            state: state.into(),
            bytes_done: 5,
            bytes_total: 10,
            rows_read: 42,
        }
    }

    fn load() -> Load {
        Load {
            source: Some("/data/inbox/may\x1b[2J.csv".into()),
            rows: [5_000_000, 4_999_000, 990, 0, 10],
            seconds: Some(23.31),
            progress: Some(Progress {
                phase: "inserting".into(),
                bytes_done: 348_200_000,
                bytes_total: 633_500_000,
                rows_read: 2_879_880,
                bytes_per_second: Some(42_100_000.0),
                seconds_left: Some(6.78),
            }),
            ..Load::default()
        }
    }

    #[test]
    fn a_running_load() {
        let line = running(&event("running"), &load(), 130);
        let expected = "inserting    [##########..........]   54 %  348.2 MB of 633.5 MB  42.1 MB/s  2,879,880 rows  6.8 s left  …a/inbox/may\\u{1b}[2J.csv";
        assert_eq!(line, expected);
        assert_eq!(running(&event("running"), &load(), 32), "inserting     54 %  6.8 s left");
        // The loads of others, whose progress the role may not see.
        let others = Load { seconds: Some(2.0), ..Load::default() };
        let line = running(&event("running"), &others, 100);
        assert!(
            line.ends_with("50 %  5 bytes of 10 bytes  0.0 MB/s  42 rows  2.0 s left"),
            "{line}"
        );
        let bare = running(&event("running"), &Load::default(), 80);
        assert_eq!(
            bare,
            "running      [##########..........]   50 %  5 bytes of 10 bytes  42 rows"
        );
        let expected = "inserting, 54 %, 348.2 MB of 633.5 MB, 42.1 MB/s, 2,879,880 rows, 6.8 s left: /data/inbox/may\\u{1b}[2J.csv";
        assert_eq!(progress(&event("running"), &load()), expected);
    }

    #[test]
    fn ends() {
        let expected = "5,000,000 rows read: 4,999,000 inserted, 990 duplicate, 10 staged; 23 s, 214,500 rows/s: /data/inbox/may\\u{1b}[2J.csv";
        assert_eq!(outcome(&event("loaded"), &load()), expected);
        let failed = Load {
            error_code: Some("22P04".into()),
            error: Some("no \x07 header".into()),
            hint: Some("Look at the file.".into()),
            source: Some("a".into()),
            ..Load::default()
        };
        assert_eq!(
            outcome(&event("failed"), &failed),
            "22P04 no \\u{7} header (hint: Look at the file.): a"
        );
        let skipped = Load { same_as: Some(3), source: Some("b".into()), ..Load::default() };
        assert_eq!(outcome(&event("skipped"), &skipped), "load 3 has the same bytes: b");
    }

    #[test]
    fn numbers() {
        assert_eq!([0, 999, 1_000, 12_345_678].map(grouped), ["0", "999", "1,000", "12,345,678"]);
        let expected = ["0.0 s", "9.9 s", "12 s", "1 min 05 s", "2 h 03 min"];
        assert_eq!([0.01, 9.9, 12.2, 65.4, 7_400.0].map(duration), expected);
        assert_eq!(end_of("北京北京.csv", 7), "…京.csv");
    }
}
