//! The column `details` of any length: in a row, compressed and out of line, by the bulk path and by COPY; and trips that
//! become valid in staging.

use std::fmt::Write;
use std::sync::{Arc, Mutex};

use postgres::NoTls;
use trips_tests::{Database, text_of};

use super::fixtures::ingest;

const FEED: &str = r#"SELECT trips.create_feed('notes', '{
    "title": "Notes",
    "columns": {"Number": {"type": "id"}, "When": {"type": "time"}, "Note": {}, "Secret": {}},
    "versions": {"1": ["Number", "When"]},
    "time": {"columns": ["When"], "forms": ["YYYY-MM-DD HH24:MI:SS"]},
    "region": [{"constant": "Here"}],
    "identity": {"scheme": "columns", "columns": ["@time", "Number"]},
    "trip_id": "Number", "details": ["Note"], "personal": ["Secret"]}')"#;
/// Lengths around those at which PostgreSQL stores a value in another way.
const LENGTHS: [usize; 11] = [0, 1, 96, 106, 107, 118, 126, 1_990, 2_100, 9_000, 15_000];

/// A text of this many characters that compression makes only a little shorter.
fn note(number: usize, length: usize) -> String {
    let mut state = number as u64 + 1;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + u8::try_from((state >> 33) % 90).expect("below 90"))
    };
    (0..length).map(|_| next()).map(|c| if c == '"' || c == ',' { 'é' } else { c }).collect()
}

/// Records with notes of these lengths in turn.
fn file(numbers: std::ops::Range<usize>) -> String {
    let mut text = String::from("Number,When,Note\n");
    for number in numbers {
        let note = note(number, LENGTHS[number % LENGTHS.len()]);
        writeln!(text, "{number},2024-06-{:02} 09:{:02}:00,{note}", 1 + number % 28, number % 60)
            .expect("a String takes any text");
    }
    text
}

/// Both paths into a partition store what jsonb_build_object makes.
/// A value that is no number stays as it is, and the load says so: a cast of it fails in a question.
#[test]
fn values_that_are_no_numbers_are_texts_and_counted() {
    let database = Database::on_shared();
    let mut client = database.client();
    let header = "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,RatecodeID,\
                  store_and_fwd_flag,PULocationID,DOLocationID,payment_type,fare_amount,extra,mta_tax,tip_amount,\
                  tolls_amount,improvement_surcharge,total_amount\n";
    let row = |hour: usize, distance: &str, fare: &str| {
        format!(
            "1,2019-03-04 {hour:02}:00:00,2019-03-04 {hour:02}:12:00,1,{distance},1,N,161,236,1,{fare},0,0.5,2,0,0.3,12.3\n"
        )
    };
    let rows = [
        row(0, "1.6", "9.5"),
        row(1, "bad", "$9.5"),
        row(2, "1e400", "nine"),
        row(3, "", "1 234"),
        row(4, "12 34", "NaN"),
    ];
    let path = database.file("taxis.csv", header.to_owned() + &rows.concat());
    let notes: Vec<String> = client
        .query("SELECT note FROM trips.preview($1) WHERE kind = 'trip' ORDER BY line_no", &[&path])
        .unwrap()
        .iter()
        .map(|row| row.get::<_, Option<String>>(0).unwrap_or_default())
        .collect();
    assert_eq!(
        notes,
        [
            "",
            "\"trip_distance\" is not a number: stored as text",
            "\"trip_distance\", \"fare_amount\" are not numbers: stored as text",
            "",
            "\"trip_distance\", \"fare_amount\" are not numbers: stored as text",
        ]
    );
    let notices = Arc::new(Mutex::new(String::new()));
    let received = notices.clone();
    let mut config = database.config();
    config.notice_callback(move |notice| {
        let text = format!("{} {}", notice.message(), notice.detail().unwrap_or_default());
        received.lock().unwrap().push_str(&text);
    });
    config.connect(NoTls).unwrap().execute("SELECT trips.ingest($1)", &[&path]).unwrap();
    let notices = notices.lock().unwrap();
    for expected in [
        "5 values of columns of numbers are stored as text",
        "by column: \"fare_amount\" 2, \"trip_distance\" 3.",
    ] {
        assert!(notices.contains(expected), "{notices}");
    }
    let kept: String = client
        .query_one(
            "SELECT string_agg(concat_ws('/', details->>'trip_distance', details->>'fare_amount'), ' ' ORDER BY date_time)
               FROM trips.hist_trip_data",
            &[],
        )
        .unwrap()
        .get(0);
    assert_eq!(kept, "1.6/9.5 bad/9.5 1e400/nine 1234 12 34/NaN");
}

