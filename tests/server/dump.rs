//! pg_dump and restore, in every form: the same data, the same query results, and the next load works.

use postgres::Client;
use trips_tests::{
    Cluster, FIVE_COLUMNS, Load, database_state, month_as_csv, partitions_without_key, rows_as_csv,
};

/// How to copy the database `trips` into a new one: `{dump}` is a path of its own, `{db}` the new
/// database. Each is the name of that, and the programs to run.
const FORMS: [(&str, &[&str]); 8] = [
    ("plain", &["pg_dump -d trips -f {dump}", "psql -X -v ON_ERROR_STOP=1 -d {db} -f {dump}"]),
    ("custom", &["pg_dump -d trips -Fc -f {dump}", "pg_restore --exit-on-error -d {db} {dump}"]),
    (
        "restored_in_sections",
        &[
            "pg_dump -d trips -Fc -f {dump}",
            "pg_restore --exit-on-error --section=pre-data -d {db} {dump}",
            "pg_restore --exit-on-error --section=data -d {db} {dump}",
            "pg_restore --exit-on-error --section=post-data -d {db} {dump}",
        ],
    ),
    (
        "dumped_in_sections",
        &[
            "pg_dump -d trips --section=pre-data -f {dump}.1",
            "pg_dump -d trips --section=data -f {dump}.2",
            "pg_dump -d trips --section=post-data -f {dump}.3",
            "psql -X -v ON_ERROR_STOP=1 -d {db} -f {dump}.1",
            "psql -X -v ON_ERROR_STOP=1 -d {db} -f {dump}.2",
            "psql -X -v ON_ERROR_STOP=1 -d {db} -f {dump}.3",
        ],
    ),
    (
        "directory",
        &["pg_dump -d trips -Fd -j 2 -f {dump}", "pg_restore --exit-on-error -j 2 -d {db} {dump}"],
    ),
    (
        "through_the_root",
        &[
            "pg_dump -d trips -Fc --load-via-partition-root -f {dump}",
            "pg_restore --exit-on-error -d {db} {dump}",
        ],
    ),
    (
        "inserts",
        &[
            "pg_dump -d trips --rows-per-insert=500 -f {dump}",
            "psql -X -v ON_ERROR_STOP=1 -d {db} -f {dump}",
        ],
    ),
    (
        "over_another",
        &[
            "pg_dump -d trips -Fc -f {dump}",
            "pg_restore --exit-on-error --section=pre-data --section=data -d {db} {dump}",
            "pg_restore --exit-on-error --clean --if-exists -d {db} {dump}",
        ],
    ),
];

/// Files that have been loaded, and files that come after the restore.
struct Files {
    sample: String,
    next: String,
}

/// Months before 1970 and after 2100, duplicates, bad lines, a staged load and a failed one.
fn fill(cluster: &Cluster, client: &mut Client) -> Files {
    let sample = cluster.file("sample.csv", include_bytes!("../../samples/trips_sample.csv"));
    cluster.ingest(client, &sample);
    cluster.ingest(client, &sample);
    let old = ["0001-01-01 00:00:00", "1969-12-31 23:59:59.999999", "1970-01-01 00:00:00"];
    let old: String = old.iter().map(|date| format!("Prague,,,{date},old\n")).collect();
    let old = cluster.file("old.csv", FIVE_COLUMNS.to_owned() + &old + "Turin,,,2100-01-01,x\n");
    assert_eq!(cluster.ingest(client, &old).rows, [4, 3, 0, 1]);
    let many = cluster.file("many.csv", month_as_csv(5_000, 7, "2019-02-01"));
    assert_eq!(cluster.ingest(client, &many).rows[0], 5_000);
    let staged = cluster.file("staged.csv", rows_as_csv(50, 99));
    client.query_one("SELECT trips.stage($1)", &[&staged]).unwrap();
    client.query_one("SELECT trips.ingest('/nowhere.csv')", &[]).unwrap_err();

    let [before, may, new] = ["1960-05-05", "2018-05-05", "2021-03-03"]
        .map(|day| format!("Cork,POINT (1 2),POINT (3 4),{day} 12:00:00,new\n"));
    let next = cluster.file("next.csv", FIVE_COLUMNS.to_owned() + &before + &may + &new + &new);
    Files { sample, next }
}

