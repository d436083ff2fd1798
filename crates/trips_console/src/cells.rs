//! Counts of trips by cell and by hour of the week, kept in memory by month.
//!
//! The database has no roll-up by cell: to keep one, loads would have to look up two cells for each trip. So the console
//! counts the newest months from the history when it starts, and others when a page wants them. A month is counted again
//! when a page wants it and the database says that its trips have changed; until then, the page gets the older counts. What
//! the memory does not hold is counted when it is wanted again.

mod memory;
mod slice;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use trips_libpq::Row;

use self::memory::Memory;
use self::slice::Builder;
pub use self::slice::{End, FINEST, HOURS, Slice, Wanted, Window};
use crate::answer::ApiError;
use crate::database::{Database, Limit};
use crate::date::Date;
use crate::events::Hub;

/// How long a request waits for days that are not counted yet.
const PATIENCE: Duration = Duration::from_millis(200);
/// Trips that are counted before a page wants them, at most: the console reads the history for them when it starts.
const AHEAD: u64 = 25_000_000;
/// How often it looks whether it may count them.
const LOOK: Duration = Duration::from_millis(250);
/// Longest period: more months than a page shows at once.
const MOST_MONTHS: usize = 1200;

/// The first and the last day of each period that has trips, and what changes whenever a trip of it does.
///
/// A load adds segments to the area index of a week, a change by hand deletes them: so their numbers stand for the trips
/// of a week that the index has completely. Of other weeks, the number of trips and the last change by hand do.
const VERSIONS: &str = "
WITH days AS MATERIALIZED (
  SELECT d.day, sum(d.trips) AS trips FROM trips.daily_trip_counts AS d WHERE d.trips > 0 GROUP BY d.day
), weeks AS MATERIALIZED (
  SELECT s.week, max(s.segment_id) AS newest, count(*) AS segments, sum(s.trips) AS trips
    FROM trips_internal.area_directory AS s GROUP BY s.week
), period AS (
  SELECT p.since, p.until, date_trunc('week', p.since)::date AS monday, date_trunc('week', p.until)::date AS last_monday
    FROM unnest($1::date[], $2::date[]) AS p (since, until)
)
SELECT p.since, p.until,
       concat_ws('/', d.trips, d.of_weeks, w.newest, w.segments,
                 CASE WHEN w.trips IS DISTINCT FROM d.of_weeks THEN
                   (SELECT c.changed_by FROM trips_internal.history_changes AS c) END),
       d.trips
  FROM period AS p
 CROSS JOIN LATERAL (
   SELECT sum(d.trips) FILTER (WHERE d.day BETWEEN p.since AND p.until) AS trips, sum(d.trips) AS of_weeks
     FROM days AS d WHERE d.day BETWEEN p.monday AND p.last_monday + 6) AS d
  LEFT JOIN LATERAL (
   SELECT max(w.newest) AS newest, sum(w.segments) AS segments, sum(w.trips) AS trips
     FROM weeks AS w WHERE w.week BETWEEN p.monday AND p.last_monday) AS w ON true
 WHERE d.trips > 0";

const BOUNDS: &str = "SELECT min(d.day), max(d.day) FROM trips.daily_trip_counts AS d \
    WHERE d.trips > 0 AND d.day BETWEEN '0001-01-01' AND '9999-12-31'";

/// First and last day.
pub type Period = (Date, Date);

/// A part of a period that has trips.
struct Part {
    period: Period,
    /// What the database says of it now.
    version: String,
    trips: u64,
}

/// The counts that are kept.
pub struct Cells {
    database: Arc<Database>,
    inner: Mutex<Memory>,
    /// Something is to be counted.
    wanted: Notify,
    /// Something was counted.
    counted: Notify,
    /// One part is counted at a time.
    counting: tokio::sync::Mutex<()>,
}

/// The counts of a period.
#[derive(Default)]
pub struct Counts {
    pub period: Option<Period>,
    pub slices: Vec<Arc<Slice>>,
    /// Its parts that are not counted yet.
    pub missing: Vec<Period>,
    /// Its parts whose trips have changed since they were counted.
    pub older: Vec<Period>,
}

