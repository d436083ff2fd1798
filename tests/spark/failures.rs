//! What goes wrong in the middle, and what keeps one file out: all others are loaded, and the job can be run again.

use std::process::Output;

use postgres::Client;
use trips_tests::{
    Cluster, FIVE_COLUMNS, Spark, digest, month_as_csv, rows_as_csv, trip_line, until,
};

use crate::{history, start_server, texts};

const STATES: &str =
    "SELECT source, state, error_code, rows_read FROM trips.loads ORDER BY source, load_id";

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

fn arrived(client: &mut Client) -> i64 {
    let query = "SELECT count(*) FROM trips.upload_parts";
    client.query_one(query, &[]).expect("a count").get(0)
}

#[test]
#[ignore = "needs Spark: make test-spark"]
fn a_job_whose_driver_dies_goes_on_when_it_is_run_again() {
    let (cluster, other) = (start_server(), start_server());
    let mut client = cluster.client();
    let path = cluster.file("trips.csv", month_as_csv(60_000, 1, "2018-05-01"));
    let spark = Spark::start(&cluster, "spark");
    let job = spark.begin(&["load.py", "--split-bytes", "1", "--slow", "0.5", &path]);
    until("no parts arrive", || (arrived(&mut client) >= 2).then_some(()));
    spark.kill_driver(job);
    let number = "SELECT load_id FROM trips.uploads";
    let before = texts(&mut client, number);
    assert_eq!((before.len(), arrived(&mut client) > 1), (1, true));
    let text = spark.submit(&["load.py", "--split-bytes", "1", &path]);
    assert!(text.contains("60000 read, 60000 inserted, 0 duplicate"), "{text}");
    assert!(text.contains(&format!("as load {}", before[0].trim_matches(['(', ')']))), "{text}");
    other.ingest(&mut other.client(), &path);
    assert_eq!(history(&mut client), history(&mut other.client()));
}

/// Files with too many bad lines, that another role uploads as well, with parts that do not fit each other, and with a name that is no
/// ASCII: each ends as it must, and keeps no other.
#[test]
#[ignore = "needs Spark: make test-spark"]
fn a_file_that_fails_keeps_no_other() {
    let cluster: Cluster = start_server();
    let mut client = cluster.client();
    client.batch_execute("ALTER ROLE spark SET trips.max_errors = 10").expect("a setting");
    let bad = format!("{FIVE_COLUMNS}{}{}", trip_line("Bad", 1), "ragged\n".repeat(11));
    let foreign = rows_as_csv(20, 2);
    let stuck = rows_as_csv(5_000, 3);
    let paths = [
        cluster.file("1 zum \u{dc}ben.csv", rows_as_csv(1_000, 1)),
        cluster.file("2.csv", bad),
        cluster.file("3.csv", &foreign),
        cluster.file("4.csv", &stuck),
        cluster.path("5 is not there.csv"),
        cluster.file("6.csv", rows_as_csv(1_000, 4)),
    ];
    let open = "SELECT load_id FROM trips.create_upload($1, $2, $3, $4)";
    let open = |client: &mut Client, path: &str, file: &[u8], reading: &str| -> i64 {
        let bytes = i64::try_from(file.len()).expect("a size");
        let row = client.query_one(open, &[&path, &digest(file), &bytes, &reading]);
        row.expect("an upload").get(0)
    };
    open(&mut client, &paths[2], &foreign, "by somebody else");
    let spark = Spark::start(&cluster, "spark");
    let _ = spark.submit(&["load.py", "--only-stage", &paths[3]]);
    // As if its parts had been cut in another way.
    client
        .batch_execute(
            "INSERT INTO trips.upload_parts (load_id, first_byte, bytes, rows_read, rows_rejected, content)
             SELECT load_id, first_byte + 1, bytes - 1, rows_read, rows_rejected, content FROM trips.upload_parts",
        )
        .expect("a part more");
    let mut arguments = vec!["load.py"];
    arguments.extend(paths.iter().map(String::as_str));
    let output = spark.begin(&arguments).wait_with_output().expect("a job");
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for expected in [
        format!("failed {} 22P04: ", paths[1]),
        format!("begins anew {}", paths[3]),
        format!("refused {} 58030: ", paths[4]),
        "6 files: 4 loaded, 1 refused, 1 failed".to_owned(),
    ] {
        assert!(text.contains(&expected), "{expected}\n{text}");
    }
    let of = |i: usize, rest: &str| format!("(\"{}\",{rest})", paths[i]);
    let bare = |i: usize, rest: &str| format!("({},{rest})", paths[i]);
    let expected = [
        of(0, "loaded,,1000"),
        bare(1, "failed,22P04,0"),
        bare(2, "loaded,,20"),
        bare(3, "loaded,,5000"),
        bare(5, "loaded,,1000"),
    ];
    assert_eq!(texts(&mut client, STATES), expected);
    // Allowed more, what was staged is merged as it is.
    client.batch_execute("ALTER ROLE spark SET trips.max_errors = 11").expect("a setting");
    let text = spark.submit(&["load.py", &paths[1]]);
    assert!(text.contains("12 read, 1 inserted, 0 duplicate, 0 corrected, 11 staged"), "{text}");
}
