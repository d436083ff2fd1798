-- $1 polygon, $2 and $3 period.
WITH found AS MATERIALIZED (
  SELECT date_trunc('week', h.date_time)::date AS week, count(*) AS trips
    FROM trips.hist_trip_data AS h
   WHERE h.date_time >= $2::date::timestamp AND h.date_time < ($3::date + 1)::timestamp AND {test}
   GROUP BY 1
), weeks AS MATERIALIZED (
  SELECT w.week::date AS week, coalesce(f.trips, 0) AS trips
    FROM generate_series(date_trunc('week', $2::date::timestamp), $3::date::timestamp, '7 days') AS w (week)
    LEFT JOIN found AS f ON f.week = w.week::date
)
SELECT json_build_object(
  'weekly_avg', (SELECT round(sum(w.trips) / nullif(count(*), 0)::numeric, 3) FROM weeks AS w),
  'trips', (SELECT coalesce(sum(w.trips), 0) FROM weeks AS w),
  'weeks', coalesce((SELECT json_agg(w ORDER BY w.week) FROM weeks AS w), '[]'))
