-- Figures for monitoring systems.

CREATE FUNCTION trips.metrics()
RETURNS TABLE (name text, labels jsonb, value float8, help text)
LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 30
BEGIN ATOMIC
  WITH state AS MATERIALIZED (
    -- One pass over the ledger.
    SELECT l.state, pg_catalog.count(*) AS loads, pg_catalog.sum(l.rows_read) AS rows_read,
           pg_catalog.sum(l.rows_inserted) AS rows_inserted, pg_catalog.sum(l.rows_duplicate) AS rows_duplicate,
           pg_catalog.sum(l.rows_corrected) AS rows_corrected, pg_catalog.sum(l.rows_staged - l.staged_deleted) AS rows_staged,
           pg_catalog.sum(l.bytes_read) AS bytes, pg_catalog.max(l.finished_at) AS finished_at,
           pg_catalog.min(l.requested_at) AS requested_at,
           pg_catalog.sum(EXTRACT(epoch FROM l.finished_at - l.started_at)) AS seconds
      FROM trips.loads AS l
     GROUP BY l.state
  ), loaded AS MATERIALIZED (
    SELECT s.* FROM state AS s WHERE s.state = 'loaded'
  ), day AS MATERIALIZED (
    SELECT pg_catalog.sum(d.trips) AS trips, pg_catalog.max(d.day) FILTER (WHERE d.trips > 0 AND pg_catalog.isfinite(d.day)) AS newest
      FROM trips.daily_trip_counts AS d
  )
  SELECT m.name, COALESCE(m.labels, '{}'), m.value::float8, m.help
    FROM (
      SELECT 1 AS number, 'trips_loads' AS name, pg_catalog.jsonb_build_object('state', n.state) AS labels,
             COALESCE(s.loads, 0)::numeric AS value, 'Loads in the ledger' AS help
        FROM pg_catalog.unnest(ARRAY['queued', 'running', 'loaded', 'skipped', 'failed', 'retracted']) AS n (state)
        LEFT JOIN state AS s ON s.state = n.state
      UNION ALL
      SELECT 2, 'trips_rows', pg_catalog.jsonb_build_object('result', r.result), COALESCE(r.rows, 0), 'Rows of loaded files'
        FROM (VALUES (1)) AS o (one)
        LEFT JOIN loaded AS l ON true
       CROSS JOIN LATERAL (VALUES ('read', l.rows_read), ('inserted', l.rows_inserted), ('duplicate', l.rows_duplicate),
                                  ('corrected', l.rows_corrected)) AS r (result, rows)
      UNION ALL
      SELECT 3, 'trips_staged_rows', NULL, COALESCE((SELECT l.rows_staged FROM loaded AS l), 0), 'Rows in staging, of loaded files'
      UNION ALL
      SELECT 4, 'trips_load_seconds', NULL, COALESCE((SELECT l.seconds FROM loaded AS l), 0), 'Duration of all loaded files'
      UNION ALL
      SELECT 5, 'trips_load_bytes', NULL, COALESCE((SELECT l.bytes FROM loaded AS l), 0), 'Size of all loaded files'
      UNION ALL
      SELECT 6, 'trips_queue_loads', NULL, COALESCE((SELECT s.loads FROM state AS s WHERE s.state = 'queued'), 0), 'Loads that wait for a worker'
      UNION ALL
      SELECT 7, 'trips_queue_age_seconds', NULL, EXTRACT(epoch FROM pg_catalog.now() - s.requested_at), 'Time since the request of the oldest queued load'
        FROM state AS s WHERE s.state = 'queued'
      UNION ALL
      SELECT 8, 'trips_newest_load_age_seconds', NULL, EXTRACT(epoch FROM pg_catalog.now() - l.finished_at), 'Time since the end of the newest loaded file'
        FROM loaded AS l WHERE l.finished_at IS NOT NULL
      UNION ALL
      SELECT 9, 'trips_newest_failure_age_seconds', NULL, EXTRACT(epoch FROM pg_catalog.now() - s.finished_at), 'Time since the end of the newest failed load'
        FROM state AS s WHERE s.state = 'failed' AND s.finished_at IS NOT NULL
      UNION ALL
      SELECT 10, 'trips_trips', NULL, COALESCE(d.trips, 0), 'Trips in the history'
        FROM day AS d
      UNION ALL
      SELECT 11, 'trips_newest_day_age_days', NULL, (CURRENT_DATE - d.newest)::numeric, 'Days since the newest day with trips'
        FROM day AS d WHERE d.newest IS NOT NULL
    ) AS m
   ORDER BY m.number, m.labels;
END;
COMMENT ON FUNCTION trips.metrics() IS
  'Returns figures of the ledger and the history for monitoring systems: name, labels, value and help. Requires trips.grant_reader()';
