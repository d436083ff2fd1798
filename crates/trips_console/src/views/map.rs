//! Cells of the map, and the flows between them.

use std::collections::HashMap;

use axum::extract::State;
use serde::Deserialize;
use serde_json::json;
use trips_core::model::point::Point;
use trips_h3::Cell;

use crate::answer::{Answer, ApiError, JsonText};
use crate::cells::{End, FINEST, Wanted, Window};
use crate::database::{Limit, first};
use crate::date::Date;
use crate::extract::Parameters;
use crate::filters::{self, Filters};
use crate::server::App;

const FLOWS: &str = include_str!("flows.sql");

/// Cells that a page draws; those with fewest trips are left out.
const MOST_CELLS: usize = 5000;
/// The days that flows are counted of, because the history is read for them: the newest ones of a period, with 100,000
/// trips together and 31 days at most, or one day.
const FLOW_DAYS: &str = "
SELECT min(n.day)
  FROM (SELECT d.day, sum(sum(d.trips)) OVER newest AS trips, row_number() OVER newest AS number
          FROM trips.daily_trip_counts AS d
         WHERE d.trips > 0 AND d.day BETWEEN greatest($1::date, $2::date - 30) AND $2::date
           AND ($3::text IS NULL OR d.region = $3)
           AND ($4::text IS NULL OR d.datasource = $4)
         GROUP BY d.day
        WINDOW newest AS (ORDER BY d.day DESC)) AS n
 WHERE n.trips <= 100000 OR n.number = 1";

/// A part of the map.
#[derive(Deserialize)]
pub struct Seen {
    which: Option<String>,
    west: Option<f64>,
    south: Option<f64>,
    east: Option<f64>,
    north: Option<f64>,
    zoom: Option<f64>,
    resolution: Option<i32>,
    limit: Option<i64>,
}

impl Seen {
    fn window(&self) -> Result<Window, ApiError> {
        let window = Window {
            west: self.west.unwrap_or(-180.0),
            south: self.south.unwrap_or(-90.0),
            east: self.east.unwrap_or(180.0),
            north: self.north.unwrap_or(90.0),
        };
        let Window { west, south, east, north } = window;
        let is_valid = [west, east].iter().all(|x| x.abs() <= 180.0)
            && [south, north].iter().all(|y| y.abs() <= 90.0)
            && south <= north;
        is_valid.then_some(window).ok_or_else(|| {
            ApiError::invalid(
                "the window is outside of the earth",
                "Give west, south, east and north in degrees.",
            )
        })
    }

    /// The resolution whose cells are about a dozen pixels wide at a zoom of web maps.
    fn resolution(&self) -> i32 {
        let of_zoom = |zoom: f64| {
            #[allow(clippy::cast_possible_truncation, reason = "a small number")]
            let resolution = (0.78 * zoom.clamp(0.0, 24.0) - 0.95).round() as i32;
            resolution
        };
        self.resolution.or(self.zoom.map(of_zoom)).unwrap_or(7).clamp(0, FINEST)
    }
}

/// `GET /api/cells`
pub async fn cells(
    State(app): State<App>,
    Parameters(seen): Parameters<Seen>,
    Parameters(filters): Parameters<Filters>,
) -> Answer {
    filters.period()?;
    let (window, wanted) =
        (seen.window()?, Wanted { region: filters.region()?, datasource: filters.datasource()? });
    let end = match filters::word("which", seen.which.as_deref(), &["origin", "destination"])? {
        "origin" => End::Origin,
        _ => End::Destination,
    };
    let counts = app.cells.counts(filters.since()?, filters.until()?).await?;
    let kept = counts.slices.iter().map(|slice| slice.resolution()).min().unwrap_or(FINEST);
    let resolution = seen.resolution().min(kept);
    let mut sums = HashMap::new();
    for slice in &counts.slices {
        slice.add_cells(end, &wanted, resolution, &mut sums);
    }
    let (mut total, mut bounds) = (0, Bounds::default());
    let mut found = Vec::new();
    for (number, trips) in sums {
        let Some(cell) = Cell::from_number(number) else { continue };
        let center = cell.center();
        bounds.add(center);
        if window.has(center) {
            total += trips;
            found.push((trips, number, cell));
        }
    }
    found.sort_unstable_by_key(|(trips, number, _)| (std::cmp::Reverse(*trips), *number));
    let cut = found.len() > MOST_CELLS;
    found.truncate(MOST_CELLS);
    let found: Vec<_> = found
        .into_iter()
        .map(|(trips, _, cell)| {
            let corners: Vec<[f64; 2]> = cell.corners().into_iter().map(rounded).collect();
            json!({ "cell": cell.name(), "trips": trips, "corners": corners })
        })
        .collect();
    let answer = json!({
        "resolution": resolution, "cells": found, "total": total, "cut": cut, "bounds": bounds.0,
        "since": counts.period.map(|period| period.0.to_string()),
        "until": counts.period.map(|period| period.1.to_string()),
        "missing": pairs(&counts.missing), "older": pairs(&counts.older),
    });
    Ok(JsonText(answer.to_string()))
}

/// West, south, east and north of all cells.
#[derive(Default)]
struct Bounds(Option<[f64; 4]>);

impl Bounds {
    fn add(&mut self, point: Point) {
        let Point { longitude: x, latitude: y } = point;
        let [west, south, east, north] = self.0.unwrap_or([x, y, x, y]);
        self.0 = Some([west.min(x), south.min(y), east.max(x), north.max(y)]);
    }
}

/// Periods as pairs of dates.
pub fn pairs(periods: &[(Date, Date)]) -> Vec<[String; 2]> {
    periods.iter().map(|(since, until)| [since.to_string(), until.to_string()]).collect()
}

/// A tenth of a meter.
fn rounded(point: Point) -> [f64; 2] {
    [point.longitude, point.latitude].map(|degrees| (degrees * 1e6).round() / 1e6)
}

/// `GET /api/flows`: of the newest days of the period.
pub async fn flows(
    State(app): State<App>,
    Parameters(seen): Parameters<Seen>,
    Parameters(filters): Parameters<Filters>,
) -> Answer {
    filters.period()?;
    let window = seen.window()?;
    let limit = filters::number("limit", seen.limit, 100, 1000)?;
    let resolution = seen.resolution();
    let Some((since, until)) = app.cells.period(filters.since()?, filters.until()?).await? else {
        return Ok(JsonText(
            json!({ "resolution": resolution, "since": null, "until": null, "flows": [] })
                .to_string(),
        ));
    };
    let mut parameters = vec![
        Some(since.to_string()),
        Some(until.to_string()),
        filters.region()?,
        filters.datasource()?,
    ];
    let days = app.database.rows(Limit::View, FLOW_DAYS, parameters.clone()).await?;
    let since = first(days).and_then(|day| Date::parse(&day)).unwrap_or(since);
    parameters[0] = Some(since.to_string());
    parameters.extend([Some(resolution.to_string()), Some(limit.to_string())]);
    let Window { west, south, east, north } = window;
    parameters.extend([west, south, east, north].map(|degrees| Some(degrees.to_string())));
    let rows = app.database.rows(Limit::Scan, FLOWS, parameters).await?;
    let flows = first(rows).unwrap_or_else(|| "[]".into());
    Ok(JsonText(format!(
        "{{\"resolution\":{resolution},\"since\":\"{since}\",\"until\":\"{until}\",\"flows\":{flows}}}"
    )))
}
