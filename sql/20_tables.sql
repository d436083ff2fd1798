-- The tables and the materialized view, which loads and changes of the history write to.

-- The history ------------------------------------------------------------------------------------

CREATE TABLE trips.hist_trip_data (
  region            text      NOT NULL,
  origin_coord      point,
  destination_coord point,
  date_time         timestamp NOT NULL,
  datasource        text,
  trip_key          uuid      NOT NULL,
  load_id           bigint    NOT NULL,
  ended_at          timestamp,
  trip_id           text,
  details           jsonb
) PARTITION BY RANGE (date_time);
-- Loads create a partition for each month that has trips, with the primary key (date_time, trip_key). The key is
-- on the partitions and not on this table: pg_dump dumps partitions as tables of the user, and pg_restore could
-- not create their keys if ATTACH PARTITION had created them.
COMMENT ON TABLE trips.hist_trip_data IS 'The history: each trip once, partitioned by date_time';
COMMENT ON COLUMN trips.hist_trip_data.region IS 'Name of the region, without whitespace around it, up to 1000 bytes';
COMMENT ON COLUMN trips.hist_trip_data.origin_coord IS
  'Origin of the trip: (longitude, latitude) in degrees, WGS 84; NULL if the field was empty';
COMMENT ON COLUMN trips.hist_trip_data.destination_coord IS
  'Destination of the trip: (longitude, latitude) in degrees, WGS 84; NULL if the field was empty';
COMMENT ON COLUMN trips.hist_trip_data.date_time IS 'Start of the trip: local time of the feed, in microseconds';
COMMENT ON COLUMN trips.hist_trip_data.datasource IS 'Sender of the trip; NULL if the field was empty';
COMMENT ON COLUMN trips.hist_trip_data.trip_key IS
  'Key of the trip by the identity of its feed; for feed trips, the result of trips.trip_key() of its other columns';
COMMENT ON COLUMN trips.hist_trip_data.load_id IS 'Load of trips.loads that inserted the trip, or corrected it last';
COMMENT ON COLUMN trips.hist_trip_data.ended_at IS
  'End of the trip: local time of the feed, in microseconds; NULL if the feed has none';
COMMENT ON COLUMN trips.hist_trip_data.trip_id IS
  'Number of the trip in its feed; NULL if the feed has none';
COMMENT ON COLUMN trips.hist_trip_data.details IS
  'Other values of the record that the feed keeps, by column; NULL if there are none';

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
  error             text,
  record            jsonb,
  member            text,
  row_group         bigint
);
-- Loads look up their own rows by this index, and those of one member, whatever the number of its members. Rows of other
-- writers have no load_id and no line_no.
CREATE INDEX stg_trip_data_load_id_member_line_no_idx ON trips.stg_trip_data (load_id, member, line_no);
-- There is no key, because other writers may insert a row twice; so replicas find a row by all of its columns.
ALTER TABLE trips.stg_trip_data REPLICA IDENTITY FULL;
COMMENT ON TABLE trips.stg_trip_data IS 'Staging: rejected records of files, staged rows, and rows of other writers';
COMMENT ON COLUMN trips.stg_trip_data.load_id IS
  'Load that staged the row; NULL for a row of another writer that no merge has checked';
COMMENT ON COLUMN trips.stg_trip_data.line_no IS
  'Line number of the record in its file or member, from 1, including the header; for JSON pages and Parquet, number of the record';
COMMENT ON COLUMN trips.stg_trip_data.region IS 'Region, as text of the file';
COMMENT ON COLUMN trips.stg_trip_data.origin_coord IS 'Origin as text; valid: POINT (longitude latitude), in degrees';
COMMENT ON COLUMN trips.stg_trip_data.destination_coord IS
  'Destination as text; valid: POINT (longitude latitude), in degrees';
COMMENT ON COLUMN trips.stg_trip_data.date_time IS 'Local date and time as text; valid: YYYY-MM-DD HH:MM:SS';
COMMENT ON COLUMN trips.stg_trip_data.datasource IS 'Datasource, as text of the file';
COMMENT ON COLUMN trips.stg_trip_data.raw_line IS
  'Rejected record as text; bytes that text cannot store are shown as \xNN';
COMMENT ON COLUMN trips.stg_trip_data.raw_bytes IS
  'Rejected record as bytes, if raw_line does not show it exactly; otherwise NULL';
COMMENT ON COLUMN trips.stg_trip_data.column_name IS
  'Column whose field was rejected; NULL if the whole record was rejected';
