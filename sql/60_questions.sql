-- Queries for regions, datasources and similar trips. The C functions are in src/api/questions.rs.

-- The weekly summary, and datasources ------------------------------------------------------------

CREATE FUNCTION trips.weekly_avg()
RETURNS TABLE (region text, week_of_month text, weekly_avg numeric)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT w.region, w.week_of_month, w.trips::numeric
    FROM trips.weekly_trip_counts AS w
   ORDER BY w.region, w.week_of_month;
END;
COMMENT ON FUNCTION trips.weekly_avg() IS
  'Returns the number of trips by region and week of the month (YYYY-MM-0W), in order. Requires SELECT on trips.weekly_trip_counts';

CREATE FUNCTION trips.datasource_regions(datasource text) RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT DISTINCT d.region
    FROM trips.daily_trip_counts AS d
   WHERE d.datasource = datasource_regions.datasource
     AND d.trips > 0
   ORDER BY d.region;
END;
COMMENT ON FUNCTION trips.datasource_regions(text) IS
  'Returns the regions with trips of a datasource, in order. Requires SELECT on trips.daily_trip_counts';

CREATE FUNCTION trips.latest_datasource(top_regions int DEFAULT 2)
RETURNS TABLE (datasource text, region text, date_time timestamp)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  WITH top AS (
    SELECT d.region, pg_catalog.sum(d.trips) AS trips
      FROM trips.daily_trip_counts AS d
     GROUP BY d.region
    HAVING pg_catalog.sum(d.trips) > 0
     ORDER BY 2 DESC, d.region
     LIMIT top_regions
  ), last AS (
    -- The last day with a datasource in these regions; the query reads only this day of the history.
    SELECT pg_catalog.max(d.day) AS day
      FROM trips.daily_trip_counts AS d
      JOIN top ON top.region = d.region
     WHERE d.datasource IS NOT NULL
       AND d.trips > 0
  )
  SELECT h.datasource, h.region, h.date_time
    FROM trips.hist_trip_data AS h
    JOIN top ON top.region = h.region
    -- Scalar subqueries instead of a join, so that the planner scans partitions backwards by their keys and stops at
    -- the first trip.
   WHERE h.date_time >= (SELECT last.day::timestamp FROM last)
     AND h.date_time < (SELECT (last.day + 1)::timestamp FROM last)
     AND h.datasource IS NOT NULL
   ORDER BY h.date_time DESC, top.trips DESC, h.region, h.datasource
   LIMIT 1;
END;
COMMENT ON FUNCTION trips.latest_datasource(int) IS
  'Returns the datasource of the latest trip in the regions with the most trips, with its region and local time. Requires SELECT on trips.daily_trip_counts and trips.hist_trip_data';

-- Arguments ---------------------------------------------------------------------------------------

CREATE FUNCTION trips_internal.check_period(since date, until date) RETURNS boolean
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'check_period_wrapper';
COMMENT ON FUNCTION trips_internal.check_period(date, date) IS
  'Returns true for a valid period of dates; raises 22023 if since is after until or a date is infinite. Requires trips.grant_reader()';

CREATE FUNCTION trips_internal.check_weeks(since date, until date) RETURNS boolean
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'check_weeks_wrapper';
COMMENT ON FUNCTION trips_internal.check_weeks(date, date) IS
  'Returns true for a valid period of dates in the years 1 to 9999; raises 22023 otherwise. Requires trips.grant_reader()';

CREATE FUNCTION trips_internal.check_grouping(
  resolution int, bucket interval, match text, at_least bigint
) RETURNS boolean
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'check_grouping_wrapper';
COMMENT ON FUNCTION trips_internal.check_grouping(int, interval, text, bigint) IS
  'Returns true for valid arguments of trips.similar_trips(); raises 22023 or 22004 otherwise. Requires trips.grant_reader()';

-- Regions -----------------------------------------------------------------------------------------

