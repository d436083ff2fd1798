-- The schema and the tables. A plain CREATE: a schema or table that is there already, and might be
-- somebody else's, must fail the installation, not be adopted.

-- Names without a schema mean PostgreSQL's own, whatever lies in public.
SET LOCAL search_path = pg_catalog, pg_temp;

CREATE SCHEMA trips;
COMMENT ON SCHEMA trips IS
  'Trips, the functions that load them, and what is derived from them';

CREATE SCHEMA trips_internal;
COMMENT ON SCHEMA trips_internal IS
  'Functions and tables that the functions and views of schema trips use';

-- The history ------------------------------------------------------------------------------------

CREATE TABLE trips.hist_trip_data (
  region            text      NOT NULL,
  origin_coord      point,
  destination_coord point,
  date_time         timestamp NOT NULL,
  datasource        text,
  trip_key          uuid      NOT NULL,
  load_id           bigint    NOT NULL
) PARTITION BY RANGE (date_time);
-- Loads make a partition for each month that has trips, with the primary key (date_time, trip_key). It
-- is the partitions' and not this table's: pg_dump carries the partitions as tables of the user, and
-- their keys could not be restored if attaching them had already made keys.
COMMENT ON TABLE trips.hist_trip_data IS
  'The history: every trip once, whatever file brought it and however often; partitioned by date_time, by months unless somebody makes other partitions';
COMMENT ON COLUMN trips.hist_trip_data.region IS
  'Name of the region, without blanks around it, 1000 bytes at most';
COMMENT ON COLUMN trips.hist_trip_data.origin_coord IS
  'Where the trip began: (longitude, latitude) in degrees, WGS 84; NULL when the file left it empty';
COMMENT ON COLUMN trips.hist_trip_data.destination_coord IS
  'Where the trip ended: (longitude, latitude) in degrees, WGS 84; NULL when the file left it empty';
COMMENT ON COLUMN trips.hist_trip_data.date_time IS
  'When the trip began: local wall-clock time of the feed, to the microsecond';
COMMENT ON COLUMN trips.hist_trip_data.datasource IS
  'Who sent the trip; NULL when the file left it empty';
COMMENT ON COLUMN trips.hist_trip_data.trip_key IS
  'Content key: the first 16 bytes of BLAKE3 over the five values; see trips.trip_key()';
COMMENT ON COLUMN trips.hist_trip_data.load_id IS
  'The load (trips.loads) that brought the trip first';

-- Staging ----------------------------------------------------------------------------------------

CREATE TABLE trips.stg_trip_data (
  load_id           bigint,
  line_no           bigint,
  region            text,
  origin_coord      text,
  destination_coord text,
  date_time         text,
  datasource        text,
  raw_line          text,
  raw_bytes         bytea,
  column_name       text,
  error_code        text,
  error             text
);
-- Loads look their own rows up here; rows of outside writers have no load and no line.
CREATE INDEX stg_trip_data_load_id_line_no_idx ON trips.stg_trip_data (load_id, line_no);
-- No key: outside writers may write a row twice. Replicas find a row by all of it.
ALTER TABLE trips.stg_trip_data REPLICA IDENTITY FULL;
COMMENT ON TABLE trips.stg_trip_data IS
  'Staging: rows as text that are not (yet) in the history, lines of files that could not become trips with the reason, and rows that outside writers put here; trips.merge_staged() promotes them';
COMMENT ON COLUMN trips.stg_trip_data.load_id IS
  'The load that staged the row; NULL for rows of outside writers until trips.merge_staged() has seen them';
COMMENT ON COLUMN trips.stg_trip_data.line_no IS
  'Number of the first line of the record in its file, from 1, the header included';
COMMENT ON COLUMN trips.stg_trip_data.region IS 'Region as it came';
COMMENT ON COLUMN trips.stg_trip_data.origin_coord IS
  'Origin as it came, expected: POINT (longitude latitude), degrees';
COMMENT ON COLUMN trips.stg_trip_data.destination_coord IS
  'Destination as it came, expected: POINT (longitude latitude), degrees';
COMMENT ON COLUMN trips.stg_trip_data.date_time IS
  'Local date and time as it came, expected: YYYY-MM-DD HH:MM:SS';
COMMENT ON COLUMN trips.stg_trip_data.datasource IS 'Datasource as it came';
COMMENT ON COLUMN trips.stg_trip_data.raw_line IS
  'The rejected record as it stands in the file; bytes that text cannot hold are shown as \xNN';
COMMENT ON COLUMN trips.stg_trip_data.raw_bytes IS
  'The rejected record byte by byte, where raw_line could not hold it exactly; otherwise NULL';