COMMENT ON COLUMN trips.stg_trip_data.error_code IS
  'SQLSTATE of the reason; NULL if the row has not been checked or is valid';
COMMENT ON COLUMN trips.stg_trip_data.error IS 'Reason: the found and the expected value';
COMMENT ON COLUMN trips.stg_trip_data.record IS
  'Fields of a record of a feed, as texts of the file, without personal columns and unknown ones; NULL for feed trips';
COMMENT ON COLUMN trips.stg_trip_data.member IS
  'Member of the archive that has the record; NULL for a file that is no archive';
COMMENT ON COLUMN trips.stg_trip_data.row_group IS
  'Row group of a Parquet file that has the record, from 0; line_no is the row in it. NULL for other files';

-- The ledger -------------------------------------------------------------------------------------

CREATE TABLE trips.loads (
  load_id        bigint GENERATED BY DEFAULT AS IDENTITY,
  source         text        NOT NULL,
  feed           text,
  digest         bytea,
  bytes_read     bigint      NOT NULL DEFAULT 0,
  state          text        NOT NULL,
  rows_read      bigint      NOT NULL DEFAULT 0,
  rows_inserted  bigint      NOT NULL DEFAULT 0,
  rows_duplicate bigint      NOT NULL DEFAULT 0,
  rows_corrected bigint      NOT NULL DEFAULT 0,
  rows_staged    bigint      NOT NULL DEFAULT 0,
  error_code     text,
  error          text,
  same_as        bigint,
  requested_by   text        NOT NULL,
  requested_at   timestamptz NOT NULL,
  started_at     timestamptz,
  finished_at    timestamptz,
  file_changed_at timestamptz,
  source_version text,
  options        jsonb,
  rows_deleted   bigint      NOT NULL DEFAULT 0,
  staged_deleted bigint      NOT NULL DEFAULT 0,
  commit_no      bigint,
  days           datemultirange,
  requested_by_oid oid,
  retracted_at   timestamptz,
  retracted_by   text,
  CONSTRAINT loads_pkey PRIMARY KEY (load_id),
  CONSTRAINT loads_state_check CHECK (
    state = ANY (ARRAY['queued', 'running', 'loaded', 'skipped', 'failed', 'retracted'])),
  CONSTRAINT loads_balance_check CHECK (
    rows_read = rows_inserted + rows_duplicate + rows_corrected + rows_staged),
  CONSTRAINT loads_counts_check CHECK (
    bytes_read >= 0 AND rows_inserted >= 0 AND rows_duplicate >= 0 AND rows_corrected >= 0 AND rows_staged >= 0),
  CONSTRAINT loads_deleted_check CHECK (
    rows_deleted >= 0 AND staged_deleted BETWEEN 0 AND rows_staged),
  CONSTRAINT loads_digest_check CHECK (pg_catalog.octet_length(digest) = 32),
  CONSTRAINT loads_same_as_check CHECK (same_as <> load_id AND (state <> 'skipped' OR same_as IS NOT NULL)),
  CONSTRAINT loads_error_check CHECK (state <> 'failed' OR (error_code IS NOT NULL AND error IS NOT NULL)),
  CONSTRAINT loads_retracted_check CHECK (
    (state = 'retracted') = (retracted_at IS NOT NULL) AND (state = 'retracted') = (retracted_by IS NOT NULL))
);
-- Enforces that a load loads the same bytes only once; a forced load has same_as. The size is the first column: a file
-- whose size is new has new bytes, and the load does not hash it before it reads it. The size is part of the key
-- because clients of uploads claim both: a digest with another size is not the digest of the same file.
CREATE UNIQUE INDEX loads_digest_key ON trips.loads (bytes_read, digest)
  WHERE state = 'loaded' AND same_as IS NULL;
-- Each load monitor looks for loads that ended without a final state.
CREATE INDEX loads_unfinished_idx ON trips.loads (load_id) WHERE state IN ('queued', 'running');
-- trips.ingest_new() looks up files by path; a path may be longer than an entry of a B-tree.
CREATE INDEX loads_source_idx ON trips.loads USING hash (source);
COMMENT ON TABLE trips.loads IS 'The ledger: one row for each load, committed together with its trips';
COMMENT ON COLUMN trips.loads.load_id IS 'Number of the load';
COMMENT ON SEQUENCE trips.loads_load_id_seq IS 'Numbers of loads in trips.loads';
COMMENT ON COLUMN trips.loads.source IS 'Path of the file on the server, address of the object, or another name of the source';
COMMENT ON COLUMN trips.loads.feed IS
  'Feed of the file, by its header; NULL if the load has not read the header';