#[test]
fn a_restored_database_is_the_same_and_goes_on() {
    let cluster = Cluster::start_for_any_date();
    let mut client = cluster.client();
    let files = fill(&cluster, &mut client);
    let before = database_state(&mut client);
    assert!(before[0].as_deref().unwrap().starts_with("8003 trips"), "{before:?}");
    for (database, programs) in FORMS {
        client.batch_execute(&format!("CREATE DATABASE {database}")).unwrap();
        let dump = cluster.path(&format!("{database}.dump"));
        for program in programs {
            let words: Vec<String> = program
                .split(' ')
                .map(|word| word.replace("{dump}", &dump).replace("{db}", database))
                .collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let output = cluster.tool(words[0], &words[1..]);
            let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!complaints.contains("warning:"), "{program}: {complaints}");
        }
        let mut restored = cluster.client_of(database);
        assert_eq!(database_state(&mut restored), before, "{database}");
        assert_eq!(partitions_without_key(&mut restored), Vec::<String>::new(), "{database}");
        goes_on(&cluster, &mut restored, &files);
    }
    // Nothing of that went to the database that was dumped.
    assert_eq!(database_state(&mut client), before);
}

/// Known bytes are known, known trips are known, new ones go in under the next number: into months
/// that are there, also before 1970, and into new ones.
fn goes_on(cluster: &Cluster, restored: &mut Client, files: &Files) {
    let again = cluster.ingest(restored, &files.sample);
    assert_eq!((again.load_id, again.summary(), again.same_as), (7, ("skipped", [0; 4]), Some(1)));
    let forced = "SELECT * FROM trips.ingest($1, force => true)";
    let row = restored.query_one(forced, &[&files.sample]).unwrap();
    assert_eq!(Load::from_row(&row).rows, [3014, 0, 3006, 8]);
    let merged = restored.query_one("SELECT * FROM trips.merge_staged(5)", &[]).unwrap();
    assert_eq!(Load::from_row(&merged).rows, [50, 50, 0, 0]);
    assert_eq!(cluster.ingest(restored, &files.next).rows, [4, 3, 1, 0]);
    let row = restored
        .query_one(
            "SELECT (SELECT count(*) FROM trips.hist_trip_data),
                    (SELECT sum(weekly_avg)::bigint FROM trips.weekly_avg()),
                    (SELECT count(*) FROM pg_inherits WHERE inhparent = 'trips.hist_trip_data'::regclass)",
            &[],
        )
        .unwrap();
    assert_eq!([0, 1, 2].map(|i| row.get::<_, i64>(i)), [8_056, 8_056, 6]);
    assert_eq!(partitions_without_key(restored), Vec::<String>::new());
    // The area index is not in a dump: it is built again, and then used again.
    let in_areas =
        "SELECT sum(trips)::bigint FROM trips.weekly_counts(trips.area(-180, -90, 180, 90))";
    let kept = "SELECT coalesce(sum(trips), 0)::bigint FROM trips_internal.area_directory";
    let one =
        |client: &mut Client, query: &str| -> i64 { client.query_one(query, &[]).unwrap().get(0) };
    let trips =
        one(restored, "SELECT count(*) FROM trips.hist_trip_data WHERE origin_coord IS NOT NULL");
    assert_eq!(one(restored, in_areas), trips);
    assert!(one(restored, kept) < 100);
    restored.batch_execute("SELECT trips.rebuild()").unwrap();
    assert_eq!((one(restored, in_areas), one(restored, kept)), (trips, 8_056));
    // Changes by hand are followed in the copy, too.
    restored.batch_execute("DELETE FROM trips.hist_trip_data WHERE region = 'Lyon'").unwrap();
    let failed = "SELECT string_agg(check_name, ', ') FROM trips.verify() WHERE NOT passed";
    let failed: Option<String> = restored.query_one(failed, &[]).unwrap().get(0);
    assert_eq!(failed.as_deref(), Some("ledger"));
}

/// The same trip twice in a partition is an error, not a second row: the keys are more than names.
#[test]
fn restored_keys_are_unique_ones() {
    let cluster = Cluster::start_for_any_date();
    let mut client = cluster.client();
    fill(&cluster, &mut client);
    let dump = cluster.path("dump");
    cluster.tool("pg_dump", &["-d", "trips", "-Fc", "-f", &dump]);
    client.batch_execute("CREATE DATABASE restored").unwrap();
    cluster.tool("pg_restore", &["--exit-on-error", "-d", "restored", &dump]);
    let error = cluster
        .client_of("restored")
        .batch_execute("INSERT INTO trips.hist_trip_data SELECT * FROM trips.hist_trip_data")
        .unwrap_err();
    assert_eq!(trips_tests::server_error(&error).0, "23505");
}
