-- Trips that are deleted on request. The C function is in src/api/deletion.rs.

CREATE FUNCTION trips.delete_trips(
  region text DEFAULT NULL, before timestamp DEFAULT NULL, since timestamp DEFAULT NULL,
  datasource text DEFAULT NULL, trip_id text DEFAULT NULL
) RETURNS TABLE (trips bigint, staged bigint, errors bigint, partitions text[])
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET constraint_exclusion = off
AS 'MODULE_PATHNAME', 'delete_trips_wrapper';
COMMENT ON FUNCTION trips.delete_trips(text, timestamp, timestamp, text, text) IS
  'Deletes the trips that meet all conditions from the history, staging and all other tables of the extension, and returns their numbers and the dropped partitions. Requires ownership of the extension';
