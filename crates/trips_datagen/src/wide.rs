//! Files of public feeds with many columns, with invented trips.

use std::io::{self, Write};

use chrono::{Duration, NaiveDateTime};

use crate::random::Random;

/// Stations of a bike share system.
const STATIONS: u64 = 1_500;
/// The last second of a month at which a trip starts: the longest trip ends in the month.
const LAST_START: u64 = 28 * 86_400 - 7_200;

/// A feed whose files have many columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WideFeed {
    /// Feed `lyft`, version "13 columns": coordinates, and stations in `details`.
    Lyft,
    /// Feed `tlc_yellow`, 18 columns: the places are zones.
    TlcYellow,
}

struct Station {
    name: String,
    id: String,
    latitude: f64,
    longitude: f64,
}

/// Writes a header and rows of a month that begins at this time.
///
/// # Errors
/// Errors of the writer.
pub fn write(
    feed: WideFeed,
    (rows, seed): (u64, u64),
    month: NaiveDateTime,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut random = Random::new(seed);
    match feed {
        WideFeed::Lyft => lyft(rows, &mut random, month, out),
        WideFeed::TlcYellow => tlc_yellow(rows, &mut random, month, out),
    }
}

/// The start and the end of a trip.
fn times(random: &mut Random, month: NaiveDateTime) -> (NaiveDateTime, NaiveDateTime) {
    let seconds = |number: u64| Duration::seconds(i64::try_from(number).unwrap_or_default());
    let start = month + seconds(random.below(LAST_START));
    (start, start + seconds(60 + random.below(5_340)))
}

fn lyft(
    rows: u64,
    random: &mut Random,
    month: NaiveDateTime,
    out: &mut impl Write,
) -> io::Result<()> {
    let stations: Vec<Station> = (0..STATIONS)
        .map(|number| Station {
            name: format!("Station {number} & Elm St"),
            id: format!("{}.{:02}", 5_000 + number / 100, number % 100),
            latitude: 40.75 + random.around_zero() * 0.12,
            longitude: -73.97 + random.around_zero() * 0.07,
        })
        .collect();
    out.write_all(
        b"ride_id,rideable_type,started_at,ended_at,start_station_name,start_station_id,end_station_name,\
          end_station_id,start_lat,start_lng,end_lat,end_lng,member_casual\n",
    )?;
    for row in 0..rows {
        let (from, to) = (random.pick(&stations), random.pick(&stations));
        let (start, end) = times(random, month);
        writeln!(
            out,
            "{:016X},{},{start},{end},{},{},{},{},{:.6},{:.6},{:.6},{:.6},{}",
            random.number(),
            if row % 3 == 0 { "electric_bike" } else { "classic_bike" },
            from.name,
            from.id,
            to.name,
            to.id,
            from.latitude,
            from.longitude,
            to.latitude,
            to.longitude,
            if row % 4 == 0 { "casual" } else { "member" },
        )?;
    }
    Ok(())
}

fn tlc_yellow(
    rows: u64,
    random: &mut Random,
    month: NaiveDateTime,
    out: &mut impl Write,
) -> io::Result<()> {
    out.write_all(
        b"VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,RatecodeID,\
          store_and_fwd_flag,PULocationID,DOLocationID,payment_type,fare_amount,extra,mta_tax,tip_amount,\
          tolls_amount,improvement_surcharge,total_amount,congestion_surcharge\n",
    )?;
    for row in 0..rows {
        let (start, end) = times(random, month);
        let (from, to) = (1 + random.below(263), 1 + random.below(263));
        let (miles, tip, fare) = (5 + random.below(295), random.below(500), 5 + random.below(200));
        // In cents.
        let (fare, total) = (fare * 50, fare * 50 + 380 + tip);
        writeln!(
            out,
            "{},{start},{end},{},{}.{},1,N,{from},{to},{},{}.{},0.5,0.5,{}.{:02},0,0.3,{}.{:02},2.5",
            1 + row % 2,
            1 + row % 5,
            miles / 10,
            miles % 10,
            1 + row % 2,
            fare / 100,
            fare % 100 / 10,
            tip / 100,
            tip % 100,
            total / 100,
            total % 100,
        )?;
    }
    Ok(())
}
