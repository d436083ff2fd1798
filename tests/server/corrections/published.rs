//! Files that are published again, as the publishers do it: in another zone, with fractions of seconds, with more
//! equal lines. Loaded and uploaded, with each policy.

use postgres::Client;
use trips_tests::{Database, digest, parts_of, text_of};

use super::{counts, verify};

const LYFT: &str = "ride_id,rideable_type,started_at,ended_at,start_station_name,start_station_id,end_station_name,end_station_id,start_lat,start_lng,end_lat,end_lng,member_casual\n";

fn month(rides: &[(&str, &str)]) -> String {
    let ride = |(id, time): &(&str, &str)| {
        format!("{id},classic_bike,{time},{time},,,,,41.88,-87.63,41.89,-87.62,casual\n")
    };
    LYFT.to_owned() + &rides.iter().map(ride).collect::<String>()
}

/// Counts of a load with this word.
fn ingest(client: &mut Client, path: &str, word: &str) -> [i64; 4] {
    let query = "SELECT * FROM trips.ingest($1, on_change => $2)";
    counts(&client.query_one(query, &[&path, &word]).unwrap())
}

/// The same by an upload in parts of some records.
fn upload(client: &mut Client, text: &str, word: &str) -> [i64; 4] {
    let bytes = i64::try_from(text.len()).unwrap();
    let create = "SELECT load_id FROM trips.create_upload('far', $1, $2, 'one', $3)";
    let row = client.query_one(create, &[&digest(text.as_bytes()), &bytes, &word]).unwrap();
    let load_id: i64 = row.get(0);
    for part in parts_of(text.as_bytes(), load_id, 200) {
        client.execute("SELECT trips.upload_part($1, $2)", &[&load_id, &part]).unwrap();
    }
    counts(&client.query_one("SELECT * FROM trips.complete_upload($1)", &[&load_id]).unwrap())
}

fn times(client: &mut Client) -> String {
    let query = "SELECT coalesce(string_agg(format('%s %s', trip_id, to_char(date_time, 'DD HH24:MI:SS.MS')), ', '
                        ORDER BY trip_id), '') FROM trips.hist_trip_data";
    text_of(client, query)
}

/// Loads two files by ingests and by uploads; the counts of the second, and the trips.
fn both_ways(first: &str, second: &str, word: &str) -> ([i64; 4], String) {
    let results = [false, true].map(|uploads| {
        let database = Database::on_shared();
        let mut client = database.client();
        let path = database.file("1.csv", first);
        ingest(&mut client, &path, word);
        let before = times(&mut client);
        let found = match uploads {
            true => upload(&mut client, second, word),
            false => {
                let path = database.file("2.csv", second);
                ingest(&mut client, &path, word)
            }
        };
        let options =
            "SELECT options ->> 'on_change' FROM trips.loads ORDER BY load_id DESC LIMIT 1";
        assert_eq!(text_of(&mut client, options), word);
        verify(&mut client);
        let after = times(&mut client);
        // Without the second file, everything is as before it.
        let retract = "SELECT trips.retract((SELECT max(load_id) FROM trips.loads))";
        client.execute(retract, &[]).unwrap();
        assert_eq!(times(&mut client), before, "{word}");
        verify(&mut client);
        (found, after)
    });
    assert_eq!(results[0], results[1], "{word}: an upload is what ingesting is");
    let [result, _] = results;
    result
}

/// Two publications of a month with the same ids: the first in UTC, the second in local time and with one ride more.
#[test]
fn in_another_zone() {
    let first = month(&[("A1", "2024-05-31 23:00:00"), ("A2", "2024-06-01 03:00:00")]);
    let second = month(&[
        ("A1", "2024-05-31 18:00:00"),
        ("A2", "2024-05-31 22:00:00"),
        ("A3", "2024-05-31 22:00:00"),
    ]);
    let old = "A1 31 23:00:00.000, A2 01 03:00:00.000, A3 31 22:00:00.000";
    let new = "A1 31 18:00:00.000, A2 31 22:00:00.000, A3 31 22:00:00.000";
    assert_eq!(both_ways(&first, &second, "keep"), ([1, 2, 0, 0], old.to_owned()));
    assert_eq!(both_ways(&first, &second, "stage"), ([1, 0, 0, 2], old.to_owned()));
    assert_eq!(both_ways(&first, &second, "replace"), ([1, 0, 2, 0], new.to_owned()));
}

/// Rides over the end of a month are in both months, in one with a fraction of a second. They are never new.
#[test]
fn with_fractions_of_seconds() {
    let may = month(&[
        ("D1", "2024-05-31 23:34:50"),
        ("D2", "2024-05-31 23:51:20"),
        ("D3", "2024-05-12 09:00:00"),
    ]);
    let june = month(&[
        ("D1", "2024-05-31 23:34:50.273"),
        ("D2", "2024-05-31 23:51:20.862"),
        ("D4", "2024-06-03 17:00:00.001"),
    ]);
    for (first, second) in [(&may, &june), (&june, &may)] {
        for (word, expected) in
            [("keep", [1, 2, 0, 0]), ("stage", [1, 0, 0, 2]), ("replace", [1, 0, 2, 0])]
        {
            let (found, trips) = both_ways(first, second, word);
            assert_eq!(found, expected, "{word}");
            assert_eq!(trips.matches(", ").count(), 3, "{word}: {trips}");
        }
    }
}

/// Trips without ids are told apart by their number. No policy changes that.
#[test]
fn with_one_more_equal_line() {
    const HEADER: &str = "Departure,Return,Bike,Electric bike,Departure station,Return station,Membership type,Covered distance (m),Duration (sec.)\n";
    const LINE: &str =
        "2024-01-01 08:00,2024-01-01 08:00,,FALSE,0093 A,0094 B,365 Standard,1250,410\n";
    let first = [HEADER, LINE, LINE].concat();
    let second = [HEADER, LINE, LINE, LINE].concat();
    for word in ["keep", "replace", "stage"] {
        let (found, _) = both_ways(&first, &second, word);
        assert_eq!(found, [1, 2, 0, 0], "{word}");
    }
}