#[test]
fn details_of_any_length() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(FEED).unwrap();
    client.batch_execute("CREATE TEMP TABLE file (number int, at timestamp, note text)").unwrap();
    // The first file fills an empty partition without its index, the second one goes through COPY.
    for (name, numbers) in [("bulk.csv", 0..4_400), ("copy.csv", 4_400..4_730)] {
        let count = i64::try_from(numbers.len()).unwrap();
        let path = database.file(name, file(numbers));
        let loaded = ingest(&mut client, &path);
        assert_eq!(loaded, ([count, count, 0, 0], Some("notes".into())), "{name}");
        client
            .batch_execute(&format!("COPY file FROM '{path}' CSV HEADER QUOTE E'\\x01'"))
            .unwrap();
    }
    let same = "SELECT count(*), bool_and(h.details IS NOT DISTINCT FROM d.details),
                       bool_and(h.details::text IS NOT DISTINCT FROM d.details::text),
                       count(*) FILTER (WHERE h.details IS NULL)
                  FROM trips.hist_trip_data AS h JOIN file AS f ON f.number::text = h.trip_id
                 CROSS JOIN LATERAL (SELECT CASE WHEN f.note <> '' THEN jsonb_build_object('Note', f.note) END)
                            AS d (details)";
    assert_eq!(text_of(&mut client, same), "4730|t|t|430");
    let out_of_line = "SELECT pg_relation_size(c.reltoastrelid) > 0 FROM pg_class AS c
                        WHERE c.oid = 'trips.hist_trip_data_2024_06'::regclass";
    assert_eq!(text_of(&mut client, out_of_line), "t");
    let failed = "SELECT count(*) FROM trips.verify() WHERE NOT passed";
    assert_eq!(text_of(&mut client, failed), "0");
}

/// A record that staging has is mended there, and becomes the trip that a correct file has.
#[test]
fn a_staged_record_is_mended() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(FEED).unwrap();
    let header = "Secret,Number,When,Note\n";
    let bad = database.file(
        "bad.csv",
        format!("{header}x1,7.0,2024-06-31 09:00:00,a\nx2,8,2024-06-02 09:00:00,b\n"),
    );
    assert_eq!(ingest(&mut client, &bad).0, [2, 1, 0, 1]);
    let staged = "SELECT record, region IS NULL AND date_time IS NULL FROM trips.stg_trip_data";
    let record = r#"{"Note": "a", "When": "2024-06-31 09:00:00", "Number": "7.0"}|t"#;
    assert_eq!(text_of(&mut client, staged), record);
    let merge = "SELECT rows_inserted, rows_duplicate, rows_staged, feed FROM trips.merge_staged()";
    assert_eq!(text_of(&mut client, merge), "1|0|1|notes");
    client
        .batch_execute(
            r#"UPDATE trips.stg_trip_data SET record = jsonb_set(record, '{When}', '"2024-06-30 09:00:00"')"#,
        )
        .unwrap();
    assert_eq!(text_of(&mut client, merge), "2|0|0|notes");
    let right = database
        .file("right.csv", "Note,Number,When\na,7,2024-06-30 09:00:00\nb,8,2024-06-02 09:00:00\n");
    assert_eq!(ingest(&mut client, &right).0, [2, 0, 2, 0]);
    let trips = "SELECT trip_id, details, region FROM trips.hist_trip_data ORDER BY trip_id";
    assert_eq!(text_of(&mut client, trips), "7|{\"Note\": \"a\"}|Here\n8|{\"Note\": \"b\"}|Here");
}
