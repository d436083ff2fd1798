-- What a load of a file would do. The C function is in src/api/diff.rs.

CREATE FUNCTION trips.diff(
  path text, feed text DEFAULT NULL, region text DEFAULT NULL, datasource text DEFAULT NULL, on_change text DEFAULT NULL,
  examples int DEFAULT 10
) RETURNS TABLE (change text, records bigint, first_time timestamp, last_time timestamp, examples jsonb)
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'diff_wrapper';
COMMENT ON FUNCTION trips.diff(text, text, text, text, text, int) IS
  'Compares a file with the history and returns how many of its records are new trips, corrections, duplicates and rejected, without loading it. Requires the privileges of trips.ingest()';
