//! Other ways of bringing the file into a bare table, where their programs are installed: pgloader,
//! and Spark through JDBC. Each runs once: they take many times as long as a load.

use std::path::Path;
use std::process::{Command, Stdio};

use postgres::Client;
use trips_tests::Cluster;

use crate::Result;
use crate::measure::seconds;

/// Debian's package libpostgresql-jdbc-java.
const JDBC: &str = "/usr/share/java/postgresql.jar";

/// A bare table of texts, for others to write to.
pub const BARE: &str = "DROP TABLE IF EXISTS other;
    CREATE TABLE other (region text, origin_coord text, destination_coord text, date_time text, datasource text);
    CHECKPOINT";

/// The plain job, as the historical one has it: Spark's own reader, which cuts the file for all cores, its JDBC writer. In its
/// favour: it shows no rows first, and sends ten times as many in a batch.
pub const SPARK: &str = "
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
rows = spark.read.csv(sys.argv[1], header=True).toDF(
    'region', 'origin_coord', 'destination_coord', 'date_time', 'datasource')
rows.write.jdbc(
    sys.argv[2], 'other', 'append', {'user': 'postgres', 'driver': 'org.postgresql.Driver', 'batchsize': '10000'})
";

/// Seconds of each program that is here; what is not is said and left out.
pub fn run(
    cluster: &Cluster,
    client: &mut Client,
    path: &str,
    rows: i64,
) -> Result<Vec<(&'static str, f64)>> {
    let port = cluster.open_port();
    let mut found = Vec::new();
    for (name, is_here, command) in [
        ("pgloader", is_installed("pgloader"), pgloader(cluster, path, port)),
        (
            "Spark JDBC",
            is_installed("spark-submit") && Path::new(JDBC).exists(),
            spark(cluster, path, port),
        ),
    ] {
        if !is_here {
            println!("{name} is not installed");
            continue;
        }
        client.batch_execute(BARE)?;
        let elapsed = seconds(|| quietly(command))?;
        let count: i64 = client.query_one("SELECT count(*) FROM other", &[])?.get(0);
        client.batch_execute("DROP TABLE other")?;
        if count != rows {
            return Err(format!("{name} loaded {count} of {rows} rows").into());
        }
        println!("{name} {elapsed:.3}");
        found.push((name, elapsed));
    }
    Ok(found)
}

fn is_installed(program: &str) -> bool {
    let version =
        Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

fn pgloader(cluster: &Cluster, path: &str, port: u16) -> Command {
    let script = format!(
        "LOAD CSV FROM '{path}' (region, origin_coord, destination_coord, date_time, datasource)
         INTO postgresql://postgres@127.0.0.1:{port}/trips?tablename=public.other
              (region, origin_coord, destination_coord, date_time, datasource)
         WITH skip header = 1, fields optionally enclosed by '\"', fields terminated by ',';\n"
    );
    let mut command = Command::new("pgloader");
    command.arg(cluster.file("pgloader.load", script)).current_dir("/tmp");
    command
}

fn spark(cluster: &Cluster, path: &str, port: u16) -> Command {
    let mut command = Command::new("spark-submit");
    command
        .args(["--master", "local[2]", "--driver-class-path", JDBC])
        .args(["--conf", "spark.ui.enabled=false", "--conf", "spark.driver.bindAddress=127.0.0.1"])
        .args(["--conf", "spark.driver.host=127.0.0.1"])
        .arg(cluster.file("other.py", SPARK))
        .arg(path)
        .arg(format!("jdbc:postgresql://127.0.0.1:{port}/trips"));
    command
}

fn quietly(mut command: Command) -> Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&text)).into())
}
