//! Causes that records prove, and those that they do not.

use trips_tests::{Database, FIVE_COLUMNS, text_of};

use super::{Explained, balances, explain, explain_and_prove, load, mend, rows_of};
use crate::containers::zip_of;

/// The proposals and calls, one a line.
fn proposals(found: &[Explained]) -> Vec<String> {
    let row = |found: &Explained| {
        let retry = found.retry.as_deref().map(|call| call.split_once('(').unwrap().1);
        format!("{} | {}", found.proposal, retry.unwrap_or("-"))
    };
    found.iter().map(row).collect()
}

fn five(rows: &[&str]) -> String {
    format!("{FIVE_COLUMNS}{}\n", rows.join("\n"))
}

/// The history as one text.
const TRIPS: &str = "SELECT region, origin_coord, destination_coord, date_time, trip_key FROM trips.hist_trip_data ORDER BY 1, 4, 5";

/// Each cause alone, in files of five columns. The trips are those of the right file, with its keys.
#[test]
fn one_cause_in_a_file_of_five_columns() {
    let database = Database::on_shared();
    let mut client = database.client();
    let right = five(&[
        "A,POINT (126.9 37.5),POINT (127 37.6),2024-02-03 08:05:00,s",
        "B,POINT (126.9 37.5),,2024-02-17 08:05:00,s",
    ]);
    load(&database, &mut client, "right.csv", right);
    let expected = text_of(&mut client, TRIPS);
    for (rows, proposal) in [
        (
            [
                "A,POINT (37.5 126.9),POINT (37.6 127),2024-02-03 08:05:00,s",
                "B,POINT (37.5 126.9),,2024-02-17 08:05:00,s",
            ],
            "longitude and latitude are swapped: so read, 2 of 2 records are valid | 1, swap_coordinates => true)",
        ),
        (
            [
                "A,POINT (126.9 37.5),POINT (127 37.6),03/02/2024 08:05,s",
                "B,POINT (126.9 37.5),,17/02/2024 08:05,s",
            ],
            "dates are day first: so read, 2 of 2 records are valid; line 3 proves DD/MM | 1, date_order => 'DMY')",
        ),
        (
            [
                "A,POINT (126.9 37.5),POINT (127 37.6),02.03.2024 8:05:00 ,s",
                "B,POINT (126.9 37.5),,2.17.2024 08:05,s",
            ],
            "dates are month first: so read, 2 of 2 records are valid; line 3 proves MM/DD | 1, date_order => 'MDY')",
        ),
        (
            [
                "A,\"POINT (126,9 37,5)\",\"POINT (127 37,6)\",2024-02-03 08:05:00,s",
                "B,\"POINT (126,9 37,5)\",,2024-02-17 08:05:00,s",
            ],
            "the decimal mark is a comma: so read, 2 of 2 records are valid | 1, decimal_comma => true)",
        ),
        (
            [
                "A,POINT (126.9 37.5),POINT (127 37.6),2024/02/03 08:05,s",
                "B,POINT (126.9 37.5),,2024/02/17 08:05:00,s",
            ],
            "times have the form YYYY/MM/DD HH24:MI[:SS[.FF]]: so read, 2 of 2 records are valid | 1, time_form => 'YYYY/MM/DD HH24:MI[:SS[.FF]]')",
        ),
    ] {
        let database = Database::on_shared();
        let mut client = database.client();
        let load_id = load(&database, &mut client, "1.csv", five(&rows));
        assert_eq!(rows_of(&mut client, load_id), [2, 0, 0, 2], "{proposal}");
        assert_eq!(proposals(&explain_and_prove(&mut client, load_id)), [proposal]);
        assert_eq!(mend(&mut client, load_id), [2, 2, 0, 0]);
        assert_eq!(text_of(&mut client, TRIPS), expected, "{proposal}");
    }
}

