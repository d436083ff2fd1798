//! All that an operation may change, for comparisons: with the load of each row, whatever numbers sequences gave.

use std::fmt::Write;

use postgres::Client;

/// Loads in their order. Failed and skipped ones have nothing, and come and go with strikes.
const LOADS: &str = "SELECT load_id, row_number() OVER (ORDER BY load_id) AS load FROM trips.loads
                      WHERE state IN ('loaded', 'retracted')";

/// Rows that distinguish one state from another.
const PARTS: [(&str, &str); 11] = [
    (
        "history",
        "SELECT n.load, to_jsonb(h) - 'load_id' FROM trips.hist_trip_data AS h LEFT JOIN numbered AS n USING (load_id)",
    ),
    (
        "partitions",
        "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
          WHERE i.inhparent = 'trips.hist_trip_data'::regclass",
    ),
    (
        "staging",
        "SELECT n.load, to_jsonb(s) - 'load_id' FROM trips.stg_trip_data AS s LEFT JOIN numbered AS n USING (load_id)",
    ),
    (
        "corrections",
        "SELECT n.load, o.load AS corrected, row_number() OVER (PARTITION BY c.trip_key ORDER BY c.correction_id),
                to_jsonb(c) - '{load_id,corrected_load_id,correction_id,corrected_at}'::text[]
           FROM trips.corrections AS c LEFT JOIN numbered AS n USING (load_id)
           LEFT JOIN numbered AS o ON o.load_id = c.corrected_load_id",
    ),
    (
        "kept versions",
        "SELECT n.load, row_number() OVER (PARTITION BY k.trip_key ORDER BY k.version_no),
                to_jsonb(k) - '{load_id,version_no}'::text[]
           FROM trips_internal.kept_versions AS k LEFT JOIN numbered AS n USING (load_id)",
    ),
    (
        "claims",
        "SELECT n.load, row_number() OVER (ORDER BY c.claim_no), to_jsonb(c) - '{load_id,claim_no}'::text[]
           FROM trips_internal.claims AS c LEFT JOIN numbered AS n USING (load_id)",
    ),
    (
        "ledger",
        "SELECT n.load, rank() OVER (ORDER BY l.commit_no), o.load AS same_as,
                to_jsonb(l) - '{load_id,commit_no,same_as,requested_at,started_at,finished_at,file_changed_at,retracted_at}'::text[]
           FROM trips.loads AS l JOIN numbered AS n USING (load_id) LEFT JOIN numbered AS o ON o.load_id = l.same_as",
    ),
    (
        "events",
        "SELECT DISTINCT n.load, e.state FROM trips.events AS e JOIN numbered AS n USING (load_id)
          WHERE e.state IN ('loaded', 'retracted')",
    ),
    ("daily counts", "SELECT d FROM trips.daily_trip_counts AS d WHERE d.trips > 0"),
    ("weekly counts", "SELECT w FROM trips.weekly_trip_counts AS w"),
    ("summary", "SELECT s FROM trips.summarized_trip_data AS s"),
];

/// For each part the number of its rows and the sum of their hashes.
#[derive(Debug, PartialEq, Eq)]
pub struct State(Vec<String>);

impl State {
    /// The state now. `trips.verify()` must find no fault.
    pub fn of(client: &mut Client, what: &str) -> Self {
        let faults = "SELECT coalesce(string_agg(check_name || ': ' || detail, '; '), '') FROM trips.verify() WHERE NOT passed";
        let faults: String = client.query_one(faults, &[]).expect(faults).get(0);
        assert_eq!(faults, "", "{what}: trips.verify()");
        let parts = PARTS.map(|(_, rows)| {
            let query = format!(
                "WITH numbered AS ({LOADS}), r AS ({rows})
                 SELECT count(*) || ' ' || coalesce(sum(hashtextextended(r::text, 0)), 0) FROM r"
            );
            client.query_one(&query, &[]).unwrap_or_else(|error| panic!("{query}: {error}")).get(0)
        });
        Self(parts.into())
    }

    /// Whether this is the state after the operation; false if it is the one before. Each other state is a fault.
    pub fn is_after(&self, before: &Self, after: &Self, what: &str) -> bool {
        let is_after = self == after;
        if !is_after && self != before {
            let mut parts = String::new();
            for (i, (part, _)) in PARTS.iter().enumerate() {
                let [found, before, after] = [self, before, after].map(|state| &state.0[i]);
                writeln!(parts, "{part}: {found}; before {before}; after {after}").expect("memory");
            }
            panic!("{what}: neither the state before nor the one after\n{parts}");
        }
        is_after
    }
}
