-- Functions that load, and views of running and failed loads. The C functions are in src/api/load.rs. They run queries
-- as the owner of the tables, so that the search_path must contain only pg_catalog.

CREATE FUNCTION trips.ingest(
  path text, on_error text DEFAULT 'stage', max_errors bigint DEFAULT NULL, force boolean DEFAULT false,
  feed text DEFAULT NULL, region text DEFAULT NULL, datasource text DEFAULT NULL, on_change text DEFAULT NULL
) RETURNS trips.loads
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ingest_wrapper';
COMMENT ON FUNCTION trips.ingest(text, text, bigint, boolean, text, text, text, text) IS
  'Loads a CSV file of the server into the history and returns its row of trips.loads. Requires trips.grant_loader(), and pg_read_server_files or a file below trips.data_directories';

CREATE FUNCTION trips.stage(
  path text, feed text DEFAULT NULL, region text DEFAULT NULL, datasource text DEFAULT NULL
) RETURNS trips.loads
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'stage_wrapper';
COMMENT ON FUNCTION trips.stage(text, text, text, text) IS
  'Loads a CSV file of the server into trips.stg_trip_data and returns its row of trips.loads. Requires the privileges of trips.ingest()';

CREATE FUNCTION trips.merge_staged(load_id bigint DEFAULT NULL) RETURNS trips.loads
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'merge_staged_wrapper';
COMMENT ON FUNCTION trips.merge_staged(bigint) IS
  'Moves valid staged rows of a load, or of all loads, into the history and returns the row of trips.loads that changed last. Requires trips.grant_loader()';

CREATE FUNCTION trips.trip_key(
  region text, origin_coord point, destination_coord point, date_time timestamp, datasource text
) RETURNS uuid
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'trip_key_wrapper';
COMMENT ON FUNCTION trips.trip_key(text, point, point, timestamp, text) IS
  'Returns the content key of a trip: the first 16 bytes of BLAKE3 over its values';

-- A load reports in the progress slots of its backend (src/progress.rs). PostgreSQL shows a user the slots of his own
-- sessions, but a queued load runs in a background worker.
CREATE FUNCTION trips_internal.running_loads() RETURNS TABLE (
  load_id bigint, pid int, phase int, bytes_done bigint, bytes_total bigint, rows_read bigint, started bigint
)
LANGUAGE c STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'running_loads_wrapper';
COMMENT ON FUNCTION trips_internal.running_loads() IS
  'Returns running loads for trips.load_progress: phase as a number, started in microseconds since 1970. Shows the loads that the caller may cancel or see in pg_stat_activity';

CREATE VIEW trips.load_progress AS
SELECT p.load_id,
       p.pid,
       CASE p.phase
         WHEN 1 THEN 'hashing'
         WHEN 2 THEN 'waiting'
         WHEN 3 THEN 'reading'
         WHEN 4 THEN 'inserting'
         WHEN 5 THEN 'summarizing'
       END AS phase,
       p.bytes_done,
       p.bytes_total,
       p.rows_read,
       pg_catalog.round(
         p.rows_read OPERATOR(pg_catalog./) GREATEST(
           EXTRACT(epoch FROM pg_catalog.clock_timestamp()
             OPERATOR(pg_catalog.-) pg_catalog.to_timestamp(
               p.started OPERATOR(pg_catalog./) 1000000.0::double precision)),
           0.001::numeric)) AS rows_per_second,
       pg_catalog.to_timestamp(p.started OPERATOR(pg_catalog./) 1000000.0::double precision)
         AS started_at,
       CASE WHEN p.bytes_done OPERATOR(pg_catalog.>) 0 AND p.phase OPERATOR(pg_catalog.>) 2 THEN
         pg_catalog.to_timestamp(p.started OPERATOR(pg_catalog./) 1000000.0::double precision)
         OPERATOR(pg_catalog.+) (
           (pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-)
             pg_catalog.to_timestamp(p.started OPERATOR(pg_catalog./) 1000000.0::double precision))
           OPERATOR(pg_catalog.*) (p.bytes_total::double precision
             OPERATOR(pg_catalog./) p.bytes_done::double precision))
       END AS estimated_end
  FROM trips_internal.running_loads() AS p;
