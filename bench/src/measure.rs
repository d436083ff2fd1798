//! Seconds of a statement, and what it takes of memory and disk.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::Instant;

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
