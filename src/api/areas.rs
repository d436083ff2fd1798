//! Questions about areas. Their signatures and comments are in sql/05_areas.sql.

use pgrx::datum::Date;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{name, pg_extern, pg_sys};
use trips_core::areas::{self, Area, Ends};
use trips_core::model::point::Point;

use crate::areas::ask::{self, Asked};
use crate::areas::error::QuestionError;
use crate::derived::areas::check;
use crate::limits;
use crate::pg::error_fields;
use crate::questions::YEARS;

/// `trips.area(west, south, east, north) -> box`
#[pg_extern(sql = false)]
fn area(
    west: Option<f64>,
    south: Option<f64>,
    east: Option<f64>,
    north: Option<f64>,
) -> Result<pg_sys::BOX, ErrorReport> {
    let null = QuestionError::NullArgument;
    let [west, south, east, north] = areas::corners(
        west.ok_or(null("west"))?,
        south.ok_or(null("south"))?,
        east.ok_or(null("east"))?,
        north.ok_or(null("north"))?,
    )
    .map_err(QuestionError::from)?;
    let point = |x, y| pg_sys::Point { x, y };
    Ok(pg_sys::BOX { high: point(east, north), low: point(west, south) })
}

/// `trips.is_inside(place, area) -> boolean`
#[pg_extern(sql = false)]
fn is_inside(place: pg_sys::Point, area: pg_sys::BOX) -> Result<bool, ErrorReport> {
    let point = Point { longitude: place.x, latitude: place.y };
    let corners = [area.low.x, area.low.y, area.high.x, area.high.y];
    Ok(areas::is_inside(corners, point).map_err(QuestionError::from)?)
}

/// `trips.weekly_counts(area, since, until, match) -> setof (week, trips)`
#[pg_extern(sql = false)]
fn weekly_counts_of_area(
    area: Option<pg_sys::BOX>,
    since: Option<Date>,
    until: Option<Date>,
    ends: Option<&[u8]>,
) -> Result<TableIterator<'static, (name!(week, Date), name!(trips, i64))>, ErrorReport> {
    let _errors = error_fields::preserve();
    let asked = asked(area, since, until, ends)?;
    let counts = ask::weekly_counts(&asked).map(|(week, trips)| {
        (
            Date::saturating_from_raw(areas::first_day(week)),
            i64::try_from(trips).unwrap_or(i64::MAX),
        )
    });
    Ok(TableIterator::new(counts))
}

/// `trips.area_faults() -> setof (week, fault)`
#[pg_extern(sql = false)]
fn area_faults()
-> Result<TableIterator<'static, (name!(week, Date), name!(fault, &'static str))>, ErrorReport> {
    let _errors = error_fields::preserve();
    let faults = check::find()?
        .into_iter()
        .map(|(week, fault)| (Date::saturating_from_raw(areas::first_day(week)), fault.word()));
    Ok(TableIterator::new(faults))
}

fn asked(
    area: Option<pg_sys::BOX>,
    since: Option<Date>,
    until: Option<Date>,
    ends: Option<&[u8]>,
) -> Result<Asked, QuestionError> {
    let pg_sys::BOX { high, low } = area.ok_or(QuestionError::NullArgument("area"))?;
    // Bytes that are no UTF-8, in a database of another encoding, are another word.
    let word = &*String::from_utf8_lossy(ends.ok_or(QuestionError::NullArgument("match"))?);
    let day = |name, date: Option<Date>| match date {
        Some(date) if date.is_infinity() || date.is_neg_infinity() => {
            Err(QuestionError::InfiniteDate(name))
        }
        Some(date) if !YEARS.contains(&date.to_pg_epoch_days()) => Err(QuestionError::Years(name)),
        date => Ok(date.map(|date| date.to_pg_epoch_days())),
    };
    let (since, until) = (day("since", since)?, day("until", until)?);
    if since.zip(until).is_some_and(|(since, until)| since > until) {
        return Err(QuestionError::EmptyPeriod);
    }
    Ok(Asked {
        area: Area::new(low.x, low.y, high.x, high.y)?,
        ends: Ends::of_word(word).ok_or_else(|| QuestionError::Match(limits::wrong_word(word)))?,
        since,
        until,
    })
}
