//! What a page may do with `--allow-actions`, if the role may.

use axum::extract::{Path, State};
use serde::Deserialize;

use crate::answer::{Answer, ApiError};
use crate::extract::Body;
use crate::server::App;
use crate::views::loads::row;

/// A failed load again, with its arguments as far as the ledger has them.
const RETRY: &str = "
SELECT s.load_id FROM trips.loads AS l
 CROSS JOIN LATERAL (SELECT trips.submit(
   l.source, on_error => coalesce(l.options ->> 'on_error', 'stage'), max_errors => (l.options ->> 'max_errors')::bigint,
   feed => l.options ->> 'feed', region => l.options ->> 'region', datasource => l.options ->> 'datasource',
   on_change => l.options ->> 'on_change') AS load_id) AS s
 WHERE l.load_id = $1::bigint AND l.state = 'failed'";
const CANCEL: &str = "SELECT trips.cancel($1::bigint)";
const MERGE: &str = "SELECT l.load_id FROM trips.merge_staged($1::bigint) AS l";
const RETRACT: &str =
    "SELECT l.load_id FROM trips.retract($1::bigint, cascade => $2::boolean) AS l";

/// Of which load.
#[derive(Deserialize)]
pub struct Chosen {
    load_id: i64,
    #[serde(default)]
    cascade: bool,
}

/// `POST /api/actions/ACTION`: the ledger's row afterwards.
pub async fn act(
    State(app): State<App>,
    Path(action): Path<String>,
    Body(chosen): Body<Chosen>,
) -> Answer {
    if !app.allow_actions {
        let hint = "Start trips_console with --allow-actions.";
        return Err(ApiError::forbidden("this console only reads", hint));
    }
    let id = Some(chosen.load_id.to_string());
    let done = match action.as_str() {
        "cancel" => app.database.act(CANCEL, vec![id]).await?,
        "retry" => app.database.act(RETRY, vec![id]).await?,
        "merge" => app.database.act(MERGE, vec![id]).await?,
        "retract" => app.database.act(RETRACT, vec![id, Some(chosen.cascade.to_string())]).await?,
        _ => {
            return Err(ApiError::not_found(
                format!("action \"{action}\" does not exist"),
                "Choose cancel, retry, merge or retract.",
            ));
        }
    };
    // A retry is another load.
    let load_id = if action == "retry" {
        done.0.parse().map_err(|_| {
            ApiError::invalid(
                format!("load {} has not failed", chosen.load_id),
                "Retry loads with the state failed.",
            )
        })?
    } else {
        chosen.load_id
    };
    row(&app.database, load_id).await
}
