//! The daily roll-up, the weekly sums, and the materialized view over them.

use pgrx::Spi;
use pgrx::datum::DatumWithOid;
use trips_core::sort::counts::DayCount;

use super::{view, weekly_summary};
use crate::error::LoadError;
use crate::history::Days;
use crate::pg::plans::Kept;

/// The first and the last day that are counted, 0001-01-01 and 9999-12-31, since 2000-01-01. Files cannot contain
/// others, and changes by hand that do are refused.
const COUNTED: (i32, i32) = (-730_119, 2_921_939);

/// Adds counts of inserted trips to the roll-up, the weekly sums and the view. The cost is that of the touched
/// region-days.
pub fn add(counts: &[DayCount<'_>]) -> Result<(), LoadError> {
    let (mut days, mut regions, mut datasources, mut trips) = (vec![], vec![], vec![], vec![]);
    for count in counts {
        days.push(count.day);
        regions.push(count.region);
        datasources.push(count.datasource);
        trips.push(i64::try_from(count.trips).unwrap_or(i64::MAX));
    }
    // Arguments are made inside the connection, because its memory is freed with it.
    Spi::connect_mut(|client| {
        let args: [DatumWithOid<'_>; 4] =
            [days.into(), regions.into(), datasources.into(), trips.into()];
        client.update(
            Kept(
                "WITH counted AS (
           SELECT date '2000-01-01' + c.day AS day, c.region, c.datasource, c.trips
             FROM unnest($1::int[], $2::text[], $3::text[], $4::bigint[])
                  AS c (day, region, datasource, trips)
         ), daily AS (
           INSERT INTO trips.daily_trip_counts AS d (day, region, datasource, trips)
           SELECT c.day, c.region, c.datasource, c.trips FROM counted AS c
               ON CONFLICT ON CONSTRAINT daily_trip_counts_key
               DO UPDATE SET trips = d.trips + EXCLUDED.trips
         )
         INSERT INTO trips.weekly_trip_counts AS w (region, week_of_month, trips)
         SELECT c.region, to_char(c.day::timestamp, 'YYYY-MM-\"0\"W'), sum(c.trips)::bigint
           FROM counted AS c
          GROUP BY 1, 2
             ON CONFLICT ON CONSTRAINT weekly_trip_counts_pkey
             DO UPDATE SET trips = w.trips + EXCLUDED.trips",
            ),
            None,
            &args,
        )?;
        let [days, regions, _, _] = args;
        view::keep_regions(&[days, regions]);
        Ok(())
    })
}

/// Counts the trips of these days again from the history, and then their weeks. Trips outside the years 1 to 9999 are
/// not counted.
pub fn count_again(days: Days) -> Result<(), LoadError> {
    let args: [DatumWithOid<'_>; 2] = [days.first.into(), days.last.into()];
    Spi::run_with_args(
        "DELETE FROM trips.daily_trip_counts AS d
          WHERE ($1 IS NULL OR d.day >= date '2000-01-01' + $1)
            AND ($2 IS NULL OR d.day <= date '2000-01-01' + $2)",
        &args,
    )?;
    // A trigger on the deletion may have changed the history: its changes are counted already.
    Spi::run_with_args(
        "INSERT INTO trips.daily_trip_counts (day, region, datasource, trips)
         SELECT h.date_time::date, h.region, h.datasource, count(*)
           FROM trips.hist_trip_data AS h
          WHERE h.date_time >= greatest(date '2000-01-01' + $1, date '0001-01-01')::timestamp
            AND h.date_time < (least(date '2000-01-01' + $2, date '9999-12-31') + 1)::timestamp
          GROUP BY 1, 2, 3
             ON CONFLICT ON CONSTRAINT daily_trip_counts_key DO NOTHING",
        &args,
    )?;
    let counted = |day: i32| day.clamp(COUNTED.0, COUNTED.1);
    let first = days.first.map_or(COUNTED.0, counted);
    let last = days.last.map_or(COUNTED.1, counted);
    weekly_summary::count_again(first, last)?;
    view::keep_weeks(first, last);
    Ok(())
}

/// The days (since 2000-01-01) that have trips, in order.
pub fn days() -> Result<Vec<i32>, LoadError> {
    Spi::connect(|client| {
        let found = client.select(
            "SELECT DISTINCT d.day - date '2000-01-01' FROM trips.daily_trip_counts AS d
              WHERE isfinite(d.day) AND d.trips > 0 ORDER BY 1",
            None,
            &[],
        )?;
        let days = found.map(|row| row.get::<i32>(1)).collect::<Result<Vec<_>, _>>()?;
        Ok(days.into_iter().flatten().collect())
    })
}
