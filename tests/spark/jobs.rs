//! The other jobs: the historical JDBC write, questions, the archive.

use postgres::Client;
use trips_tests::{Cluster, Spark, real_trips, rows_as_csv};

use crate::{history, start_server, texts};

/// The expected rows of similar(): cells and hours, most trips first. Spark rounds halves away from zero, as numeric does.
const SIMILAR: &str = "SELECT round(origin_coord[0]::numeric, 1)::float8, round(origin_coord[1]::numeric, 1)::float8,
        round(destination_coord[0]::numeric, 1)::float8, round(destination_coord[1]::numeric, 1)::float8,
        extract(hour FROM date_time)::int / 6 * 6, count(*)
   FROM trips.hist_trip_data GROUP BY 1, 2, 3, 4, 5
  ORDER BY 6 DESC, 1 NULLS FIRST, 2 NULLS FIRST, 3 NULLS FIRST, 4 NULLS FIRST, 5 LIMIT 30";

#[test]
#[ignore = "needs Spark: make test-spark"]
fn jdbc_questions_and_the_archive() {
    let cluster = start_server();
    let mut client = cluster.client();
    let sample = cluster.file("sample.csv", rows_as_csv(3_000, 9));
    let spark = Spark::start(&cluster, "spark");

    // The plain JDBC write, then the merge: the history that ingesting gives.
    let printed = spark.submit(&["jdbc_load.py", &sample]);
    assert!(printed.contains("3000 inserted, 0 duplicate, 0 staged"), "{printed}");
    let by_jdbc = history(&mut client);
    let other = start_server();
    other.ingest(&mut other.client(), &sample);
    assert_eq!(by_jdbc, history(&mut other.client()));
    cluster.ingest(&mut client, &cluster.file("trips.csv", real_trips()));

    // Questions, over the database and over the archive.
    let weekly = |line: &[String]| {
        line.iter().map(|l| l.trim_matches(['(', ')']).replace(',', "|")).collect::<Vec<_>>()
    };
    let expected = weekly(&texts(&mut client, "SELECT * FROM trips.weekly_avg()"));
    // spark-submit prints the other words of the job on the same output; the first row has the names of the columns.
    let lines = |printed: String| {
        let rows = printed.lines().filter(|line| line.contains('|'));
        rows.skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(spark.submit(&["analytics.py", "weekly-avg"])), expected);
    let archive = cluster.path("archive");
    let trips = history(&mut client);
    let printed = spark.submit(&["archive.py", "out", &archive]);
    assert!(printed.contains(&format!("archived {} trips", trips.0)), "{printed}");
    assert!(std::path::Path::new(&archive).join("month=2018-05").is_dir());
    assert_eq!(
        lines(spark.submit(&["analytics.py", "weekly-avg", "--parquet", &archive])),
        expected
    );
    let similar = ["analytics.py", "similar", "--decimals", "1", "--hours", "6", "--top", "30"];
    let numbers = |line: &String| -> Vec<Option<f64>> {
        line.trim_matches(['(', ')']).split(['|', ',']).map(|number| number.parse().ok()).collect()
    };
    let expected: Vec<_> = texts(&mut client, SIMILAR).iter().map(numbers).collect();
    let found: Vec<_> = lines(spark.submit(&similar)).iter().map(numbers).collect();
    assert_eq!(found, expected);
    assert!(found.len() == 30 && found[0][5] > Some(1.0), "{found:?}");

    // A month that is archived and gone from the database stays, and is not counted again.
    client
        .batch_execute("DELETE FROM trips.hist_trip_data WHERE date_time < '2018-05-02'")
        .expect("fewer");
    let fewer = history(&mut client).0;
    let second = cluster.path("archive 2");
    let printed = spark.submit(&["archive.py", "out", &second]);
    assert!(fewer < trips.0 && printed.contains(&format!("archived {fewer} trips")), "{printed}");
    comes_back(spark, &archive, &trips);
}

