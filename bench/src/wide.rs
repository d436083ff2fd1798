//! Files of feeds with many columns: a bare COPY of the file, and loads with and without `details`, in turns.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write as _};

use chrono::NaiveDate;
use postgres::Client;
use trips_datagen::wide::{self, WideFeed};
use trips_tests::Cluster;

use crate::measure::{empty_history, seconds};
use crate::report::{Spread, machine, save};
use crate::{Result, SETTINGS, start_cluster};

/// The feed of Lyft without `details`, as a feed of a user.
const PLAIN: &str = "SELECT trips.create_feed('lyft_plain', definition - 'details' - 'name' #- '{identity,namespace}')
                       FROM trips.all_feeds WHERE name = 'lyft'";

/// What is measured, in the order of a round.
const CASES: [(&str, WideFeed, Option<&str>); 5] = [
    ("Lyft, 13 columns: bare COPY", WideFeed::Lyft, None),
    ("Lyft, 13 columns: load", WideFeed::Lyft, Some("lyft")),
    ("Lyft, 13 columns: load without details", WideFeed::Lyft, Some("lyft_plain")),
    ("TLC yellow by zones: bare COPY", WideFeed::TlcYellow, None),
    ("TLC yellow by zones: load", WideFeed::TlcYellow, Some("tlc_yellow")),
];

/// Runs the rounds, and prints medians and ratios to the bare COPY of the same file.
pub fn run(rows: u64, rounds: u64) -> Result<()> {
    let cluster = start_cluster()?;
    let mut client = cluster.client();
    println!("{}\n{}\n{rows} rows, {rounds} rounds", machine(), SETTINGS.trim_end());
    let lyft = generate(&cluster, "lyft.csv", WideFeed::Lyft, rows)?;
    let tlc = generate(&cluster, "tlc.csv", WideFeed::TlcYellow, rows)?;
    let (mut measured, mut sizes) = (BTreeMap::<&str, Vec<f64>>::new(), BTreeMap::new());
    for round in 1..=rounds {
        for (name, file, feed) in CASES {
            let path = if file == WideFeed::Lyft { &lyft } else { &tlc };
            let elapsed = match feed {
                None => bare_copy(&mut client, path)?,
                Some(feed) => load(&mut client, path, feed, i64::try_from(rows)?)?,
            };
            println!("round {round}: {name} {elapsed:.3}");
            measured.entry(name).or_default().push(elapsed);
            sizes.entry(name).or_insert(size(&mut client)?);
        }
    }
    report(rows, rounds, &measured, &sizes)
}

fn generate(cluster: &Cluster, name: &str, feed: WideFeed, rows: u64) -> Result<String> {
    let path = cluster.file(name, "");
    let month = NaiveDate::from_ymd_opt(2021, 2, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&path)?);
    wide::write(feed, (rows, 7), month.ok_or("a date")?, &mut file)?;
    file.flush()?;
    Ok(path)
}

/// Seconds of a COPY into a table of varchar columns without an index.
fn bare_copy(client: &mut Client, path: &str) -> Result<f64> {
    let mut header = String::new();
    BufReader::new(File::open(path)?).read_line(&mut header)?;
    let columns = header.trim().split(',').map(|name| format!("\"{name}\" varchar"));
    let columns = columns.collect::<Vec<_>>().join(", ");
    empty_history(client)?;
    client.batch_execute(&format!(
        "DROP TABLE IF EXISTS bare; CREATE TABLE bare ({columns}); CHECKPOINT"
    ))?;
    let copy = format!("COPY bare FROM '{path}' (FORMAT csv, HEADER)");
    seconds(|| Ok(client.batch_execute(&copy)?))
}

/// Seconds of a load into an empty history.
fn load(client: &mut Client, path: &str, feed: &str, rows: i64) -> Result<f64> {
    client.batch_execute("DROP TABLE IF EXISTS bare")?;
    empty_history(client)?;
    client.execute(PLAIN, &[])?;
    client.batch_execute("CHECKPOINT")?;
    let ingest = "SELECT rows_inserted FROM trips.ingest($1, feed => $2)";
    let mut inserted = 0;
    let elapsed = seconds(|| {
        inserted = client.query_one(ingest, &[&path, &feed])?.get(0);
        Ok(())
    })?;
    if inserted == rows {
        Ok(elapsed)
    } else {
        Err(format!("{path}: {inserted} of {rows} trips were inserted").into())
    }
}

/// MB of the bare table, or of the heap and of the index of the history.
fn size(client: &mut Client) -> Result<(i64, i64)> {
    let query = "SELECT coalesce(sum(pg_table_size(oid)), 0)::bigint >> 20,
                        coalesce(sum(pg_indexes_size(oid)), 0)::bigint >> 20
                   FROM pg_class
                  WHERE oid = to_regclass('bare')
                     OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass('trips.hist_trip_data'))";
    let row = client.query_one(query, &[])?;
    Ok((row.get(0), row.get(1)))
}

fn report(
    rows: u64,
    rounds: u64,
    measured: &BTreeMap<&str, Vec<f64>>,
    sizes: &BTreeMap<&str, (i64, i64)>,
) -> Result<()> {
    let mut text = format!("{}\n\n{rows} rows, {rounds} rounds\n\n", machine());
    text.push_str(
        "| seconds | median | least | greatest | / bare COPY | heap, MB | index, MB |\n|---|---|---|---|---|---|---|\n",
    );
    let mut copy = f64::NAN;
    for (name, _, feed) in CASES {
        let spread = Spread::of(&measured[name]);
        if feed.is_none() {
            copy = spread.median;
        }
        let (Spread { median, least, greatest }, (heap, index)) = (spread, sizes[name]);
        let ratio = median / copy;
        writeln!(
            text,
            "| {name} | {median:.3} | {least:.3} | {greatest:.3} | {ratio:.2} | {heap} | {index} |"
        )?;
    }
    println!("\n{text}");
    save("wide.md", &text)
}
