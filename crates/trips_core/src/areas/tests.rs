//! What the grid promises, on numbers that are chosen to break it.

use proptest::prelude::*;

use super::*;
use crate::model::point::Point;
use crate::model::timestamp::{MICROS_PER_DAY, Timestamp};

fn point(longitude: f64, latitude: f64) -> Point {
    Point { longitude, latitude }
}

/// Coordinates with few decimals, with many, at the ends, beside the lines of the grid, and no numbers.
fn coordinate(limit: f64) -> impl Strategy<Value = f64> {
    let tenths = (-1800_i32..=1800).prop_map(move |n| (f64::from(n) / 10.0).clamp(-limit, limit));
    prop_oneof![
        4 => tenths,
        3 => -limit..limit,
        2 => (-20_i32..20).prop_map(|n| f64::from(n) / 1e7),
        2 => (-20_i32..20).prop_map(|n| 14.42 + f64::from(n) / 1e8),
        1 => Just(limit),
        1 => Just(-limit),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(1e300), Just(-1e300), Just(1e-300), Just(500.0)],
    ]
}

fn any_point() -> impl Strategy<Value = Option<Point>> {
    proptest::option::weighted(0.8, (coordinate(180.0), coordinate(90.0)))
        .prop_map(|found| found.map(|(x, y)| point(x, y)))
}

type Trip = (Timestamp, Option<Point>, Option<Point>);

fn trips() -> impl Strategy<Value = Vec<Trip>> {
    let time = (0..7 * MICROS_PER_DAY).prop_map(|t| Timestamp(2 * MICROS_PER_DAY + t));
    proptest::collection::vec((time, any_point(), any_point()), 0..150)
}

/// Boxes with edges at places of trips, too.
fn area(trips: &[Trip], picks: [(usize, f64); 4]) -> Option<Area> {
    let edges = picks.map(|(at, other)| (trips.get(at % (2 * trips.len().max(1))), other));
    let value = |i: usize, of: fn(Point) -> f64| {
        let (trip, other) = edges[i];
        let found = trip.and_then(|trip| trip.1.or(trip.2)).map(of).filter(|v| v.is_finite());
        found.unwrap_or(other)
    };
    let (w, e) = (value(0, |p| p.longitude), value(1, |p| p.longitude));
    let (s, n) = (value(2, |p| p.latitude), value(3, |p| p.latitude));
    let (s, n) = (s.min(n), s.max(n));
    let e = if w > e { e + 360.0 } else { e };
    Area::new(w, s, e, n).ok()
}