COMMENT ON COLUMN trips.stg_trip_data.column_name IS
  'The column whose value was rejected; NULL when it is the record as a whole';
COMMENT ON COLUMN trips.stg_trip_data.error_code IS
  'SQLSTATE of the reason; NULL while nobody has tried to make a trip of the row';
COMMENT ON COLUMN trips.stg_trip_data.error IS
  'The reason: what was found and what was expected';

-- The ledger -------------------------------------------------------------------------------------

CREATE TABLE trips.loads (
  load_id        bigint GENERATED BY DEFAULT AS IDENTITY,
  source         text        NOT NULL,
  digest         bytea,
  bytes_read     bigint      NOT NULL DEFAULT 0,
  state          text        NOT NULL,
  rows_read      bigint      NOT NULL DEFAULT 0,
  rows_inserted  bigint      NOT NULL DEFAULT 0,
  rows_duplicate bigint      NOT NULL DEFAULT 0,
  rows_staged    bigint      NOT NULL DEFAULT 0,
  error_code     text,
  error          text,
  same_as        bigint,
  requested_by   text        NOT NULL,
  requested_at   timestamptz NOT NULL,
  started_at     timestamptz,
  finished_at    timestamptz,
  file_changed_at timestamptz,
  options        jsonb,
  CONSTRAINT loads_pkey PRIMARY KEY (load_id),
  CONSTRAINT loads_state_check CHECK (
    state = ANY (ARRAY['queued', 'running', 'loaded', 'skipped', 'failed', 'retracted'])),
  CONSTRAINT loads_balance_check CHECK (
    rows_read = rows_inserted + rows_duplicate + rows_staged),
  CONSTRAINT loads_counts_check CHECK (
    bytes_read >= 0 AND rows_inserted >= 0 AND rows_duplicate >= 0 AND rows_staged >= 0),
  CONSTRAINT loads_digest_check CHECK (pg_catalog.octet_length(digest) = 32),
  CONSTRAINT loads_same_as_check CHECK (same_as <> load_id AND (state <> 'skipped' OR same_as IS NOT NULL)),
  CONSTRAINT loads_error_check CHECK (state <> 'failed' OR (error_code IS NOT NULL AND error IS NOT NULL))
);
-- The last guard of "the same bytes once". A forced load of known bytes has same_as. The size comes first: no other file
-- can have the bytes of one whose size no load has brought, and need not be hashed first. It is a part of the key because
-- outside readers claim both: a digest that is claimed with another size is not that of the file.
CREATE UNIQUE INDEX loads_digest_key ON trips.loads (bytes_read, digest)
  WHERE state = 'loaded' AND same_as IS NULL;
-- Every load monitor looks for loads that are left as running.
CREATE INDEX loads_unfinished_idx ON trips.loads (load_id) WHERE state IN ('queued', 'running');
-- Which files of an inbox are known is asked by path; a path may be longer than a B-tree takes.
CREATE INDEX loads_source_idx ON trips.loads USING hash (source);
COMMENT ON TABLE trips.loads IS
  'The ledger: one row per delivery, committed together with its trips';
COMMENT ON COLUMN trips.loads.load_id IS 'Number of the load';
COMMENT ON COLUMN trips.loads.source IS
  'Path of the file on the server, or where else the rows came from';
COMMENT ON COLUMN trips.loads.digest IS
  'BLAKE3 of the file''s bytes, 32 bytes; NULL when no file was read to its end';
COMMENT ON COLUMN trips.loads.bytes_read IS 'Size of the file, bytes';
COMMENT ON COLUMN trips.loads.state IS
  'queued, running, loaded, skipped (its bytes are known), failed or retracted';
COMMENT ON COLUMN trips.loads.rows_read IS
  'Records of the file, without its first header and blank lines: always inserted + duplicate + staged';
COMMENT ON COLUMN trips.loads.rows_inserted IS 'Rows that are new in the history';
COMMENT ON COLUMN trips.loads.rows_duplicate IS
  'Rows whose trip the history had, or the same file brought before';
COMMENT ON COLUMN trips.loads.rows_staged IS 'Rows that wait in trips.stg_trip_data';
COMMENT ON COLUMN trips.loads.error_code IS 'SQLSTATE of what made the load fail';
COMMENT ON COLUMN trips.loads.error IS
  'What made the load fail, without what stands in the file; trips.load_errors has the full error';
COMMENT ON COLUMN trips.loads.same_as IS
  'The load that had the same bytes; set for a skipped load and for a forced one';
