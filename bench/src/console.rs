//! How long the views of the page take with many trips, what it takes of memory, and what a load costs with many pages.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use postgres::config::Host;
use serde_json::{Value, json};
use trips_tests::{Cluster, Console, Events};

use crate::measure::{generate, ingest};
use crate::processor;
use crate::report::{Spread, machine, save};
use crate::{Result, SETTINGS, start_cluster};

/// The views, as the page asks for them. The files are of months from May 2018.
const VIEWS: [(&str, &str); 20] = [
    ("Status", "status"),
    ("Now", "now"),
    ("Loads", "loads"),
    ("Loads, one load", "loads/1"),
    ("Health", "health"),
    ("Trips by week", "trips"),
    ("Trips by day, compared", "trips?period=day&compare=year"),
    ("Trips, a region by datasource", "trips?region=Prague&by=datasource"),
    ("Weekly averages as CSV", "weekly.csv"),
    ("Map, the newest month", "cells?zoom=9"),
    ("Map, a region and a month", "cells?zoom=11&region=Prague&since=2018-07-01&until=2018-07-31"),
    ("Map, destinations, all of the history", "cells?zoom=9&which=destination&since=2018-05-01"),
    ("Map, smallest cells, all of the history", "cells?zoom=14&since=2018-05-01"),
    ("Flows of a region", "flows?zoom=10&region=Prague"),
    ("Flows of all regions", "flows?zoom=10"),
    ("When, a region and a month", "when?region=Prague&since=2018-07-01&until=2018-07-31"),
    ("When, all of the history", "when?since=2018-05-01"),
    ("Staging", "staging"),
    ("Feeds", "feeds"),
    ("Regions", "regions?prefix=p"),
];

/// Calls of each view, and pages that listen.
const CALLS: usize = 11;
const PAGES: usize = 100;
/// Time after a load in which the console hears of its end, and tells it.
const LAST_MESSAGE: Duration = Duration::from_secs(1);
/// The longest time until all pages are told of the end of a load.
const PATIENCE: Duration = Duration::from_secs(120);

/// Loads the files, and measures.
pub fn run(files: u64, rows: u64, rounds: u64) -> Result<()> {
    let cluster = start_cluster()?;
    let mut client = cluster.client();
    println!("{}\n{}\n{files} files of {rows} rows", machine(), SETTINGS.trim_end());
    for file in 0..files {
        let path = generate(&cluster, "file.csv", rows, file + 1, u32::try_from(file)?)?;
        ingest(&mut client, &path, [i64::try_from(rows)?, 0, 0])?;
        fs::remove_file(&path)?;
    }
    client.batch_execute("VACUUM ANALYZE")?;
    let mut text = format!("{}\n\n{} trips\n\n", machine(), files * rows);
    let console = start(&cluster)?;
    let first = counted(&console, "cells?zoom=9")?;
    let all = counted(&console, "cells?zoom=9&since=2018-05-01")?;
    writeln!(text, "counts of the newest month: {first:.1} s, of all the others: {all:.1} s\n")?;
    text.push_str("| view | ms, median | least | greatest |\n|---|---|---|---|\n");
    let mut measured = BTreeMap::new();
    for (name, path) in VIEWS {
        let spread = milliseconds(|| view(&console, path))?;
        writeln!(
            text,
            "| {name} | {:.1} | {:.1} | {:.1} |",
            spread.median, spread.least, spread.greatest
        )?;
        measured.insert(name, spread.median);
    }
    let drawn = json!({ "box": [14.29, 49.93, 14.59, 50.23] });
    let spread = milliseconds(|| {
        let reply = console.post("/api/area", &drawn);
        if reply.status == 200 { Ok(()) } else { Err(reply.body.into()) }
    })?;
    writeln!(
        text,
        "| Area of a city, all of the history | {:.1} | {:.1} | {:.1} |",
        spread.median, spread.least, spread.greatest
    )?;
    writeln!(text, "\nmemory after these views: {} MB", memory(&console)?)?;
    drop(console);
    let Loads { without, with, listening, processor } = with_pages(&cluster, rows, files, rounds)?;
    let ratio = with.median / without.median;
    writeln!(text, "memory with {PAGES} pages: {listening} MB")?;
    writeln!(
        text,
        "load of {rows} rows, median of {rounds}: {:.2} s without a page, {:.2} s with {PAGES}: ratio {ratio:.3}",
        without.median, with.median,
    )?;
    writeln!(
        text,
        "processor time of the console in such a load, average: {:.0} ms without a page, {:.0} ms with {PAGES}",
        processor[0], processor[1],
    )?;
    println!("\n{text}");
    save("console.md", &text)?;
    let json = json!({
        "machine": machine(), "settings": SETTINGS, "files": files, "rows": rows, "views_ms": measured,
        "area_ms": spread.median, "load_seconds": [without.median, with.median], "memory_mb": listening, "console_ms": processor,
    });
    save("console.json", &serde_json::to_string_pretty(&json)?)
}

/// The program, which is in this one.
fn start(cluster: &Cluster) -> Result<Console> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("console-program").env("PGUSER", "postgres").env("PGDATABASE", "trips");
    if let Some(Host::Unix(path)) = cluster.config().get_hosts().first() {
        command.env("PGHOST", path);
    }
    Ok(Console::start(&mut command))
}