COMMENT ON COLUMN trips.loads.digest IS 'BLAKE3 of the file, 32 bytes; NULL if no file was read to its end';
COMMENT ON COLUMN trips.loads.bytes_read IS 'Size of the file in bytes';
COMMENT ON COLUMN trips.loads.state IS
  'State of the load: queued, running, loaded, skipped (another load has the same bytes), failed or retracted';
COMMENT ON COLUMN trips.loads.rows_read IS
  'Records of the file, without the header and empty lines: rows_inserted + rows_duplicate + rows_corrected + rows_staged';
COMMENT ON COLUMN trips.loads.rows_inserted IS 'Rows that the load inserted into the history';
COMMENT ON COLUMN trips.loads.rows_duplicate IS 'Rows whose trip was in the history, or earlier in the same file';
COMMENT ON COLUMN trips.loads.rows_corrected IS
  'Rows whose values replaced those of a trip with the same id; trips.corrections has the old values';
COMMENT ON COLUMN trips.loads.rows_staged IS
  'Rows that the load staged and no merge has promoted: in trips.stg_trip_data, but for staged_deleted';
COMMENT ON COLUMN trips.loads.rows_deleted IS 'Trips of the load, also those of trips.corrections, that trips.delete_trips() has deleted';
COMMENT ON COLUMN trips.loads.staged_deleted IS 'Staged rows of the load that trips.delete_trips() has deleted';
COMMENT ON COLUMN trips.loads.error_code IS 'SQLSTATE of a failed load';
COMMENT ON COLUMN trips.loads.error IS
  'Message of a failed load, without content of the file; trips.load_errors has the full error';
COMMENT ON COLUMN trips.loads.same_as IS 'Load that loaded the same bytes, for a skipped or forced load';
COMMENT ON COLUMN trips.loads.requested_by IS 'Name of the requesting role at the time of the request';
COMMENT ON COLUMN trips.loads.requested_at IS 'Time of the request';
COMMENT ON COLUMN trips.loads.started_at IS 'Start of the load';
COMMENT ON COLUMN trips.loads.finished_at IS 'End of the load, shortly before its commit';
COMMENT ON COLUMN trips.loads.file_changed_at IS 'Change time (ctime) of the file, or Last-Modified of the object, when the load opened it';
COMMENT ON COLUMN trips.loads.source_version IS 'ETag of the object, or its Last-Modified where the server has no ETags; NULL for a file';
COMMENT ON COLUMN trips.loads.options IS
  'Arguments and settings that decide which records the load accepts; NULL for an unfinished load or a load without a file';
COMMENT ON COLUMN trips.loads.commit_no IS 'Place of the load in the order of commits; NULL unless the load was loaded';
COMMENT ON COLUMN trips.loads.days IS
  'Days with trips of the load: at most 1000 ranges, which may have other days between; NULL if it inserted none';
COMMENT ON COLUMN trips.loads.requested_by_oid IS
  'OID of the requesting role, for trips.retract(); NULL unless the load was loaded';
COMMENT ON COLUMN trips.loads.retracted_at IS 'Time at which trips.retract() took the load back; its counts stay';
COMMENT ON COLUMN trips.loads.retracted_by IS 'Name of the role that called trips.retract()';

-- Archives have several files of trips. The counts are those of the load itself: a merge of staged rows changes only
-- the row of trips.loads.
CREATE TABLE trips.load_members (
  load_id        bigint NOT NULL,
  member_no      int    NOT NULL,
  member         text   NOT NULL,
  feed           text,
  rows_read      bigint NOT NULL,
  rows_inserted  bigint NOT NULL,
  rows_duplicate bigint NOT NULL,
  rows_corrected bigint NOT NULL,
  rows_staged    bigint NOT NULL,
  CONSTRAINT load_members_pkey PRIMARY KEY (load_id, member_no),
  CONSTRAINT load_members_balance_check CHECK (
    rows_read = rows_inserted + rows_duplicate + rows_corrected + rows_staged),
  CONSTRAINT load_members_counts_check CHECK (
    member_no >= 1 AND rows_inserted >= 0 AND rows_duplicate >= 0 AND rows_corrected >= 0 AND rows_staged >= 0)
);
COMMENT ON TABLE trips.load_members IS 'Members of loaded archives that have trips, with their counts of rows';
COMMENT ON COLUMN trips.load_members.load_id IS 'Number of the load in trips.loads';
COMMENT ON COLUMN trips.load_members.member_no IS 'Number of the member among those with trips, in the order of the archive, from 1';
COMMENT ON COLUMN trips.load_members.member IS
  'Name of the member in the archive; names of an inner archive and its member are joined by a slash';