/// Trips of the archive, with their digest, into an empty history.
fn comes_back(spark: Spark, archive: &str, trips: &(i64, String)) {
    // Back into an empty history, twice: the second time, nothing is staged.
    let empty = start_server();
    let spark = spark.with(&empty, "spark");
    let all = trips.0;
    for expected in [
        format!(
            "{all} trips in the archive: 0 known already, {all} staged\nload 1: {all} inserted, 0 duplicate, 0 staged"
        ),
        format!("{all} trips in the archive: {all} known already, 0 staged"),
    ] {
        let printed = spark.submit(&["archive.py", "back", archive]);
        assert!(printed.contains(&expected), "{printed}");
    }
    let mut client = empty.client();
    assert_eq!(&history(&mut client), trips);
    assert_eq!(texts(&mut client, "SELECT count(*) FROM trips.loads"), ["(1)"]);

    // Days are deleted and come back: only its trips are staged, and the ledger has both.
    let deleted =
        texts(&mut client, "SELECT trips FROM trips.delete_trips(before => '2018-05-16')");
    let deleted: i64 = deleted[0].trim_matches(['(', ')']).parse().expect("a number");
    assert!(deleted > 0 && deleted < all, "{deleted} of {all}");
    let printed = spark.submit(&["archive.py", "back", archive, "--month", "2018-05"]);
    let known = all - deleted;
    let expected = format!("{all} trips in the archive: {known} known already, {deleted} staged\n");
    assert!(printed.contains(&expected), "{printed}");
    assert!(printed.contains(&format!("{deleted} inserted, 0 duplicate, 0 staged")), "{printed}");
    assert_eq!(&history(&mut client), trips);
    assert_eq!(texts(&mut client, FAILED), Vec::<String>::new());
    trips_with_ids_are_not_cut(&spark, &empty, &mut client);
}

const FAILED: &str = "SELECT check_name, detail FROM trips.verify() WHERE NOT passed";

/// Two trips of a feed with ids, and what a job reads of them in an archive.
const RIDES: &str = "\
ride_id,rideable_type,started_at,ended_at,start_station_name,start_station_id,end_station_name,end_station_id,start_lat,start_lng,end_lat,end_lng,member_casual
6E3A11B0C2D4F501,classic_bike,2024-06-03 08:05:12.310,2024-06-03 08:19:40.002,Elm St,TA1307,Oak St,13050,41.9029,-87.6317,41.8892,-87.6277,member
6E3A11B0C2D4F502,electric_bike,2024-06-03 17:40:00.000,2024-06-03 18:01:30.500,Oak St,13050,,,41.8892,-87.6277,,,casual
";
const READ_ARCHIVE: &str = "\
import json, sys
from trips_spark import session
rows = session('read').read.parquet(sys.argv[1]).where('trip_id IS NOT NULL').orderBy('date_time').collect()
print(*(f'{row.trip_id} {row.ended_at} {json.loads(row.details)[\"member_casual\"]}' for row in rows), sep=';')
";

/// The archive has all columns of such trips. Staging does not: they are left there, and the job says so.
fn trips_with_ids_are_not_cut(spark: &Spark, server: &Cluster, client: &mut Client) {
    let rides = server.file("rides.csv", RIDES);
    server.ingest(client, &rides);
    let archive = server.path("archive with ids");
    let _ = spark.submit(&["archive.py", "out", &archive]);
    assert_eq!(
        spark.submit(&[&server.file("read_archive.py", READ_ARCHIVE), &archive]).trim(),
        "6E3A11B0C2D4F501 2024-06-03 08:19:40.002000 member;6E3A11B0C2D4F502 2024-06-03 18:01:30.500000 casual"
    );
    let before = history(client);
    let delete = "SELECT trips FROM trips.delete_trips(since => '2018-05-16')";
    let deleted: i64 = client.query_one(delete, &[]).expect("deleted").get(0);

    let job = spark.begin(&["archive.py", "back", &archive]).wait_with_output().expect("a job");
    let printed = String::from_utf8_lossy(&[&job.stdout[..], &job.stderr].concat()).into_owned();
    let (known, staged) = (before.0 - deleted, deleted - 2);
    assert!(staged > 0 && job.status.code() == Some(1), "{:?} {printed}", job.status);
    for expected in [
        format!("{} trips in the archive: {known} known already, {staged} staged\n", before.0),
        format!("{staged} inserted, 0 duplicate, 0 staged\n"),
        "left 2 trips in the archive: staging has no columns for their ids".to_owned(),
    ] {
        assert!(printed.contains(&expected), "no {expected:?} in {printed}");
    }
    assert_eq!(texts(client, FAILED), Vec::<String>::new());

    // As the job says.
    let again = format!("SELECT rows_inserted FROM trips.ingest('{rides}', force => true)");
    assert_eq!(texts(client, &again), ["(2)"]);
    assert_eq!(history(client), before);
    let printed = spark.submit(&["archive.py", "back", &archive]);
    assert!(printed.contains(&format!("{} known already, 0 staged\n", before.0)), "{printed}");
    assert_eq!(texts(client, FAILED), Vec::<String>::new());
}
