-- Staged records: why they wait, and a second reading. The C functions are in src/api/staged.rs.

CREATE FUNCTION trips.explain_staged(load_id bigint, examples int DEFAULT 3)
RETURNS TABLE (
  column_name text, error_code text, reason text, records bigint, examples jsonb, proposal text, retry text,
  member text
)
LANGUAGE c STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'explain_staged_wrapper';
COMMENT ON FUNCTION trips.explain_staged(bigint, int) IS
  'Groups the staged records of a load by reason and cause, and returns the call of trips.retry_staged() that mends them. Values are shown to roles that may read trips.stg_trip_data. Requires trips.grant_loader()';

CREATE FUNCTION trips.retry_staged(
  load_id bigint, feed text DEFAULT NULL, swap_coordinates boolean DEFAULT false, date_order text DEFAULT NULL,
  decimal_comma boolean DEFAULT false, time_form text DEFAULT NULL, region text DEFAULT NULL,
  datasource text DEFAULT NULL, member text DEFAULT NULL, on_change text DEFAULT NULL
) RETURNS trips.loads
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'retry_staged_wrapper';
COMMENT ON FUNCTION trips.retry_staged(bigint, text, boolean, text, boolean, text, text, text, text, text) IS
  'Reads the staged records of a load again under other rules, moves those that are valid into the history, and returns the row of the load. Requires trips.grant_loader()';
