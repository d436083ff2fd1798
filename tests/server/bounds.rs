//! Partitions of any bounds: every trip is where it belongs, however it came there.

use std::fmt::Write;

use postgres::Client;
use trips_tests::{Cluster, Database, FIVE_COLUMNS, misplaced, random_bounds, server_error};

/// A partition with the key, as somebody makes it by hand.
fn partition(client: &mut Client, name: &str, bounds: &str) {
    client
        .batch_execute(&format!(
            "CREATE TABLE {name} PARTITION OF trips.hist_trip_data (PRIMARY KEY (date_time, trip_key)) {bounds}"
        ))
        .unwrap();
}

/// A file of one trip in so many minutes from a date on.
fn file_of(
    database: &Database,
    client: &mut Client,
    region: &str,
    first: &str,
    step: u32,
    count: u32,
) -> String {
    let query = "SELECT string_agg(format('%s,POINT (1 2),POINT (3 4),%s,s', $1::text,
                        to_char($2::text::timestamp + i * $3::int * interval '1 minute', 'YYYY-MM-DD HH24:MI:SS')),
                        E'\\n' ORDER BY i)
                   FROM generate_series(0, $4::int - 1) AS i";
    let (step, count) = (i32::try_from(step).unwrap(), i32::try_from(count).unwrap());
    let lines: String = client.query_one(query, &[&region, &first, &step, &count]).unwrap().get(0);
    let name = format!("{region} {first} {step} {count}.csv");
    database.file(&name, format!("{FIVE_COLUMNS}{lines}\n"))
}

fn counts(client: &mut Client) -> Vec<(String, i64)> {
    let query = "SELECT replace(tableoid::regclass::text, 'trips.hist_trip_data_', ''), count(*)
                   FROM trips.hist_trip_data GROUP BY 1 ORDER BY 1";
    client.query(query, &[]).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn named(counts: &[(&str, i64)]) -> Vec<(String, i64)> {
    counts.iter().map(|&(name, count)| (name.to_owned(), count)).collect()
}

/// Nothing is misplaced, and all that is derived says what the history says.
fn check(client: &mut Client, what: &str) {
    assert_eq!(misplaced(client), [], "{what}");
    let failed = "SELECT string_agg(check_name || ': ' || detail, '; ') FROM trips.verify() WHERE NOT passed";
    let failed: Option<String> = client.query_one(failed, &[]).unwrap().get(0);
    assert_eq!(failed, None, "{what}");
}

/// By the week, by the day and by the microsecond; with many trips, in bulk, and with few, by COPY.
#[test]
fn partitions_smaller_than_a_month() {
    for (count, step) in [(20_000, 2), (200, 200)] {
        let database = Database::on_shared();
        let mut client = database.client();
        partition(&mut client, "public.w1", "FOR VALUES FROM ('2018-05-01') TO ('2018-05-08')");
        partition(
            &mut client,
            "public.w2",
            "FOR VALUES FROM ('2018-05-08') TO ('2018-05-15 00:00:00.000001')",
        );
        partition(&mut client, "public.d", "FOR VALUES FROM ('2018-05-20') TO ('2018-05-21')");
        let path = file_of(&database, &mut client, "Prague", "2018-05-01", step, count);
        let load = database.ingest(&mut client, &path);
        assert_eq!(load.summary(), ("loaded", [count.into(), count.into(), 0, 0]));
        check(&mut client, "the first file");
        let day = i64::from(1440 / step + u32::from(1440 % step > 0));
        let found: i64 = client
            .query_one(
                "SELECT count(*) FROM trips.hist_trip_data
                  WHERE date_time >= '2018-05-20' AND date_time < '2018-05-21'",
                &[],
            )
            .unwrap()
            .get(0);
        assert!((day - 1..=day).contains(&found), "{found} {day}");
        let names: Vec<String> = counts(&mut client).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["20180515000000000001_20180520", "20180521_20180601", "d", "w1", "w2"]);
        // The same trips again, and as many new ones between them.
        let more = file_of(&database, &mut client, "Prague", "2018-05-01", step / 2, count);
        let load = database.ingest(&mut client, &more);
        let half = i64::from(count / 2);
        assert_eq!(load.rows, [count.into(), half, half, 0]);
        check(&mut client, "the second file");
    }
}

