//! Seconds of a statement, and what it takes of memory and disk.

use std::fs;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use postgres::Client;
use trips_datagen::Shape;
use trips_tests::Cluster;

use crate::Result;

/// Days of a generated month.
pub const DAYS: u32 = 28;

/// Writes a file of generated trips that the server can read: of the first 28 days of a calendar
/// month, counted from May 2018 as 0.
pub fn generate(cluster: &Cluster, name: &str, rows: u64, seed: u64, month: u32) -> Result<String> {
    let path = cluster.file(name, "");
    let mut shape = Shape { rows, seed, days: DAYS, ..Shape::default() };
    shape.first_day = shape.first_day + chrono::Months::new(month);
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&path)?);
    trips_datagen::write(&shape, &mut file)?;
    file.flush()?;
    Ok(path)
}

/// Seconds that `work` takes.
pub fn seconds<T>(work: impl FnOnce() -> Result<T>) -> Result<f64> {
    let begin = Instant::now();
    work()?;
    Ok(begin.elapsed().as_secs_f64())
}

/// Ingests a file after a checkpoint; returns the seconds.
pub fn ingest(client: &mut Client, path: &str, expected: [i64; 3]) -> Result<f64> {
    client.batch_execute("CHECKPOINT")?;
    let begin = Instant::now();
    let row = client.query_one(
        "SELECT rows_inserted, rows_duplicate, rows_staged FROM trips.ingest($1)",
        &[&path],
    )?;
    let elapsed = begin.elapsed().as_secs_f64();
    let found: [i64; 3] = [row.get(0), row.get(1), row.get(2)];
    if found == expected {
        Ok(elapsed)
    } else {
        Err(format!("{path}: inserted, duplicate, staged are {found:?}, not {expected:?}").into())
    }
}

/// Runs `work` and returns its result and the most private memory (`RssAnon`, bytes) that the
/// backend of the client had meanwhile.
pub fn peak_memory<T>(
    client: &mut Client,
    work: impl FnOnce(&mut Client) -> Result<T>,
) -> Result<(T, u64)> {
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    let (done, peak) = (AtomicBool::new(false), AtomicU64::new(0));
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                peak.fetch_max(rss_anon(pid), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let result = work(client);
        done.store(true, Ordering::Relaxed);
        result
    })?;
    Ok((result, peak.into_inner()))
}

fn rss_anon(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// The extension anew, without any data.
pub fn empty_history(client: &mut Client) -> Result<()> {
    client.batch_execute("DROP EXTENSION trips_pipeline; CREATE EXTENSION trips_pipeline")?;
    Ok(())
}

/// Bytes of temporary files that the database has written so far.
pub fn temporary_bytes(client: &mut Client) -> Result<i64> {
    let query = "SELECT temp_bytes FROM pg_stat_database WHERE datname = current_database()";
    Ok(client.query_one(query, &[])?.get(0))
}
