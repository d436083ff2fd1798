//! Whether every trip is in the partition where it belongs.

use postgres::Client;

/// How many trips of each partition of the history are outside of its bounds, by the constraint that PostgreSQL makes
/// of them; partitions without such trips are left out.
///
/// # Panics
/// When a query is refused.
pub fn misplaced(client: &mut Client) -> Vec<(String, i64)> {
    let partitions = "SELECT i.inhrelid::regclass::text, pg_get_partition_constraintdef(i.inhrelid)
       FROM pg_inherits AS i WHERE i.inhparent = 'trips.hist_trip_data'::regclass ORDER BY 1";
    let partitions = client.query(partitions, &[]).expect("the partitions");
    let mut found = Vec::new();
    for row in partitions {
        let (name, rule): (String, Option<String>) = (row.get(0), row.get(1));
        // A default partition alone takes everything.
        let Some(rule) = rule else { continue };
        let count = format!("SELECT count(*) FROM ONLY {name} WHERE ({rule}) IS NOT TRUE");
        let count = client.query_one(&count, &[]).expect("a count").get(0);
        if count > 0 {
            found.push((name, count));
        }
    }
    found
}
