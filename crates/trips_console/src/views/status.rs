//! Where the page is, and what there is to filter by.

use axum::extract::State;
use serde::Deserialize;
use serde_json::json;

use crate::answer::{Answer, JsonText};
use crate::extract::Parameters;
use crate::filters;
use crate::server::App;

const STATUS: &str = include_str!("status.sql");
const FEED_NAMES: &str = include_str!("feed_names.sql");
const REGIONS: &str = include_str!("regions.sql");

/// `GET /api/status`: answers also without a session.
pub async fn status(State(app): State<App>) -> Answer {
    let standing = app.hub.standing();
    let place = app.hub.place().unwrap_or_default();
    let mut status = json!({
        "database": place.database, "host": place.host, "port": place.port, "role": place.role,
        "server_version": place.server_version, "extension_version": place.extension_version,
        "console_version": env!("CARGO_PKG_VERSION"), "actions": app.allow_actions,
        "connected": standing.connected, "clock": null, "fault": standing.fault,
        "since": null, "until": null, "trips": null, "regions": 0, "datasources": [], "feeds": [],
    });
    if standing.connected {
        let known = app.database.json_if_allowed(STATUS, Vec::new()).await?;
        let feeds = app.database.json_if_allowed(FEED_NAMES, Vec::new()).await?;
        if let Ok(serde_json::Value::Object(known)) = serde_json::from_str(&known.0) {
            status.as_object_mut().into_iter().for_each(|status| status.extend(known.clone()));
        }
        status["feeds"] = serde_json::from_str(&feeds.0).unwrap_or_default();
    }
    Ok(JsonText(status.to_string()))
}

#[derive(Deserialize)]
pub struct Named {
    prefix: Option<String>,
    limit: Option<i64>,
}

/// `GET /api/regions`
pub async fn regions(State(app): State<App>, Parameters(named): Parameters<Named>) -> Answer {
    let limit = filters::number("limit", named.limit, 20, 200)?;
    let parameters =
        vec![filters::text("prefix", named.prefix.as_deref())?, Some(limit.to_string())];
    app.database.json(REGIONS, parameters).await
}
