-- Checks of derived data against the history.

CREATE FUNCTION trips_internal.check_area_index() RETURNS TABLE (week date, fault text)
LANGUAGE c STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'check_area_index_wrapper';
COMMENT ON FUNCTION trips_internal.check_area_index() IS
  'Returns the ISO weeks, by their Mondays, in which the area index differs from the history. Requires ownership of the extension';

-- PostgreSQL rejects a query of a materialized view that is not populated, so the function plans the query only if
-- the view is populated.
CREATE FUNCTION trips_internal.summary_rows() RETURNS TABLE (region text, week_of_month text, weekly_avg numeric)
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
  IF (SELECT c.relispopulated FROM pg_class AS c WHERE c.oid = 'trips.summarized_trip_data'::regclass) THEN
    RETURN QUERY SELECT s.* FROM trips.summarized_trip_data AS s (region, week_of_month, weekly_avg);
  END IF;
END;
$body$;
COMMENT ON FUNCTION trips_internal.summary_rows() IS
  'Returns the rows of trips.summarized_trip_data, no row if it is not populated. Requires ownership of the extension';

CREATE FUNCTION trips.verify() RETURNS TABLE (check_name text, passed boolean, detail text)
LANGUAGE sql STABLE PARALLEL RESTRICTED
-- The function counts the rows of staging, which readers may not read.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- Compiling the plan of hundreds of partitions takes longer than the checks, and cannot be interrupted.
SET jit = off
-- A string instead of BEGIN ATOMIC, which would forbid ALTER TABLE of the columns it uses.
AS $body$
  WITH counted AS MATERIALIZED (
    SELECT h.date_time::date AS day, h.region, h.datasource, count(*) AS trips
      FROM trips.hist_trip_data AS h
     WHERE h.date_time >= '0001-01-01' AND h.date_time < '10000-01-01'
     GROUP BY 1, 2, 3
  ), dates AS (
    SELECT count(*) AS faults, min(h.date_time) AS first
      FROM trips.hist_trip_data AS h
     WHERE h.date_time < '0001-01-01' OR h.date_time >= '10000-01-01'
  ), roll_up AS (
    SELECT count(*) AS faults, min(day) AS first
      FROM (SELECT COALESCE(c.day, d.day) AS day
              FROM counted AS c
              FULL JOIN (SELECT * FROM trips.daily_trip_counts AS d WHERE d.trips > 0) AS d
                ON d.day = c.day AND d.region = c.region
               AND COALESCE(d.datasource = c.datasource, d.datasource IS NULL AND c.datasource IS NULL)
             WHERE c.trips IS DISTINCT FROM d.trips) AS f
  ), weekly AS (
    SELECT count(*) AS faults, min(week_of_month) AS first
      FROM (SELECT COALESCE(c.week_of_month, w.week_of_month) AS week_of_month
              FROM (SELECT c.region, to_char(c.day::timestamp, 'YYYY-MM-"0"W') AS week_of_month,
                           sum(c.trips) AS trips
                      FROM counted AS c
                     GROUP BY 1, 2) AS c
              FULL JOIN trips.weekly_trip_counts AS w
                ON w.region = c.region AND w.week_of_month = c.week_of_month
             WHERE c.trips IS DISTINCT FROM w.trips) AS f
  ), summary AS (
    SELECT count(*) + (SELECT count(*) FROM pg_class AS v
                        WHERE v.oid = 'trips.summarized_trip_data'::regclass AND NOT v.relispopulated) AS faults,
           min(week_of_month) AS first
      FROM (SELECT COALESCE(c.week_of_month, s.week_of_month) AS week_of_month
              FROM trips.weekly_trip_counts AS c
              FULL JOIN trips_internal.summary_rows() AS s
                ON s.region = c.region AND s.week_of_month = c.week_of_month
             WHERE c.trips IS DISTINCT FROM s.weekly_avg) AS f
  ), area AS (
    SELECT count(*) FILTER (WHERE f.fault <> 'incomplete') AS faults,
           count(*) FILTER (WHERE f.fault = 'incomplete') AS incomplete,
           min(f.week) FILTER (WHERE f.fault <> 'incomplete') AS first
      FROM trips_internal.check_area_index() AS f
  ), ledger AS (
    SELECT count(*) AS faults, min(load_id) AS first
      FROM (SELECT COALESCE(h.load_id, l.load_id) AS load_id
              -- A correction replaces a version of a trip: the load of that version is in trips.corrections then.
              FROM (SELECT v.load_id, sum(v.versions) AS versions
                      FROM (SELECT h.load_id, count(*) AS versions FROM trips.hist_trip_data AS h GROUP BY 1
                            UNION ALL
                            SELECT c.corrected_load_id, count(*) FROM trips.corrections AS c GROUP BY 1) AS v
                     GROUP BY 1) AS h
              FULL JOIN (SELECT l.load_id, l.rows_inserted + l.rows_corrected - l.rows_deleted AS versions
                           FROM trips.loads AS l
                          WHERE l.state = 'loaded' AND l.rows_inserted + l.rows_corrected > l.rows_deleted) AS l
                ON l.load_id = h.load_id
             WHERE h.versions IS DISTINCT FROM l.versions) AS f
  ), key AS (
    SELECT count(*) AS faults, min(h.date_time) AS first
      FROM trips.hist_trip_data AS h
     WHERE h.trip_key <> trips.trip_key(h.region, h.origin_coord, h.destination_coord, h.date_time, h.datasource)
       -- Keys of other schemes are not made of these values.
       AND h.load_id NOT IN (SELECT l.load_id FROM trips.loads AS l
                              WHERE l.feed <> ALL (ARRAY(
                                SELECT f.name
                                  FROM (SELECT b.name, b.definition::jsonb AS definition
                                          FROM trips_internal.builtin_feeds() AS b
                                        UNION ALL
                                        SELECT o.name, o.definition FROM trips.feeds AS o) AS f
                                 WHERE f.definition -> 'identity' ->> 'scheme' = 'content')))
  ), duplicates AS (
    SELECT count(*) AS faults, min(date_time) AS first
      FROM (SELECT h.date_time FROM trips.hist_trip_data AS h
             GROUP BY h.date_time, h.trip_key
            HAVING count(*) > 1) AS f
  ), partition AS (
    SELECT count(*) AS faults, min(c.oid::regclass::text) AS first
      FROM pg_inherits AS i
      JOIN pg_class AS c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'trips.hist_trip_data'::regclass
       AND (NOT EXISTS (SELECT FROM pg_index AS x
                          JOIN pg_constraint AS k ON k.conindid = x.indexrelid AND k.contype = 'p'
                         WHERE x.indrelid = c.oid AND x.indisvalid AND x.indnatts = 2 AND NOT k.condeferrable
                           AND ARRAY(SELECT a.attname::text
                                       FROM unnest(k.conkey) WITH ORDINALITY AS u (attnum, ordinality)
                                       JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = u.attnum
                                      ORDER BY u.ordinality) = ARRAY['date_time', 'trip_key'])
            OR (SELECT count(*) FROM pg_trigger AS t
                 WHERE t.tgrelid = c.oid AND t.tgenabled IN ('O', 'A')
                   AND t.tgfoid = 'trips_internal.track_changes'::regproc
                   AND t.tgname IN ('trips_lock', 'trips_track', 'trips_track_update', 'trips_track_delete')) < 4)
  ), bounds AS MATERIALIZED (
    SELECT b.partition, b.lower_bound, b.upper_bound FROM trips.partition_bounds() AS b
  ), misplaced AS (
    -- OFFSET 0 keeps the planner from pruning partitions by the bounds that this check verifies.
    SELECT count(*) AS faults, min(h.partition::regclass::text) AS first
      FROM (SELECT h.tableoid AS partition, h.date_time FROM trips.hist_trip_data AS h OFFSET 0) AS h
     WHERE NOT EXISTS (SELECT FROM bounds AS b
                        WHERE b.partition = h.partition
                          AND (b.lower_bound IS NULL OR h.date_time >= b.lower_bound)
                          AND (b.upper_bound IS NULL OR h.date_time < b.upper_bound))
  ), triggers AS (
    SELECT count(*) AS faults, min(f.name) AS first
      FROM (SELECT format('trigger %s on trips.hist_trip_data', w.name) AS name
              FROM unnest(ARRAY['trips_lock', 'trips_track_insert', 'trips_track_update',
                                'trips_track_delete', 'trips_track_truncate']) AS w (name)
             WHERE NOT EXISTS (SELECT FROM pg_trigger AS t
                                WHERE t.tgrelid = 'trips.hist_trip_data'::regclass AND t.tgname = w.name
                                  AND t.tgfoid = 'trips_internal.track_changes'::regproc AND t.tgenabled IN ('O', 'A'))
            UNION ALL
            SELECT format('event trigger %s', w.name)
              FROM unnest(ARRAY['trips_partitions_lock', 'trips_partitions', 'trips_partitions_dropped',
                                'trips_refresh_lock', 'trips_refresh']) AS w (name)
             WHERE NOT EXISTS (SELECT FROM pg_event_trigger AS e
                                WHERE e.evtname = w.name AND e.evtenabled IN ('O', 'A'))) AS f
  ), staged AS (
    SELECT count(*) AS faults, min(load_id) AS first
      FROM (SELECT l.load_id
              FROM trips.loads AS l
              LEFT JOIN (SELECT s.load_id, count(*) AS waiting
                           FROM trips.stg_trip_data AS s
                          GROUP BY 1) AS s ON s.load_id = l.load_id
             WHERE l.state = 'loaded'
               AND COALESCE(s.waiting, 0) <> l.rows_staged - l.staged_deleted) AS f
  ), claims AS (
    SELECT count(*) AS faults, min(c.load_id) AS first
      FROM (SELECT c.load_id, sum(c.trips) AS trips FROM trips_internal.claims AS c GROUP BY 1) AS c
     WHERE NOT EXISTS (SELECT FROM trips.loads AS l
                        WHERE l.load_id = c.load_id AND l.state = 'loaded' AND c.trips <= l.rows_duplicate)
  )
  SELECT v.check_name, v.faults = 0,
         CASE WHEN v.faults = 0 THEN v.good ELSE format(v.bad, v.faults, v.first) END
    FROM (SELECT 'daily roll-up', faults, first::text, 'trips.daily_trip_counts matches the history',
                 'trips.daily_trip_counts differs from the history (rows: %s, the first on %s); run SELECT trips.rebuild()'
            FROM roll_up
          UNION ALL
          SELECT 'weekly sums', faults, first, 'trips.weekly_trip_counts matches the history',
                 'trips.weekly_trip_counts differs from the history (rows: %s, the first in week %s); run SELECT trips.rebuild()'
            FROM weekly
          UNION ALL
          SELECT 'weekly summary', faults, first, 'trips.summarized_trip_data matches trips.weekly_trip_counts',
                 'trips.summarized_trip_data is not populated, or differs from trips.weekly_trip_counts (rows: %s, the first in week %s); run SELECT trips.rebuild()'
            FROM summary
          UNION ALL
          SELECT 'areas', faults, first::text,
                 format('the area index matches the history; weeks that are slower to query until SELECT trips.rebuild(): %s', incomplete),
                 'the area index is damaged, or differs from the history (weeks: %s, the first from %s); run SELECT trips.rebuild()'
            FROM area
          UNION ALL
          SELECT 'ledger', faults, first::text, 'rows_inserted and rows_corrected of each load in trips.loads match the history and trips.corrections',
                 'rows_inserted + rows_corrected in trips.loads differs from the number of trips in the history and in trips.corrections (loads: %s, the first is load %s); manual changes of the history do not update trips.loads'
            FROM ledger
          UNION ALL
          SELECT 'keys', faults, first::text, 'each trip_key matches its trip',
                 'trip_key does not match the trip (trips: %s, the first at %s)'
            FROM key
          UNION ALL
          SELECT 'unique', faults, first::text, 'each trip is in the history once',
                 'the history has a trip more than once (trips: %s, the first at %s)'
            FROM duplicates
          UNION ALL
          SELECT 'dates', faults, first::text, 'each trip is in the years 1 to 9999',
                 'trips outside the years 1 to 9999 are not counted (trips: %s, the first at %s); delete them'
            FROM dates
          UNION ALL
          SELECT 'partitions', faults, first, 'each partition has its primary key and its triggers',
                 'the primary key (date_time, trip_key) is missing, or one of the triggers trips_lock, trips_track, trips_track_update and trips_track_delete is missing or disabled (partitions: %s, the first is %s); SELECT trips.rebuild() repairs triggers'
            FROM partition
          UNION ALL
          SELECT 'bounds', faults, first, 'each trip is inside the bounds of its partition',
                 'trips outside the bounds of their partition are not visible to all queries (trips: %s, some in %s); run SELECT * FROM trips.repair_partitions()'
            FROM misplaced
          UNION ALL
          SELECT 'triggers', faults, first, 'each trigger that tracks changes exists and is enabled',
                 'a trigger that tracks changes is missing or disabled (triggers: %s, the first is the %s); run SELECT trips.rebuild(), as superuser for event triggers'
            FROM triggers
          UNION ALL
          SELECT 'staging', faults, first::text, 'rows_staged of each load in trips.loads matches staging',
                 'rows_staged in trips.loads differs from the number of rows in trips.stg_trip_data (loads: %s, the first is load %s)'
            FROM staged
          UNION ALL
          SELECT 'claims', faults, first::text, 'trips_internal.claims has duplicates of loads in trips.loads only',
                 'trips_internal.claims has trips of loads that are not loaded, or more trips than rows_duplicate (loads: %s, the first is load %s); delete these claims'
            FROM claims) AS v (check_name, faults, first, good, bad);
$body$;
COMMENT ON FUNCTION trips.verify() IS
  'Compares the history with all data derived from it, and returns one row for each check. Requires trips.grant_reader()';
