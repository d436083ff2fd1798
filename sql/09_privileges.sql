-- Nothing that reads files or writes is anybody's but the owner's until it is granted. (Nobody but
-- the owner has USAGE on the schema, either.)

REVOKE ALL ON FUNCTION trips.ingest(text, text, bigint, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.stage(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.merge_staged(bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.open_delivery(text, bytea, bigint, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.stage_part(bigint, bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.drop_delivery(bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.grant_loader(regrole) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.grant_reader(regrole) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.submit(text, text, bigint, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.cancel(bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.take_inbox(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.new_files(text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.ingest_match(text, text) FROM PUBLIC;
REVOKE ALL ON PROCEDURE trips.ingest_new(text, bigint, bigint, bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.schedule(text, text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.unschedule(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.require_pg_cron(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.follow_change() FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.rebuild() FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.partition_bounds() FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.repair_partitions() FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.area_faults() FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.kept_summary() FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.verify() FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.hold_partitions() FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.follow_partitions() FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.follow_dropped_partitions() FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.hold_refresh() FROM PUBLIC;
REVOKE ALL ON FUNCTION trips.follow_refresh() FROM PUBLIC;