/// Several causes in one file, in one record, and records that no reading mends.
#[test]
fn mixed_causes() {
    let database = Database::on_shared();
    let mut client = database.client();
    let load_id = load(
        &database,
        &mut client,
        "1.csv",
        five(&[
            "swapped,POINT (37.5 126.9),,2024-02-03 08:05:00,s",
            "swapped,POINT (37.5 126.9),,2024-02-04 08:05:00,s",
            "half,POINT (37.5 126.9),POINT (127 37.6),2024-02-04 08:05:00,s",
            "neither,POINT (200 126.9),,2024-02-03 08:05:00,s",
            "both,POINT (37.5 126.9),,17/02/2024 08:05,s",
            "day,POINT (126.9 37.5),,05/02/2024 08:05,s",
            "no date,POINT (126.9 37.5),,30/02/2024 08:05,s",
            ",POINT (126.9 37.5),,2024-02-03 08:05:00,s",
            "good,POINT (126.9 37.5),,2024-02-03 08:05:00,s",
        ]),
    );
    let found = explain_and_prove(&mut client, load_id);
    let lines = proposals(&found);
    for expected in [
        "longitude and latitude are swapped: so read, 3 of 4 records are valid | 1, swap_coordinates => true)",
        "dates are day first: so read, 1 of 2 records is valid; line 6 proves DD/MM | 1, date_order => 'DMY')",
        "longitude and latitude are swapped, and dates are day first: so read, 1 of 4 records is valid; line 6 proves DD/MM \
         | 1, swap_coordinates => true, date_order => 'DMY')",
    ] {
        assert!(lines.contains(&expected.to_owned()), "{expected}\n{lines:#?}");
    }
    assert_eq!(mend(&mut client, load_id), [9, 6, 0, 3]);
    let left =
        "SELECT string_agg(coalesce(region, '-'), ',' ORDER BY line_no) FROM trips.stg_trip_data";
    assert_eq!(text_of(&mut client, left), "neither,no date,-");
}

/// Without a proof there is no call; a proof in the same file counts, one in another member does not.
#[test]
fn an_order_of_day_and_month_needs_a_proof() {
    let database = Database::on_shared();
    let mut client = database.client();
    let open = "A,,,03/02/2024 08:05,s";
    let day = "A,,,17/02/2024 08:05,s";
    let month = "A,,,02/17/2024 08:05,s";
    let load_id = load(&database, &mut client, "1.csv", five(&[open, open]));
    let found = explain_and_prove(&mut client, load_id);
    assert!(found[0].retry.is_none() && found[0].proposal.contains("day first or month first"));
    let load_id = load(&database, &mut client, "2.csv", five(&[day, open, month]));
    let found = explain_and_prove(&mut client, load_id);
    assert!(found.iter().all(|found| found.retry.is_none()), "{found:?}");
    assert!(found[0].proposal.contains("line 2 proves DD/MM, line 4 proves MM/DD"), "{found:?}");
    for order in ["DMY", "MDY"] {
        let call = format!("SELECT trips.retry_staged({load_id}, date_order => '{order}')");
        let error = client.query(call.as_str(), &[]).unwrap_err();
        assert_eq!(error.code().unwrap().code(), "22008", "{order}");
    }
    let members = [
        ("a.csv", five(&[day, open])),
        ("b's.csv", five(&[open])),
        ("c.csv", five(&[month, open])),
    ];
    let load_id = load(
        &database,
        &mut client,
        "3.zip",
        zip_of(&members.each_ref().map(|(name, text)| (*name, text.as_bytes()))),
    );
    let found = explain_and_prove(&mut client, load_id);
    let calls: Vec<String> = proposals(&found);
    let has = |text: &str| calls.iter().any(|call| call.contains(text));
    assert!(
        has("date_order => 'DMY', member => 'a.csv')")
            && has("date_order => 'MDY', member => 'c.csv')"),
        "{calls:#?}"
    );
    assert!(
        found
            .iter()
            .any(|found| found.member.as_deref() == Some("b's.csv") && found.retry.is_none())
    );
    // The records that prove the orders are the same trip.
    assert_eq!(mend(&mut client, load_id), [5, 3, 1, 1]);
}

