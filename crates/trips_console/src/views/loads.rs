//! The ledger.

use std::sync::{Arc, LazyLock};

use axum::extract::State;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::answer::{Answer, ApiError, JsonText};
use crate::database::{Database, Limit};
use crate::extract::{LoadId, Parameters};
use crate::filters::{self, Filters};
use crate::server::App;

static LOADS: LazyLock<String> = LazyLock::new(|| with_load_row(include_str!("loads.sql")));
const MORE: &str = include_str!("load_more.sql");
const ERROR: &str = include_str!("load_error.sql");
pub const STAGED_ROWS: &str = include_str!("staged_rows.sql");
pub const EXPLAIN: &str = include_str!("explain.sql");

const STATES: [&str; 7] = ["", "queued", "running", "loaded", "skipped", "failed", "retracted"];

/// A statement that shows rows of `trips.loads AS l` as all views show them.
pub fn with_load_row(sql: &str) -> String {
    sql.replace("{load_row}", include_str!("load_row.sql").trim_end())
}

/// What to list.
#[derive(Deserialize)]
pub struct Listed {
    state: Option<String>,
    path: Option<String>,
    requested_by: Option<String>,
    before: Option<i64>,
    limit: Option<i64>,
}

/// `GET /api/loads`
pub async fn loads(
    State(app): State<App>,
    Parameters(listed): Parameters<Listed>,
    Parameters(filters): Parameters<Filters>,
) -> Answer {
    let state = filters::word("state", listed.state.as_deref(), &STATES)?;
    let limit = filters::number("limit", listed.limit, 50, 500)?;
    let [since, until] = filters.period()?;
    let parameters = vec![
        filters::text("state", Some(state))?,
        filters::text("path", listed.path.as_deref())?,
        filters::text("requested_by", listed.requested_by.as_deref())?,
        listed.before.map(|before| before.to_string()),
        Some(limit.to_string()),
        since,
        until,
        filters.feed()?,
        None,
    ];
    let rows = app.database.rows(Limit::View, &LOADS, parameters).await?;
    let (loads, next) = match rows.into_iter().next().as_deref() {
        Some([loads, next]) => (loads.clone(), next.clone()),
        _ => (None, None),
    };
    let (loads, next) =
        (loads.unwrap_or_else(|| "[]".into()), next.unwrap_or_else(|| "null".into()));
    Ok(JsonText(format!("{{\"loads\":{loads},\"next\":{next}}}")))
}

/// `GET /api/loads/ID`
pub async fn load(State(app): State<App>, LoadId(load_id): LoadId) -> Answer {
    let row = row(&app.database, load_id).await?;
    let id = || vec![Some(load_id.to_string())];
    let database = &app.database;
    let more = database.json(MORE, id()).await?;
    // These the role may not be allowed to read: null then.
    let error = database.json_if_allowed(ERROR, id()).await?;
    let staged = vec![Some(load_id.to_string()), Some("20".into())];
    let staged = database.json_if_allowed(STAGED_ROWS, staged).await?;
    let explain = explanation(database, load_id).await?;
    let mut members = serde_json::Map::new();
    for part in [row.0, more.0, error.0] {
        if let Ok(serde_json::Value::Object(part)) = serde_json::from_str(&part) {
            members.extend(part);
        }
    }
    for (name, json) in [("staged", staged.0), ("explain", explain.0)] {
        members.insert(name.into(), serde_json::from_str(&json).unwrap_or_default());
    }
    Ok(JsonText(serde_json::Value::Object(members).to_string()))
}

/// The rows of `trips.explain_staged()`; null if the role may not call it, or the load has no staged rows by its state.
pub async fn explanation(database: &Arc<Database>, load_id: i64) -> Answer {
    match database.json_if_allowed(EXPLAIN, vec![Some(load_id.to_string())]).await {
        Err(error) if error.body.sqlstate.as_deref() == Some("55000") => {
            Ok(JsonText("null".into()))
        }
        answer => answer,
    }
}

/// The ledger's row of a load.
pub async fn row(database: &Arc<Database>, load_id: i64) -> Answer {
    let mut parameters = vec![None; 9];
    parameters[4] = Some("1".into());
    parameters[8] = Some(load_id.to_string());
    let list = database.json(&LOADS, parameters).await?;
    let rows: Vec<Box<RawValue>> = serde_json::from_str(&list.0).unwrap_or_default();
    let missing = || {
        ApiError::not_found(format!("load {load_id} does not exist"), "Look at the list of loads.")
    };
    rows.first().map(|row| JsonText(row.get().to_owned())).ok_or_else(missing)
}