CREATE FUNCTION trips_internal.period_of_region(region text, since date, until date)
RETURNS TABLE (first_day date, last_day date, first_week date, weeks int)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
  -- MATERIALIZED, so that the first and the last day are looked up only once.
  WITH period AS MATERIALIZED (
    SELECT COALESCE(since, (
             SELECT pg_catalog.min(d.day) - (EXTRACT(isodow FROM pg_catalog.min(d.day))::int - 1)
               FROM trips.daily_trip_counts AS d
              WHERE d.region = period_of_region.region
                AND d.trips > 0)) AS first_day,
           COALESCE(until, (
             SELECT pg_catalog.max(d.day) - (EXTRACT(isodow FROM pg_catalog.max(d.day))::int - 7)
               FROM trips.daily_trip_counts AS d
              WHERE d.region = period_of_region.region
                AND d.trips > 0)) AS last_day
     WHERE trips_internal.check_weeks(since, until)
       AND period_of_region.region IS NOT NULL
  ), week AS MATERIALIZED (
    SELECT p.first_day, p.last_day,
           p.first_day - (EXTRACT(isodow FROM p.first_day)::int - 1) AS first_week
      FROM period AS p
     WHERE p.first_day <= p.last_day
  )
  SELECT w.first_day, w.last_day, w.first_week, (w.last_day - w.first_week) / 7 + 1
    FROM week AS w;
END;
COMMENT ON FUNCTION trips_internal.period_of_region(text, date, date) IS
  'Returns the first and last day of a region''s period, the Monday of its first ISO week, and the number of weeks; no row for an empty period. Requires trips.grant_reader()';

CREATE FUNCTION trips.weekly_avg(region text, since date DEFAULT NULL, until date DEFAULT NULL)
RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT COALESCE((
           SELECT pg_catalog.sum(d.trips)
             FROM trips.daily_trip_counts AS d
            WHERE d.region = weekly_avg.region
              AND d.day BETWEEN p.first_day AND p.last_day), 0) / p.weeks::numeric
    FROM trips_internal.period_of_region(weekly_avg.region, since, until) AS p;
END;
COMMENT ON FUNCTION trips.weekly_avg(text, date, date) IS
  'Returns the average number of trips of a region per ISO week of a period, NULL without a period. Requires trips.grant_reader()';

CREATE FUNCTION trips.weekly_counts(region text, since date DEFAULT NULL, until date DEFAULT NULL)
RETURNS TABLE (week date, trips bigint)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
BEGIN ATOMIC
  SELECT p.first_week + 7 * i.i, COALESCE(c.trips, 0)::bigint
    FROM trips_internal.period_of_region(weekly_counts.region, since, until) AS p
   CROSS JOIN LATERAL pg_catalog.generate_series(0, p.weeks - 1) AS i (i)
    LEFT JOIN LATERAL (
      SELECT (d.day - p.first_week) / 7 AS i, pg_catalog.sum(d.trips) AS trips
        FROM trips.daily_trip_counts AS d
       WHERE d.region = weekly_counts.region
         AND d.day BETWEEN p.first_day AND p.last_day
       GROUP BY 1
    ) AS c ON c.i = i.i
   ORDER BY i.i;
END;
COMMENT ON FUNCTION trips.weekly_counts(text, date, date) IS
  'Returns the number of trips of a region in each ISO week of a period, by the Monday of the week. Requires trips.grant_reader()';

-- H3 cells ---------------------------------------------------------------------------------------

-- A COST unit is about 10 ns.
CREATE FUNCTION trips.h3_cell(coord point, resolution int) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'h3_cell_wrapper';
COMMENT ON FUNCTION trips.h3_cell(point, int) IS
  'Returns the name of the H3 cell of a coordinate in degrees, 15 hexadecimal digits; NULL outside the range of coordinates';

CREATE FUNCTION trips.h3_number(coord point, resolution int) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'h3_number_wrapper';
COMMENT ON FUNCTION trips.h3_number(point, int) IS
  'Returns the number of the H3 cell of a coordinate in degrees; NULL outside the range of coordinates';