/// What no second reading mends is named all the same.
#[test]
fn facts_without_a_call() {
    let database = Database::on_shared();
    let mut client = database.client();
    for (rows, says) in [
        ("A;;;2024-02-03 08:05:00;s", "the delimiter is a semicolon"),
        ("A,,,2024-02-03", "fields are missing"),
        ("A,b,,,2024-02-03 08:05:00,s", "a field has the delimiter outside of quotes"),
        ("A,,,45325.3368,s", "a spreadsheet wrote times as numbers of days"),
        ("A,,,2024-02-03T08:05:00+01:00,s", "times have an offset from UTC"),
        (",,,2024-02-03 08:05:00,s", "give it as region"),
        ("A,,,1706947500,s", ""),
        ("A,x,,2024-02-03 08:05:00,s", ""),
    ] {
        let load_id = load(&database, &mut client, "1.csv", five(&[rows]));
        let found = explain_and_prove(&mut client, load_id);
        assert_eq!(found.len(), 1, "{rows}");
        assert!(found[0].retry.is_none() && found[0].proposal.contains(says), "{rows}: {found:?}");
    }
    let mut text = FIVE_COLUMNS.as_bytes().to_vec();
    text.extend_from_slice(b"Plze\xf2,,,2024-02-03 08:05:00,s\n");
    let load_id = load(&database, &mut client, "1.csv", text);
    let found = explain_and_prove(&mut client, load_id);
    assert!(found[0].proposal.contains("valid in windows-1252 or iso-8859-1"), "{found:?}");
}

/// Records of feeds: in JSON, with a box, with a zone, with ids.
#[test]
fn records_of_feeds() {
    let database = Database::on_shared();
    let mut client = database.client();
    let header = "ride_id,rideable_type,started_at,ended_at,start_station_name,start_station_id,end_station_name,\
                  end_station_id,start_lat,start_lng,end_lat,end_lng,member_casual\n";
    let row = |id: u32, start: &str, end: &str, place: &str| {
        format!(
            "6E3A11B0C2D4F50{id},classic_bike,{start},{end},Elm St,TA1307,Oak St,13050,{place},member\n"
        )
    };
    let (iso, place) =
        (["2024-06-13 08:05:12", "2024-06-13 08:19:40"], "41.9029,-87.6317,41.8892,-87.6277");
    let dots = ["13.06.2024 08:05", "13.06.2024 08:19"];
    let text = [
        row(1, iso[0], iso[1], place),
        row(2, iso[0], iso[1], "-87.6317,41.9029,-87.6277,41.8892"),
        row(3, iso[0], iso[1], "-87.6317,41.9029,41.8892,-87.6277"),
        row(4, dots[0], dots[1], place),
        row(5, iso[0], dots[1], place),
        row(6, dots[0], dots[1], "-87.6317,41.9029,-87.6277,41.8892"),
        row(7, "1718287512", "1718288380", place),
        row(8, iso[0], iso[1], "\"41,9029\",\"-87,6317\",\"41,8892\",\"-87,6277\""),
    ]
    .concat();
    let load_id = load(&database, &mut client, "1.csv", header.to_owned() + &text);
    assert_eq!(rows_of(&mut client, load_id), [8, 1, 0, 7]);
    let found = explain_and_prove(&mut client, load_id);
    let calls = proposals(&found);
    for call in [
        "swap_coordinates => true)",
        "date_order => 'DMY')",
        "swap_coordinates => true, date_order => 'DMY')",
        "decimal_comma => true)",
    ] {
        assert!(
            calls.iter().any(|found| found.ends_with(&format!("| 1, {call}"))),
            "{call}: {calls:#?}"
        );
    }
    // Seconds since 1970 have no local time: the areas of the feed have several time zones.
    assert_eq!(mend(&mut client, load_id), [8, 7, 0, 1]);
    let wrong = "SELECT count(*) FROM trips.hist_trip_data
                  WHERE origin_coord IS DISTINCT FROM NULL AND (origin_coord[0] <> -87.6317 OR origin_coord[1] <> 41.9029
                        OR destination_coord[0] <> -87.6277 OR date_time::date <> '2024-06-13' OR ended_at < date_time)";
    assert_eq!(text_of(&mut client, wrong), "0");
}

