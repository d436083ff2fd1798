//! Queries of regions and similar trips: their arguments, and cells of H3.

use pgrx::datum::{Date, Interval};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{pg_extern, pg_sys};
use trips_areas::Coord;
use trips_core::model::point::Point;
use trips_h3::{Cell, H3Error, Resolution};

use crate::questions::{self, QueryError};

/// `trips_internal.check_period(since, until) -> boolean`
#[pg_extern(sql = false, immutable, parallel_safe)]
fn check_period(since: Option<Date>, until: Option<Date>) -> Result<bool, ErrorReport> {
    Ok(questions::check_period(since, until).map(|()| true)?)
}

/// `trips_internal.check_weeks(since, until) -> boolean`
#[pg_extern(sql = false, immutable, parallel_safe)]
fn check_weeks(since: Option<Date>, until: Option<Date>) -> Result<bool, ErrorReport> {
    Ok(questions::check_weeks(since, until).map(|()| true)?)
}

/// `trips_internal.check_grouping(resolution, bucket, match, at_least) -> boolean`
#[pg_extern(sql = false, immutable, parallel_safe)]
fn check_grouping(
    resolution: Option<i32>,
    bucket: Option<Interval>,
    ends: Option<&[u8]>,
    at_least: Option<i64>,
) -> Result<bool, ErrorReport> {
    // Bytes that are not UTF-8, in a database of another encoding, are another word.
    let ends = ends.map(String::from_utf8_lossy);
    Ok(questions::check_grouping(resolution, bucket, ends.as_deref(), at_least).map(|()| true)?)
}

/// `trips.is_inside(coord, area) -> boolean`
#[pg_extern(sql = false, immutable, parallel_safe)]
fn is_inside(coord: pg_sys::Point, area: pg_sys::BOX) -> Result<bool, ErrorReport> {
    let point = Coord { longitude: coord.x, latitude: coord.y };
    let corners = [area.low.x, area.low.y, area.high.x, area.high.y];
    Ok(trips_areas::is_inside(corners, point).map_err(QueryError::from)?)
}

/// `trips.h3_cell(coord, resolution) -> text`
#[pg_extern(sql = false, immutable, parallel_safe)]
fn h3_cell(coord: pg_sys::Point, resolution: i32) -> Result<Option<String>, ErrorReport> {
    Ok(cell_of(coord, resolution)?.map(Cell::name))
}

/// `trips.h3_number(coord, resolution) -> bigint`
#[pg_extern(sql = false, immutable, parallel_safe)]
fn h3_number(coord: pg_sys::Point, resolution: i32) -> Result<Option<i64>, ErrorReport> {
    Ok(cell_of(coord, resolution)?.map(Cell::number))
}

/// `trips.h3_center(cell) -> point`
#[pg_extern(sql = false, immutable, parallel_safe)]
fn h3_center(cell: &[u8]) -> Result<pg_sys::Point, ErrorReport> {
    Ok(point(named(cell)?.center()))
}

/// `trips.h3_corners(cell) -> point[]`
#[pg_extern(sql = false, immutable, parallel_safe)]
fn h3_corners(cell: &[u8]) -> Result<Vec<pg_sys::Point>, ErrorReport> {
    Ok(named(cell)?.corners().into_iter().map(point).collect())
}

/// `trips.h3_bounds(cell) -> box`
#[pg_extern(sql = false, immutable, parallel_safe)]
fn h3_bounds(cell: &[u8]) -> Result<pg_sys::BOX, ErrorReport> {
    let bounds = named(cell)?.bounds();
    Ok(pg_sys::BOX {
        high: pg_sys::Point { x: bounds.east, y: bounds.north },
        low: pg_sys::Point { x: bounds.west, y: bounds.south },
    })
}

fn cell_of(coord: pg_sys::Point, resolution: i32) -> Result<Option<Cell>, QueryError> {
    let coord = Point { longitude: coord.x, latitude: coord.y };
    Ok(Cell::of(coord, Resolution::try_from(resolution)?))
}

fn named(cell: &[u8]) -> Result<Cell, QueryError> {
    Ok(Cell::from_name(std::str::from_utf8(cell).map_err(|_| H3Error::Name)?)?)
}

fn point(coord: Point) -> pg_sys::Point {
    pg_sys::Point { x: coord.longitude, y: coord.latitude }
}
