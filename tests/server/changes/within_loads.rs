//! What triggers of others do within a load is counted like what the load does itself.

use trips_tests::{Database, month_as_csv};

use super::{check, check_all};

/// Statements in triggers that fire within a load: on the history, on a partition, on our own tables.
#[test]
fn changes_within_a_load_are_counted() {
    let database = Database::on_shared();
    let mut client = database.client();
    let may = database.file("may", month_as_csv(2_000, 1, "2018-05-01"));
    database.ingest(&mut client, &may);
    client
        .batch_execute(
            "CREATE FUNCTION public.discard() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
               IF pg_trigger_depth() < 3 THEN
                 DELETE FROM trips.hist_trip_data WHERE ctid IN (
                   SELECT ctid FROM trips.hist_trip_data WHERE tableoid = 'trips.hist_trip_data_2018_05'::regclass LIMIT 50)
                    AND tableoid = 'trips.hist_trip_data_2018_05'::regclass;
               END IF;
               RETURN NULL;
             END $$",
        )
        .unwrap();
    for (i, table) in [
        "trips.loads",
        "trips.hist_trip_data",
        "trips.hist_trip_data_2018_05",
        "trips.daily_trip_counts",
    ]
    .into_iter()
    .enumerate()
    {
        client
            .batch_execute(&format!(
                "CREATE TRIGGER discard AFTER INSERT OR UPDATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION public.discard()"
            ))
            .unwrap();
        let before: i64 =
            client.query_one("SELECT count(*) FROM trips.hist_trip_data", &[]).unwrap().get(0);
        // Into the month that is there, and into a new one.
        for month in ["2018-05-01", "2018-06-04"] {
            let path = database.file("next", month_as_csv(1_000, 100 + i as u64, month));
            assert_eq!(database.ingest(&mut client, &path).rows[1], 1_000);
            check_all(&mut client, table);
        }
        let after: i64 =
            client.query_one("SELECT count(*) FROM trips.hist_trip_data", &[]).unwrap().get(0);
        assert!(after < before + 2_000, "{table}: the trigger has not fired");
        client.batch_execute(&format!("DROP TRIGGER discard ON {table}")).unwrap();
    }
}

/// A trigger that deletes trips while days are counted again: of any week, several times for the same days.
#[test]
fn changes_of_any_rows_while_days_are_counted_again_are_counted() {
    let database = Database::on_shared();
    let mut client = database.client();
    let may = database.file("may", month_as_csv(2_000, 1, "2018-05-01"));
    database.ingest(&mut client, &may);
    let orders = ["date_time", "date_time DESC", "load_id DESC, date_time", "trip_key"];
    for (i, order) in orders.into_iter().enumerate() {
        for events in ["INSERT OR UPDATE", "DELETE", "INSERT OR UPDATE OR DELETE"] {
            client
                .batch_execute(&format!(
                    "CREATE OR REPLACE FUNCTION public.discard() RETURNS trigger LANGUAGE plpgsql AS $$
                     BEGIN
                       IF pg_trigger_depth() < 3 THEN
                         DELETE FROM trips.hist_trip_data AS h
                          USING (SELECT date_time, trip_key FROM trips.hist_trip_data ORDER BY {order} LIMIT 7) AS g
                          WHERE h.date_time = g.date_time AND h.trip_key = g.trip_key;
                       END IF;
                       RETURN NULL;
                     END $$;
                     CREATE TRIGGER discard AFTER {events} ON trips.daily_trip_counts
                       FOR EACH STATEMENT EXECUTE FUNCTION public.discard()"
                ))
                .unwrap();
            let case = format!("{order}, {events}");
            for month in ["2018-05-01", "2018-06-04"] {
                let path = database.file("next", month_as_csv(300, 200 + i as u64, month));
                database.ingest(&mut client, &path);
                check_all(&mut client, &case);
                let by_hand = "DELETE FROM trips.hist_trip_data WHERE trip_key < '01000000-0000-0000-0000-000000000000'
                                 OR trip_key > 'fe000000-0000-0000-0000-000000000000'";
                client.batch_execute(by_hand).unwrap();
                check_all(&mut client, &format!("{case}, a statement by hand"));
            }
            client.batch_execute("DROP TRIGGER discard ON trips.daily_trip_counts").unwrap();
        }
    }
}

