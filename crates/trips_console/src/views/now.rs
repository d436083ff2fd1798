//! What runs, what waits, what has ended last.

use std::sync::LazyLock;

use axum::extract::State;

use crate::answer::Answer;
use crate::server::App;
use crate::views::loads::with_load_row;

/// One value: JSON. Also the listening session runs it.
pub static NOW: LazyLock<String> = LazyLock::new(|| with_load_row(include_str!("now.sql")));

/// `GET /api/now`
pub async fn now(State(app): State<App>) -> Answer {
    app.database.json(&NOW, Vec::new()).await
}

/// Whether a load runs, by the answer of [`NOW`].
pub fn load_runs(json: &str) -> bool {
    !json.replace(' ', "").starts_with("{\"loads\":[]")
}
