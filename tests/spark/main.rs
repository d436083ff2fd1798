//! What a real Spark cluster makes of files: what `trips.ingest` makes of them, also when it loses a worker.
//!
//! `make test-spark` installs Spark and runs these; they are ignored elsewhere.

mod both_ways;
mod failures;
mod jobs;

use postgres::Client;
use trips_tests::Cluster;

/// A server with a role for Spark that is no superuser.
fn start_server() -> Cluster {
    let cluster = Cluster::start();
    cluster
        .client()
        .batch_execute(
            "CREATE ROLE spark LOGIN;
             SELECT trips.grant_loader('spark'), trips.grant_reader('spark');
             -- Spark's JDBC writer looks at the columns of its table.
             GRANT SELECT ON trips.stg_trip_data TO spark",
        )
        .expect("a role");
    cluster
}

/// The history by key, without the numbers of loads.
fn history(client: &mut Client) -> (i64, String) {
    let row = client
        .query_one(
            "SELECT count(*), coalesce(md5(string_agg(
                      (trip_key, region, origin_coord::text, destination_coord::text, date_time, datasource)::text,
                      ';' ORDER BY date_time, trip_key)), '')
               FROM trips.hist_trip_data",
            &[],
        )
        .expect("the history");
    (row.get(0), row.get(1))
}

/// A query's rows as text.
fn texts(client: &mut Client, query: &str) -> Vec<String> {
    let query = format!("SELECT q::text FROM ({query}) AS q");
    client.query(&query, &[]).expect("a query").iter().map(|row| row.get(0)).collect()
}
