-- Privileges.

CREATE FUNCTION trips.grant_loader(role regrole) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'grant_loader_wrapper';
COMMENT ON FUNCTION trips.grant_loader(regrole) IS
  'Grants a role the privileges to load files and read the ledger. Requires ownership of the extension';

CREATE FUNCTION trips.grant_reader(role regrole) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'grant_reader_wrapper';
COMMENT ON FUNCTION trips.grant_reader(regrole) IS
  'Grants a role the privileges to query the history and the data derived from it. Requires ownership of the extension';

-- PUBLIC has no USAGE on the schemas. In addition, PUBLIC must not have EXECUTE on functions that read files or write,
-- and on all functions of trips_internal.

REVOKE ALL ON FUNCTION trips.ingest(text, text, bigint, boolean, text, text, text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.stage(text, text, text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.merge_staged(bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.explain_staged(bigint, int) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.retry_staged(bigint, text, boolean, text, boolean, text, text, text, text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.create_upload(text, bytea, bigint, text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.upload_part(bigint, bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.complete_upload(bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.abort_upload(bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.diff(text, text, text, text, text, int) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.delete_trips(text, timestamp, timestamp, text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.grant_loader(regrole) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.grant_reader(regrole) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.submit(text, text, bigint, boolean, text, text, text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.cancel(bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.retract(bigint, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.replace(text, bigint, text, bigint, boolean, text, text, text, text) FROM PUBLIC;
REVOKE ALL ON PROCEDURE trips.ingest_new(text, bigint, bigint, bigint, text, text, text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.schedule(text, text, text, text, text, text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.unschedule(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.create_feed(text, jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.drop_feed(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.load_stations(text, text, int) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.complete_places(text, date, date) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.detect_feed(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.preview(text, text, int, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.rebuild() FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.partition_bounds() FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.repair_partitions() FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.verify() FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA trips_internal FROM PUBLIC;