COMMENT ON COLUMN trips.loads.requested_by IS
  'Name of the role that asked for the load, when it did; the name may be another role''s by now';
COMMENT ON COLUMN trips.loads.requested_at IS 'When it was asked for';
COMMENT ON COLUMN trips.loads.started_at IS 'When it began';
COMMENT ON COLUMN trips.loads.finished_at IS 'When it was done, just before its commit';

COMMENT ON COLUMN trips.loads.file_changed_at IS
  'When the file was changed last before it was read, its ctime; trips.ingest_new() knows by it and the size that a file is the one it was';
COMMENT ON COLUMN trips.loads.options IS
  'Arguments and settings by which the load judged the records of the file; NULL for a load that has not ended, and for rows that no file brought';

-- What the session of a failed load was told. trips.loads says no more than everybody may know who sees it; here, a
-- message may repeat what stands in a file.
CREATE TABLE trips_internal.load_failures (
  load_id         bigint NOT NULL,
  message         text   NOT NULL,
  detail          text,
  hint            text,
  context         text,
  schema_name     text,
  table_name      text,
  column_name     text,
  datatype_name   text,
  constraint_name text,
  requested_by    oid,
  CONSTRAINT load_failures_pkey PRIMARY KEY (load_id)
);
COMMENT ON TABLE trips_internal.load_failures IS
  'The full error of each failed load, as its session was told. Nobody but the owner may read it; trips.load_errors shows the rows of one''s own loads.';
COMMENT ON COLUMN trips_internal.load_failures.load_id IS 'Number of the load in trips.loads';
COMMENT ON COLUMN trips_internal.load_failures.message IS 'The primary message; it may repeat values of the file';
COMMENT ON COLUMN trips_internal.load_failures.detail IS 'DETAIL of the error';
COMMENT ON COLUMN trips_internal.load_failures.hint IS 'HINT of the error';
COMMENT ON COLUMN trips_internal.load_failures.context IS
  'CONTEXT of the error within the load: the functions, triggers and statements that were at work, the innermost first';
COMMENT ON COLUMN trips_internal.load_failures.schema_name IS 'Schema of the table or data type that the error names';
COMMENT ON COLUMN trips_internal.load_failures.table_name IS 'Table that the error names';
COMMENT ON COLUMN trips_internal.load_failures.column_name IS 'Column that the error names';
COMMENT ON COLUMN trips_internal.load_failures.datatype_name IS 'Data type that the error names';
COMMENT ON COLUMN trips_internal.load_failures.constraint_name IS 'Constraint that the error names';
COMMENT ON COLUMN trips_internal.load_failures.requested_by IS
  'The role that asked for the load, by oid; NULL when the extension does not know it';

-- The queue --------------------------------------------------------------------------------------

CREATE TABLE trips.queue (
  load_id    bigint  NOT NULL,
  path       text    NOT NULL,
  on_error   text    NOT NULL,
  max_errors bigint,
  force      boolean NOT NULL,
  settings   jsonb   NOT NULL,
  attempts   int     NOT NULL DEFAULT 0,
  CONSTRAINT queue_pkey PRIMARY KEY (load_id)
);
COMMENT ON TABLE trips.queue IS
  'What trips.submit() was asked for and no worker has finished; trips.loads says who asked and when';
COMMENT ON COLUMN trips.queue.load_id IS 'Number of the load, as trips.loads has it';
COMMENT ON COLUMN trips.queue.path IS 'Path of the file on the server';
COMMENT ON COLUMN trips.queue.on_error IS 'As of trips.ingest()';
COMMENT ON COLUMN trips.queue.max_errors IS 'As of trips.ingest(); NULL is any number';
COMMENT ON COLUMN trips.queue.force IS 'As of trips.ingest()';
COMMENT ON COLUMN trips.queue.settings IS
  'Settings of the session that asked, which the load is to have';
COMMENT ON COLUMN trips.queue.attempts IS
  'How often a worker has begun it; what has ended five workers is not begun again';

-- Not carried by pg_dump: an oid means nothing in another cluster. pg_upgrade keeps oids of roles, and this table.
CREATE TABLE trips_internal.queue_roles (
  load_id bigint NOT NULL,
  role    oid    NOT NULL,
  CONSTRAINT queue_roles_pkey PRIMARY KEY (load_id),
  CONSTRAINT queue_roles_load_id_fkey FOREIGN KEY (load_id) REFERENCES trips.queue (load_id) ON DELETE CASCADE
);
COMMENT ON TABLE trips_internal.queue_roles IS
  'The roles with whose rights queued loads are made, by oid; of a load without a row here (a restored one) it is the role of the name in trips.loads.requested_by';
