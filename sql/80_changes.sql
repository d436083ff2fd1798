-- What is derived from the history stays right when somebody else than a load changes it. The partitions
-- get triggers of their own, from the loads that make them (src/history/partitions.rs).

CREATE FUNCTION trips_internal.track_changes() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'track_changes_wrapper';
COMMENT ON FUNCTION trips_internal.track_changes() IS
  'For the triggers of trips.hist_trip_data and of its partitions: a statement that changes trips waits for loads, and then the days that it has touched are counted again. 22008 for a trip outside of the years 1 to 9999; 40001 in REPEATABLE READ and above when a load has committed since the snapshot';

CREATE TRIGGER trips_lock BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON trips.hist_trip_data
  FOR EACH STATEMENT EXECUTE FUNCTION trips_internal.track_changes();
COMMENT ON TRIGGER trips_lock ON trips.hist_trip_data IS 'Waits for loads';
CREATE TRIGGER trips_track_insert AFTER INSERT ON trips.hist_trip_data
  REFERENCING NEW TABLE AS trips_added FOR EACH STATEMENT EXECUTE FUNCTION trips_internal.track_changes();
COMMENT ON TRIGGER trips_track_insert ON trips.hist_trip_data IS 'Counts the days of new trips again';
CREATE TRIGGER trips_track_update AFTER UPDATE ON trips.hist_trip_data
  REFERENCING OLD TABLE AS trips_removed NEW TABLE AS trips_added
  FOR EACH STATEMENT EXECUTE FUNCTION trips_internal.track_changes();
COMMENT ON TRIGGER trips_track_update ON trips.hist_trip_data IS 'Counts the days of changed trips again';
CREATE TRIGGER trips_track_delete AFTER DELETE ON trips.hist_trip_data
  REFERENCING OLD TABLE AS trips_removed FOR EACH STATEMENT EXECUTE FUNCTION trips_internal.track_changes();
COMMENT ON TRIGGER trips_track_delete ON trips.hist_trip_data IS 'Counts the days of deleted trips again';
CREATE TRIGGER trips_track_truncate AFTER TRUNCATE ON trips.hist_trip_data
  FOR EACH STATEMENT EXECUTE FUNCTION trips_internal.track_changes();
COMMENT ON TRIGGER trips_track_truncate ON trips.hist_trip_data IS 'Counts everything again';

-- Without a search_path of its own: it looks the command's table up as the command will. It runs no query.
CREATE FUNCTION trips_internal.lock_partitions() RETURNS event_trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'lock_partitions_wrapper';
COMMENT ON FUNCTION trips_internal.lock_partitions() IS
  'For the event trigger trips_partitions_lock: who attaches a partition to the history waits for loads first';
CREATE FUNCTION trips_internal.track_partitions() RETURNS event_trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'track_partitions_wrapper';
COMMENT ON FUNCTION trips_internal.track_partitions() IS
  'For the event trigger trips_partitions: trips of partitions that are made, attached or detached by hand are counted, and followed from then on, or not any more';
CREATE FUNCTION trips_internal.track_dropped_partitions() RETURNS event_trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'track_dropped_partitions_wrapper';
COMMENT ON FUNCTION trips_internal.track_dropped_partitions() IS
  'For the event trigger trips_partitions_dropped: trips of partitions that are dropped are not counted any more';
CREATE EVENT TRIGGER trips_partitions_lock ON ddl_command_start WHEN TAG IN ('ALTER TABLE')
  EXECUTE FUNCTION trips_internal.lock_partitions();
COMMENT ON EVENT TRIGGER trips_partitions_lock IS 'Who attaches a partition to the history waits for loads first';
CREATE EVENT TRIGGER trips_partitions ON ddl_command_end
  WHEN TAG IN ('ALTER TABLE', 'CREATE TABLE', 'CREATE FOREIGN TABLE', 'CREATE SCHEMA')
  EXECUTE FUNCTION trips_internal.track_partitions();
COMMENT ON EVENT TRIGGER trips_partitions IS 'Follows partitions of the history that are made, attached or detached';
CREATE EVENT TRIGGER trips_partitions_dropped ON sql_drop WHEN TAG IN ('DROP TABLE', 'DROP SCHEMA', 'DROP OWNED')
  EXECUTE FUNCTION trips_internal.track_dropped_partitions();
COMMENT ON EVENT TRIGGER trips_partitions_dropped IS 'Follows partitions of the history that are dropped';

CREATE FUNCTION trips.partition_bounds()
RETURNS TABLE (partition regclass, lower_bound timestamp, upper_bound timestamp, is_default boolean)
LANGUAGE c STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'partition_bounds_wrapper';
COMMENT ON FUNCTION trips.partition_bounds() IS
  'The bounds of all partitions of trips.hist_trip_data, in ascending order; NULL is MINVALUE or MAXVALUE. The default partition has a row for each gap between the others. For the owner of the extension';

CREATE FUNCTION trips.repair_partitions()
RETURNS TABLE (moved_from regclass, moved_to regclass, trips bigint, duplicates bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET constraint_exclusion = off
AS 'MODULE_PATHNAME', 'repair_partitions_wrapper';
COMMENT ON FUNCTION trips.repair_partitions() IS
  'Moves trips that are in a partition whose bounds do not hold them to where they belong, creates the partitions that are missing, and runs trips.rebuild(). A trip that is there already is dropped and booked as a duplicate of its load. Returns what was moved. Loads wait for its transaction. For the owner of the extension';

-- Without a search_path of its own: it looks the command's view up as the command will. It runs no query.
CREATE FUNCTION trips_internal.lock_refresh() RETURNS event_trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'lock_refresh_wrapper';
COMMENT ON FUNCTION trips_internal.lock_refresh() IS
  'For the event trigger trips_refresh_lock: a REFRESH of trips.summarized_trip_data waits for loads before it locks the view';
CREATE FUNCTION trips_internal.track_refresh() RETURNS event_trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'track_refresh_wrapper';
COMMENT ON FUNCTION trips_internal.track_refresh() IS
  'For the event trigger trips_refresh: trips.summarized_trip_data gets what loads have committed since the snapshot of a REFRESH';
CREATE EVENT TRIGGER trips_refresh_lock ON ddl_command_start WHEN TAG IN ('REFRESH MATERIALIZED VIEW')
  EXECUTE FUNCTION trips_internal.lock_refresh();
COMMENT ON EVENT TRIGGER trips_refresh_lock IS 'A REFRESH of trips.summarized_trip_data waits for loads first';
CREATE EVENT TRIGGER trips_refresh ON ddl_command_end WHEN TAG IN ('REFRESH MATERIALIZED VIEW')
  EXECUTE FUNCTION trips_internal.track_refresh();
COMMENT ON EVENT TRIGGER trips_refresh IS 'A REFRESH of trips.summarized_trip_data does not undo what loads have committed meanwhile';

CREATE FUNCTION trips.rebuild() RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET constraint_exclusion = off
AS 'MODULE_PATHNAME', 'rebuild_wrapper';
COMMENT ON FUNCTION trips.rebuild() IS
  'Makes all that is derived from the history anew: the daily roll-up, the weekly sums and their view, what area questions are answered from; has all partitions followed. Loads wait for its transaction. For the owner of the extension';
