//! What small loads cost: one trip into a large roll-up and into an empty database, and many small files by one run.

use std::fmt::Write;

use postgres::Client;
use trips_tests::{Cluster, FIVE_COLUMNS};

use crate::measure::{generate, ingest, seconds};
use crate::report::{Spread, machine, save};
use crate::{Result, SETTINGS};

/// Trips of a file of the run.
const TRIPS: u64 = 100;
/// Ten years, a hundred regions, five datasources: 1,825,000 rows of the roll-up, 59,200 weekly sums.
const TEN_YEARS: &str = "
INSERT INTO trips.daily_trip_counts
SELECT date '2009-01-01' + d, 'region ' || r, 'source ' || s, 10
  FROM generate_series(0, 3649) AS d, generate_series(1, 100) AS r, generate_series(1, 5) AS s;
INSERT INTO trips.weekly_trip_counts
SELECT region, to_char(day::timestamp, 'YYYY-MM-\"0\"W'), sum(trips) FROM trips.daily_trip_counts GROUP BY 1, 2;
REFRESH MATERIALIZED VIEW trips.summarized_trip_data";

/// Loads so many files of one trip into each of two databases, in turns; and so many files of 100 trips by
/// `trips.ingest_new`.
pub fn run(files: u64, rounds: u64) -> Result<()> {
    let settings = format!("{SETTINGS}max_worker_processes = 8\n");
    let cluster = Cluster::start_bare(&settings);
    let mut client = cluster.client();
    let mut text = format!("{}\n\n{}\n\n", machine(), settings.trim_end());
    text.push_str("| milliseconds | median | least | greatest |\n|---|---|---|---|\n");
    let [large, empty] = one_trip(&cluster, &mut client, rounds)?;
    for (name, s) in
        [("one trip, roll-up of 1,825,000 rows", large), ("one trip, empty database", empty)]
    {
        let [median, least, greatest] = [s.median, s.least, s.greatest].map(|s| s * 1e3);
        writeln!(text, "| {name} | {median:.1} | {least:.1} | {greatest:.1} |")?;
    }
    writeln!(text, "\nratio of the medians: {:.2} (goal ≤ 3)", large.median / empty.median)?;
    let per_file = run_of_files(&cluster, files)? / f64::from(u32::try_from(files)?) * 1e3;
    writeln!(
        text,
        "{files} files of {TRIPS} trips by ingest_new: {per_file:.1} ms each (goal ≤ 10)"
    )?;
    println!("\n{text}");
    save("small.md", &text)
}

fn one_trip(cluster: &Cluster, client: &mut Client, rounds: u64) -> Result<[Spread; 2]> {
    client.batch_execute("CREATE EXTENSION trips_pipeline")?;
    client.batch_execute(TEN_YEARS)?;
    client.batch_execute("VACUUM ANALYZE")?;
    client.batch_execute("CREATE DATABASE empty")?;
    let mut other = cluster.client_of("empty");
    other.batch_execute("CREATE EXTENSION trips_pipeline")?;
    let mut measured: [Vec<f64>; 2] = Default::default();
    for round in 0..=rounds {
        let line = format!(
            "region 7,POINT (14.4 50.0),POINT (14.5 50.1),2018-05-28 09:00:00.{round:06},source 1\n"
        );
        let path = cluster.file("one.csv", format!("{FIVE_COLUMNS}{line}"));
        for (client, measured) in [&mut *client, &mut other].into_iter().zip(&mut measured) {
            let elapsed = ingest(client, &path, [1, 0, 0])?;
            // The first one makes the partition.
            measured.extend((round > 0).then_some(elapsed));
        }
    }
    Ok(measured.map(|measured| Spread::of(&measured)))
}

/// Seconds of one run over so many files, in a database of its own.
fn run_of_files(cluster: &Cluster, files: u64) -> Result<f64> {
    cluster.client().batch_execute("CREATE DATABASE files")?;
    let mut client = cluster.client_of("files");
    client.batch_execute("CREATE EXTENSION trips_pipeline")?;
    for i in 0..files {
        generate(cluster, &format!("many_{i:06}.csv"), TRIPS, i + 1, 0)?;
    }
    let pattern = cluster.path("many_*.csv");
    let elapsed =
        seconds(|| Ok(client.batch_execute(&format!("CALL trips.ingest_new('{pattern}')"))?))?;
    let loaded: i64 = client
        .query_one(
            "SELECT count(*) FROM trips.loads WHERE state = 'loaded' AND rows_read = 100",
            &[],
        )?
        .get(0);
    if u64::try_from(loaded)? == files {
        Ok(elapsed)
    } else {
        Err(format!("{loaded} files were loaded").into())
    }
}