COMMENT ON COLUMN trips_internal.queue_roles.load_id IS 'Number of the load';
COMMENT ON COLUMN trips_internal.queue_roles.role IS 'The role that submitted it';

-- Deliveries of outside readers --------------------------------------------------------------------

-- A file that a cluster reads comes in parts, each in a transaction of its own. Not logged: until the
-- load is merged, the file is where it was, and after a crash both tables are empty together.
CREATE UNLOGGED TABLE trips.uploads (
  load_id        bigint      NOT NULL,
  source         text        NOT NULL,
  digest         bytea       NOT NULL,
  bytes          bigint      NOT NULL,
  reader_options text        NOT NULL,
  requested_by   text        NOT NULL,
  requested_at   timestamptz NOT NULL,
  role           oid         NOT NULL,
  CONSTRAINT uploads_pkey PRIMARY KEY (load_id),
  -- Each role for itself: a reader that has stopped keeps nobody else from bringing the file.
  CONSTRAINT uploads_digest_key UNIQUE (digest, role),
  CONSTRAINT uploads_digest_check CHECK (pg_catalog.octet_length(digest) = 32),
  CONSTRAINT uploads_bytes_check CHECK (bytes >= 0)
);
COMMENT ON TABLE trips.uploads IS
  'Files that outside readers are bringing in, part by part: trips.create_upload() enters one, trips.merge_staged() and trips.abort_upload() take it out';
COMMENT ON COLUMN trips.uploads.load_id IS 'Number of the load, as the ledger will have it';
COMMENT ON COLUMN trips.uploads.source IS 'Path or address of the file, as the reader says it';
COMMENT ON COLUMN trips.uploads.digest IS 'BLAKE3 of the file''s bytes, 32 bytes, as the reader says it';
COMMENT ON COLUMN trips.uploads.bytes IS 'Size of the file, bytes';
COMMENT ON COLUMN trips.uploads.reader_options IS
  'How the reader cuts and judges the file: parts that were read in another way are not mixed with these';
COMMENT ON COLUMN trips.uploads.requested_by IS 'Name of the role that brings it, when it was opened';
COMMENT ON COLUMN trips.uploads.requested_at IS 'When it was opened';
COMMENT ON COLUMN trips.uploads.role IS
  'The role that brings it, by oid: it and its members may go on. The name may be another role''s by now';

CREATE UNLOGGED TABLE trips.upload_parts (
  load_id          bigint NOT NULL,
  first_byte       bigint NOT NULL,
  bytes            bigint NOT NULL,
  rows_read        bigint NOT NULL,
  rows_rejected    bigint NOT NULL,
  content          bytea  NOT NULL,
  -- What makes a repeated or doubled task harmless: the second part from the same byte is none.
  CONSTRAINT upload_parts_pkey PRIMARY KEY (load_id, first_byte),
  CONSTRAINT upload_parts_load_id_fkey FOREIGN KEY (load_id) REFERENCES trips.uploads (load_id),
  CONSTRAINT upload_parts_counts_check CHECK (
    first_byte >= 0 AND bytes > 0 AND rows_read >= rows_rejected AND rows_rejected >= 0)
);
-- It is written once and read once: packing it would cost more than its place.
ALTER TABLE trips.upload_parts ALTER COLUMN content SET STORAGE EXTERNAL;
COMMENT ON TABLE trips.upload_parts IS
  'What has arrived of trips.uploads: parts of files, read and checked by trips_reader';
COMMENT ON COLUMN trips.upload_parts.load_id IS 'The delivery';
COMMENT ON COLUMN trips.upload_parts.first_byte IS 'Where in the file the part begins';
COMMENT ON COLUMN trips.upload_parts.bytes IS 'How many bytes of the file it covers';
COMMENT ON COLUMN trips.upload_parts.rows_read IS 'Records in it';
COMMENT ON COLUMN trips.upload_parts.rows_rejected IS 'Those of them that are no trips';
COMMENT ON COLUMN trips.upload_parts.content IS
  'Its trips and its rejected lines, encoded by trips_reader; trips.upload_part() has checked every value';

-- The daily roll-up ------------------------------------------------------------------------------

CREATE TABLE trips.daily_trip_counts (
  day        date   NOT NULL,
  region     text   NOT NULL,
  datasource text,
  trips      bigint NOT NULL CHECK (trips >= 0),
  -- The region first: questions about a region read its days alone.
  CONSTRAINT daily_trip_counts_key UNIQUE NULLS NOT DISTINCT (region, day, datasource)
);
-- A key with a NULL in it cannot be a replica identity.
ALTER TABLE trips.daily_trip_counts REPLICA IDENTITY FULL;
COMMENT ON TABLE trips.daily_trip_counts IS
  'The daily roll-up: trips of the history by region, datasource and day, kept by every load';