/// Triggers on the tables of the area index that change the history while a load adds pages and merges segments.
#[test]
fn changes_while_the_area_index_is_filled_are_counted() {
    let database = Database::on_shared();
    let mut client = database.client();
    let may = database.file("may", month_as_csv(2_000, 1, "2018-05-01"));
    database.ingest(&mut client, &may);
    client
        .batch_execute(
            "CREATE SEQUENCE public.calls;
             CREATE FUNCTION public.discard() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
               IF pg_trigger_depth() < 3 THEN
                 PERFORM nextval('public.calls');
                 DELETE FROM trips.hist_trip_data AS h
                  USING (SELECT date_time, trip_key FROM trips.hist_trip_data ORDER BY load_id DESC, date_time LIMIT 7) AS g
                  WHERE h.date_time = g.date_time AND h.trip_key = g.trip_key;
                 UPDATE trips.hist_trip_data SET origin_coord = point(14.5, 50.5)
                  WHERE trip_key = (SELECT trip_key FROM trips.hist_trip_data ORDER BY date_time DESC LIMIT 1);
               END IF;
               RETURN NULL;
             END $$",
        )
        .unwrap();
    let (mut calls, mut seed) = (0, 300);
    for table in ["trips_internal.area_pages", "trips_internal.area_directory"] {
        for events in ["INSERT", "DELETE", "INSERT OR DELETE"] {
            client
                .batch_execute(&format!(
                    "CREATE TRIGGER discard AFTER {events} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION public.discard()"
                ))
                .unwrap();
            let case = format!("{table}, {events}");
            for month in ["2018-05-01", "2018-06-04"] {
                seed += 1;
                let path = database.file("next", month_as_csv(300, seed, month));
                assert_eq!(database.ingest(&mut client, &path).rows[1], 300);
                check_all(&mut client, &case);
            }
            client.batch_execute(&format!("DROP TRIGGER discard ON {table}")).unwrap();
            let after: i64 =
                client.query_one("SELECT nextval('public.calls')", &[]).unwrap().get(0);
            assert!(after > calls + 1, "{case}: the trigger has not fired");
            calls = after;
        }
    }
}

/// A load within the trigger of another.
#[test]
fn a_load_within_a_load_is_counted() {
    let database = Database::on_shared();
    let mut client = database.client();
    let may = database.file("may", month_as_csv(500, 1, "2018-05-01"));
    let inner = database.file("inner", month_as_csv(300, 2, "2018-05-01"));
    let outer = database.file("outer", month_as_csv(500, 3, "2018-05-01"));
    database.ingest(&mut client, &may);
    client
        .batch_execute(&format!(
            "CREATE FUNCTION public.more() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
               IF pg_trigger_depth() = 1 THEN
                 PERFORM trips.ingest('{inner}');
                 DELETE FROM trips.hist_trip_data WHERE region = 'Lyon';
               END IF;
               RETURN NULL;
             END $$;
             CREATE TRIGGER more AFTER INSERT ON trips.hist_trip_data FOR EACH STATEMENT EXECUTE FUNCTION public.more()"
        ))
        .unwrap();
    database.ingest(&mut client, &outer);
    let counted: i64 =
        client.query_one("SELECT count(*) FROM trips.hist_trip_data", &[]).unwrap().get(0);
    assert!((1_000..1_300).contains(&counted), "{counted}");
    check_all(&mut client, "a load within a load");
    // One that fails leaves nothing for the next to count.
    client
        .batch_execute(
            "CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
             CREATE TRIGGER fail AFTER INSERT ON trips.daily_trip_counts FOR EACH STATEMENT EXECUTE FUNCTION public.fail()",
        )
        .unwrap();
    let next = database.file("next", month_as_csv(500, 4, "2018-05-01"));
    client.query("SELECT trips.ingest($1)", &[&next]).unwrap_err();
    client.batch_execute("DROP TRIGGER fail ON trips.daily_trip_counts").unwrap();
    database.ingest(&mut client, &next);
    client.batch_execute("DELETE FROM trips.hist_trip_data WHERE region = 'Turin'").unwrap();
    check_all(&mut client, "after a load that has failed");
}

/// A trigger that alters rows: what is stored is counted, not what the file had.
#[test]
fn rows_that_triggers_alter_are_counted_as_they_are_stored() {
    let database = Database::on_shared();
    let mut client = database.client();
    let may = database.file("may", month_as_csv(2_000, 1, "2018-05-01"));
    database.ingest(&mut client, &may);
    client
        .batch_execute(
            "CREATE FUNCTION public.normalize() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
               NEW.region := upper(NEW.region);
               NEW.origin_coord := NEW.origin_coord + point(0.5, 0);
               NEW.date_time := date_trunc('month', NEW.date_time) + (NEW.date_time - date_trunc('day', NEW.date_time));
               RETURN NEW;
             END $$",
        )
        .unwrap();
    for (i, table) in
        ["trips.hist_trip_data", "trips.hist_trip_data_2018_05"].into_iter().enumerate()
    {
        client
            .batch_execute(&format!(
                "CREATE TRIGGER normalize BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION public.normalize()"
            ))
            .unwrap();
        let next = database.file("next", month_as_csv(1_500, 10 + i as u64, "2018-05-01"));
        assert_eq!(database.ingest(&mut client, &next).rows[1], 1_500);
        check(&mut client, table);
        let upper = "SELECT count(*) FROM trips.daily_trip_counts WHERE region = 'LYON'";
        assert!(client.query_one(upper, &[]).unwrap().get::<_, i64>(0) > 0);
        let failed: Option<String> = client
            .query_one(
                "SELECT string_agg(check_name, ', ') FROM trips.verify() WHERE NOT passed",
                &[],
            )
            .unwrap()
            .get(0);
        assert_eq!(failed.as_deref(), Some("keys"), "a trip has the key of what the file had");
        client.batch_execute(&format!("DROP TRIGGER normalize ON {table}")).unwrap();
    }
}
