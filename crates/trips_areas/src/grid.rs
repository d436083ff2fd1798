//! A trip as a point of the grid, and the calendar of weeks.

use super::coord::Coord;

/// 2000-01-03 was a Monday: the first day of week 0.
const FIRST_MONDAY: i32 = 2;
const MICROS_PER_MINUTE: i64 = 60_000_000;
const MICROS_PER_DAY: i64 = 24 * 60 * MICROS_PER_MINUTE;
/// Degrees that are added, so that numbers of the grid are not negative.
const OFFSET: f64 = 200.0;

/// The ISO week of a day: weeks since the one that began on 2000-01-03; the day is counted from
/// 2000-01-01.
#[must_use]
#[inline]
pub fn week_of_day(day: i32) -> i32 {
    day.saturating_sub(FIRST_MONDAY).div_euclid(7)
}

/// The Monday of a week, in days since 2000-01-01.
#[must_use]
#[inline]
pub fn first_day(week: i32) -> i32 {
    week.saturating_mul(7).saturating_add(FIRST_MONDAY)
}

/// The ISO week of a time, which is in microseconds since 2000-01-01.
#[must_use]
#[inline]
pub fn week_of_time(micros: i64) -> i32 {
    week_of_day(day_of(micros))
}

/// The minute of a time in its week, from 0 to 10,079.
#[must_use]
#[inline]
pub fn minute_of(micros: i64) -> u16 {
    let monday = i64::from(first_day(week_of_time(micros))) * MICROS_PER_DAY;
    u16::try_from((micros - monday) / MICROS_PER_MINUTE).unwrap_or(u16::MAX)
}

/// Days since 2000-01-01; a time of `i64` has at most 107 million of them.
#[expect(clippy::cast_possible_truncation, reason = "2^63 / MICROS_PER_DAY fits")]
#[inline]
fn day_of(micros: i64) -> i32 {
    micros.div_euclid(MICROS_PER_DAY) as i32
}

/// The day of the week of a minute of the week: 0 is Monday.
#[must_use]
pub fn day_of_week(minute: u16) -> u8 {
    u8::try_from(minute / (24 * 60)).unwrap_or(u8::MAX)
}

/// The ends that a point has, and the precision of its grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PointKind(u8);

impl PointKind {
    const EXACT: u8 = 1;
    const ORIGIN: u8 = 2;
    const DESTINATION: u8 = 4;
    /// Number of kinds.
    pub(super) const COUNT: u8 = 8;

    /// The kind that [`PointKind::number`] gave this number.
    pub(super) fn of_number(number: u8) -> Option<Self> {
        (number < Self::COUNT).then_some(Self(number))
    }

    #[inline]
    pub(super) fn number(self) -> u8 {
        self.0
    }

    /// Whether the grid numbers represent the coordinates exactly.
    #[must_use]
    pub fn is_exact(self) -> bool {
        self.0 & Self::EXACT != 0
    }

    /// Whether each end of the trip is known.
    pub(super) fn ends(self) -> [bool; 2] {
        [self.0 & Self::ORIGIN != 0, self.0 & Self::DESTINATION != 0]
    }

    /// Which of longitude and latitude of the origin and of the destination are known.
    pub(super) fn columns(self) -> [bool; 4] {
        let [origin, destination] = self.ends();
        [origin, origin, destination, destination]
    }
}

/// Grid lines per degree: about a centimeter for coordinates that the grid represents exactly, a meter for the others.
/// A finer grid would only take more space: trips within a meter of an area's edge are looked up.
#[inline]
pub(super) fn scale(is_exact: bool) -> f64 {
    if is_exact { 1e7 } else { 1e5 }
}

/// The number of a coordinate. It is monotonic in the coordinate: so is each step (a product, a sum, a truncation
/// between 0 and the greatest number).
#[expect(clippy::cast_possible_truncation, reason = "ends at the greatest number")]
#[expect(clippy::cast_sign_loss, reason = "ends at 0")]
pub(super) fn number(degrees: f64, scale: f64) -> u32 {
    (degrees * scale + (OFFSET * scale + 0.5)) as u32
}

/// The coordinate of a number, for coordinates that the grid represents exactly.
#[inline]
pub(super) fn degrees(number: u32, scale: f64) -> f64 {
    (f64::from(number) - OFFSET * scale) / scale
}

#[expect(clippy::float_cmp, reason = "whether it is the very same number is the query")]
#[inline]
fn is_on_grid(value: f64) -> bool {
    let scale = scale(true);
    degrees(number(value, scale), scale) == value
}

/// A trip in its week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GridPoint {
    /// Its kind.
    pub kind: PointKind,
    /// The minute of the week in which it began.
    pub minute: u16,
    /// Longitude and latitude of the origin and of the destination; 0 where they are not known.
    pub at: [u32; 4],
}

impl GridPoint {
    /// The grid point of a trip. A coordinate that is not a number is treated as unknown: it is in no area.
    #[must_use]
    #[inline]
    pub fn of(micros: i64, origin: Option<Coord>, destination: Option<Coord>) -> Self {
        // Most trips have both ends, with more digits than the grid: without branches for each of the four numbers.
        if let (Some(from), Some(to)) = (origin, destination) {
            let ends = [from.longitude, from.latitude, to.longitude, to.latitude];
            let is_known = ends.iter().fold(true, |all, degrees| all & !degrees.is_nan());
            if is_known && !is_on_grid(ends[0]) {
                let scale = scale(false);
                let kind = PointKind(PointKind::ORIGIN | PointKind::DESTINATION);
                let at = ends.map(|degrees| number(degrees, scale));
                return Self { kind, minute: minute_of(micros), at };
            }
        }
        Self::of_any(micros, origin, destination)
    }

    fn of_any(micros: i64, origin: Option<Coord>, destination: Option<Coord>) -> Self {
        let known = |point: &Coord| !(point.longitude.is_nan() || point.latitude.is_nan());
        let ends = [origin.filter(known), destination.filter(known)];
        let is_exact = ends
            .iter()
            .flatten()
            .all(|point| is_on_grid(point.longitude) && is_on_grid(point.latitude));
        let scale = scale(is_exact);
        let mut kind = if is_exact { PointKind::EXACT } else { 0 };
        let mut at = [0; 4];
        for (i, (end, bit)) in
            ends.iter().zip([PointKind::ORIGIN, PointKind::DESTINATION]).enumerate()
        {
            if let Some(point) = end {
                kind |= bit;
                at[2 * i] = number(point.longitude, scale);
                at[2 * i + 1] = number(point.latitude, scale);
            }
        }
        Self { kind: PointKind(kind), minute: minute_of(micros), at }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn degrees() -> impl Strategy<Value = f64> {
        let on_grid =
            (-1_800_000_000_i32..=1_800_000_000).prop_map(|number| f64::from(number) / 1e7);
        prop_oneof![
            4 => -180.0..=180.0,
            2 => on_grid,
            1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, -f64::INFINITY, -0.0, 1e300, 1e-300]),
        ]
    }

    fn end() -> impl Strategy<Value = Option<Coord>> {
        let coord =
            (degrees(), degrees()).prop_map(|(longitude, latitude)| Coord { longitude, latitude });
        prop::option::weighted(0.9, coord)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_quick_way_gives_the_same_point(micros: i64, origin in end(), destination in end()) {
            let point = GridPoint::of(micros, origin, destination);
            prop_assert_eq!(point, GridPoint::of_any(micros, origin, destination));
        }
    }
}
