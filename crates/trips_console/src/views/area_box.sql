-- $1 to $4 west, south, east and north, $5 and $6 period, $7 which end of a trip.
WITH weeks AS MATERIALIZED (
  SELECT c.week, c.trips
    FROM trips.weekly_counts(trips.area($1::float8, $2::float8, $3::float8, $4::float8), $5::date, $6::date, $7::text) AS c
)
SELECT json_build_object(
  'weekly_avg', (SELECT round(sum(w.trips) / nullif(count(*), 0)::numeric, 3) FROM weeks AS w),
  'trips', (SELECT coalesce(sum(w.trips), 0) FROM weeks AS w),
  'weeks', coalesce((SELECT json_agg(w ORDER BY w.week) FROM (SELECT w.* FROM weeks AS w ORDER BY w.week DESC LIMIT 4000) AS w), '[]'))
