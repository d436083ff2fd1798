//! Invariants of the grid, with numbers that are chosen to break them.

use proptest::prelude::*;

use super::*;

const MICROS_PER_DAY: i64 = 86_400_000_000;

fn point(longitude: f64, latitude: f64) -> Coord {
    Coord { longitude, latitude }
}

/// Coordinates with few decimals, with many, at the ends of their range, next to the grid lines, and values that are
/// not numbers.
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

fn any_point() -> impl Strategy<Value = Option<Coord>> {
    proptest::option::weighted(0.8, (coordinate(180.0), coordinate(90.0)))
        .prop_map(|found| found.map(|(x, y)| point(x, y)))
}

type Trip = (i64, Option<Coord>, Option<Coord>);

fn trips() -> impl Strategy<Value = Vec<Trip>> {
    let time = (0..7 * MICROS_PER_DAY).prop_map(|t| 2 * MICROS_PER_DAY + t);
    proptest::collection::vec((time, any_point(), any_point()), 0..150)
}

/// Boxes with edges at points of trips, too.
fn area(trips: &[Trip], picks: [(usize, f64); 4]) -> Option<Area> {
    let edges = picks.map(|(at, other)| (trips.get(at % (2 * trips.len().max(1))), other));
    let value = |i: usize, of: fn(Coord) -> f64| {
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

/// The result as the extension computes it: directory, pages, and the boundary trips from the history.
fn answer(query: &mut AreaMatcher, trips: &[Trip], days: (u8, u8)) -> u64 {
    let points: Vec<GridPoint> = trips.iter().map(|&(t, o, d)| GridPoint::of(t, o, d)).collect();
    let mut found = 0;
    let mut boundary = Vec::new();
    for segment in build(&points).unwrap() {
        let directory = Directory::of(&segment.directory).unwrap();
        let seen = query.read_directory(directory, days).unwrap();
        found += seen.trips;
        for i in seen.pages {
            found += query.count_page(&segment.pages[i], days, &mut boundary).unwrap();
        }
    }
    boundary.sort_unstable();
    boundary.dedup();
    let rechecked = trips.iter().filter(|trip| {
        boundary.contains(&minute_of(trip.0)) && query.recheck(trip.0, trip.1, trip.2)
    });
    found + rechecked.count() as u64
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
        let mut query = AreaMatcher::new(area, ends);
        let is_asked = |trip: &&Trip| {
            let day = day_of_week(minute_of(trip.0));
            days.0 <= day && day <= days.1 && query.has(trip.1, trip.2)
        };
        let counted = trips.iter().filter(is_asked).count() as u64;
        prop_assert_eq!(answer(&mut query, &trips, days), counted);
    }

    #[test]
    fn pages_give_back_what_they_were_made_of(trips in trips(), times in 1_usize..20) {
        let once: Vec<GridPoint> = trips.iter().map(|&(t, o, d)| GridPoint::of(t, o, d)).collect();
        let mut points = once.repeat(times);
        let segments = build(&points).unwrap();
        let mut found = Vec::new();
        for segment in &segments {
            prop_assert!(segment.directory.len() <= 8000);
            prop_assert_eq!(Directory::of(&segment.directory).unwrap().pages(), segment.pages.len());
            for page in &segment.pages {
                prop_assert!(page.len() <= 8100);
                decode(page, &mut found).unwrap();
            }
        }
        prop_assert_eq!(segments.iter().map(|g| g.trips).sum::<u64>(), points.len() as u64);
        points.sort_unstable();
        found.sort_unstable();
        prop_assert_eq!(found, points);
    }

    #[test]
    fn damaged_bytes_are_refused_or_read(mut page in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&page, &mut Vec::new());
        let point = GridPoint::of(0, Some(point(1.5, 2.25)), None);
        page.extend(build(&[point; 9]).unwrap()[0].pages[0].clone());
        let _ = decode(&page, &mut Vec::new());
    }

    #[test]
    fn seven_decimals_are_never_on_the_boundary(x in -1_800_000_000_i64..=1_800_000_000, y in -900_000_000_i64..=900_000_000) {
        let point = GridPoint::of(0, Some(point(x as f64 / 1e7, y as f64 / 1e7)), None);
        prop_assert!(point.kind.is_exact());
    }
}

