//! Whether all is well.

use axum::extract::State;

use crate::answer::{Answer, JsonText};
use crate::database::{Limit, first};
use crate::server::App;

const HEALTH: &str = include_str!("health.sql");
const NEWEST_TRIP: &str = include_str!("newest_trip.sql");
const SCHEDULES: &str = include_str!("schedules.sql");
const VERIFY: &str = "SELECT coalesce(json_agg(v), '[]') FROM trips.verify() AS v";

/// `GET /api/health`
pub async fn health(State(app): State<App>) -> Answer {
    let database = &app.database;
    let tiles = database.json(HEALTH, Vec::new()).await?;
    let newest_trip = database.json_if_allowed(NEWEST_TRIP, Vec::new()).await?;
    let schedules = match database.json_if_allowed(SCHEDULES, Vec::new()).await {
        // pg_cron is not in this database.
        Err(error) if matches!(error.body.sqlstate.as_deref(), Some("42P01" | "3F000")) => {
            JsonText("null".into())
        }
        answer => answer?,
    };
    let tiles = tiles.0.trim_end_matches('}');
    Ok(JsonText(format!(
        "{tiles}, \"newest_trip\": {}, \"schedules\": {}}}",
        newest_trip.0, schedules.0
    )))
}

/// `POST /api/verify`: reads all of the history.
pub async fn verify(State(app): State<App>) -> Answer {
    let rows = app.database.rows(Limit::Long, VERIFY, Vec::new()).await?;
    Ok(JsonText(first(rows).unwrap_or_else(|| "[]".into())))
}
