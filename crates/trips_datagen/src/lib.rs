//! Files of trips from a seed: the same arguments give the same bytes, on every machine.

#![forbid(unsafe_code)]

use std::io::{self, Write};

use chrono::{Duration, NaiveDate};

pub mod random;
pub mod wide;

use random::Random;

/// The cities of the trips, with their centers: longitude and latitude in degrees.
const CITIES: [(&str, f64, f64); 12] = [
    ("Prague", 14.44, 50.08),
    ("Turin", 7.68, 45.07),
    ("Hamburg", 10.0, 53.55),
    ("Lyon", 4.84, 45.76),
    ("Porto", -8.61, 41.15),
    ("Gdansk", 18.64, 54.35),
    ("Ghent", 3.72, 51.05),
    ("Malmo", 13.0, 55.6),
    ("Graz", 15.44, 47.07),
    ("Seville", -5.98, 37.39),
    ("Cork", -8.47, 51.9),
    ("Tartu", 26.72, 58.38),
];

const DATASOURCES: [&str; 5] =
    ["funny_car", "baba_car", "cheap_mobile", "bad_diesel_vehicles", "pt_search_app"];

/// The properties of a generated file.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Data rows.
    pub rows: u64,
    /// Seed of the random numbers.
    pub seed: u64,
    /// How many cities, 1 to 12.
    pub regions: usize,
    /// The first day.
    pub first_day: NaiveDate,
    /// How many days the trips are spread over, in random order.
    pub days: u32,
}

impl Default for Shape {
    fn default() -> Self {
        let first_day = NaiveDate::from_ymd_opt(2018, 5, 1).expect("a date of the calendar");
        Self { rows: 2_000_000, seed: 1, regions: CITIES.len(), first_day, days: 28 }
    }
}

/// Writes the header and the rows.
///
/// # Errors
/// Errors of the writer.
pub fn write(shape: &Shape, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"region,origin_coord,destination_coord,datetime,datasource\n")?;
    let mut random = Random::new(shape.seed);
    let midnight = shape.first_day.and_hms_opt(0, 0, 0).expect("midnight exists");
    for _ in 0..shape.rows {
        let (region, longitude, latitude) = *random.pick(&CITIES[..shape.regions]);
        let mut degrees = |middle: f64| middle + random.around_zero() * 0.15;
        let points = [longitude, latitude, longitude, latitude].map(&mut degrees);
        let second = random.below(u64::from(shape.days) * 86_400);
        let time = midnight + Duration::seconds(i64::try_from(second).expect("a few years"));
        let datasource = random.pick(&DATASOURCES);
        writeln!(
            out,
            "{region},POINT ({:.14} {:.14}),POINT ({:.14} {:.14}),{time},{datasource}",
            points[0], points[1], points[2], points[3],
        )?;
    }
    Ok(())
}
