//! The year of a station file, in its name.

use std::ops::RangeInclusive;

/// The years that a station file may be of.
pub const YEARS: RangeInclusive<i32> = 1900..=2099;

/// The year in the name of a file: the first four digits of 1900 to 2099 that no digit precedes and no digit follows,
/// or the digits of a month do.
///
/// ```
/// use trips_core::feed::stations::year_of;
/// assert_eq!(year_of("2016/Divvy_Stations_2017_Q1Q2.csv"), Some(2017));
/// assert_eq!(year_of("nomenclatura_202301.csv"), Some(2023));
/// assert_eq!(year_of("stations.csv"), None);
/// ```
#[must_use]
pub fn year_of(path: &str) -> Option<i32> {
    let name = path.rsplit(['/', '\\']).next()?.as_bytes();
    let runs = name.split(|byte| !byte.is_ascii_digit());
    let year = |digits: &[u8]| {
        let (year, month) = digits.split_at_checked(4)?;
        let is_month = matches!(month, [] | [b'0', b'1'..=b'9', ..] | [b'1', b'0'..=b'2', ..])
            && matches!(month.len(), 0 | 2 | 4);
        let year = std::str::from_utf8(year).ok()?.parse().ok()?;
        (is_month && YEARS.contains(&year)).then_some(year)
    };
    runs.filter_map(year).next()
}
