//! The materialized view: kept equal to the weekly sums row by row, at the cost of the changed rows.

use std::ffi::CStr;

use pgrx::datum::DatumWithOid;
use pgrx::{Spi, pg_sys};

use crate::error::LoadError;
use crate::history::pending_counts;
use crate::pg::matview::MatView;
use crate::pg::own_settings::OwnSettings;
use crate::pg::plans::Sql;
use crate::pg::relation::{Attribute, Table};
use crate::pg::table_locks::{self, Mode};

pub const NAME: &CStr = c"summarized_trip_data";

const COLUMNS: [Attribute; 3] = [
    Attribute { name: c"region", type_oid: pg_sys::TEXTOID, is_required: true },
    Attribute { name: c"week_of_month", type_oid: pg_sys::TEXTOID, is_required: true },
    Attribute { name: c"weekly_avg", type_oid: pg_sys::NUMERICOID, is_required: true },
];
/// The first columns, which have a unique index of the view.
const KEY: i16 = 2;

/// The changes that make the view's rows of some weeks and regions equal to the sums: `$1` days and `$2` regions. Each
/// row is looked up by its key. OFFSET 0 keeps the planner from a join that reads all rows for each slice of a load.
const OF_REGIONS: &CStr = c"
    SELECT v.ctid, w.trips IS NULL, t.region, t.week_of_month, w.trips::numeric
      FROM (SELECT DISTINCT c.region, to_char((date '2000-01-01' + c.day)::timestamp, 'YYYY-MM-\"0\"W')
              FROM unnest($1::int[], $2::text[]) AS c (day, region)) AS t (region, week_of_month)
      LEFT JOIN LATERAL (
             SELECT w.trips FROM trips.weekly_trip_counts AS w
              WHERE w.region = t.region AND w.week_of_month = t.week_of_month
             OFFSET 0) AS w ON true
      LEFT JOIN LATERAL (
             SELECT v.ctid, v.weekly_avg
               FROM trips.summarized_trip_data AS v (region, week_of_month, weekly_avg)
              WHERE v.region = t.region AND v.week_of_month = t.week_of_month
             OFFSET 0) AS v ON true
     WHERE w.trips::numeric IS DISTINCT FROM v.weekly_avg";

/// The same for all regions: the weeks of the days from `$1` to `$2`.
const OF_WEEKS: &CStr = c"
    SELECT v.ctid, w.region IS NULL, w.region, w.week_of_month, w.trips::numeric
      FROM (SELECT w.region, w.week_of_month, w.trips
              FROM trips.weekly_trip_counts AS w
             WHERE w.week_of_month COLLATE \"C\"
                   BETWEEN to_char((date '2000-01-01' + $1)::timestamp, 'YYYY-MM-\"0\"W')
                       AND to_char((date '2000-01-01' + $2)::timestamp, 'YYYY-MM-\"0\"W')) AS w
      FULL JOIN (SELECT v.ctid, v.region, v.week_of_month, v.weekly_avg
                   FROM trips.summarized_trip_data AS v (region, week_of_month, weekly_avg)
                  WHERE v.week_of_month COLLATE \"C\"
                        BETWEEN to_char((date '2000-01-01' + $1)::timestamp, 'YYYY-MM-\"0\"W')
                            AND to_char((date '2000-01-01' + $2)::timestamp, 'YYYY-MM-\"0\"W')) AS v
        ON v.region = w.region AND v.week_of_month = w.week_of_month
     WHERE w.trips::numeric IS DISTINCT FROM v.weekly_avg";

/// The same for all rows.
const OF_ALL: &CStr = c"
    SELECT v.ctid, w.region IS NULL, w.region, w.week_of_month, w.trips::numeric
      FROM trips.weekly_trip_counts AS w
      FULL JOIN (SELECT v.ctid, v.region, v.week_of_month, v.weekly_avg
                   FROM trips.summarized_trip_data AS v (region, week_of_month, weekly_avg)) AS v
        ON v.region = w.region AND v.week_of_month = w.week_of_month
     WHERE w.trips::numeric IS DISTINCT FROM v.weekly_avg";

/// Opens the view if its rows can be written one by one. In both cases no REFRESH can run before this transaction ends.
fn open() -> Option<MatView> {
    MatView::open(NAME, &COLUMNS, KEY)
}

/// Updates rows: those of the weeks of these days, each in its region.
pub fn keep_regions(days_and_regions: &[DatumWithOid<'_>; 2]) {
    if let Some(view) = open() {
        let _settings = OwnSettings::for_lookups();
        view.apply(Sql::Kept(OF_REGIONS), days_and_regions);
    }
}

/// Updates rows: all regions, in the weeks from the first day to the last.
pub fn keep_weeks(first: i32, last: i32) {
    if let Some(view) = open() {
        view.apply(Sql::Once(OF_WEEKS), &[first.into(), last.into()]);
    }
}

/// Updates all rows.
pub fn keep_all() {
    if let Some(view) = open() {
        view.apply(Sql::Once(OF_ALL), &[]);
    }
}

/// Refreshes the view if its rows cannot be written: if it is empty since REFRESH … WITH NO DATA, or not as the
/// extension creates it. Called after the rows have been tried, so that the condition is the same.
pub fn refresh_if_not_kept() -> Result<(), LoadError> {
    if open().is_none() { refresh() } else { Ok(()) }
}

/// Refreshes the view from the weekly sums. Concurrently where PostgreSQL can do that: if it is populated and has a
/// unique index of all its rows.
pub fn refresh() -> Result<(), LoadError> {
    let beside_readers = Spi::get_one::<bool>(
        "SELECT c.relispopulated AND EXISTS (
                  SELECT FROM pg_index AS i
                   WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
                     AND i.indpred IS NULL AND i.indexprs IS NULL)
           FROM pg_class AS c WHERE c.oid = 'trips.summarized_trip_data'::regclass",
    )?;
    let command = if beside_readers == Some(true) {
        "REFRESH MATERIALIZED VIEW CONCURRENTLY trips.summarized_trip_data"
    } else {
        "REFRESH MATERIALIZED VIEW trips.summarized_trip_data"
    };
    if let Some(view) = Table::find(NAME) {
        table_locks::lock(view, Mode::Exclusive)?;
    }
    Ok(pending_counts::run_own_command(|| Spi::run(command))?)
}
