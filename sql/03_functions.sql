-- The functions. Those in C are in src/api.rs; they act as the owner of the tables, so every name
-- they resolve must be one of pg_catalog's.

CREATE FUNCTION trips.ingest(
  path text, on_error text DEFAULT 'stage', max_errors bigint DEFAULT NULL, force boolean DEFAULT false
) RETURNS trips.loads
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ingest_wrapper';
COMMENT ON FUNCTION trips.ingest(text, text, bigint, boolean) IS
  'Brings a CSV file on the server into the history, exactly once, in one transaction; returns its ledger row. on_error: stage keeps bad lines in trips.stg_trip_data, abort refuses the file at the first. max_errors: more bad lines than that refuse the file; NULL takes the setting trips.max_errors. force: load bytes that are known. Needs pg_read_server_files, or a file beneath trips.data_directories.';

CREATE FUNCTION trips.stage(path text) RETURNS trips.loads
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'stage_wrapper';
COMMENT ON FUNCTION trips.stage(text) IS
  'Brings a CSV file on the server into trips.stg_trip_data only, to look at first; trips.merge_staged() promotes it. Returns its ledger row. Needs pg_read_server_files, or a file beneath trips.data_directories.';

CREATE FUNCTION trips.merge_staged(load_id bigint DEFAULT NULL) RETURNS trips.loads
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'merge_staged_wrapper';
COMMENT ON FUNCTION trips.merge_staged(bigint) IS
  'Promotes staged rows to the history; rows that still fail stay, with the reason. With a load_id: the rows of that load, or all parts of that delivery (trips.create_upload). Without: all rows, those of outside writers as a load of their own. Returns the ledger row of the newest load that it touched.';

CREATE FUNCTION trips.create_upload(source text, digest bytea, bytes bigint, reader_options text)
RETURNS trips.loads
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'create_upload_wrapper';
COMMENT ON FUNCTION trips.create_upload(text, bytea, bigint, text) IS
  'For outside readers: announces a file by its BLAKE3 and its size. Bytes that are known are skipped, as by trips.ingest(), and the ledger says so; otherwise the row has state running and the load_id for trips.upload_part(), and is not in the ledger yet. The same file opened again, with the same reading, is the same delivery: what has arrived of it stays. Another reading begins anew.';

CREATE FUNCTION trips.upload_part(load_id bigint, part bytea) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'upload_part_wrapper';
COMMENT ON FUNCTION trips.upload_part(bigint, bytea) IS
  'For outside readers: stages a part of a delivery, as trips_reader makes it; every value is checked. false: this part is there already, so a repeat is harmless. trips.merge_staged(load_id) brings the delivery into the history when all its parts are there. Errors: 42704 for an unknown delivery, 42501 for another role''s, 22P03 for bytes that are no part, 54000 for more than 64 MB of them, unless trips.max_record_size is over 5 MB.';

CREATE FUNCTION trips.complete_upload(load_id bigint) RETURNS trips.loads
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'complete_upload_wrapper';
COMMENT ON FUNCTION trips.complete_upload(bigint) IS
  'Inserts the trips of an upload into the history and returns its row of trips.loads. Requires the role that created the upload, or membership in it.';

CREATE FUNCTION trips.abort_upload(load_id bigint) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'abort_upload_wrapper';
COMMENT ON FUNCTION trips.abort_upload(bigint) IS
  'For outside readers: forgets a delivery and what has arrived of it; false when there is none. 42501 for another role''s.';

CREATE FUNCTION trips.grant_loader(role regrole) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'grant_loader_wrapper';
COMMENT ON FUNCTION trips.grant_loader(regrole) IS
  'Lets a role load: ingest, stage and merge_staged, the ledger, and INSERT into staging; files must lie beneath trips.data_directories, unless the role is a member of pg_read_server_files. For the owner of the extension: SELECT trips.grant_loader(''etl'')';

CREATE FUNCTION trips.grant_reader(role regrole) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'grant_reader_wrapper';
COMMENT ON FUNCTION trips.grant_reader(regrole) IS
  'Lets a role read the history, the roll-up, the summary and the ledger, and ask all questions and trips.verify(); not staging. For the owner of the extension: SELECT trips.grant_reader(''analyst'')';

CREATE FUNCTION trips.trip_key(
  region text, origin_coord point, destination_coord point, date_time timestamp, datasource text
) RETURNS uuid
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'trip_key_wrapper';
COMMENT ON FUNCTION trips.trip_key(text, point, point, timestamp, text) IS
  'The content key of a trip, as trips.hist_trip_data has it: the first 16 bytes of BLAKE3 over the five values; no setting changes it';

CREATE FUNCTION trips.weekly_avg()
RETURNS TABLE (region text, week_of_month text, weekly_avg numeric)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT w.region, w.week_of_month, w.trips::numeric
    FROM trips.weekly_trip_counts AS w
   ORDER BY w.region, w.week_of_month;
END;
COMMENT ON FUNCTION trips.weekly_avg() IS
  'The weekly summary: number of trips by region and week of month (YYYY-MM-0W), in this order. Needs SELECT on trips.weekly_trip_counts';

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
  'The regions in which a datasource has appeared, in order: SELECT trips.datasource_regions(''cheap_mobile'')';

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
    -- The last day on which one of them had a known datasource: only that day of the history is read.
    SELECT pg_catalog.max(d.day) AS day
      FROM trips.daily_trip_counts AS d
      JOIN top ON top.region = d.region
     WHERE d.datasource IS NOT NULL
       AND d.trips > 0
  )
  SELECT h.datasource, h.region, h.date_time
    FROM trips.hist_trip_data AS h
    JOIN top ON top.region = h.region
    -- As values, not by a join: the planner then walks back through the partitions in the order of
    -- their keys, and stops at the first trip.
   WHERE h.date_time >= (SELECT last.day::timestamp FROM last)
     AND h.date_time < (SELECT (last.day + 1)::timestamp FROM last)
     AND h.datasource IS NOT NULL
   ORDER BY h.date_time DESC, top.trips DESC, h.region, h.datasource
   LIMIT 1;
END;
COMMENT ON FUNCTION trips.latest_datasource(int) IS
  'Of the regions with the most trips (two, unless told otherwise), the datasource that appeared last, with its region and local time; trips without a datasource do not count';