COMMENT ON VIEW trips.load_progress IS
  'Progress of running loads in this database. Shows the user''s own loads, and all loads to members of pg_read_all_stats';
COMMENT ON COLUMN trips.load_progress.load_id IS 'Number that the load will have in trips.loads';
COMMENT ON COLUMN trips.load_progress.pid IS 'Process ID of the backend or worker';
COMMENT ON COLUMN trips.load_progress.phase IS
  'Phase of the load: hashing, waiting (for another load), reading, inserting or summarizing';
COMMENT ON COLUMN trips.load_progress.bytes_done IS
  'Processed bytes of the file; after hashing, reading a byte and writing its trip each count half';
COMMENT ON COLUMN trips.load_progress.bytes_total IS 'Size of the file in bytes; 0 for a load without a file';
COMMENT ON COLUMN trips.load_progress.rows_read IS 'Rows read so far';
COMMENT ON COLUMN trips.load_progress.rows_per_second IS 'Rows read per second since the start';
COMMENT ON COLUMN trips.load_progress.started_at IS 'Start of the load';
COMMENT ON COLUMN trips.load_progress.estimated_end IS 'Estimated end at the current speed; NULL at the beginning';

-- A role sees the errors of its own loads.
CREATE VIEW trips.load_errors WITH (security_barrier) AS
SELECT f.load_id, l.error_code, f.message, f.detail, f.hint, f.context, f.schema_name, f.table_name,
       f.column_name, f.datatype_name, f.constraint_name, f.member, f.line_no, f.row_group
  FROM trips_internal.load_failures AS f
  JOIN trips.loads AS l ON l.load_id OPERATOR(pg_catalog.=) f.load_id
 WHERE pg_catalog.pg_has_role(
         (SELECT c.relowner FROM pg_catalog.pg_class AS c
           WHERE c.oid OPERATOR(pg_catalog.=) 'trips.loads'::pg_catalog.regclass), 'USAGE')
    OR EXISTS (SELECT FROM pg_catalog.pg_roles AS r
                -- The OID, because another role may have the name now; the name, because a restored OID may be
                -- another role's.
                WHERE r.oid OPERATOR(pg_catalog.=) f.requested_by
                  AND r.rolname OPERATOR(pg_catalog.=) l.requested_by
                  AND pg_catalog.pg_has_role(r.oid, 'USAGE'));
COMMENT ON VIEW trips.load_errors IS
  'Full errors of failed loads. Shows the loads of the user''s roles, and all loads to the owner of trips.loads';
COMMENT ON COLUMN trips.load_errors.load_id IS 'Number of the load in trips.loads';
COMMENT ON COLUMN trips.load_errors.error_code IS 'SQLSTATE of the error';
COMMENT ON COLUMN trips.load_errors.message IS 'Primary message of the error; it may contain values of the file';
COMMENT ON COLUMN trips.load_errors.detail IS 'DETAIL of the error';
COMMENT ON COLUMN trips.load_errors.hint IS 'HINT of the error';
COMMENT ON COLUMN trips.load_errors.context IS 'CONTEXT of the error inside the load, innermost line first';
COMMENT ON COLUMN trips.load_errors.schema_name IS 'Schema of the table or data type that the error names';
COMMENT ON COLUMN trips.load_errors.table_name IS 'Table that the error names';
COMMENT ON COLUMN trips.load_errors.column_name IS 'Column that the error names';
COMMENT ON COLUMN trips.load_errors.datatype_name IS 'Data type that the error names';
COMMENT ON COLUMN trips.load_errors.constraint_name IS 'Constraint that the error names';
COMMENT ON COLUMN trips.load_errors.member IS
  'Member of the archive that the error concerns; NULL if it concerns the whole file';
COMMENT ON COLUMN trips.load_errors.line_no IS
  'Record that the error concerns, as in trips.stg_trip_data; NULL if it concerns no single record';
COMMENT ON COLUMN trips.load_errors.row_group IS
  'Row group of a Parquet file that the error concerns, from 0; line_no is the row in it';
