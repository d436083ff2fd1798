-- When data come: by folder and by feed from the ledger, by datasource from the roll-up. $1 region, $2 datasource,
-- $3 feed.
WITH files AS MATERIALIZED (
  SELECT l.load_id, l.source, l.feed, l.rows_inserted AS trips, l.finished_at, l.finished_at::date AS day,
         -- The folder: what is before the last slash.
         CASE WHEN l.source ~ '/' THEN regexp_replace(l.source, '/[^/]*$', '/') END AS folder
    FROM trips.loads AS l
   WHERE l.state = 'loaded' AND l.finished_at > now() - interval '12 months'
     AND ($3::text IS NULL OR l.feed = $3)
), named AS MATERIALIZED (
  SELECT 'folder' AS kind, f.folder AS name, f.* FROM files AS f WHERE f.folder IS NOT NULL
  UNION ALL
  SELECT 'feed', f.feed, f.* FROM files AS f WHERE f.feed IS NOT NULL
), by_day AS MATERIALIZED (
  SELECT n.kind, n.name, n.day, count(*) AS files, sum(n.trips) AS trips FROM named AS n GROUP BY 1, 2, 3
  UNION ALL
  SELECT 'datasource', d.datasource, d.day, NULL, sum(d.trips)
    FROM trips.daily_trip_counts AS d
   WHERE d.trips > 0 AND d.datasource IS NOT NULL
     AND d.day > (SELECT max(x.day) - 366 FROM trips.daily_trip_counts AS x WHERE x.trips > 0 AND isfinite(x.day))
     AND ($1::text IS NULL OR d.region = $1)
     AND ($2::text IS NULL OR d.datasource = $2)
   GROUP BY 1, 2, 3
), distances AS (
  SELECT b.kind, b.name, b.day, b.day - lag(b.day) OVER (PARTITION BY b.kind, b.name ORDER BY b.day) AS distance
    FROM by_day AS b
), sums AS MATERIALIZED (
  SELECT d.kind, d.name, max(d.day) AS newest,
         percentile_disc(0.5) WITHIN GROUP (ORDER BY d.distance) AS interval_days,
         row_number() OVER (PARTITION BY d.kind ORDER BY max(d.day) DESC, d.name) AS rank
    FROM distances AS d GROUP BY d.kind, d.name
), shown AS (
  SELECT s.kind, s.name, s.newest, s.interval_days,
         -- A datasource is late beside the newest day of the history: its days are those of trips.
         greatest(0, CASE s.kind WHEN 'datasource' THEN (SELECT max(d.day) FROM trips.daily_trip_counts AS d WHERE d.trips > 0)
                     ELSE current_date END - s.newest - s.interval_days) AS late_days,
         (SELECT json_build_object('last_file', n.source, 'last_load', n.load_id, 'last_at', n.finished_at)
            FROM named AS n WHERE n.kind = s.kind AND n.name = s.name ORDER BY n.load_id DESC LIMIT 1) AS last,
         (SELECT json_build_object('files', count(*), 'rows', coalesce(sum(n.trips), 0)) FROM named AS n
           WHERE n.kind = s.kind AND n.name = s.name AND n.finished_at > now() - interval '7 days') AS week,
         (SELECT json_agg(json_build_object('day', b.day, 'files', b.files, 'trips', b.trips) ORDER BY b.day)
            FROM by_day AS b WHERE b.kind = s.kind AND b.name = s.name) AS days
    FROM sums AS s WHERE s.rank <= 20
)
SELECT coalesce(json_agg(json_build_object(
         'name', s.name, 'kind', s.kind, 'newest', s.newest,
         'last_file', s.last ->> 'last_file', 'last_load', (s.last ->> 'last_load')::bigint, 'last_at', s.last ->> 'last_at',
         'files_7d', CASE WHEN s.kind <> 'datasource' THEN (s.week ->> 'files')::bigint END,
         'rows_7d', CASE WHEN s.kind <> 'datasource' THEN (s.week ->> 'rows')::numeric END,
         'days', s.days, 'interval_days', s.interval_days, 'late_days', s.late_days)
         ORDER BY s.kind, s.late_days DESC NULLS LAST, s.name), '[]')
  FROM shown AS s
