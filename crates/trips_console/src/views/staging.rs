//! Staged rows: why they wait.

use std::collections::HashMap;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trips_core::explain::kind_of;

use crate::answer::{Answer, ApiError, JsonText};
use crate::database::{Limit, first};
use crate::extract::{LoadId, Parameters};
use crate::filters::Filters;
use crate::server::App;
use crate::views::loads::{STAGED_ROWS, explanation, row};

const STAGING: &str = include_str!("staging.sql");

/// Groups that the page shows at most.
const MOST_GROUPS: usize = 200;
/// Samples of a group, and loads of a group, at most.
const MOST_SAMPLES: usize = 3;
const MOST_LOADS: usize = 20;

/// The answer of [`STAGING`].
#[derive(Deserialize, Serialize)]
struct Staging {
    groups: Vec<Group>,
    total: u64,
    cut: bool,
}

/// Rows with one SQLSTATE, column and kind of reason.
#[derive(Deserialize, Serialize)]
struct Group {
    code: Option<String>,
    column_name: Option<String>,
    reason: Option<String>,
    records: u64,
    /// The newest loads, newest first.
    load_ids: Vec<i64>,
    samples: Vec<Value>,
}

impl Group {
    fn add(&mut self, other: Self) {
        self.records += other.records;
        self.load_ids.extend(other.load_ids);
        self.load_ids.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
        self.load_ids.dedup();
        self.load_ids.truncate(MOST_LOADS);
        self.samples.extend(other.samples);
        self.samples.truncate(MOST_SAMPLES);
    }
}

/// `GET /api/staging`
pub async fn staging(State(app): State<App>, Parameters(filters): Parameters<Filters>) -> Answer {
    let [since, until] = filters.period()?;
    let parameters = vec![since, until, filters.feed()?];
    let rows = app.database.rows(Limit::View, STAGING, parameters).await?;
    let staging = first(rows).and_then(|text| serde_json::from_str::<Staging>(&text).ok());
    let staging = staging.map(|staging| Staging { groups: by_kind(staging.groups), ..staging });
    let text = staging.and_then(|staging| serde_json::to_string(&staging).ok());
    text.map(JsonText).ok_or_else(|| {
        ApiError::busy("the request failed", "Look at the messages of trips_console.")
    })
}

/// The groups by kinds of reasons, as `trips.explain_staged()` has them. A value that is no number, and has no quotes,
/// makes groups of its own in SQL.
fn by_kind(groups: Vec<Group>) -> Vec<Group> {
    let mut places = HashMap::new();
    let mut merged: Vec<Group> = Vec::new();
    for group in groups {
        let group = Group { reason: group.reason.as_deref().map(kind_of), ..group };
        let kind = (group.code.clone(), group.column_name.clone(), group.reason.clone());
        let place = *places.entry(kind).or_insert(merged.len());
        match merged.get_mut(place) {
            Some(same) => same.add(group),
            None => merged.push(group),
        }
    }
    merged.sort_by_key(|group| std::cmp::Reverse(group.records));
    merged.truncate(MOST_GROUPS);
    merged
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

#[cfg(test)]
mod tests {
    use super::*;

    fn group(column: &str, reason: Option<&str>, records: u64, load_ids: &[i64]) -> Group {
        Group {
            code: Some("22003".into()),
            column_name: Some(column.into()),
            reason: reason.map(Into::into),
            records,
            load_ids: load_ids.to_vec(),
            samples: vec![records.into(), records.into()],
        }
    }

    #[test]
    fn groups_of_one_kind_are_one() {
        let found = by_kind(vec![
            group("a", Some("latitude 153.05 is out of range: expected -90 to 90"), 5, &[3, 1]),
            group("b", Some("latitude 153.05 is out of range: expected -90 to 90"), 6, &[1]),
            group("a", Some("latitude 1e9 is out of range: expected -90 to 90"), 4, &[4, 3]),
            group("a", Some("latitude 1e9 is out of range: expected -180 to 180"), 3, &[]),
            group("a", None, 2, &[]),
        ]);
        let records: Vec<u64> = found.iter().map(|group| group.records).collect();
        assert_eq!(records, [9, 6, 3, 2]);
        let reason = "latitude … is out of range: expected -90 to 90";
        assert_eq!(found[0].reason.as_deref(), Some(reason));
        assert_eq!((&found[0].load_ids[..], found[0].samples.len()), (&[4, 3, 1][..], 3));
        assert_eq!(found[3].reason, None);
    }
}