/// The answer as the extension finds it: directory, blocks, and the doubtful trips from the history.
fn answer(question: &mut Question, trips: &[Trip], days: (u8, u8)) -> u64 {
    let places: Vec<Place> = trips.iter().map(|&(t, o, d)| Place::of(t, o, d)).collect();
    let mut found = 0;
    let mut doubtful = Vec::new();
    for group in build(&places).unwrap() {
        let directory = Directory::of(&group.directory).unwrap();
        let seen = question.look(directory, days).unwrap();
        found += seen.trips;
        for i in seen.blocks {
            found += question.count(&group.blocks[i], days, &mut doubtful).unwrap();
        }
    }
    doubtful.sort_unstable();
    doubtful.dedup();
    let settled = trips.iter().filter(|trip| {
        doubtful.contains(&minute_of(trip.0)) && question.settles(trip.0, trip.1, trip.2)
    });
    found + settled.count() as u64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn an_answer_is_a_count(
        trips in trips(),
        edges in (any::<usize>(), any::<usize>(), any::<usize>(), any::<usize>()),
        degrees in (coordinate(180.0), coordinate(180.0), coordinate(90.0), coordinate(90.0)),
        ends in 0_usize..4,
        days in (0_u8..7, 0_u8..7),
    ) {
        let picks = [(edges.0, degrees.0), (edges.1, degrees.1), (edges.2, degrees.2), (edges.3, degrees.3)];
        let Some(area) = area(&trips, picks) else { return Ok(()) };
        let ends = Ends::of_word(Ends::WORDS[ends]).unwrap();
        let days = (days.0.min(days.1), days.0.max(days.1));
        let mut question = Question::new(area, ends);
        let is_asked = |trip: &&Trip| {
            let day = day_of_week(minute_of(trip.0));
            days.0 <= day && day <= days.1 && question.has(trip.1, trip.2)
        };
        let counted = trips.iter().filter(is_asked).count() as u64;
        prop_assert_eq!(answer(&mut question, &trips, days), counted);
    }

    #[test]
    fn blocks_give_back_what_they_were_made_of(trips in trips(), times in 1_usize..20) {
        let once: Vec<Place> = trips.iter().map(|&(t, o, d)| Place::of(t, o, d)).collect();
        let mut places = once.repeat(times);
        let groups = build(&places).unwrap();
        let mut found = Vec::new();
        for group in &groups {
            prop_assert!(group.directory.len() <= 8000);
            prop_assert_eq!(Directory::of(&group.directory).unwrap().blocks(), group.blocks.len());
            for block in &group.blocks {
                prop_assert!(block.len() <= 8100);
                decode(block, &mut found).unwrap();
            }
        }
        prop_assert_eq!(groups.iter().map(|g| g.trips).sum::<u64>(), places.len() as u64);
        places.sort_unstable();
        found.sort_unstable();
        prop_assert_eq!(found, places);
    }

    #[test]
    fn damaged_bytes_are_refused_or_read(mut block in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&block, &mut Vec::new());
        let place = Place::of(Timestamp(0), Some(point(1.5, 2.25)), None);
        block.extend(build(&[place; 9]).unwrap()[0].blocks[0].clone());
        let _ = decode(&block, &mut Vec::new());
    }

    #[test]
    fn seven_decimals_are_never_doubtful(x in -1_800_000_000_i64..=1_800_000_000, y in -900_000_000_i64..=900_000_000) {
        let place = Place::of(Timestamp(0), Some(point(x as f64 / 1e7, y as f64 / 1e7)), None);
        prop_assert!(place.kind.is_exact());
    }
}

/// Many trips, so that keys are sorted by digits, blocks are many and some are wholly inside.
#[test]
fn a_large_week() {
    let mut state = 1_u64;
    let mut unit = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let trips: Vec<Trip> = (0..50_000)
        .map(|i| {
            let mut near = |middle: f64| middle + unit() * 0.3;
            let origin = point(near(14.3), near(50.0));
            let destination = point(near(14.3), near(50.0));
            (Timestamp(2 * MICROS_PER_DAY + i * 12_000_000), Some(origin), Some(destination))
        })
        .collect();
    let places: Vec<Place> = trips.iter().map(|&(t, o, d)| Place::of(t, o, d)).collect();
    let groups = build(&places).unwrap();
    let bytes: usize = groups.iter().flat_map(|g| &g.blocks).map(Vec::len).sum();
    assert!(bytes / trips.len() < 10, "{bytes} bytes");
    let of_box = |[w, s, e, n]: [f64; 4]| Area::new(w, s, e, n).unwrap();
    for (corners, most_decoded) in [
        ([-180.0, -90.0, 180.0, 90.0], 0),
        ([14.35, 50.05, 14.5, 50.2], 60),
        ([14.42, 50.1, 14.42, 50.1], 6),
        ([0.0, 0.0, 1.0, 1.0], 0),
    ] {
        let mut question = Question::new(of_box(corners), Ends::Origin);
        let decoded: usize = groups
            .iter()
            .map(|g| {
                question.look(Directory::of(&g.directory).unwrap(), (0, 6)).unwrap().blocks.len()
            })
            .sum();
        assert!(decoded <= most_decoded, "{corners:?}: {decoded} blocks");
        let counted = trips.iter().filter(|t| question.has(t.1, t.2)).count() as u64;
        assert_eq!(answer(&mut question, &trips, (0, 6)), counted);
    }
}