/// Seconds since 1970 are local times of a feed with one time zone.
#[test]
fn seconds_since_1970() {
    let database = Database::on_shared();
    let mut client = database.client();
    let feed = r#"SELECT trips.create_feed('prague', '{"title": "T", "columns": {"day": {}, "place": {}, "bike": {}},
        "versions": {"1": ["day", "place", "bike"]}, "time": {"columns": ["day"], "forms": ["YYYY-MM-DD HH24:MI:SS"], "zone": "Europe/Prague"},
        "region": [{"constant": "Here"}], "identity": {"scheme": "columns", "columns": ["@time", "bike"]}}')"#;
    client.batch_execute(feed).unwrap();
    let text = "day,place,bike\n1718287512,x,7\n1718287512000,x,8\n2024-06-13 16:05:12,x,7\n";
    let load_id = load(&database, &mut client, "1.csv", text);
    let found = proposals(&explain_and_prove(&mut client, load_id));
    assert_eq!(
        found,
        [
            "times are seconds since 1970: so read, 1 of 2 records is valid | 1, time_form => 'epoch')",
            "times are milliseconds since 1970: so read, 1 of 2 records is valid | 1, time_form => 'epoch_ms')",
        ]
    );
    assert_eq!(mend(&mut client, load_id), [3, 3, 0, 0]);
    let times = "SELECT count(*), count(DISTINCT trip_key) FROM trips.hist_trip_data WHERE date_time = '2024-06-13 16:05:12'";
    assert_eq!(text_of(&mut client, times), "3|3");
}

/// Records of a feed that was created later, or that was dropped.
#[test]
fn records_of_another_feed() {
    let database = Database::on_shared();
    let mut client = database.client();
    let feed = |name: &str, time: &str, form: &str| {
        format!(
            r#"SELECT trips.create_feed('{name}', '{{"title": "T", "columns": {{"Id": {{"type": "id"}}, "{time}": {{"type": "time"}}}},
            "versions": {{"1": ["Id", "{time}"]}}, "time": {{"columns": ["{time}"], "forms": ["{form}"]}},
            "region": [{{"constant": "Here"}}], "identity": {{"scheme": "source_id", "columns": ["Id"]}}, "trip_id": "Id"}}')"#
        )
    };
    client.batch_execute(&feed("iso", "When", "YYYY-MM-DD HH24:MI:SS")).unwrap();
    let text = "Id,When\n1,2024-02-03 08:05:00\n2,3 Feb 2024 08:05\n3,4 Feb 2024 08:05\n4,soon\n";
    let load_id = load(&database, &mut client, "1.csv", text);
    assert!(explain_and_prove(&mut client, load_id).iter().all(|found| found.retry.is_none()));
    client.batch_execute(&feed("words", "When", "DD Mon YYYY HH24:MI")).unwrap();
    let found = explain_and_prove(&mut client, load_id);
    assert!(proposals(&found).contains(
        &"the records are those of feed words: 2 of 3 records are valid by it | 1, feed => 'words')".to_owned()
    ));
    client.batch_execute("SELECT trips.drop_feed('iso')").unwrap();
    let found = explain_and_prove(&mut client, load_id);
    assert!(found.iter().any(|found| found.retry.is_some()), "{found:?}");
    assert_eq!(mend(&mut client, load_id), [4, 3, 0, 1]);
    // A feed whose columns no record has.
    let error = client.query("SELECT trips.retry_staged(1, feed => 'uber_2014')", &[]).unwrap_err();
    assert_eq!(error.code().unwrap().code(), "42703");
}

