//! Counts of trips by cell and by hour of the week, kept in memory by month.
//!
//! The database has no roll-up by cell: to keep one, loads would have to look up two cells for each trip. So a month is
//! counted from the history once, when a page wants it, and counted again when the database says that its trips have
//! changed. What the memory does not hold is counted when it is wanted again.

mod slice;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use self::slice::Builder;
pub use self::slice::{End, FINEST, HOURS, Slice, Wanted, Window};
use crate::answer::ApiError;
use crate::database::{Database, Limit};
use crate::date::Date;

/// Memory for all slices.
const MEMORY: usize = 48 << 20;
/// How long a request waits for days that have not been counted.
const PATIENCE: Duration = Duration::from_secs(2);
/// Cells of slices do not get larger than those of this resolution, because of memory.
const COARSEST: i32 = 5;
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
                   (SELECT c.changed_by FROM trips_internal.history_changes AS c) END)
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

struct Kept {
    slice: Arc<Slice>,
    /// When it was used last: a number that grows.
    used: u64,
}

#[derive(Default)]
struct Inner {
    slices: HashMap<Period, Kept>,
    /// Periods to count, with their versions. The newest comes first.
    waiting: HashMap<Period, String>,
    /// Why the last count failed.
    failure: Option<ApiError>,
    uses: u64,
}

/// The counts that are kept.
pub struct Cells {
    database: Arc<Database>,
    inner: Mutex<Inner>,
    /// Something is to be counted.
    wanted: Notify,
    /// Something was counted.
    counted: Notify,
}

/// The counts of a period, and the parts of it that are not counted yet.
pub struct Counts {
    pub period: Option<Period>,
    pub slices: Vec<Arc<Slice>>,
    pub missing: Vec<Period>,
}

impl Cells {
    pub fn new(database: Arc<Database>) -> Self {
        Self { database, inner: Mutex::default(), wanted: Notify::new(), counted: Notify::new() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counts of a period; by default of the newest month with trips. Waits for a moment for what is not counted.
    pub async fn counts(
        &self,
        since: Option<Date>,
        until: Option<Date>,
    ) -> Result<Counts, ApiError> {
        let Some(period) = self.period(since, until).await? else {
            return Ok(Counts { period: None, slices: Vec::new(), missing: Vec::new() });
        };
        let end = Instant::now() + PATIENCE;
        let parts = self.versions(&months(period)).await?;
        loop {
            let counted = self.counted.notified();
            let (slices, missing) = self.take(&parts);
            if missing.is_empty() || Instant::now() >= end {
                return Ok(Counts { period: Some(period), slices, missing });
            }
            self.wanted.notify_one();
            let _ = tokio::time::timeout_at(end, counted).await;
            if let Some(error) = self.inner().failure.take() {
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
        let rows = self.database.rows(Limit::View, BOUNDS, Vec::new()).await?;
        let date = |column: usize| rows.first()?.get(column)?.as_deref().and_then(Date::parse);
        let (Some(first), Some(last)) = (date(0), date(1)) else { return Ok(None) };
        let default = if until.is_none() { last.month_begin() } else { first };
        let until = until.map_or(last, |until| until.min(last));
        let since = since.unwrap_or(default).max(first);
        Ok((since <= until).then_some((since, until)))
    }

    /// The parts that have trips, newest first, with their versions.
    async fn versions(&self, parts: &[Period]) -> Result<Vec<(Period, String)>, ApiError> {
        let array = |dates: Vec<Date>| {
            let dates: Vec<String> = dates.iter().map(Date::to_string).collect();
            Some(format!("{{{}}}", dates.join(",")))
        };
        let parameters = vec![
            array(parts.iter().map(|part| part.0).collect()),
            array(parts.iter().map(|part| part.1).collect()),
        ];
        let rows = self.database.rows(Limit::View, VERSIONS, parameters).await?;
        let date = |text: &Option<String>| text.as_deref().and_then(Date::parse);
        let mut versions: Vec<(Period, String)> = rows
            .iter()
            .filter_map(|row| Some(((date(&row[0])?, date(&row[1])?), row[2].clone()?)))
            .collect();
        versions.sort_unstable_by_key(|version| std::cmp::Reverse(version.0));
        Ok(versions)
    }

    /// The slices of parts, and the parts without one, which now wait to be counted.
    fn take(&self, parts: &[(Period, String)]) -> (Vec<Arc<Slice>>, Vec<Period>) {
        let mut inner = self.inner();
        inner.uses += 1;
        let used = inner.uses;
        let (mut slices, mut missing) = (Vec::new(), Vec::new());
        for (period, version) in parts {
            match inner.slices.get_mut(period).filter(|kept| kept.slice.version == *version) {
                Some(kept) => {
                    kept.used = used;
                    slices.push(Arc::clone(&kept.slice));
                }
                None => {
                    missing.push(*period);
                    inner.waiting.insert(*period, version.clone());
                }
            }
        }
        (slices, missing)
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
            let parameters = vec![Some(period.0.to_string()), Some(period.1.to_string())];
            let counted = self.database.fold(Limit::Scan, slice::COUNT, parameters, Builder::add);
            match counted.await {
                Ok(builder) => self.keep(period, builder.finish(version)),
                Err(error) => {
                    let mut inner = self.inner();
                    inner.waiting.clear();
                    inner.failure = Some(error);
                }
            }
            self.counted.notify_waiters();
        }
    }

    /// Keeps a slice. If there is not enough memory for all, the largest slices get larger cells; then those go that were
    /// not used for the longest time.
    fn keep(&self, period: Period, slice: Slice) {
        let mut inner = self.inner();
        inner.failure = None;
        let used = inner.uses;
        inner.slices.insert(period, Kept { slice: Arc::new(slice), used });
        while inner.slices.values().map(|kept| kept.slice.size()).sum::<usize>() > MEMORY {
            let fine = inner.slices.values_mut().filter(|kept| kept.slice.resolution() > COARSEST);
            if let Some(largest) = fine.max_by_key(|kept| kept.slice.size()) {
                largest.slice = Arc::new(largest.slice.coarser());
                continue;
            }
            let oldest =
                inner.slices.iter().min_by_key(|(_, kept)| kept.used).map(|(period, _)| *period);
            match oldest.filter(|_| inner.slices.len() > 1) {
                Some(oldest) => inner.slices.remove(&oldest),
                None => return,
            };
        }
    }
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