CREATE FUNCTION trips.h3_center(cell text) RETURNS point
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50
AS 'MODULE_PATHNAME', 'h3_center_wrapper';
COMMENT ON FUNCTION trips.h3_center(text) IS 'Returns the center of an H3 cell: (longitude, latitude) in degrees';

CREATE FUNCTION trips.h3_corners(cell text) RETURNS point[]
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 200
AS 'MODULE_PATHNAME', 'h3_corners_wrapper';
COMMENT ON FUNCTION trips.h3_corners(text) IS
  'Returns the corners of an H3 cell, counterclockwise: (longitude, latitude) in degrees';

CREATE FUNCTION trips.h3_bounds(cell text) RETURNS box
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 200
AS 'MODULE_PATHNAME', 'h3_bounds_wrapper';
COMMENT ON FUNCTION trips.h3_bounds(text) IS
  'Returns a box of longitudes and latitudes in degrees that contains an H3 cell';

-- Similar trips ----------------------------------------------------------------------------------

CREATE FUNCTION trips.is_inside(coord point, area box) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
AS 'MODULE_PATHNAME', 'is_inside_wrapper';
COMMENT ON FUNCTION trips.is_inside(point, box) IS
  'Returns whether a coordinate in degrees is inside an area, including its edges and areas across the antimeridian';

CREATE FUNCTION trips.similar_trips(
  region text DEFAULT NULL, area box DEFAULT NULL, since date DEFAULT NULL, until date DEFAULT NULL,
  resolution int DEFAULT 9, bucket interval DEFAULT '1 hour', match text DEFAULT 'origin',
  at_least bigint DEFAULT 2
) RETURNS TABLE (
  origin_cell text, destination_cell text, time_of_day time, trips bigint,
  origin_center point, destination_center point, first_date date, last_date date
)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000
BEGIN ATOMIC
  -- MATERIALIZED, so that parallel workers compute the cells and one process groups them. Groups are many and small:
  -- partial aggregation in the workers is slower.
  WITH cells AS MATERIALIZED (
    SELECT trips.h3_number(h.origin_coord, similar_trips.resolution) AS origin_cell,
           trips.h3_number(h.destination_coord, similar_trips.resolution) AS destination_cell,
           h.date_time
      FROM trips.hist_trip_data AS h
     WHERE (similar_trips.region IS NULL OR h.region = similar_trips.region)
       -- Without "since IS NULL OR", so that the planner can prune partitions.
       AND h.date_time >= LEAST(GREATEST(similar_trips.since, date '0001-01-01'), date '10000-01-01')::timestamp
       AND h.date_time < (LEAST(similar_trips.until, date '9999-12-31') + 1)::timestamp
       AND (similar_trips.area IS NULL OR
            CASE similar_trips.match
              WHEN 'origin' THEN trips.is_inside(h.origin_coord, similar_trips.area)
              WHEN 'destination' THEN trips.is_inside(h.destination_coord, similar_trips.area)
              WHEN 'both' THEN trips.is_inside(h.origin_coord, similar_trips.area)
                           AND trips.is_inside(h.destination_coord, similar_trips.area)
              ELSE trips.is_inside(h.origin_coord, similar_trips.area)
                OR trips.is_inside(h.destination_coord, similar_trips.area)
            END)
  ), big AS (
    SELECT pg_catalog.to_hex(c.origin_cell) AS origin_cell,
           pg_catalog.to_hex(c.destination_cell) AS destination_cell,
           pg_catalog.date_bin(
             similar_trips.bucket, c.date_time, timestamp '2000-01-01')::time AS time_of_day,
           pg_catalog.count(*) AS trips,
           pg_catalog.min(c.date_time)::date AS first_date,
           pg_catalog.max(c.date_time)::date AS last_date
      FROM cells AS c
     WHERE c.origin_cell IS NOT NULL
       AND c.destination_cell IS NOT NULL
     GROUP BY c.origin_cell, c.destination_cell, 3
    HAVING pg_catalog.count(*) >= similar_trips.at_least
  )
  SELECT b.origin_cell, b.destination_cell, b.time_of_day, b.trips,
         trips.h3_center(b.origin_cell), trips.h3_center(b.destination_cell),
         b.first_date, b.last_date
    FROM big AS b
   ORDER BY b.trips DESC, b.origin_cell COLLATE "C", b.destination_cell COLLATE "C", b.time_of_day
   -- No limit. PostgreSQL evaluates a LIMIT, and so the checks, even if it prunes all partitions.
   LIMIT CASE WHEN trips_internal.check_grouping(
                     similar_trips.resolution, similar_trips.bucket, similar_trips.match,
                     similar_trips.at_least)
               AND trips_internal.check_period(similar_trips.since, similar_trips.until)
               AND (similar_trips.area IS NULL
                    OR trips.is_inside(point '(0,0)', similar_trips.area) IS NOT NULL)
              THEN NULL::bigint END;
