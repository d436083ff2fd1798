//! When data come, and what is late.

use axum::extract::State;

use crate::answer::Answer;
use crate::extract::Parameters;
use crate::filters::Filters;
use crate::server::App;

const FEEDS: &str = include_str!("feeds.sql");

/// `GET /api/feeds`
pub async fn feeds(State(app): State<App>, Parameters(filters): Parameters<Filters>) -> Answer {
    app.database.json(FEEDS, vec![filters.region()?, filters.datasource()?, filters.feed()?]).await
}
