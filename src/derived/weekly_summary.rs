//! The weekly sums `trips.weekly_trip_counts`, over the daily counts.

use pgrx::Spi;

use crate::error::LoadError;

/// Sums up the weeks of these days again. A week without trips has no row.
pub fn count_again(first: i32, last: i32) -> Result<(), LoadError> {
    Ok(Spi::run_with_args(
        "WITH weeks AS (
           SELECT to_char((date '2000-01-01' + $1)::timestamp, 'YYYY-MM-\"0\"W') AS first,
                  to_char((date '2000-01-01' + $2)::timestamp, 'YYYY-MM-\"0\"W') AS last
         ), summed AS (
           SELECT s.region, s.week_of_month, s.trips
             FROM (SELECT d.region, to_char(d.day::timestamp, 'YYYY-MM-\"0\"W') AS week_of_month,
                          sum(d.trips)::bigint AS trips
                     FROM trips.daily_trip_counts AS d
                    WHERE d.day BETWEEN greatest(date '2000-01-01' + $1 - 6, date '0001-01-01')
                                    AND least(date '2000-01-01' + $2 + 6, date '9999-12-31')
                    GROUP BY 1, 2) AS s
            CROSS JOIN weeks
            WHERE s.week_of_month COLLATE \"C\" BETWEEN weeks.first AND weeks.last
              AND s.trips > 0
         ), gone AS (
           DELETE FROM trips.weekly_trip_counts AS w USING weeks
            WHERE w.week_of_month COLLATE \"C\" BETWEEN weeks.first AND weeks.last
              AND NOT EXISTS (SELECT FROM summed AS s
                               WHERE s.region = w.region AND s.week_of_month = w.week_of_month)
         )
         INSERT INTO trips.weekly_trip_counts AS w (region, week_of_month, trips)
         SELECT s.region, s.week_of_month, s.trips FROM summed AS s
             ON CONFLICT ON CONSTRAINT weekly_trip_counts_pkey
             DO UPDATE SET trips = EXCLUDED.trips WHERE w.trips <> EXCLUDED.trips",
        &[first.into(), last.into()],
    )?)
}