/// Many trips, so that keys are sorted by digits, pages are many and some are wholly inside.
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
            (2 * MICROS_PER_DAY + i * 12_000_000, Some(origin), Some(destination))
        })
        .collect();
    let points: Vec<GridPoint> = trips.iter().map(|&(t, o, d)| GridPoint::of(t, o, d)).collect();
    let segments = build(&points).unwrap();
    let bytes: usize = segments.iter().flat_map(|g| &g.pages).map(Vec::len).sum();
    assert!(bytes / trips.len() < 10, "{bytes} bytes");
    let of_box = |[w, s, e, n]: [f64; 4]| Area::new(w, s, e, n).unwrap();
    for (corners, most_decoded) in [
        ([-180.0, -90.0, 180.0, 90.0], 0),
        ([14.35, 50.05, 14.5, 50.2], 60),
        ([14.42, 50.1, 14.42, 50.1], 6),
        ([0.0, 0.0, 1.0, 1.0], 0),
    ] {
        let mut query = AreaMatcher::new(of_box(corners), Ends::Origin);
        let decoded: usize = segments
            .iter()
            .map(|g| {
                query
                    .read_directory(Directory::of(&g.directory).unwrap(), (0, 6))
                    .unwrap()
                    .pages
                    .len()
            })
            .sum();
        assert!(decoded <= most_decoded, "{corners:?}: {decoded} pages");
        let counted = trips.iter().filter(|t| query.has(t.1, t.2)).count() as u64;
        assert_eq!(answer(&mut query, &trips, (0, 6)), counted);
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

/// A point on the edge is inside, even if adding 360 changes its digits.
#[test]
fn edges_across_the_antimeridian() {
    for east in [-179.9, -170.1, -0.1, -1e-9, -33.333_333_333_333_336] {
        let [w, s, e, n] = corners(170.0, -10.0, east, 10.0).unwrap();
        let area = Area::new(w, s, e, n).unwrap();
        for (longitude, is_inside) in
            [(170.0, true), (180.0, true), (east, true), (east + 1e-6, false), (169.999, false)]
        {
            assert_eq!(area.has(point(longitude, 0.0)), is_inside, "{east}: {longitude}");
            let trip = (3 * MICROS_PER_DAY, Some(point(longitude, 0.0)), None);
            let mut query = AreaMatcher::new(area.clone(), Ends::Origin);
            assert_eq!(answer(&mut query, &[trip], (0, 6)), u64::from(is_inside));
        }
    }
    // The meridian has two names.
    let area = Area::new(-180.0, -90.0, -170.0, 90.0).unwrap();
    assert!(area.has(point(180.0, 0.0)) && area.has(point(-180.0, 0.0)));
    assert!(!area.has(point(179.999_999, 0.0)));
}

#[test]
fn weeks_begin_on_monday() {
    // 2000-01-03, the microsecond before it, 2021-01-03 12:00, 2021-01-04 00:01, 0001-01-01.
    let day = |time: i64| {
        let day = i32::try_from(time.div_euclid(MICROS_PER_DAY)).unwrap();
        (week_of_time(time), minute_of(time), first_day(week_of_time(time)) - day)
    };
    assert_eq!(day(2 * MICROS_PER_DAY), (0, 0, 0));
    assert_eq!(day(2 * MICROS_PER_DAY - 1), (-1, 10_079, -6));
    assert_eq!(day(7673 * MICROS_PER_DAY + MICROS_PER_DAY / 2).2, -6);
    assert_eq!(day(7674 * MICROS_PER_DAY + 60_000_000), (1096, 1, 0));
    assert_eq!(day(-730_119 * MICROS_PER_DAY).2, 0);
}

#[test]
fn pages_are_full_and_no_more() {
    // All over the earth, so that every column is wide; and two stations, whose columns are narrow.
    let spread = |i: u32| {
        let part = f64::from(i % 9973) / 9973.0;
        let at = point(part * 360.0 - 180.0, f64::from(i % 997) / 997.0 * 180.0 - 90.0);
        (2 * MICROS_PER_DAY + i64::from(i) * 60_000_000, Some(at), Some(at))
    };
    let stations = |i: u32| {
        let at = [point(14.42, 50.08), point(14.43, 50.09)][i as usize % 2];
        (2 * MICROS_PER_DAY, Some(at), None)
    };
    for (trips, least) in [
        ((0..9000).map(spread).collect::<Vec<Trip>>(), 7_500),
        ((0..9000).map(stations).collect(), 20),
    ] {
        let points: Vec<GridPoint> =
            trips.iter().map(|&(t, o, d)| GridPoint::of(t, o, d)).collect();
        let segments = build(&points).unwrap();
        let pages: Vec<usize> =
            segments.iter().flat_map(|g| g.pages.iter().map(Vec::len)).collect();
        // Each kind has a last page, which has the size of the rest.
        let full = pages.iter().filter(|&&bytes| (least..=8100).contains(&bytes)).count();
        assert!(full + 4 >= pages.len() && pages.iter().all(|&b| b <= 8100), "{pages:?}");
        let mut kept = Vec::new();
        for page in segments.iter().flat_map(|segment| &segment.pages) {
            decode(page, &mut kept).unwrap();
        }
        let mut sent = points;
        sent.sort_unstable();
        kept.sort_unstable();
        assert_eq!(kept, sent);
    }
}