/// What lies before all months and has no beginning, and what is behind them and has no end.
#[test]
fn partitions_without_an_end() {
    let database = Database::for_any_date();
    let mut client = database.client();
    partition(&mut client, "public.none", "FOR VALUES FROM (MINVALUE) TO ('-infinity')");
    partition(&mut client, "public.old", "FOR VALUES FROM ('-infinity') TO ('1900-01-01')");
    partition(&mut client, "public.new", "FOR VALUES FROM ('2150-06-01 12:00') TO ('infinity')");
    partition(&mut client, "public.never", "FOR VALUES FROM ('infinity') TO (MAXVALUE)");
    for (first, suffix) in [
        ("1950-01-01", "19000101_19700101"),
        ("1899-12-31", "old"),
        ("2150-06-01", "21000101_21500601120000"),
        ("9999-12-01", "new"),
    ] {
        let path = file_of(&database, &mut client, "Cork", first, 4, 9000);
        let load = database.ingest(&mut client, &path);
        assert_eq!(load.rows, [9000, 9000, 0, 0], "{first}");
        assert!(counts(&mut client).iter().any(|(name, _)| name == suffix), "{suffix}");
        check(&mut client, first);
        assert_eq!(database.ingest(&mut client, &path).state, "skipped");
    }
}

/// The default partition has what no other one has, and is not cut by what the load would make beside it.
#[test]
fn a_default_partition_beside_others() {
    let database = Database::on_shared();
    let mut client = database.client();
    partition(&mut client, "public.ten", "FOR VALUES FROM ('2026-03-10') TO ('2026-03-20')");
    partition(&mut client, "public.rest", "DEFAULT");
    for (region, count) in [("Prague", 9000), ("Lyon", 90)] {
        let path = file_of(&database, &mut client, region, "2026-03-01", 40_000 / count, count);
        assert_eq!(database.ingest(&mut client, &path).rows, [count.into(), count.into(), 0, 0]);
        check(&mut client, region);
    }
    let names: Vec<String> = counts(&mut client).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["rest", "ten"]);
}

/// A trigger on the history makes COPY go through it: what is there is looked for where it is.
#[test]
fn through_the_partitioned_table() {
    let database = Database::on_shared();
    let mut client = database.client();
    partition(&mut client, "public.w1", "FOR VALUES FROM ('2018-05-01') TO ('2018-05-08')");
    partition(&mut client, "public.w2", "FOR VALUES FROM ('2018-05-08') TO ('2018-05-15')");
    client
        .batch_execute(
            "CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
             CREATE TRIGGER see AFTER INSERT ON trips.hist_trip_data FOR EACH ROW EXECUTE FUNCTION public.see()",
        )
        .unwrap();
    for (step, rows) in [(20, [2000, 2000, 0, 0]), (10, [2000, 1000, 1000, 0])] {
        let path = file_of(&database, &mut client, "Prague", "2018-05-01", step, 2000);
        assert_eq!(database.ingest(&mut client, &path).rows, rows);
        check(&mut client, "through the table");
    }
}

/// One trip a month: more new partitions than the setting allows are refused before one is made.
#[test]
fn many_months_need_leave() {
    let database = Database::on_shared();
    let mut client = database.client();
    let mut file = FIVE_COLUMNS.to_owned();
    for month in 0..241 {
        writeln!(file, "Prague,,,{}-{:02}-10 10:00:00,s", 1980 + month / 12, 1 + month % 12)
            .unwrap();
    }
    let path = database.file("months.csv", &file);
    let error = client.query_one("SELECT trips.ingest($1)", &[&path]).unwrap_err();
    let (code, message, hint) = server_error(&error);
    assert_eq!(code, "54000");
    assert_eq!(message, "load needs 241 new partitions of the history, the limit is 240");
    assert!(hint.contains("trips.max_new_partitions"), "{hint}");
    assert_eq!(counts(&mut client), []);
    client.batch_execute("SET trips.max_new_partitions = 241").unwrap();
    assert_eq!(database.ingest(&mut client, &path).rows, [241, 241, 0, 0]);
    // What is there is not new.
    client.batch_execute("SET trips.max_new_partitions = 0").unwrap();
    let again = database.file("again.csv", file.replace("Prague", "Lyon"));
    assert_eq!(database.ingest(&mut client, &again).rows, [241, 241, 0, 0]);
    check(&mut client, "all months");
}