COMMENT ON COLUMN trips.daily_trip_counts.day IS 'Date of date_time, local to the feed';
COMMENT ON COLUMN trips.daily_trip_counts.region IS 'Region, as in trips.hist_trip_data';
COMMENT ON COLUMN trips.daily_trip_counts.datasource IS
  'Datasource, as in trips.hist_trip_data; NULL for trips without one';
COMMENT ON COLUMN trips.daily_trip_counts.trips IS 'How many trips';

CREATE TABLE trips.weekly_trip_counts (
  region        text   NOT NULL,
  week_of_month text   NOT NULL,
  trips         bigint NOT NULL CHECK (trips > 0),
  CONSTRAINT weekly_trip_counts_pkey PRIMARY KEY (region, week_of_month)
);
COMMENT ON TABLE trips.weekly_trip_counts IS
  'The weekly sums of trips.daily_trip_counts by region and week of month, kept by every load; a week without trips has no row';
COMMENT ON COLUMN trips.weekly_trip_counts.region IS 'Region, as in trips.hist_trip_data';
COMMENT ON COLUMN trips.weekly_trip_counts.week_of_month IS
  'YYYY-MM-0W: days 1 to 7 of a month are week 1, 8 to 14 week 2, up to week 5';
COMMENT ON COLUMN trips.weekly_trip_counts.trips IS 'How many trips';

-- Changes by hand ---------------------------------------------------------------------------------

-- One row, which every transaction that changes the history by hand updates. A transaction whose snapshot is older than
-- such a change must not count by it: PostgreSQL finds that out when the transaction updates the row, too.
CREATE TABLE trips_internal.history_changes (
  changed_by xid8
);
INSERT INTO trips_internal.history_changes VALUES (NULL);
COMMENT ON TABLE trips_internal.history_changes IS
  'One row that changes of the history by hand update: in REPEATABLE READ and above, one with an older snapshot ends with 40001';
COMMENT ON COLUMN trips_internal.history_changes.changed_by IS 'The last transaction that has changed the history by hand';

-- The events -------------------------------------------------------------------------------------

CREATE TABLE trips.events (
  seq          bigint GENERATED BY DEFAULT AS IDENTITY,
  load_id      bigint      NOT NULL,
  state        text        NOT NULL,
  bytes_done   bigint      NOT NULL,
  bytes_total  bigint      NOT NULL,
  rows_read    bigint      NOT NULL,
  published_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  CONSTRAINT events_pkey PRIMARY KEY (seq)
);
CREATE INDEX events_load_id_seq_idx ON trips.events (load_id, seq);
-- Those that are too old are forgotten.
CREATE INDEX events_published_at_idx ON trips.events (published_at);
COMMENT ON TABLE trips.events IS
  'What listeners of the channel trips_ingest were told, for as long as trips.event_retention says';
COMMENT ON COLUMN trips.events.seq IS
  'Number of the event: one that can be seen is never followed by a smaller one';
COMMENT ON COLUMN trips.events.load_id IS 'Number of the load';
COMMENT ON COLUMN trips.events.state IS 'queued, running, loaded, skipped or failed';
COMMENT ON COLUMN trips.events.bytes_done IS
  'Bytes of the file that are done: a byte is half done when it is read, and done when its trip is written';
COMMENT ON COLUMN trips.events.bytes_total IS 'Size of the file, bytes';
COMMENT ON COLUMN trips.events.rows_read IS 'Rows read so far';
COMMENT ON COLUMN trips.events.published_at IS 'When it was told';

-- The rows of these tables are data of their users: pg_dump must carry them, although the tables
-- belong to the extension. The history's are in its partitions, which do not.
SELECT pg_catalog.pg_extension_config_dump('trips.stg_trip_data', '');
SELECT pg_catalog.pg_extension_config_dump('trips.loads', '');
SELECT pg_catalog.pg_extension_config_dump('trips_internal.load_failures', '');
SELECT pg_catalog.pg_extension_config_dump('trips.loads_load_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('trips.queue', '');
SELECT pg_catalog.pg_extension_config_dump('trips.daily_trip_counts', '');
SELECT pg_catalog.pg_extension_config_dump('trips.weekly_trip_counts', '');
-- Not the events; but their numbers go on.
SELECT pg_catalog.pg_extension_config_dump('trips.events_seq_seq', '');
