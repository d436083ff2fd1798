-- Multipart uploads: a client creates one, uploads its parts, and completes or aborts it.

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
