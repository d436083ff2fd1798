//! All files of a directory, each by its header alone: `TRIPS_FEEDS_DIR=… cargo test … -- --ignored feeds::directory --nocapture`.

use std::fs;

use trips_tests::{Database, server_error, text_of};

use super::fixtures::RESET;

/// Prints a line for each file: its feed, its counts, and its first trip, or its error.
#[test]
#[ignore = "reads the directory TRIPS_FEEDS_DIR"]
fn loads_the_files_of_a_directory() {
    let directory = std::env::var("TRIPS_FEEDS_DIR").expect("TRIPS_FEEDS_DIR");
    let database = Database::for_any_date();
    let mut client = database.client();
    let mut paths: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "csv")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        client.batch_execute(RESET).unwrap();
        let copy = database.file(name, fs::read(path).unwrap());
        let query = "SELECT feed, rows_read, rows_inserted, rows_duplicate, rows_staged FROM trips.ingest($1)";
        match client.query_one(query, &[&copy]) {
            Ok(row) => {
                let feed: Option<String> = row.get(0);
                let counts: [i64; 4] = [row.get(1), row.get(2), row.get(3), row.get(4)];
                let first = "SELECT date_time, ended_at, region, origin_coord, destination_coord, datasource, trip_id
                               FROM trips.hist_trip_data ORDER BY load_id, date_time LIMIT 1";
                println!(
                    "{name}|{}|{counts:?}|{}",
                    feed.unwrap_or_default(),
                    text_of(&mut client, first)
                );
            }
            Err(error) => println!("{name}|{:?}", server_error(&error)),
        }
    }
}
