-- Triggers that keep derived data up to date when a statement other than a load changes the history. A load creates the
-- triggers of a partition together with the partition (src/history/change_triggers.rs).

CREATE FUNCTION trips_internal.track_changes() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'track_changes_wrapper';
COMMENT ON FUNCTION trips_internal.track_changes() IS
  'Trigger function of trips.hist_trip_data and its partitions: locks the history before a change, and recounts the changed days after it';

CREATE TRIGGER trips_lock BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON trips.hist_trip_data
  FOR EACH STATEMENT EXECUTE FUNCTION trips_internal.track_changes();
COMMENT ON TRIGGER trips_lock ON trips.hist_trip_data IS 'Waits for loads and locks the history';
CREATE TRIGGER trips_track_insert AFTER INSERT ON trips.hist_trip_data
  REFERENCING NEW TABLE AS trips_added FOR EACH STATEMENT EXECUTE FUNCTION trips_internal.track_changes();
COMMENT ON TRIGGER trips_track_insert ON trips.hist_trip_data IS 'Recounts the days of inserted trips';
CREATE TRIGGER trips_track_update AFTER UPDATE ON trips.hist_trip_data
  REFERENCING OLD TABLE AS trips_removed NEW TABLE AS trips_added
  FOR EACH STATEMENT EXECUTE FUNCTION trips_internal.track_changes();
COMMENT ON TRIGGER trips_track_update ON trips.hist_trip_data IS 'Recounts the days of updated trips';
CREATE TRIGGER trips_track_delete AFTER DELETE ON trips.hist_trip_data
  REFERENCING OLD TABLE AS trips_removed FOR EACH STATEMENT EXECUTE FUNCTION trips_internal.track_changes();
COMMENT ON TRIGGER trips_track_delete ON trips.hist_trip_data IS 'Recounts the days of deleted trips';
CREATE TRIGGER trips_track_truncate AFTER TRUNCATE ON trips.hist_trip_data
  FOR EACH STATEMENT EXECUTE FUNCTION trips_internal.track_changes();
COMMENT ON TRIGGER trips_track_truncate ON trips.hist_trip_data IS 'Recounts all days';

-- Without SET search_path: it must look up the command's table as the command does. It runs no query.
CREATE FUNCTION trips_internal.lock_partitions() RETURNS event_trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'lock_partitions_wrapper';
COMMENT ON FUNCTION trips_internal.lock_partitions() IS
  'Function of event trigger trips_partitions_lock: locks the history before an ALTER TABLE that attaches a partition';
CREATE FUNCTION trips_internal.track_partitions() RETURNS event_trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'track_partitions_wrapper';
COMMENT ON FUNCTION trips_internal.track_partitions() IS
  'Function of event trigger trips_partitions: recounts the days of partitions that were created, attached or detached';
CREATE FUNCTION trips_internal.track_dropped_partitions() RETURNS event_trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'track_dropped_partitions_wrapper';
COMMENT ON FUNCTION trips_internal.track_dropped_partitions() IS
  'Function of event trigger trips_partitions_dropped: recounts the days of dropped partitions';
CREATE EVENT TRIGGER trips_partitions_lock ON ddl_command_start WHEN TAG IN ('ALTER TABLE')
  EXECUTE FUNCTION trips_internal.lock_partitions();
COMMENT ON EVENT TRIGGER trips_partitions_lock IS
  'Waits for loads before a partition is attached to trips.hist_trip_data';
CREATE EVENT TRIGGER trips_partitions ON ddl_command_end
  WHEN TAG IN ('ALTER TABLE', 'CREATE TABLE', 'CREATE FOREIGN TABLE', 'CREATE SCHEMA')
  EXECUTE FUNCTION trips_internal.track_partitions();
COMMENT ON EVENT TRIGGER trips_partitions IS
  'Tracks partitions of trips.hist_trip_data that are created, attached or detached';
CREATE EVENT TRIGGER trips_partitions_dropped ON sql_drop WHEN TAG IN ('DROP TABLE', 'DROP SCHEMA', 'DROP OWNED')
  EXECUTE FUNCTION trips_internal.track_dropped_partitions();
COMMENT ON EVENT TRIGGER trips_partitions_dropped IS 'Tracks partitions of trips.hist_trip_data that are dropped';

CREATE FUNCTION trips.partition_bounds()
RETURNS TABLE (partition regclass, lower_bound timestamp, upper_bound timestamp, is_default boolean)
LANGUAGE c STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'partition_bounds_wrapper';
COMMENT ON FUNCTION trips.partition_bounds() IS
  'Returns the bounds of the partitions of trips.hist_trip_data, in order; NULL is MINVALUE or MAXVALUE. Requires ownership of the extension';

CREATE FUNCTION trips.repair_partitions()
RETURNS TABLE (moved_from regclass, moved_to regclass, trips bigint, duplicates bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET constraint_exclusion = off
AS 'MODULE_PATHNAME', 'repair_partitions_wrapper';
COMMENT ON FUNCTION trips.repair_partitions() IS
  'Moves trips outside the bounds of their partition into the right partition, and returns the numbers of moved trips and duplicates. Requires ownership of the extension';

-- Without SET search_path: it must look up the command's view as the command does. It runs no query.
CREATE FUNCTION trips_internal.lock_refresh() RETURNS event_trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'lock_refresh_wrapper';
COMMENT ON FUNCTION trips_internal.lock_refresh() IS
  'Function of event trigger trips_refresh_lock: locks the history before a REFRESH of trips.summarized_trip_data';
CREATE FUNCTION trips_internal.track_refresh() RETURNS event_trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'track_refresh_wrapper';
COMMENT ON FUNCTION trips_internal.track_refresh() IS
  'Function of event trigger trips_refresh: adds changes that loads committed after the snapshot of a REFRESH';
CREATE EVENT TRIGGER trips_refresh_lock ON ddl_command_start WHEN TAG IN ('REFRESH MATERIALIZED VIEW')
  EXECUTE FUNCTION trips_internal.lock_refresh();
COMMENT ON EVENT TRIGGER trips_refresh_lock IS 'Waits for loads before a REFRESH of trips.summarized_trip_data';
CREATE EVENT TRIGGER trips_refresh ON ddl_command_end WHEN TAG IN ('REFRESH MATERIALIZED VIEW')
  EXECUTE FUNCTION trips_internal.track_refresh();
COMMENT ON EVENT TRIGGER trips_refresh IS
  'Keeps committed changes of loads in trips.summarized_trip_data after a REFRESH';

CREATE FUNCTION trips.rebuild() RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET constraint_exclusion = off
AS 'MODULE_PATHNAME', 'rebuild_wrapper';
COMMENT ON FUNCTION trips.rebuild() IS
  'Rebuilds all data that is derived from the history, and the triggers of its partitions. Requires ownership of the extension';
