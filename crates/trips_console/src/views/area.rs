//! The weekly average of an area that was drawn on the map.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::answer::{Answer, ApiError, JsonText};
use crate::database::{Limit, first};
use crate::date::Date;
use crate::extract::Body;
use crate::filters::Filters;
use crate::server::App;

const BOX: &str = include_str!("area_box.sql");
const POLYGON: &str = include_str!("area_polygon.sql");

/// Corners of a polygon.
const MOST_CORNERS: usize = 200;
/// Days of a polygon's period: the history is read for them.
const POLYGON_DAYS: i64 = 93;

/// What was drawn.
#[derive(Deserialize)]
pub struct Drawn {
    r#box: Option<[f64; 4]>,
    polygon: Option<Vec<[f64; 2]>>,
    which: Option<String>,
    #[serde(flatten)]
    filters: Filters,
}

/// `POST /api/area`
pub async fn area(State(app): State<App>, Body(drawn): Body<Drawn>) -> Answer {
    let which = crate::filters::word(
        "which",
        drawn.which.as_deref(),
        &["origin", "destination", "both", "either"],
    )?;
    let [since, until] = drawn.filters.period()?;
    match (drawn.r#box, drawn.polygon) {
        (Some(corners), None) => of_box(&app, corners, which, [since, until]).await,
        (None, Some(corners)) => {
            check(&corners)?;
            let found = app.cells.period(drawn.filters.since()?, drawn.filters.until()?).await?;
            let Some(period) = found else {
                return Ok(JsonText(
                    json!({ "weekly_avg": null, "weeks": [], "trips": 0, "sql": null }).to_string(),
                ));
            };
            of_polygon(&app, &corners, which, period).await
        }
        _ => Err(ApiError::invalid(
            "the request has neither a box nor a polygon",
            "Draw a box or a polygon.",
        )),
    }
}

async fn of_box(app: &App, corners: [f64; 4], which: &str, period: [Option<String>; 2]) -> Answer {
    let [since, until] = period;
    let mut parameters: Vec<Option<String>> =
        corners.iter().map(|degrees| Some(degrees.to_string())).collect();
    parameters.extend([since.clone(), until.clone(), Some(which.to_owned())]);
    let rows = app.database.rows(Limit::Scan, BOX, parameters).await?;
    let date = |name: &str, date: Option<String>| {
        date.map(|date| format!(", {name} => '{date}'")).unwrap_or_default()
    };
    let [west, south, east, north] = corners;
    let sql = format!(
        "SELECT * FROM trips.weekly_counts(trips.area({west}, {south}, {east}, {north}){}{}, match => '{which}')",
        date("since", since),
        date("until", until)
    );
    with_sql(first(rows), &sql)
}

fn check(corners: &[[f64; 2]]) -> Result<(), ApiError> {
    let is_valid = corners.iter().all(|[x, y]| x.abs() <= 180.0 && y.abs() <= 90.0);
    if !(3..=MOST_CORNERS).contains(&corners.len()) || !is_valid {
        return Err(ApiError::invalid(
            "the polygon is invalid",
            "Draw 3 to 200 corners, in degrees of longitude and latitude.",
        ));
    }
    Ok(())
}

async fn of_polygon(app: &App, corners: &[[f64; 2]], which: &str, period: (Date, Date)) -> Answer {
    let (since, until) = period;
    if since.days_until(until) >= POLYGON_DAYS {
        let hint = "Choose a period of at most 93 days, or draw a box.";
        return Err(ApiError::invalid(
            format!("the period of the polygon is too long: {since} to {until}"),
            hint,
        ));
    }
    let corners: Vec<String> = corners.iter().map(|[x, y]| format!("({x},{y})")).collect();
    let polygon = format!("({})", corners.join(","));
    let test = match which {
        "origin" => "h.origin_coord <@ p",
        "destination" => "h.destination_coord <@ p",
        "both" => "h.origin_coord <@ p AND h.destination_coord <@ p",
        _ => "(h.origin_coord <@ p OR h.destination_coord <@ p)",
    };
    let parameters = vec![Some(polygon.clone()), Some(since.to_string()), Some(until.to_string())];
    let rows = app
        .database
        .rows(
            Limit::Scan,
            &POLYGON.replace("{test}", &test.replace(" p", " $1::polygon")),
            parameters,
        )
        .await?;
    let sql = format!(
        "SELECT date_trunc('week', h.date_time)::date AS week, count(*) AS trips FROM trips.hist_trip_data AS h \
         WHERE h.date_time >= '{since}' AND h.date_time < '{}' AND {} GROUP BY 1 ORDER BY 1",
        until.next(),
        test.replace(" p", &format!(" polygon '{polygon}'"))
    );
    with_sql(first(rows), &sql)
}

fn with_sql(json: Option<String>, sql: &str) -> Answer {
    let json = json.unwrap_or_default();
    let mut answer: Map<String, Value> = serde_json::from_str(&json).map_err(|_| {
        ApiError::busy(
            "the counts of the area are not JSON",
            "Update trips_console and the extension.",
        )
    })?;
    answer.insert("sql".into(), sql.into());
    Ok(JsonText(Value::from(answer).to_string()))
}
