-- Loads that are taken back. The C functions are in src/api/retract.rs.

CREATE FUNCTION trips.retract(load_id bigint, cascade boolean DEFAULT false) RETURNS trips.loads
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET constraint_exclusion = off
AS 'MODULE_PATHNAME', 'retract_wrapper';
COMMENT ON FUNCTION trips.retract(bigint, boolean) IS
  'Removes the trips that only this load has brought and its staged rows, restores what it corrected, and returns its row of trips.loads. Requires membership in the role that requested the load, or in the owner of trips.loads';

CREATE FUNCTION trips.replace(
  path text, load_id bigint, on_error text DEFAULT 'stage', max_errors bigint DEFAULT NULL, force boolean DEFAULT false,
  feed text DEFAULT NULL, region text DEFAULT NULL, datasource text DEFAULT NULL, on_change text DEFAULT NULL
) RETURNS trips.loads
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET constraint_exclusion = off
AS 'MODULE_PATHNAME', 'replace_wrapper';
COMMENT ON FUNCTION trips.replace(text, bigint, text, bigint, boolean, text, text, text, text) IS
  'Retracts a load and loads a file in its place, in one transaction; returns the row of trips.loads of the file. Requires the privileges of trips.ingest() and trips.retract()';
