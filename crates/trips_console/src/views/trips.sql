-- Trips by day, week or month. $1 and $2 period, $3 region, $4 datasource, $5 day, week or month, $6 region or
-- datasource, $7 number of series, $8 whether to compare with the year before.
WITH chosen AS MATERIALIZED (
  SELECT d.day, CASE $6::text WHEN 'region' THEN d.region ELSE coalesce(d.datasource, '') END AS name,
         sum(d.trips) AS trips
    FROM trips.daily_trip_counts AS d
   WHERE d.trips > 0 AND isfinite(d.day)
     AND ($3::text IS NULL OR d.region = $3)
     AND ($4::text IS NULL OR d.datasource = $4)
   GROUP BY 1, 2
), period AS MATERIALIZED (
  SELECT coalesce($1::date, min(c.day)) AS since, coalesce($2::date, max(c.day)) AS until FROM chosen AS c
), days AS MATERIALIZED (
  SELECT c.day, c.name, c.trips, date_trunc($5::text, c.day::timestamp)::date AS start
    FROM chosen AS c, period AS p WHERE c.day BETWEEN p.since AND p.until
), starts AS MATERIALIZED (
  -- The newest ones, if the period has more days than a picture.
  SELECT s.start FROM (
    SELECT g.start::date AS start FROM period AS p
     CROSS JOIN LATERAL generate_series(date_trunc($5, p.since::timestamp), p.until::timestamp, ('1 ' || $5)::interval) AS g (start)
     ORDER BY 1 DESC LIMIT 4000) AS s
), ranked AS MATERIALIZED (
  SELECT d.name, row_number() OVER (ORDER BY sum(d.trips) DESC, d.name) AS rank FROM days AS d GROUP BY d.name
), sums AS MATERIALIZED (
  SELECT least(r.rank, $7::bigint + 1) AS rank, d.start, sum(d.trips) AS trips
    FROM days AS d JOIN ranked AS r USING (name) GROUP BY 1, 2
), present AS (
  SELECT DISTINCT d.start FROM days AS d
), series AS (
  SELECT r.rank, CASE WHEN r.rank <= $7::bigint THEN (SELECT n.name FROM ranked AS n WHERE n.rank = r.rank) END AS name,
         (SELECT json_agg(CASE WHEN p.start IS NOT NULL THEN coalesce(s.trips, 0) END ORDER BY t.start)
            FROM starts AS t LEFT JOIN present AS p USING (start)
            LEFT JOIN sums AS s ON s.start = t.start AND s.rank = r.rank) AS trips
    FROM (SELECT DISTINCT s.rank FROM sums AS s) AS r
), shifted AS (
  -- Weeks later, so that Mondays meet Mondays; a month meets its month.
  SELECT CASE $5 WHEN 'month' THEN (date_trunc('month', c.day::timestamp) + interval '1 year')::date
                 ELSE date_trunc($5, c.day::timestamp + interval '364 days')::date END AS start, sum(c.trips) AS trips
    FROM chosen AS c WHERE $8::boolean GROUP BY 1
), filled AS (
  SELECT DISTINCT d.day FROM days AS d
), gaps AS (
  SELECT g.before + 1 AS since, g.day - 1 AS until
    FROM (SELECT f.day, lag(f.day) OVER (ORDER BY f.day) AS before FROM filled AS f) AS g
   WHERE g.day - g.before > 1
   ORDER BY 1 DESC LIMIT 1000
)
SELECT json_build_object(
  'starts', coalesce((SELECT json_agg(t.start ORDER BY t.start) FROM starts AS t), '[]'),
  'series', coalesce((SELECT json_agg(json_build_object('name', s.name, 'trips', s.trips) ORDER BY s.rank) FROM series AS s), '[]'),
  'compare', CASE WHEN $8::boolean THEN json_build_object('total', coalesce(
      (SELECT json_agg(s.trips ORDER BY t.start) FROM starts AS t LEFT JOIN shifted AS s USING (start)), '[]')) END,
  'gaps', coalesce((SELECT json_agg(json_build_array(g.since, g.until) ORDER BY g.since) FROM gaps AS g), '[]'))