fn view(console: &Console, path: &str) -> Result<()> {
    let reply = console.get(&format!("/api/{path}"));
    if reply.status == 200 { Ok(()) } else { Err(format!("{path}: {}", reply.body).into()) }
}

/// Seconds until nothing of a view is missing.
fn counted(console: &Console, path: &str) -> Result<f64> {
    let begin = Instant::now();
    loop {
        let reply = console.get(&format!("/api/{path}"));
        let found: Value = serde_json::from_str(&reply.body)?;
        match (found["missing"].as_array(), found["older"].as_array()) {
            (Some(missing), Some(older)) if missing.is_empty() && older.is_empty() => {
                return Ok(begin.elapsed().as_secs_f64());
            }
            (Some(_), _) => (),
            (None, _) if reply.status == 503 => thread::sleep(Duration::from_millis(100)),
            (None, _) => return Err(reply.body.into()),
        }
    }
}

/// One call to warm up, and then the measured ones.
fn milliseconds(mut call: impl FnMut() -> Result<()>) -> Result<Spread> {
    call()?;
    let mut found = Vec::new();
    for _ in 0..CALLS {
        let begin = Instant::now();
        call()?;
        found.push(1000.0 * begin.elapsed().as_secs_f64());
    }
    Ok(Spread::of(&found))
}

/// The greatest resident memory so far, MB.
fn memory(console: &Console) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", console.pid()))?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).ok_or("no memory")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse::<u64>()? / 1024)
}

/// Seconds of loads without and with pages that listen, in turns.
struct Loads {
    without: Spread,
    with: Spread,
    /// The memory of the console, MB.
    listening: u64,
    /// Milliseconds of its processor time in a load, without and with pages.
    processor: [f64; 2],
}

fn with_pages(cluster: &Cluster, rows: u64, files: u64, rounds: u64) -> Result<Loads> {
    let mut client = cluster.client();
    let (mut without, mut with, mut used) = (Vec::new(), Vec::new(), [0.0; 2]);
    let console = start(cluster)?;
    // It counts months when it starts.
    counted(&console, "cells?zoom=9&since=2018-05-01")?;
    for round in 0..2 * rounds {
        // Each into a month of its own, of which the history has none.
        let month = u32::try_from(files + 1 + round)?;
        let path = generate(cluster, "file.csv", rows, 1000 + round, month)?;
        let expected = [i64::try_from(rows)?, 0, 0];
        if round % 2 == 0 {
            let before = processor::of_process(console.pid())?;
            without.push(ingest(&mut client, &path, expected)?);
            thread::sleep(LAST_MESSAGE);
            used[0] += processor::of_process(console.pid())? - before;
        } else {
            let mut pages: Vec<_> = (0..PAGES).map(|_| console.events(None)).collect();
            pages.iter_mut().for_each(|page| drop(page.next("now")));
            let pages = pages.into_iter().map(Events::into_stream).collect();
            let reader = thread::spawn(|| read_to_end_of_load(pages));
            let before = processor::of_process(console.pid())?;
            with.push(ingest(&mut client, &path, expected)?);
            thread::sleep(LAST_MESSAGE);
            reader.join().map_err(|_| "the pages have failed")??;
            used[1] += processor::of_process(console.pid())? - before;
        }
        fs::remove_file(&path)?;
    }
    let loads = u32::try_from(rounds).map(f64::from)?;
    let processor = used.map(|seconds| 1000.0 * seconds / loads);
    let (without, with) = (Spread::of(&without), Spread::of(&with));
    Ok(Loads { without, with, listening: memory(&console)?, processor })
}

/// Reads the streams of pages until each was told that the load has ended. Real pages are on other machines: so these need
/// little of the processors, one thread for all of them.
fn read_to_end_of_load(streams: Vec<TcpStream>) -> std::io::Result<()> {
    let mut pages: Vec<_> = streams.into_iter().map(|stream| (stream, Vec::new())).collect();
    let end = Instant::now() + PATIENCE;
    while !pages.is_empty() {
        if Instant::now() > end {
            return Err(ErrorKind::TimedOut.into());
        }
        let mut waiting = Vec::new();
        for (mut stream, mut read) in pages {
            if !is_told(&mut stream, &mut read)? {
                waiting.push((stream, read));
            }
        }
        pages = waiting;
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Reads what a page got, and whether the end of the load is in it.
fn is_told(stream: &mut TcpStream, read: &mut Vec<u8>) -> std::io::Result<bool> {
    let mut buffer = [0; 1 << 14];
    stream.set_nonblocking(true)?;
    match stream.read(&mut buffer) {
        Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
        Ok(count) => read.extend_from_slice(&buffer[..count]),
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
        Err(error) => return Err(error),
    }
    let find =
        |from: usize, text: &[u8]| read[from..].windows(text.len()).position(|at| at == text);
    let Some(event) = find(0, b"event: load\n") else { return Ok(false) };
    // The names of states are in no other member of an event.
    Ok(find(event, br#""loaded""#).is_some())
}
