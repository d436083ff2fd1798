//! Zones and stations of the server, which the caller gives: `zones_file`.
//!
//! Each line is a JSON list: set, id, first and last year or null, region or null, longitude and latitude as texts or
//! null. So `docker/spark/load.py` writes the rows of `trips.zones`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use trips_core::feed::zones::{NYC_TAXI_ZONES, ZoneRow, ZonesBuilder};
use trips_core::model::point::Point;

use crate::Failure;

/// The longest line, bytes.
const LONGEST: u64 = 64 * 1024;

/// A line.
type Row =
    (String, String, Option<i32>, Option<i32>, Option<String>, Option<String>, Option<String>);

/// Adds the rows of a file, which may be a pipe. Those of built-in sets are the library's.
pub fn add(path: &str, zones: &mut ZonesBuilder) -> Result<(), Failure> {
    let failed = |error| Failure::File { path: path.to_owned(), error };
    let mut source = BufReader::new(File::open(path).map_err(failed)?);
    let (mut line, mut number) = (String::new(), 0_u64);
    loop {
        line.clear();
        number += 1;
        if source.by_ref().take(LONGEST).read_line(&mut line).map_err(failed)? == 0 {
            return Ok(());
        }
        let invalid = |reason: String| {
            Failure::Usage(format!("invalid zones_file {path}: line {number}: {reason}"))
        };
        let row: Row = serde_json::from_str(&line).map_err(|error| invalid(error.to_string()))?;
        let (set, id, valid_from, valid_to, region, longitude, latitude) = row;
        if set == NYC_TAXI_ZONES {
            continue;
        }
        let degrees = |text: Option<String>| text.and_then(|text| text.parse::<f64>().ok());
        let point = degrees(longitude).zip(degrees(latitude));
        let point = point.and_then(|(longitude, latitude)| Point::new(longitude, latitude).ok());
        let row = ZoneRow { id, valid_from, valid_to, name: None, region, point };
        zones.add(&set, row).map_err(|error| invalid(error.to_string()))?;
    }
}