COMMENT ON COLUMN trips.load_members.feed IS 'Feed of the member, by its header';
COMMENT ON COLUMN trips.load_members.rows_read IS
  'Records of the member, without the header and empty lines: rows_inserted + rows_duplicate + rows_corrected + rows_staged';
COMMENT ON COLUMN trips.load_members.rows_inserted IS 'Rows of the member that the load inserted into the history';
COMMENT ON COLUMN trips.load_members.rows_duplicate IS
  'Rows of the member whose trip was in the history, or earlier in the same file';
COMMENT ON COLUMN trips.load_members.rows_corrected IS
  'Rows of the member whose values replaced those of a trip with the same id';
COMMENT ON COLUMN trips.load_members.rows_staged IS 'Rows of the member that the load staged';

-- The errors that the sessions of failed loads reported. A message may contain content of the file, so that not all
-- readers of trips.loads may see it.
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
  member          text,
  line_no         bigint,
  row_group       bigint,
  CONSTRAINT load_failures_pkey PRIMARY KEY (load_id)
);
COMMENT ON TABLE trips_internal.load_failures IS
  'Full errors of failed loads; trips.load_errors shows those that the user may read';
COMMENT ON COLUMN trips_internal.load_failures.load_id IS 'Number of the load in trips.loads';
COMMENT ON COLUMN trips_internal.load_failures.message IS
  'Primary message of the error; it may contain values of the file';
COMMENT ON COLUMN trips_internal.load_failures.detail IS 'DETAIL of the error';
COMMENT ON COLUMN trips_internal.load_failures.hint IS 'HINT of the error';
COMMENT ON COLUMN trips_internal.load_failures.context IS 'CONTEXT of the error inside the load, innermost line first';
COMMENT ON COLUMN trips_internal.load_failures.schema_name IS 'Schema of the table or data type that the error names';
COMMENT ON COLUMN trips_internal.load_failures.table_name IS 'Table that the error names';
COMMENT ON COLUMN trips_internal.load_failures.column_name IS 'Column that the error names';
COMMENT ON COLUMN trips_internal.load_failures.datatype_name IS 'Data type that the error names';
COMMENT ON COLUMN trips_internal.load_failures.constraint_name IS 'Constraint that the error names';
COMMENT ON COLUMN trips_internal.load_failures.requested_by IS 'OID of the requesting role; NULL if it is unknown';
COMMENT ON COLUMN trips_internal.load_failures.member IS
  'Member of the archive that the error concerns; NULL if it concerns the whole file';
COMMENT ON COLUMN trips_internal.load_failures.line_no IS
  'Record that the error concerns, as in trips.stg_trip_data; NULL if it concerns no single record';
COMMENT ON COLUMN trips_internal.load_failures.row_group IS
  'Row group of a Parquet file that the error concerns, from 0; line_no is the row in it';

-- The daily roll-up ------------------------------------------------------------------------------

CREATE TABLE trips.daily_trip_counts (
  day        date   NOT NULL,
  region     text   NOT NULL,
  datasource text,
  trips      bigint NOT NULL CHECK (trips >= 0),
  -- The region is first, so that queries for one region read only its days.
  CONSTRAINT daily_trip_counts_key UNIQUE NULLS NOT DISTINCT (region, day, datasource)
);
-- A key with a nullable column cannot be the replica identity.
ALTER TABLE trips.daily_trip_counts REPLICA IDENTITY FULL;
COMMENT ON TABLE trips.daily_trip_counts IS 'Number of trips by region, datasource and day; each load updates it';
COMMENT ON COLUMN trips.daily_trip_counts.day IS 'Local date of date_time';
COMMENT ON COLUMN trips.daily_trip_counts.region IS 'Region of the trips';
COMMENT ON COLUMN trips.daily_trip_counts.datasource IS 'Datasource of the trips; NULL for trips without a datasource';
COMMENT ON COLUMN trips.daily_trip_counts.trips IS 'Number of trips';

