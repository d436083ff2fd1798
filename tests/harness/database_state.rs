//! The state of a database with the extension, for comparisons.

use postgres::Client;

/// Rows of every table, results of the functions, and the partitions of the history. Large results are digests.
const QUERIES: [&str; 13] = [
    "SELECT count(*) || ' trips, ' || md5(string_agg(h::text, ';' ORDER BY date_time, trip_key))
       FROM trips.hist_trip_data AS h",
    "SELECT string_agg(s::text, ';' ORDER BY load_id, line_no) FROM trips.stg_trip_data AS s",
    "SELECT string_agg(l::text, ';' ORDER BY load_id) FROM trips.loads AS l",
    "SELECT count(*) || ' days, ' || md5(string_agg(d::text, ';' ORDER BY d::text COLLATE \"C\"))
       FROM trips.daily_trip_counts AS d",
    "SELECT string_agg(w::text, ';') FROM trips.weekly_avg() AS w",
    "SELECT trips.weekly_avg('Prague') || ', ' || string_agg(w::text, ';') FROM trips.weekly_counts('Prague') AS w",
    "SELECT count(*) || ' groups, ' || md5(string_agg(s::text, ';')) FROM trips.similar_trips(at_least => 1) AS s",
    "SELECT string_agg(r, ';') FROM trips.datasource_regions('baba_car') AS r",
    "SELECT string_agg(l::text, ';') FROM trips.latest_datasource(3) AS l",
    "SELECT string_agg(format('%s %s', c.oid::regclass, pg_get_expr(c.relpartbound, c.oid)), ';'
              ORDER BY c.relname)
       FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
      WHERE i.inhparent = 'trips.hist_trip_data'::regclass",
    "SELECT count(*)::text FROM trips.hist_trip_data AS h
      WHERE trip_key IS DISTINCT FROM
            trips.trip_key(region, origin_coord, destination_coord, date_time, datasource)",
    "SELECT string_agg(w::text, ';') FROM trips.weekly_counts(trips.area(4, 45, 15, 52), match => 'either') AS w
      WHERE w.trips > 0",
    "SELECT string_agg(v.check_name, ', ') FROM trips.verify() AS v WHERE NOT v.passed",
];

/// The results of all these queries.
///
/// # Panics
/// When a query fails.
pub fn database_state(client: &mut Client) -> Vec<Option<String>> {
    client.batch_execute("SET TimeZone = 'UTC'").expect("a setting");
    QUERIES.map(|query| client.query_one(query, &[]).expect(query).get(0)).into()
}

/// The partitions of the history that have no valid primary key of their own.
///
/// # Panics
/// When the catalogue cannot be read.
pub fn partitions_without_key(client: &mut Client) -> Vec<String> {
    let query = "SELECT i.inhrelid::regclass::text FROM pg_inherits AS i
      WHERE i.inhparent = 'trips.hist_trip_data'::regclass AND NOT EXISTS (
            SELECT FROM pg_constraint AS k JOIN pg_index AS x ON x.indexrelid = k.conindid
             WHERE k.conrelid = i.inhrelid AND k.contype = 'p' AND x.indisvalid
               AND pg_get_constraintdef(k.oid) = 'PRIMARY KEY (date_time, trip_key)')";
    client.query(query, &[]).expect("the catalogue").iter().map(|row| row.get(0)).collect()
}