END;
COMMENT ON FUNCTION trips.similar_trips(text, box, date, date, int, interval, text, bigint) IS
  'Returns groups of trips with the same origin cell, destination cell and time of day, largest group first. Requires trips.grant_reader()';

CREATE FUNCTION trips.similar_to(
  trip uuid, resolution int DEFAULT 9, bucket interval DEFAULT '1 hour',
  since date DEFAULT NULL, until date DEFAULT NULL, began timestamp DEFAULT NULL
) RETURNS TABLE (
  region text, origin_coord point, destination_coord point, date_time timestamp, datasource text,
  trip_key uuid, load_id bigint
)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
BEGIN ATOMIC
  WITH cells AS MATERIALIZED (
    SELECT trips.h3_cell(h.origin_coord, similar_to.resolution) AS origin_cell,
           trips.h3_cell(h.destination_coord, similar_to.resolution) AS destination_cell,
           pg_catalog.date_bin(similar_to.bucket, h.date_time, timestamp '2000-01-01')::time
             AS time_of_day
      FROM trips.hist_trip_data AS h
     WHERE h.trip_key = similar_to.trip
       AND (similar_to.began IS NULL OR h.date_time = similar_to.began)
     LIMIT 1
  ), near AS MATERIALIZED (
    -- A cheap filter, so that cells are computed for few trips.
    SELECT h.region, h.origin_coord, h.destination_coord, h.date_time, h.datasource, h.trip_key,
           h.load_id
      FROM trips.hist_trip_data AS h
     WHERE h.date_time >= LEAST(GREATEST(similar_to.since, date '0001-01-01'), date '10000-01-01')::timestamp
       AND h.date_time < (LEAST(similar_to.until, date '9999-12-31') + 1)::timestamp
       AND h.origin_coord <@ (SELECT trips.h3_bounds(c.origin_cell) FROM cells AS c)
       AND h.destination_coord <@ (SELECT trips.h3_bounds(c.destination_cell) FROM cells AS c)
  )
  SELECT n.region, n.origin_coord, n.destination_coord, n.date_time, n.datasource, n.trip_key, n.load_id
    FROM near AS n
    JOIN cells AS c
      ON trips.h3_cell(n.origin_coord, similar_to.resolution) = c.origin_cell
     AND trips.h3_cell(n.destination_coord, similar_to.resolution) = c.destination_cell
     AND pg_catalog.date_bin(similar_to.bucket, n.date_time, timestamp '2000-01-01')::time
         = c.time_of_day
   ORDER BY n.date_time, n.trip_key
   LIMIT CASE WHEN trips_internal.check_grouping(similar_to.resolution, similar_to.bucket, 'origin', 1)
               AND trips_internal.check_period(similar_to.since, similar_to.until)
              THEN NULL::bigint END;
END;
COMMENT ON FUNCTION trips.similar_to(uuid, int, interval, date, date, timestamp) IS
  'Returns the trips with the origin cell, destination cell and time of day of a given trip, ordered by local time. Requires trips.grant_reader()';
