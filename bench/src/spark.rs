//! The Spark load against the plain JDBC write of the same rows, on the same Spark cluster: a master and two
//! workers of 1 core and 1 GB.

use std::fmt::Write;

use postgres::Client;
use trips_tests::Spark;

use crate::measure::{empty_history, generate, seconds};
use crate::report::{Spread, machine, save};
use crate::{Result, SETTINGS, others, start_cluster};

/// Runs both in turns and prints their ratio.
pub fn run(rows: u64, rounds: u64) -> Result<()> {
    let cluster = start_cluster()?;
    let mut client = cluster.client();
    let count = i64::try_from(rows)?;
    println!("{}\n{}\n{rows} rows, {rounds} rounds", machine(), SETTINGS.trim_end());
    let path = generate(&cluster, "spark.csv", rows, 1, 0)?;
    let plain_job = cluster.file("plain.py", others::SPARK);
    let url = format!("jdbc:postgresql://127.0.0.1:{}/trips", cluster.open_port());
    let spark = Spark::start(&cluster, "postgres");
    let [mut plain, mut ours, mut merges] = [(); 3].map(|()| Vec::new());
    for round in 1..=rounds {
        client.batch_execute(others::BARE)?;
        let elapsed = seconds(|| Ok(spark.submit(&[&plain_job, &path, &url])))?;
        require(&mut client, "SELECT count(*) FROM other", count)?;
        client.batch_execute("DROP TABLE other")?;
        println!("round {round}: plain JDBC write {elapsed:.1}");
        plain.push(elapsed);

        empty_history(&mut client)?;
        client.batch_execute("CHECKPOINT")?;
        let elapsed = seconds(|| Ok(spark.submit(&["load.py", &path])))?;
        require(&mut client, "SELECT count(*) FROM trips.hist_trip_data", count)?;
        println!("round {round}: our load {elapsed:.1}");
        ours.push(elapsed);
        let merge = merge_alone(&mut client, &spark, &path)?;
        println!("round {round}: of it, trips.complete_upload() {merge:.1}");
        merges.push(merge);
    }
    let mut text = format!("{}\n\n{rows} rows, {rounds} rounds\n\n", machine());
    text.push_str("| seconds | median | least | greatest |\n|---|---|---|---|\n");
    for (name, values) in
        [("plain JDBC write", &plain), ("our load", &ours), ("of it, the merge", &merges)]
    {
        let s = Spread::of(values);
        writeln!(text, "| {name} | {:.1} | {:.1} | {:.1} |", s.median, s.least, s.greatest)?;
    }
    let ratio = Spread::of(&ours).median / Spread::of(&plain).median;
    writeln!(text, "\nour load / plain JDBC write (goal: 0.5 at most): {ratio:.2}")?;
    println!("\n{text}");
    save("spark.md", &text)
}

/// Seconds of the merge of the same file, staged by the cluster and left there.
fn merge_alone(client: &mut Client, spark: &Spark, path: &str) -> Result<f64> {
    empty_history(client)?;
    let _ = spark.submit(&["load.py", "--only-stage", path]);
    client.batch_execute("CHECKPOINT")?;
    seconds(
        || Ok(client.batch_execute("SELECT trips.complete_upload(load_id) FROM trips.uploads")?),
    )
}

fn require(client: &mut Client, query: &str, expected: i64) -> Result<()> {
    let found: i64 = client.query_one(query, &[])?.get(0);
    if found == expected { Ok(()) } else { Err(format!("{query}: {found}, not {expected}").into()) }
}
