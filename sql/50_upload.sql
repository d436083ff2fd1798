-- Multipart uploads: a client creates one, uploads its parts, and completes or aborts it.

CREATE FUNCTION trips.create_upload(source text, digest bytea, bytes bigint, reader_options text, on_change text DEFAULT NULL)
RETURNS trips.loads
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'create_upload_wrapper';
COMMENT ON FUNCTION trips.create_upload(text, bytea, bigint, text, text) IS
  'Starts an upload of a file with this BLAKE3 digest and size in bytes, or continues it, and returns the row that trips.loads will have. Requires trips.grant_loader()';

CREATE FUNCTION trips.upload_part(load_id bigint, part bytea) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'upload_part_wrapper';
COMMENT ON FUNCTION trips.upload_part(bigint, bytea) IS
  'Checks and stores a part of an upload, as encoded by trips_reader; returns false if the part is already stored. Requires trips.grant_loader() and membership in the role that created the upload';

CREATE FUNCTION trips.complete_upload(load_id bigint) RETURNS trips.loads
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'complete_upload_wrapper';
COMMENT ON FUNCTION trips.complete_upload(bigint) IS
  'Loads the file of a complete upload into the history and returns its row of trips.loads. Requires trips.grant_loader() and membership in the role that created the upload';

CREATE FUNCTION trips.abort_upload(load_id bigint) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'abort_upload_wrapper';
COMMENT ON FUNCTION trips.abort_upload(bigint) IS
  'Deletes an upload and its parts; returns false if it does not exist. Requires trips.grant_loader() and membership in the role that created the upload';
