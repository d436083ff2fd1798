//! Dates that no file can load.

use trips_tests::{Database, month_as_csv, server_error};

use super::check_all;

fn trip_at(table: &str, time: &str) -> String {
    format!(
        "INSERT INTO {table} VALUES ('Cork', point(1, 50), NULL, '{time}', 'hand', gen_random_uuid(), 0)"
    )
}

/// Each statement with such a date is refused. With the triggers disabled, such trips are not counted, and
/// `trips.verify()` reports them.
#[test]
fn dates_of_no_year_are_refused() {
    let database = Database::for_any_date();
    let mut client = database.client();
    let may = database.file("may", month_as_csv(500, 1, "2018-05-01"));
    database.ingest(&mut client, &may);
    client
        .batch_execute(
            "CREATE TABLE public.before PARTITION OF trips.hist_trip_data (PRIMARY KEY (date_time, trip_key))
               FOR VALUES FROM (MINVALUE) TO ('1970-01-01');
             CREATE TABLE public.after (LIKE trips.hist_trip_data, PRIMARY KEY (date_time, trip_key));
             ALTER TABLE trips.hist_trip_data ATTACH PARTITION public.after FOR VALUES FROM ('2100-01-01') TO ('infinity')",
        )
        .unwrap();
    for time in ["0001-01-01", "9999-12-31 23:59:59.999999"] {
        client.batch_execute(&trip_at("trips.hist_trip_data", time)).unwrap();
        check_all(&mut client, time);
    }
    for (table, time) in [
        ("public.before", "-infinity"),
        ("public.before", "0001-12-31 23:59:59 BC"),
        ("trips.hist_trip_data", "-infinity"),
        ("trips.hist_trip_data", "10000-01-01"),
        ("public.after", "294276-12-30"),
    ] {
        let error = client.batch_execute(&trip_at(table, time)).unwrap_err();
        assert_eq!(server_error(&error).0, "22008", "{table} {time}: {error:?}");
    }
    let update =
        "UPDATE trips.hist_trip_data SET date_time = '-infinity' WHERE date_time = '0001-01-01'";
    let error = client.batch_execute(update).unwrap_err();
    assert_eq!(server_error(&error).0, "22008", "{error:?}");
    let attach = format!(
        "CREATE TABLE public.end (LIKE trips.hist_trip_data, PRIMARY KEY (date_time, trip_key)); {};
         ALTER TABLE trips.hist_trip_data ATTACH PARTITION public.end FOR VALUES FROM ('infinity') TO (MAXVALUE)",
        trip_at("public.end", "infinity")
    );
    let error = client.batch_execute(&attach).unwrap_err();
    assert_eq!(server_error(&error).0, "22008", "{error:?}");
    check_all(&mut client, "refused");
    // Where nobody looked.
    client.batch_execute("SET session_replication_role = replica").unwrap();
    for (table, time) in [("public.before", "-infinity"), ("public.after", "294276-12-30")] {
        client.batch_execute(&trip_at(table, time)).unwrap();
    }
    client.batch_execute("RESET session_replication_role; SELECT trips.rebuild()").unwrap();
    let failed = "SELECT string_agg(check_name, ', ') FROM trips.verify() WHERE NOT passed AND check_name NOT IN ('keys', 'ledger')";
    let failed: Option<String> = client.query_one(failed, &[]).unwrap().get(0);
    assert_eq!(failed.as_deref(), Some("dates"));
    for (query, expected) in [
        ("SELECT sum(trips)::bigint FROM trips.weekly_counts(box '(180,90),(-180,-90)')", 502),
        ("SELECT (trips.weekly_avg('Cork') IS NOT NULL)::int::bigint", 1),
    ] {
        assert_eq!(client.query_one(query, &[]).unwrap().get::<_, i64>(0), expected, "{query}");
    }
    client
        .batch_execute("DELETE FROM trips.hist_trip_data WHERE date_time < '0001-01-01' OR date_time > '9999-12-31 24:00'")
        .unwrap();
    check_all(&mut client, "deleted");
}