/// The trip with the id of a staged record has other values: the record corrects it, if one wants that.
#[test]
fn known_ids_with_other_values() {
    let database = Database::on_shared();
    let mut client = database.client();
    client
        .batch_execute(
            r#"SELECT trips.create_feed('rides', '{"title": "Rides", "columns": {"Number": {"type": "id"}, "When": {"type": "time"}, "Kind": {}},
               "versions": {"1": ["Number", "When", "Kind"]}, "time": {"columns": ["When"], "forms": ["YYYY-MM-DD HH24:MI:SS"]},
               "region": [{"constant": "Here"}], "trip_id": "Number", "details": ["Kind"],
               "identity": {"scheme": "source_id", "columns": ["Number"], "policy": "stage"}}')"#,
        )
        .unwrap();
    let first = "Number,When,Kind\n1,2024-02-03 08:05:00,a\n2,2024-02-03 08:05:00,a\n";
    load(&database, &mut client, "1.csv", first);
    let second = "Number,When,Kind\n1,2024-02-04 08:05:00,a\n2,2024-02-03 08:05:00,b\n3,2024-02-03 08:05:00,a\n4,soon,a\n";
    let load_id = load(&database, &mut client, "2.csv", second);
    assert_eq!(rows_of(&mut client, load_id), [4, 1, 0, 3]);
    let found = explain(&mut client, load_id);
    let calls: Vec<&str> = found.iter().filter_map(|found| found.retry.as_deref()).collect();
    assert!(!calls.is_empty(), "{found:?}");
    let call = "SELECT * FROM trips.retry_staged(2, on_change => 'replace')";
    assert!(calls.iter().all(|found| *found == call), "{calls:?}");
    let says = "the trip with the id has other values";
    let of_ids = found.iter().filter(|found| found.proposal.starts_with(says));
    assert_eq!(of_ids.map(|found| found.records).sum::<i64>(), 2, "{found:?}");
    client.query(call, &[]).unwrap();
    let counts = "SELECT rows_read, rows_inserted, rows_corrected, rows_staged FROM trips.loads WHERE load_id = 2";
    assert_eq!(text_of(&mut client, counts), "4|1|2|1");
    let trips = "SELECT string_agg(concat_ws(' ', trip_id, date_time::date, details ->> 'Kind'), ', ' ORDER BY trip_id)
                   FROM trips.hist_trip_data";
    assert_eq!(text_of(&mut client, trips), "1 2024-02-04 a, 2 2024-02-03 b, 3 2024-02-03 a");
    balances(&mut client);
}

/// A spreadsheet rounded the ids, so that they are equal.
#[test]
fn ids_of_a_spreadsheet() {
    let database = Database::on_shared();
    let mut client = database.client();
    client
        .batch_execute(
            r#"SELECT trips.create_feed('rides', '{"title": "Rides", "columns": {"Number": {"type": "id"}, "When": {"type": "time"}},
               "versions": {"1": ["Number", "When"]}, "time": {"columns": ["When"], "forms": ["YYYY-MM-DD HH24:MI:SS"]},
               "region": [{"constant": "Here"}], "trip_id": "Number",
               "identity": {"scheme": "source_id", "columns": ["Number"], "policy": "stage"}}')"#,
        )
        .unwrap();
    let text = "Number,When\n1.23E+15,2024-02-03 08:05:00\n1.23E+15,2024-02-03 08:06:00\n1.23E+15,2024-02-03 08:07:00\n";
    let load_id = load(&database, &mut client, "1.csv", text);
    let found = explain_and_prove(&mut client, load_id);
    assert!(found[0].retry.is_none(), "{found:?}");
    assert!(
        found[0]
            .proposal
            .contains("a spreadsheet rounded the ids: 2 of 2 records are like 1.23E+15"),
        "{found:?}"
    );
    assert!(found[0].examples.contains("\"value\": \"1.23E+15\""), "{found:?}");
}
