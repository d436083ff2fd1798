//! What is derived from the history: the daily roll-up and the weekly summary.

use pgrx::Spi;
use pgrx::datum::DatumWithOid;
use trips_core::counts::DayCount;

use crate::error::LoadError;
use crate::history::{Days, booking};
use crate::pg::relation::Table;
use crate::pg::table_locks::{self, Mode};

/// Adds counts of inserted trips to the roll-up: the cost is that of the region-days they touch.
pub fn add(counts: &[DayCount<'_>]) -> Result<(), LoadError> {
    let (mut days, mut regions, mut datasources, mut trips) = (vec![], vec![], vec![], vec![]);
    for count in counts {
        days.push(count.day);
        regions.push(count.region);
        datasources.push(count.datasource);
        trips.push(i64::try_from(count.trips).unwrap_or(i64::MAX));
    }
    let args: [DatumWithOid<'_>; 4] =
        [days.into(), regions.into(), datasources.into(), trips.into()];
    Spi::run_with_args(
        "INSERT INTO trips.daily_trip_counts AS d (day, region, datasource, trips)
         SELECT date '2000-01-01' + c.day, c.region, c.datasource, c.trips
           FROM unnest($1::int[], $2::text[], $3::text[], $4::bigint[])
                AS c (day, region, datasource, trips)
             ON CONFLICT ON CONSTRAINT daily_trip_counts_key
             DO UPDATE SET trips = d.trips + EXCLUDED.trips",
        &args,
    )?;
    Ok(())
}

/// Counts the trips of these days anew from the history; returns whether there were or are any. Those outside of
/// the years 1 to 9999 are not counted: files cannot bring them, and changes by hand are refused that do.
pub fn count_again(days: Days) -> Result<bool, LoadError> {
    let args: [DatumWithOid<'_>; 2] = [days.first.into(), days.last.into()];
    Spi::connect_mut(|client| {
        let gone = client.update(
            "DELETE FROM trips.daily_trip_counts AS d
              WHERE ($1 IS NULL OR d.day >= date '2000-01-01' + $1)
                AND ($2 IS NULL OR d.day <= date '2000-01-01' + $2)",
            None,
            &args,
        )?;
        let is_changed = !gone.is_empty();
        let here = client.update(
            "INSERT INTO trips.daily_trip_counts (day, region, datasource, trips)
             SELECT h.date_time::date, h.region, h.datasource, count(*)
               FROM trips.hist_trip_data AS h
              WHERE h.date_time >= greatest(date '2000-01-01' + $1, date '0001-01-01')::timestamp
                AND h.date_time < (least(date '2000-01-01' + $2, date '9999-12-31') + 1)::timestamp
              GROUP BY 1, 2, 3",
            None,
            &args,
        )?;
        Ok(is_changed || !here.is_empty())
    })
}

/// Brings the materialized view up to date without keeping its readers out: the cost is that of the
/// roll-up, the history is not read.
pub fn refresh() -> Result<(), LoadError> {
    // Only a view that has been filled can be refreshed beside its readers; REFRESH … WITH NO DATA
    // empties it.
    let is_filled = Spi::get_one::<bool>(
        "SELECT relispopulated FROM pg_class WHERE oid = 'trips.summarized_trip_data'::regclass",
    )?;
    let command = if is_filled == Some(true) {
        "REFRESH MATERIALIZED VIEW CONCURRENTLY trips.summarized_trip_data"
    } else {
        "REFRESH MATERIALIZED VIEW trips.summarized_trip_data"
    };
    if let Some(view) = Table::find(c"summarized_trip_data") {
        table_locks::take(view, Mode::Exclusive)?;
    }
    Ok(booking::command(|| Spi::run(command))?)
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
