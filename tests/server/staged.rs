//! Staged records: what `trips.explain_staged` finds, and what `trips.retry_staged` makes of them.

mod causes;
mod retries;
mod rights;

use postgres::Client;
use trips_tests::{Database, text_of};

/// A row of `trips.explain_staged`.
#[derive(Debug, Clone)]
pub struct Explained {
    pub group: [Option<String>; 3],
    pub records: i64,
    pub examples: String,
    pub proposal: String,
    pub retry: Option<String>,
    pub member: Option<String>,
}

/// Loads a file; returns its number.
pub fn load(
    database: &Database,
    client: &mut Client,
    name: &str,
    content: impl AsRef<[u8]>,
) -> i64 {
    let path = database.file(name, content);
    let row = client.query_one("SELECT load_id FROM trips.ingest($1)", &[&path]);
    row.unwrap_or_else(|error| panic!("{name}: {error:?}")).get(0)
}

pub fn explain(client: &mut Client, load_id: i64) -> Vec<Explained> {
    let query =
        "SELECT column_name, error_code, reason, records, examples::text, proposal, retry, member
                   FROM trips.explain_staged($1, 20)";
    let rows = client.query(query, &[&load_id]).unwrap();
    let explained = |row: &postgres::Row| Explained {
        group: [0, 1, 2].map(|column| row.get(column)),
        records: row.get(3),
        examples: row.get(4),
        proposal: row.get::<_, Option<String>>(5).unwrap_or_default(),
        retry: row.get(6),
        member: row.get(7),
    };
    rows.iter().map(explained).collect()
}

/// Rows read, inserted, duplicate and staged of a load.
pub fn rows_of(client: &mut Client, load_id: i64) -> [i64; 4] {
    let query = "SELECT rows_read, rows_inserted, rows_duplicate, rows_staged
                   FROM trips.loads WHERE load_id = $1";
    let row = client.query_one(query, &[&load_id]).unwrap();
    [0, 1, 2, 3].map(|column| row.get(column))
}

pub fn balances(client: &mut Client) {
    let faults = "SELECT check_name, detail FROM trips.verify() WHERE NOT passed";
    assert_eq!(text_of(client, faults), "");
}

/// Explains a load. The counts are those of its staged rows, and each call that is proposed mends the records of its row:
/// each is run and rolled back.
pub fn explain_and_prove(client: &mut Client, load_id: i64) -> Vec<Explained> {
    let found = explain(client, load_id);
    let sum: i64 = found.iter().map(|found| found.records).sum();
    let count = format!("SELECT count(*) FROM trips.stg_trip_data WHERE load_id = {load_id}");
    assert_eq!(text_of(client, &count), sum.to_string(), "{found:?}");
    for row in &found {
        let [_, code, reason] = &row.group;
        assert_eq!(code.is_some(), reason.is_some(), "{row:?}");
        let Some(retry) = &row.retry else { continue };
        client.batch_execute("BEGIN").unwrap();
        client.query(retry.as_str(), &[]).unwrap_or_else(|error| panic!("{retry}: {error:?}"));
        let left: i64 = text_of(client, &count).parse().unwrap();
        // The rules of a call may be those of another call, too.
        assert!(sum - left >= row.records, "{retry}: {left} of {sum} are left: {row:?}");
        let of_row = "SELECT count(*) FROM trips.stg_trip_data AS s, jsonb_array_elements($2::text::jsonb) AS e
                       WHERE s.load_id = $1 AND s.line_no = (e ->> 'line_no')::bigint
                         AND s.member IS NOT DISTINCT FROM e ->> 'member'";
        let of_row: i64 = client.query_one(of_row, &[&load_id, &row.examples]).unwrap().get(0);
        assert_eq!(of_row, 0, "{retry}: {row:?}");
        let [read, inserted, duplicate, staged] = rows_of(client, load_id);
        assert_eq!((read, staged), (inserted + duplicate + staged, left), "{retry}");
        balances(client);
        client.batch_execute("ROLLBACK").unwrap();
    }
    found
}

/// Runs all calls that are proposed, until none is; returns the rows of the load.
pub fn mend(client: &mut Client, load_id: i64) -> [i64; 4] {
    for _ in 0..10 {
        let found = explain(client, load_id);
        let Some(retry) = found.into_iter().find_map(|row| row.retry) else { break };
        client.query(retry.as_str(), &[]).unwrap_or_else(|error| panic!("{retry}: {error:?}"));
    }
    balances(client);
    rows_of(client, load_id)
}
