//! Staged rows: why they wait.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use axum::extract::State;
use serde_json::{Map, Value, json};
use trips_core::explain::kind_of;
use trips_libpq::Row;

use crate::answer::{Answer, JsonText};
use crate::database::{Limit, first};
use crate::extract::{LoadId, Parameters};
use crate::filters::Filters;
use crate::server::App;
use crate::views::loads::{STAGED_ROWS, explanation, row};

const STAGING: &str = include_str!("staging.sql");
const SAMPLES: &str = include_str!("staging_samples.sql");

/// Rows that [`STAGING`] reads at most.
const MOST_ROWS: u64 = 200_000;
/// Groups that are in memory at most. The rows of others are in the total only.
const MOST_GROUPS: usize = 5_000;
/// Groups that the page shows at most.
const SHOWN_GROUPS: usize = 200;
/// Of a group at most.
const MOST_SAMPLES: usize = 3;
const MOST_LOADS: usize = 20;

/// SQLSTATE, column and kind of the reason, as `trips.explain_staged()` has them. Rows of other writers have none.
type Kind = [Option<String>; 3];

/// Rows of one kind.
#[derive(Default)]
struct Group {
    records: u64,
    load_ids: BTreeSet<i64>,
    /// Where the first ones are in the table.
    places: Vec<String>,
}

#[derive(Default)]
struct Groups {
    total: u64,
    groups: HashMap<Kind, Group>,
}

impl Groups {
    /// Adds a row of [`STAGING`].
    fn add(&mut self, row: Row) {
        self.total += 1;
        let mut row = row.into_iter();
        let mut next = || row.next().flatten();
        let (place, load_id) = (next(), next());
        let kind = [next(), next(), next().as_deref().map(kind_of)];
        if self.groups.len() >= MOST_GROUPS && !self.groups.contains_key(&kind) {
            return;
        }
        let group = self.groups.entry(kind).or_default();
        group.records += 1;
        group.load_ids.extend(load_id.and_then(|id| id.parse::<i64>().ok()));
        if group.load_ids.len() > MOST_LOADS {
            group.load_ids.pop_first();
        }
        if group.places.len() < MOST_SAMPLES {
            group.places.extend(place);
        }
    }

    /// Those that the page shows, with most rows first.
    fn shown(self) -> Vec<(Kind, Group)> {
        let mut groups: Vec<_> = self.groups.into_iter().collect();
        groups.sort_unstable_by(|one, other| {
            (Reverse(one.1.records), &one.0).cmp(&(Reverse(other.1.records), &other.0))
        });
        groups.truncate(SHOWN_GROUPS);
        groups
    }
}

/// `GET /api/staging`
pub async fn staging(State(app): State<App>, Parameters(filters): Parameters<Filters>) -> Answer {
    let [since, until] = filters.period()?;
    let parameters = vec![since, until, filters.feed()?];
    let found = app.database.fold(Limit::View, STAGING, parameters, Groups::add).await?;
    let total = found.total;
    let groups = found.shown();
    let places: Vec<String> = groups
        .iter()
        .flat_map(|(_, group)| &group.places)
        .map(|place| format!("\"{place}\""))
        .collect();
    let places = Some(format!("{{{}}}", places.join(",")));
    let samples = first(app.database.rows(Limit::View, SAMPLES, vec![places]).await?);
    let samples = samples.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let groups: Vec<Value> =
        groups.into_iter().map(|(kind, group)| as_json(kind, &group, &samples)).collect();
    let answer = json!({ "groups": groups, "total": total, "cut": total >= MOST_ROWS });
    Ok(JsonText(answer.to_string()))
}

fn as_json(
    [code, column_name, reason]: Kind,
    group: &Group,
    samples: &Map<String, Value>,
) -> Value {
    // A row may be gone meanwhile.
    let samples: Vec<&Value> = group.places.iter().filter_map(|place| samples.get(place)).collect();
    let load_ids: Vec<i64> = group.load_ids.iter().rev().copied().collect();
    json!({
        "code": code, "column_name": column_name, "reason": reason, "records": group.records,
        "load_ids": load_ids, "samples": samples,
    })
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

    fn row(place: usize, load_id: Option<i64>, column: &str, reason: Option<&str>) -> Row {
        let load_id = load_id.map(|id| id.to_string());
        let (column, reason) = (Some(column.to_owned()), reason.map(Into::into));
        vec![Some(format!("(0,{place})")), load_id, Some("22003".into()), column, reason]
    }

    #[test]
    fn rows_of_one_kind_are_a_group() {
        let mut groups = Groups::default();
        for number in 0..30 {
            let reason = format!("latitude 9{number}.5 is out of range: expected -90 to 90");
            groups.add(row(number, Some(1 + (number as i64)), "a", Some(&reason)));
        }
        groups.add(row(30, Some(1), "b", Some("latitude 95 is out of range: expected -90 to 90")));
        groups.add(row(31, None, "b", None));
        groups.add(row(32, None, "b", None));
        assert_eq!(groups.total, 33);
        let shown = groups.shown();
        let records: Vec<u64> = shown.iter().map(|(_, group)| group.records).collect();
        assert_eq!(records, [30, 2, 1]);
        let (kind, group) = &shown[0];
        let reason = "latitude … is out of range: expected -90 to 90";
        assert_eq!((kind[1].as_deref(), kind[2].as_deref()), (Some("a"), Some(reason)));
        assert_eq!(group.load_ids, (11..=30).collect());
        assert_eq!(group.places, ["(0,0)", "(0,1)", "(0,2)"]);
        assert_eq!((&shown[1].0[2], shown[1].1.load_ids.len()), (&None, 0));
    }

    #[test]
    fn groups_are_bounded() {
        let mut groups = Groups::default();
        for number in 0..MOST_GROUPS + 10 {
            groups.add(row(number, None, &format!("c{number}"), Some("region is empty")));
        }
        groups.add(row(0, None, "c0", Some("region is empty")));
        assert_eq!((groups.groups.len(), groups.total), (MOST_GROUPS, MOST_GROUPS as u64 + 11));
        let shown = groups.shown();
        assert_eq!((shown.len(), shown[0].1.records), (SHOWN_GROUPS, 2));
    }
}