impl Cells {
    pub fn new(database: Arc<Database>) -> Self {
        Self {
            database,
            inner: Mutex::default(),
            wanted: Notify::new(),
            counted: Notify::new(),
            counting: tokio::sync::Mutex::default(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Memory> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counts of a period; by default of the newest month with trips. Waits for a moment for what is not counted.
    pub async fn counts(
        &self,
        since: Option<Date>,
        until: Option<Date>,
    ) -> Result<Counts, ApiError> {
        let Some(bounds) = self.bounds().await? else { return Ok(Counts::default()) };
        let Some(period) = cut(bounds, since, until) else { return Ok(Counts::default()) };
        let parts = self.parts(&months(widened(period, bounds))).await?;
        let end = Instant::now() + PATIENCE;
        loop {
            let counted = self.counted.notified();
            let counts = Counts { period: Some(period), ..self.take(&parts) };
            let is_complete = counts.missing.is_empty() && counts.older.is_empty();
            if is_complete || Instant::now() >= end {
                return Ok(counts);
            }
            let _ = tokio::time::timeout_at(end, counted).await;
            if let Some(error) = self.failure(&parts) {
                return Err(error);
            }
        }
    }

    /// The given period, inside of that of the history.
    pub async fn period(
        &self,
        since: Option<Date>,
        until: Option<Date>,
    ) -> Result<Option<Period>, ApiError> {
        Ok(self.bounds().await?.and_then(|bounds| cut(bounds, since, until)))
    }

    /// The first and the last day of the history; None if it has no trips.
    async fn bounds(&self) -> Result<Option<Period>, ApiError> {
        let rows = self.database.rows(Limit::View, BOUNDS, Vec::new()).await?;
        let date = |column: usize| rows.first()?.get(column)?.as_deref().and_then(Date::parse);
        Ok(date(0).zip(date(1)))
    }

    /// Those of some periods that have trips, newest first.
    async fn parts(&self, periods: &[Period]) -> Result<Vec<Part>, ApiError> {
        let array = |dates: Vec<Date>| {
            let dates: Vec<String> = dates.iter().map(Date::to_string).collect();
            Some(format!("{{{}}}", dates.join(",")))
        };
        let parameters = vec![
            array(periods.iter().map(|period| period.0).collect()),
            array(periods.iter().map(|period| period.1).collect()),
        ];
        let rows = self.database.rows(Limit::View, VERSIONS, parameters).await?;
        let date = |text: &Option<String>| text.as_deref().and_then(Date::parse);
        let part = |row: &Row| {
            let (period, version) = ((date(&row[0])?, date(&row[1])?), row[2].clone()?);
            Some(Part { period, version, trips: row[3].as_deref()?.parse().ok()? })
        };
        let mut parts: Vec<Part> = rows.iter().filter_map(part).collect();
        parts.sort_unstable_by_key(|part| std::cmp::Reverse(part.period.0));
        Ok(parts)
    }

    /// The slices of parts. The parts without one of their version now wait to be counted.
    fn take(&self, parts: &[Part]) -> Counts {
        let mut inner = self.inner();
        inner.uses += 1;
        let used = inner.uses;
        let mut counts = Counts::default();
        for Part { period, version, .. } in parts {
            let kept = inner.slices.get_mut(period);
            let is_current = kept.as_ref().is_some_and(|kept| kept.slice.version == *version);
            match kept {
                Some(kept) => {
                    kept.used = used;
                    counts.slices.push(Arc::clone(&kept.slice));
                    counts.older.extend((!is_current).then_some(*period));
                }
                None => counts.missing.push(*period),
            }
            if !is_current {
                inner.waiting.insert(*period, version.clone());
                // Also if the page does not wait for it: it asks again.
                self.wanted.notify_one();
            }
        }
        counts
    }

    /// Why one of these parts could not be counted; told once.
    fn failure(&self, parts: &[Part]) -> Option<ApiError> {
        let failed = |failed: &mut (Period, _)| parts.iter().any(|part| part.period == failed.0);
        self.inner().failure.take_if(failed).map(|(_, error)| error)
    }

    /// Counts what pages want, one part after the other, for ever.
    pub async fn count_for_ever(self: Arc<Self>) {
        loop {
            let next = self.inner().waiting.keys().max().copied();
            let Some(period) = next else {
                self.wanted.notified().await;
                continue;
            };
            let Some(version) = self.inner().waiting.remove(&period) else { continue };
            if let Err(error) = self.count(period, version).await {
                let mut inner = self.inner();
                inner.waiting.clear();
                inner.failure = Some((period, error));
            }
            self.counted.notify_waiters();
        }
    }

    /// Counts the newest months before a page wants them. What pages want comes first, and loads that run.
    pub async fn count_ahead(self: Arc<Self>, hub: Arc<Hub>) {
        while hub.last().is_none() {
            tokio::time::sleep(LOOK).await;
        }
        // A page that asks for the counts is told what is wrong.
        let Ok(Some(bounds)) = self.bounds().await else { return };
        let Ok(parts) = self.parts(&months(widened(bounds, bounds))).await else { return };
        let mut trips = 0;
        for part in parts {
            trips += part.trips;
            if trips > AHEAD {
                return;
            }
            while !hub.is_quiet() || !self.inner().waiting.is_empty() {
                tokio::time::sleep(LOOK).await;
            }
            match self.count_one_ahead(part).await {
                Ok(true) => (),
                Ok(false) | Err(_) => return,
            }
        }
    }

    /// Counts a part that no page has wanted yet; false if there is no room for it.
    async fn count_one_ahead(&self, part: Part) -> Result<bool, ApiError> {
        let _one = self.counting.lock().await;
        // A page has wanted it meanwhile: its counts may be newer than this version.
        if self.inner().slices.contains_key(&part.period) {
            return Ok(true);
        }
        let slice = self.slice(part.period, part.version).await?;
        Ok(self.inner().keep_ahead(part.period, slice))
    }

    /// Counts a part, unless that is done.
    async fn count(&self, period: Period, version: String) -> Result<(), ApiError> {
        let _one = self.counting.lock().await;
        if self.inner().has(&period, &version) {
            return Ok(());
        }
        let slice = self.slice(period, version).await?;
        self.inner().keep(period, slice)
    }

    async fn slice(&self, period: Period, version: String) -> Result<Slice, ApiError> {
        let parameters = vec![Some(period.0.to_string()), Some(period.1.to_string())];
        let counted = self.database.fold(Limit::Scan, slice::COUNT, parameters, Builder::add);
        Ok(counted.await?.finish(version))
    }
}
/// A period inside of that of the history; without a beginning and an end, the newest month.
fn cut((first, last): Period, since: Option<Date>, until: Option<Date>) -> Option<Period> {
    let default = if until.is_none() { last.month_begin() } else { first };
    let until = until.map_or(last, |until| until.min(last));
    let since = since.unwrap_or(default).max(first);
    (since <= until).then_some((since, until))
}

/// A period with all of the months in which the history begins and ends: it stays the same when days are added to them.
fn widened((since, until): Period, (first, last): Period) -> Period {
    let since = if since == first { first.month_begin() } else { since };
    (since, if until == last { last.month_end() } else { until })
}

/// The months of a period, the first and the last cut to it.
fn months((since, until): Period) -> Vec<Period> {
    let mut months = Vec::new();
    let mut begin = since;
    while begin <= until && months.len() < MOST_MONTHS {
        let end = begin.month_end().min(until);
        months.push((begin, end));
        begin = end.next();
    }
    months
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_grow_to_the_months_of_the_history() {
        let date = |text| Date::parse(text).unwrap();
        let bounds = (date("2023-11-15"), date("2024-02-02"));
        let newest = cut(bounds, None, None).unwrap();
        assert_eq!(newest, (date("2024-02-01"), date("2024-02-02")));
        assert_eq!(widened(newest, bounds), (date("2024-02-01"), date("2024-02-29")));
        assert_eq!(widened(bounds, bounds), (date("2023-11-01"), date("2024-02-29")));
        let inside = cut(bounds, Some(date("2023-12-05")), Some(date("2024-01-05"))).unwrap();
        assert_eq!(widened(inside, bounds), inside);
        assert_eq!(cut(bounds, Some(date("2024-02-03")), None), None);
    }

    #[test]
    fn periods_are_cut_at_months() {
        let date = |text| Date::parse(text).unwrap();
        let found: Vec<String> = months((date("2023-11-15"), date("2024-02-02")))
            .iter()
            .map(|(since, until)| format!("{since} {until}"))
            .collect();
        let expected = [
            "2023-11-15 2023-11-30",
            "2023-12-01 2023-12-31",
            "2024-01-01 2024-01-31",
            "2024-02-01 2024-02-02",
        ];
        assert_eq!(found, expected);
    }
}
