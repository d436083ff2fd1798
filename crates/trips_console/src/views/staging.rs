//! Staged rows: why they wait.

use axum::extract::State;

use crate::answer::{Answer, JsonText};
use crate::extract::{LoadId, Parameters};
use crate::filters::Filters;
use crate::server::App;
use crate::views::loads::{STAGED_ROWS, explanation, row};

const STAGING: &str = include_str!("staging.sql");

/// `GET /api/staging`
pub async fn staging(State(app): State<App>, Parameters(filters): Parameters<Filters>) -> Answer {
    let [since, until] = filters.period()?;
    app.database.json(STAGING, vec![since, until, filters.feed()?]).await
}

/// `GET /api/staging/ID`
pub async fn of_load(State(app): State<App>, LoadId(load_id): LoadId) -> Answer {
    let database = &app.database;
    row(database, load_id).await?;
    let explain = explanation(database, load_id).await?;
    let parameters = vec![Some(load_id.to_string()), Some("100".into())];
    let rows = database.json_if_allowed(STAGED_ROWS, parameters).await?;
    Ok(JsonText(format!("{{\"load_id\":{load_id},\"explain\":{},\"rows\":{}}}", explain.0, rows.0)))
}
