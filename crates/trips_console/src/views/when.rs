//! Trips by hour of the week.

use axum::extract::State;
use serde_json::json;

use crate::answer::{Answer, JsonText};
use crate::cells::{HOURS, Wanted};
use crate::extract::Parameters;
use crate::filters::Filters;
use crate::server::App;
use crate::views::map::pairs;

/// `GET /api/when`
pub async fn when(State(app): State<App>, Parameters(filters): Parameters<Filters>) -> Answer {
    filters.period()?;
    let wanted = Wanted { region: filters.region()?, datasource: filters.datasource()? };
    let counts = app.cells.counts(filters.since()?, filters.until()?).await?;
    let mut hours = [0; HOURS];
    for slice in &counts.slices {
        slice.add_hours(&wanted, &mut hours);
    }
    let answer = json!({
        "since": counts.period.map(|period| period.0.to_string()),
        "until": counts.period.map(|period| period.1.to_string()),
        "counts": hours.chunks(24).collect::<Vec<_>>(),
        "missing": pairs(&counts.missing), "older": pairs(&counts.older),
    });
    Ok(JsonText(answer.to_string()))
}