CREATE TABLE trips.weekly_trip_counts (
  region        text   NOT NULL,
  week_of_month text   NOT NULL,
  trips         bigint NOT NULL CHECK (trips > 0),
  CONSTRAINT weekly_trip_counts_pkey PRIMARY KEY (region, week_of_month)
);
COMMENT ON TABLE trips.weekly_trip_counts IS 'Number of trips by region and week of the month; each load updates it';
COMMENT ON COLUMN trips.weekly_trip_counts.region IS 'Region of the trips';
COMMENT ON COLUMN trips.weekly_trip_counts.week_of_month IS
  'YYYY-MM-0W: days 1 to 7 of a month are week 1, days 29 to 31 are week 5';
COMMENT ON COLUMN trips.weekly_trip_counts.trips IS 'Number of trips, at least 1';

-- Manual changes of the history ------------------------------------------------------------------

-- One row, which each transaction updates that changes the history manually. A transaction with a snapshot older than
-- such a change must not recount days. PostgreSQL detects it when the transaction updates the row.
CREATE TABLE trips_internal.history_changes (
  changed_by xid8
);
INSERT INTO trips_internal.history_changes VALUES (NULL);
ALTER TABLE trips_internal.history_changes REPLICA IDENTITY FULL;
COMMENT ON TABLE trips_internal.history_changes IS
  'One row that each manual change of the history updates; it makes changes with an older snapshot fail with 40001';
COMMENT ON COLUMN trips_internal.history_changes.changed_by IS 'Last transaction that changed the history manually';

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
-- Loads delete expired events.
CREATE INDEX events_published_at_idx ON trips.events (published_at);
COMMENT ON TABLE trips.events IS
  'Events of loads that were sent on the channel trips_ingest, for trips.event_retention';
COMMENT ON COLUMN trips.events.seq IS 'Number of the event; a later event is never visible before an earlier one';
COMMENT ON SEQUENCE trips.events_seq_seq IS 'Numbers of events in trips.events';
COMMENT ON COLUMN trips.events.load_id IS 'Number of the load';
COMMENT ON COLUMN trips.events.state IS 'State of the load: queued, running, loaded, skipped, failed or retracted';
COMMENT ON COLUMN trips.events.bytes_done IS
  'Processed bytes of the file; reading a byte and writing its trip each count half';
COMMENT ON COLUMN trips.events.bytes_total IS 'Size of the file in bytes';
COMMENT ON COLUMN trips.events.rows_read IS 'Rows read so far';
COMMENT ON COLUMN trips.events.published_at IS 'Time of the event';

-- pg_dump dumps the rows of these tables, although the tables belong to the extension. The rows of the history are in
-- its partitions, which do not belong to the extension.
SELECT pg_catalog.pg_extension_config_dump('trips.stg_trip_data', '');
SELECT pg_catalog.pg_extension_config_dump('trips.loads', '');
SELECT pg_catalog.pg_extension_config_dump('trips.load_members', '');
SELECT pg_catalog.pg_extension_config_dump('trips_internal.load_failures', '');
SELECT pg_catalog.pg_extension_config_dump('trips.loads_load_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('trips.daily_trip_counts', '');
SELECT pg_catalog.pg_extension_config_dump('trips.weekly_trip_counts', '');
-- pg_dump does not dump the events, but the sequence of their numbers.
SELECT pg_catalog.pg_extension_config_dump('trips.events_seq_seq', '');

-- The weekly summary -------------------------------------------------------------------------------

CREATE MATERIALIZED VIEW trips.summarized_trip_data AS
SELECT w.region,
       w.week_of_month,
       w.trips::numeric AS weekly_avg
  FROM trips.weekly_trip_counts AS w
  WITH DATA;
-- Loads find rows by it, and REFRESH MATERIALIZED VIEW CONCURRENTLY requires it.
CREATE UNIQUE INDEX summarized_trip_data_key
  ON trips.summarized_trip_data (region, week_of_month);
COMMENT ON MATERIALIZED VIEW trips.summarized_trip_data IS 'Rows of trips.weekly_trip_counts; each load updates it';
COMMENT ON COLUMN trips.summarized_trip_data.region IS 'Region of the trips';
COMMENT ON COLUMN trips.summarized_trip_data.week_of_month IS
  'YYYY-MM-0W: days 1 to 7 of a month are week 1, days 29 to 31 are week 5';
COMMENT ON COLUMN trips.summarized_trip_data.weekly_avg IS 'Number of trips in that week, a whole number';

-- pg_restore refreshes the view.
SELECT pg_catalog.pg_extension_config_dump('trips.summarized_trip_data', '');
