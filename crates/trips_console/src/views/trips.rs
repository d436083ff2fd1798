//! Trips over time.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::answer::{Answer, ApiError};
use crate::csv;
use crate::database::Limit;
use crate::extract::Parameters;
use crate::filters::{self, Filters};
use crate::server::App;

const TRIPS: &str = include_str!("trips.sql");

/// Rows of a table that is sent as a file at most.
const MOST_ROWS: usize = 200_000;

const DAYS: &str = "SELECT d.day, d.region, d.datasource, d.trips FROM trips.daily_trip_counts AS d \
    WHERE d.trips > 0 AND ($1::date IS NULL OR d.day >= $1) AND ($2::date IS NULL OR d.day <= $2) \
      AND ($3::text IS NULL OR d.region = $3) AND ($4::text IS NULL OR d.datasource = $4) \
    ORDER BY d.day, d.region, d.datasource LIMIT 200001";

/// A week of a month begins on day 1, 8, 15, 22 or 29.
const WEEKS: &str = "SELECT w.region, w.week_of_month, w.weekly_avg FROM trips.weekly_avg() AS w \
    WHERE ($1::date IS NULL OR w.week_of_month >= to_char($1::date::timestamp, 'YYYY-MM-\"0\"W')) \
      AND ($2::date IS NULL OR w.week_of_month <= to_char($2::date::timestamp, 'YYYY-MM-\"0\"W')) \
      AND ($3::text IS NULL OR w.region = $3) \
    ORDER BY w.region, w.week_of_month LIMIT 200001";

/// How to count.
#[derive(Deserialize)]
pub struct Counted {
    period: Option<String>,
    by: Option<String>,
    top: Option<i64>,
    compare: Option<String>,
}

/// `GET /api/trips`
pub async fn trips(
    State(app): State<App>,
    Parameters(counted): Parameters<Counted>,
    Parameters(filters): Parameters<Filters>,
) -> Answer {
    let period = filters::word("period", counted.period.as_deref(), &["week", "day", "month"])?;
    let by = filters::word("by", counted.by.as_deref(), &["region", "datasource"])?;
    let top = filters::number("top", counted.top, 8, 50)?;
    let compare = filters::word("compare", counted.compare.as_deref(), &["", "year"])?;
    let [since, until] = filters.period()?;
    let parameters = vec![
        since,
        until,
        filters.region()?,
        filters.datasource()?,
        Some(period.into()),
        Some(by.into()),
        Some(top.to_string()),
        Some((compare == "year").to_string()),
    ];
    app.database.json(TRIPS, parameters).await
}

/// `GET /api/trips.csv`
pub async fn trips_csv(
    State(app): State<App>,
    Parameters(filters): Parameters<Filters>,
) -> Result<Response, ApiError> {
    let [since, until] = filters.period()?;
    let parameters = vec![since, until, filters.region()?, filters.datasource()?];
    let rows = app.database.rows(Limit::View, DAYS, parameters).await?;
    csv::attachment("trips.csv", &["day", "region", "datasource", "trips"], &rows, MOST_ROWS)
}

/// `GET /api/weekly.csv`
pub async fn weekly_csv(
    State(app): State<App>,
    Parameters(filters): Parameters<Filters>,
) -> Result<Response, ApiError> {
    let [since, until] = filters.period()?;
    let parameters = vec![since, until, filters.region()?];
    let rows = app.database.rows(Limit::View, WEEKS, parameters).await?;
    csv::attachment("weekly.csv", &["region", "week_of_month", "weekly_avg"], &rows, MOST_ROWS)
}