#[test]
fn corners_are_checked() {
    assert_eq!(corners(170.0, -10.0, -170.0, 10.0), Ok([170.0, -10.0, 190.0, 10.0]));
    assert_eq!(corners(-180.0, 0.0, 180.0, 0.0), Ok([-180.0, 0.0, 180.0, 0.0]));
    assert_eq!(corners(0.0, 1.0, 1.0, 0.0), Err(AreaError::Inverted(1.0, 0.0)));
    assert!(matches!(corners(f64::NAN, 0.0, 1.0, 1.0), Err(AreaError::NotFinite("west", _))));
    assert!(matches!(corners(0.0, 0.0, 181.0, 1.0), Err(AreaError::OutOfRange("east", ..))));
    assert!(matches!(corners(0.0, -91.0, 1.0, 1.0), Err(AreaError::OutOfRange("south", ..))));
}

/// A point on the edge is inside, whatever 360 more does to its digits.
#[test]
fn edges_across_the_antimeridian() {
    for east in [-179.9, -170.1, -0.1, -1e-9, -33.333_333_333_333_336] {
        let [w, s, e, n] = corners(170.0, -10.0, east, 10.0).unwrap();
        let area = Area::new(w, s, e, n).unwrap();
        for (longitude, is_inside) in
            [(170.0, true), (180.0, true), (east, true), (east + 1e-6, false), (169.999, false)]
        {
            assert_eq!(area.has(point(longitude, 0.0)), is_inside, "{east}: {longitude}");
            let trip = (Timestamp(3 * MICROS_PER_DAY), Some(point(longitude, 0.0)), None);
            let mut question = Question::new(area.clone(), Ends::Origin);
            assert_eq!(answer(&mut question, &[trip], (0, 6)), u64::from(is_inside));
        }
    }
    // The meridian has two names.
    let area = Area::new(-180.0, -90.0, -170.0, 90.0).unwrap();
    assert!(area.has(point(180.0, 0.0)) && area.has(point(-180.0, 0.0)));
    assert!(!area.has(point(179.999_999, 0.0)));
}

#[test]
fn weeks_begin_on_monday() {
    let day = |text: &str| {
        let time = crate::model::timestamp::parse(text.as_bytes()).unwrap().unwrap();
        (week_of_time(time), minute_of(time), first_day(week_of_time(time)) - time.day())
    };
    assert_eq!(day("2000-01-03 00:00:00"), (0, 0, 0));
    assert_eq!(day("2000-01-02 23:59:59.999999"), (-1, 10_079, -6));
    assert_eq!(day("2021-01-03 12:00:00").2, -6);
    assert_eq!(day("2021-01-04 00:01:00"), (1096, 1, 0));
    assert_eq!(day("0001-01-01 00:00:00").2, 0);
}

#[test]
fn blocks_fill_their_pages_and_no_more() {
    // All over the earth, so that every column is wide; and two stations, whose columns are narrow.
    let spread = |i: u32| {
        let part = f64::from(i % 9973) / 9973.0;
        let at = point(part * 360.0 - 180.0, f64::from(i % 997) / 997.0 * 180.0 - 90.0);
        (Timestamp(2 * MICROS_PER_DAY + i64::from(i) * 60_000_000), Some(at), Some(at))
    };
    let stations = |i: u32| {
        let at = [point(14.42, 50.08), point(14.43, 50.09)][i as usize % 2];
        (Timestamp(2 * MICROS_PER_DAY), Some(at), None)
    };
    for (trips, least) in [
        ((0..9000).map(spread).collect::<Vec<Trip>>(), 7_500),
        ((0..9000).map(stations).collect(), 20),
    ] {
        let places: Vec<Place> = trips.iter().map(|&(t, o, d)| Place::of(t, o, d)).collect();
        let groups = build(&places).unwrap();
        let blocks: Vec<usize> =
            groups.iter().flat_map(|g| g.blocks.iter().map(Vec::len)).collect();
        // Each kind has a last block, which is as large as what is left.
        let full = blocks.iter().filter(|&&bytes| (least..=8100).contains(&bytes)).count();
        assert!(full + 4 >= blocks.len() && blocks.iter().all(|&b| b <= 8100), "{blocks:?}");
        let mut kept = Vec::new();
        for block in groups.iter().flat_map(|group| &group.blocks) {
            decode(block, &mut kept).unwrap();
        }
        let mut sent = places;
        sent.sort_unstable();
        kept.sort_unstable();
        assert_eq!(kept, sent);
    }
}
