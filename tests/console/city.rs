//! Made-up trips that look like a city's: rush hours, weekends, seasons, places where many go.

use std::fmt::Write as _;

use chrono::{Datelike, Days, NaiveDate};
use trips_datagen::random::Random;
use trips_tests::FIVE_COLUMNS;

/// Name, center in degrees, share of the trips.
const CITIES: [(&str, f64, f64, u64); 6] = [
    ("Prague", 14.44, 50.08, 40),
    ("Hamburg", 10.0, 53.55, 26),
    ("Turin", 7.68, 45.07, 15),
    ("Lyon", 4.84, 45.76, 10),
    ("Ghent", 3.72, 51.05, 6),
    ("Graz", 15.44, 47.07, 3),
];
const DATASOURCES: [(&str, u64); 4] =
    [("city_bikes", 50), ("night_bus", 8), ("ride_share", 30), ("scooters", 12)];
/// Of a hundred trips, those of each hour, on a working day and at the weekend.
const HOURS: [[u64; 24]; 2] = [
    [4, 2, 1, 1, 2, 8, 25, 62, 78, 46, 32, 34, 42, 40, 38, 46, 66, 88, 74, 50, 34, 26, 18, 9],
    [16, 14, 10, 6, 4, 3, 5, 9, 18, 30, 42, 52, 56, 56, 54, 52, 50, 50, 46, 42, 38, 36, 34, 26],
];
/// Places of a city, in degrees from its center, and how many go there.
const PLACES: [(f64, f64, u64); 14] = [
    (0.0, 0.0, 30),
    (0.021, 0.008, 16),
    (-0.03, 0.014, 14),
    (0.008, -0.024, 12),
    (-0.052, -0.02, 9),
    (0.061, 0.022, 8),
    (0.036, -0.036, 7),
    (-0.012, 0.041, 7),
    (-0.09, 0.03, 5),
    (0.1, -0.01, 4),
    (0.07, 0.055, 4),
    (-0.07, -0.052, 4),
    (0.02, -0.068, 3),
    (-0.14, 0.002, 3),
];

fn by_weight<'a, T>(random: &mut Random, items: &'a [T], weight: impl Fn(&T) -> u64) -> &'a T {
    let mut rest = random.below(items.iter().map(&weight).sum());
    items
        .iter()
        .find(|item| {
            let own = weight(item);
            let is_it = rest < own;
            rest = rest.saturating_sub(own);
            is_it
        })
        .expect("the weights have a sum")
}

/// A day's trips: about `usual`, fewer at weekends and in winter, more each year.
fn trips_of(day: NaiveDate, usual: u64, random: &mut Random) -> u64 {
    let season = [62, 66, 84, 100, 116, 124, 112, 96, 112, 104, 84, 70][day.month0() as usize];
    let weekday = if day.weekday().number_from_monday() > 5 { 74 } else { 100 };
    let growth = 100 + 12 * u64::from(day.year_ce().1 - 2024);
    usual * season * weekday * growth * (92 + random.below(17)) / 100_000_000
}

/// A file of the days from `first` on.
pub fn file(first: NaiveDate, days: u64, usual: u64, seed: u64) -> String {
    let mut random = Random::new(seed);
    let mut text = FIVE_COLUMNS.to_owned();
    for number in 0..days {
        let day = first + Days::new(number);
        for _ in 0..trips_of(day, usual, &mut random) {
            line(&mut text, day, &mut random);
        }
    }
    text
}

fn line(text: &mut String, day: NaiveDate, random: &mut Random) {
    let (region, x, y, _) = *by_weight(random, &CITIES, |city| city.3);
    let (datasource, _) = *by_weight(random, &DATASOURCES, |datasource| datasource.1);
    let profile = &HOURS[usize::from(day.weekday().number_from_monday() > 5)];
    let hours: Vec<(usize, u64)> = profile.iter().copied().enumerate().collect();
    let (hour, _) = *by_weight(random, &hours, |hour| hour.1);
    let (minute, second) = (random.below(60), random.below(60));
    let mut place = || {
        let (dx, dy, weight) = *by_weight(random, &PLACES, |place| place.2);
        let width = 0.006 + 0.1 / f64::from(u32::try_from(weight).expect("small") + 4);
        (x + dx + width * bell(random) * 1.5, y + dy + width * bell(random))
    };
    let ((ox, oy), (dx, dy)) = (place(), place());
    writeln!(
        text,
        "{region},POINT ({ox:.6} {oy:.6}),POINT ({dx:.6} {dy:.6}),{day} {hour:02}:{minute:02}:{second:02},{datasource}"
    )
    .expect("text");
}

/// A number of a bell curve around 0.
fn bell(random: &mut Random) -> f64 {
    let sum: u64 = (0..6).map(|_| random.below(2001)).sum();
    (f64::from(u32::try_from(sum).expect("small")) - 6000.0) / 1414.0
}
