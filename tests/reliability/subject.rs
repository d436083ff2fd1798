//! The load that is struck, and what must be true afterwards.

use std::time::{Duration, Instant};

use postgres::Client;
use trips_tests::{Cluster, eventually, lines_of, rows_as_csv};

/// Lines of the file; every thousandth is bad.
const LINES: u64 = 60_000;
const BAD: i64 = 60;

/// What the history has before the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nothing: partitions are made and filled at once.
    Nothing,
    /// Half of the file's trips: rows go in one by one.
    Half,
}

/// A file in a cluster, and what its load makes of an empty history.
pub struct Subject {
    half: String,
    whole: String,
    /// How long a load takes when nobody disturbs it.
    pub duration: Duration,
    /// A sum over all trips of the complete history.
    complete: String,
}

/// Counts and sums that distinguish one history from another.
const FINGERPRINT: &str = "SELECT count(*) || ' ' || coalesce(sum(hashtextextended(h::text, 0)), 0)
    FROM (SELECT region, origin_coord::text, destination_coord::text, date_time, datasource, trip_key
            FROM trips.hist_trip_data) AS h";

fn text(client: &mut Client, query: &str) -> String {
    client.query_one(query, &[]).unwrap_or_else(|error| panic!("{query}: {error}")).get(0)
}

fn number(client: &mut Client, query: &str) -> i64 {
    client.query_one(query, &[]).unwrap_or_else(|error| panic!("{query}: {error}")).get(0)
}

impl Subject {
    /// Writes the files, loads them once undisturbed, and empties the history again.
    pub fn new(cluster: &Cluster) -> Self {
        let rows = rows_as_csv(LINES, 77);
        // Two months, so that a strike may come between the first's index and the second's.
        let text_of = |range: std::ops::Range<usize>| {
            let lines = lines_of(&rows, range);
            let mut out = String::with_capacity(lines.len());
            for (i, line) in lines.lines().enumerate() {
                match i {
                    _ if i > 0 && i % 1000 == 0 => out.push_str("bad line"),
                    _ if i % 3 == 0 => out.push_str(&line.replace(",2018-05-", ",2018-06-")),
                    _ => out.push_str(line),
                }
                out.push('\n');
            }
            out
        };
        let lines = usize::try_from(LINES).unwrap_or(0);
        let half = cluster.file("half.csv", text_of(0..lines / 2));
        let whole = cluster.file("whole.csv", text_of(0..lines));
        let mut subject = Self { half, whole, duration: Duration::ZERO, complete: String::new() };
        let mut client = cluster.client();
        subject.reset(cluster, &mut client, Before::Nothing);
        let begin = Instant::now();
        let load = cluster.ingest(&mut client, &subject.whole);
        subject.duration = begin.elapsed();
        assert_eq!((load.rows[0], load.rows[3]), (60_000, BAD));
        subject.complete = text(&mut client, FINGERPRINT);
        subject
    }

    /// The history as it is to be before the load.
    pub fn reset(&self, cluster: &Cluster, client: &mut Client, before: Before) {
        client
            .batch_execute(
                "DROP EXTENSION IF EXISTS trips_pipeline; CREATE EXTENSION trips_pipeline",
            )
            .expect("the extension");
        if before == Before::Half {
            cluster.ingest(client, &self.half);
        }
    }

    /// The load, for a session of its own.
    pub fn query(&self) -> String {
        format!("SELECT * FROM trips.ingest('{}')", self.whole)
    }

    /// Whether the struck load is in: all of it. Anything between is a failure of the test.
    pub fn is_in(&self, client: &mut Client, before: Before) -> bool {
        let loaded = "SELECT count(*) FROM trips.loads WHERE state = 'loaded'";
        let base = i64::from(before == Before::Half);
        let is_in = number(client, loaded) > base;
        let trips = number(client, "SELECT count(*) FROM trips.hist_trip_data");
        let booked = number(
            client,
            "SELECT coalesce(sum(rows_inserted), 0)::bigint FROM trips.loads WHERE state = 'loaded'",
        );
        assert_eq!(trips, booked, "the history has what the ledger says");
        let staged = number(client, "SELECT count(*) FROM trips.stg_trip_data");
        let booked = number(
            client,
            "SELECT coalesce(sum(rows_staged), 0)::bigint FROM trips.loads WHERE state = 'loaded'",
        );
        assert_eq!(staged, booked, "staging has what the ledger says");
        self.check_derived(client);
        is_in
    }

    /// The next load completes it, whatever came before; then the ledger knows of no load that runs,
    /// and returns how many it has as failed.
    pub fn complete(&self, cluster: &Cluster, client: &mut Client, was_in: bool) -> i64 {
        let load = cluster.ingest(client, &self.whole);
        assert_eq!(load.state, if was_in { "skipped" } else { "loaded" });
        assert_eq!(text(client, FINGERPRINT), self.complete, "trips are lost or doubled");
        self.check_derived(client);
        eventually(client, "SELECT count(*) FROM trips.loads WHERE state = 'running'", 0);
        number(client, "SELECT count(*) FROM trips.loads WHERE state = 'failed'")
    }

    /// The roll-up and the view are those of the history, and no key is there twice.
    fn check_derived(&self, client: &mut Client) {
        let wrong = number(
            client,
            "SELECT count(*) FROM
               (SELECT date_time::date AS day, region, datasource, count(*) AS trips
                  FROM trips.hist_trip_data GROUP BY 1, 2, 3) AS h
               FULL JOIN trips.daily_trip_counts AS d
                 ON d.day = h.day AND d.region = h.region AND d.datasource IS NOT DISTINCT FROM h.datasource
              WHERE h.trips IS DISTINCT FROM d.trips",
        );
        assert_eq!(wrong, 0, "the roll-up is not the history's");
        let difference = number(
            client,
            "SELECT (SELECT count(*) FROM trips.hist_trip_data)
                  - (SELECT coalesce(sum(weekly_avg), 0)::bigint FROM trips.summarized_trip_data)",
        );
        assert_eq!(difference, 0, "the summary is not the history's");
    }
}
