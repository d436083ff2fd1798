//! Area queries.

use pgrx::datum::Date;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{name, pg_extern, pg_sys};
use trips_areas::Area;

use crate::pg::error_fields;
use crate::questions::areas::AreaQuery;
use crate::questions::{self, QueryError};

/// `trips.area(west, south, east, north) -> box`
#[pg_extern(sql = false, immutable, parallel_safe)]
fn area(
    west: Option<f64>,
    south: Option<f64>,
    east: Option<f64>,
    north: Option<f64>,
) -> Result<pg_sys::BOX, ErrorReport> {
    let null = QueryError::Null;
    let [west, south, east, north] = trips_areas::corners(
        west.ok_or(null("west"))?,
        south.ok_or(null("south"))?,
        east.ok_or(null("east"))?,
        north.ok_or(null("north"))?,
    )
    .map_err(QueryError::from)?;
    let point = |x, y| pg_sys::Point { x, y };
    Ok(pg_sys::BOX { high: point(east, north), low: point(west, south) })
}

/// `trips.weekly_counts(area, since, until, match) -> setof (week, trips)`
#[pg_extern(sql = false, stable, parallel_restricted, name = "weekly_counts")]
fn weekly_counts_of_area(
    area: Option<pg_sys::BOX>,
    since: Option<Date>,
    until: Option<Date>,
    ends: Option<&[u8]>,
) -> Result<TableIterator<'static, (name!(week, Date), name!(trips, i64))>, ErrorReport> {
    let _errors = error_fields::preserve();
    let query = area_query(area, since, until, ends)?;
    let counts = questions::areas::weekly_counts(&query).map(|(week, trips)| {
        (
            Date::saturating_from_raw(trips_areas::first_day(week)),
            i64::try_from(trips).unwrap_or(i64::MAX),
        )
    });
    Ok(TableIterator::new(counts))
}

fn area_query(
    area: Option<pg_sys::BOX>,
    since: Option<Date>,
    until: Option<Date>,
    ends: Option<&[u8]>,
) -> Result<AreaQuery, QueryError> {
    let pg_sys::BOX { high, low } = area.ok_or(QueryError::Null("area"))?;
    // In a database of another encoding, bytes that are not UTF-8 are an unknown word.
    let ends = questions::ends_of(ends.map(String::from_utf8_lossy).as_deref())?;
    questions::check_weeks(since, until)?;
    let day = |date: Option<Date>| date.map(|date| date.to_pg_epoch_days());
    Ok(AreaQuery {
        area: Area::new(low.x, low.y, high.x, high.y)?,
        ends,
        since: day(since),
        until: day(until),
    })
}