/// A partition that is being detached is in the way, until that is ended.
#[test]
fn a_partition_that_is_being_detached() {
    let database = Database::on_shared();
    let mut client = database.client();
    partition(&mut client, "public.w1", "FOR VALUES FROM ('2018-05-01') TO ('2018-05-08')");
    // Somebody reads, so the command waits in its second transaction, and is cancelled there.
    let mut reader = database.client();
    reader
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM trips.hist_trip_data")
        .unwrap();
    client.batch_execute("SET statement_timeout = '1s'").unwrap();
    let detach = "ALTER TABLE trips.hist_trip_data DETACH PARTITION public.w1 CONCURRENTLY";
    client.batch_execute(detach).unwrap_err();
    reader.batch_execute("COMMIT").unwrap();
    client.batch_execute("RESET statement_timeout").unwrap();
    let path = file_of(&database, &mut client, "Prague", "2018-05-03", 2, 20);
    let error = client.query_one("SELECT trips.ingest($1)", &[&path]).unwrap_err();
    let (code, message, hint) = server_error(&error);
    assert_eq!(code, "55000");
    assert_eq!(
        message,
        "cannot create a partition for 2018-05-03: partition public.w1 is being detached"
    );
    assert!(hint.contains("FINALIZE"), "{hint}");
    let finalize = "ALTER TABLE trips.hist_trip_data DETACH PARTITION public.w1 FINALIZE";
    client.batch_execute(finalize).unwrap();
    assert_eq!(database.ingest(&mut client, &path).rows, [20, 20, 0, 0]);
    assert_eq!(counts(&mut client), named(&[("2018_05", 20)]));
}

/// A short form of tests/reliability/random_bounds.rs.
#[test]
fn random_partitions() {
    let cluster = Cluster::start();
    let seen: Vec<_> = (0..12).map(|seed| random_bounds::check(&cluster, seed)).collect();
    assert!(seen.iter().map(|seen| seen.loads).sum::<usize>() > 24, "{seen:?}");
}

/// Bulk or COPY is decided by all that a run has for a partition: the first batch of June is what May has left of it.
#[test]
fn a_short_first_batch_decides_nothing() {
    let database = Database::on_shared();
    let mut client = database.client();
    partition(&mut client, "public.may", "FOR VALUES FROM ('2018-05-01') TO ('2018-06-01')");
    partition(&mut client, "public.june", "FOR VALUES FROM ('2018-06-01') TO ('2018-07-01')");
    partition(&mut client, "public.july", "FOR VALUES FROM ('2018-07-01') TO ('2018-08-01')");
    let file = |client: &mut Client, first: &str, count| {
        std::fs::read_to_string(file_of(&database, client, "Prague", first, 2, count)).unwrap()
    };
    let months = [("2018-05-01", 8_150), ("2018-06-01", 9_000), ("2018-07-01", 300)]
        .map(|(first, count)| file(&mut client, first, count));
    let lines: Vec<&str> = months.iter().map(|file| &file[FIVE_COLUMNS.len()..]).collect();
    let path = database.file("three.csv", FIVE_COLUMNS.to_owned() + &lines.concat());
    let files = "SELECT array_agg(pg_relation_filenode(x.indexrelid)::bigint ORDER BY x.indrelid::regclass::text)
                   FROM pg_index AS x JOIN pg_inherits AS i ON i.inhrelid = x.indrelid
                  WHERE i.inhparent = 'trips.hist_trip_data'::regclass";
    let files = |client: &mut Client| -> Vec<i64> { client.query_one(files, &[]).unwrap().get(0) };
    let before = files(&mut client);
    assert_eq!(database.ingest(&mut client, &path).rows, [17_450, 17_450, 0, 0]);
    let after = files(&mut client);
    // An index that was built anew has another file.
    let built: Vec<bool> =
        before.iter().zip(&after).map(|(before, after)| before != after).collect();
    assert_eq!(built, [false, true, true], "july has few trips");
    check(&mut client, "three months");
}
