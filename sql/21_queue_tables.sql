-- The queue: the loads of trips.submit() that wait for a worker.

CREATE TABLE trips.queue (
  load_id    bigint  NOT NULL,
  path       text    NOT NULL,
  on_error   text    NOT NULL,
  max_errors bigint,
  force      boolean NOT NULL,
  feed       text,
  region     text,
  datasource text,
  on_change  text,
  settings   jsonb   NOT NULL,
  attempts   int     NOT NULL DEFAULT 0,
  CONSTRAINT queue_pkey PRIMARY KEY (load_id)
);
COMMENT ON TABLE trips.queue IS 'Loads of trips.submit() that no worker has finished';
COMMENT ON COLUMN trips.queue.load_id IS 'Number of the load in trips.loads';
COMMENT ON COLUMN trips.queue.path IS 'Path of the file on the server';
COMMENT ON COLUMN trips.queue.on_error IS 'Argument on_error of trips.submit()';
COMMENT ON COLUMN trips.queue.max_errors IS
  'Argument max_errors of trips.submit(), or the setting trips.max_errors; NULL for no limit';
COMMENT ON COLUMN trips.queue.force IS 'Argument force of trips.submit()';
COMMENT ON COLUMN trips.queue.feed IS 'Argument feed of trips.submit(); NULL to recognize the feed by the header';
COMMENT ON COLUMN trips.queue.region IS 'Argument region of trips.submit(); NULL for the region of the feed';
COMMENT ON COLUMN trips.queue.datasource IS
  'Argument datasource of trips.submit(); NULL for the datasource of the feed';
COMMENT ON COLUMN trips.queue.on_change IS
  'Argument on_change of trips.submit(); NULL for the policy of the feed';
COMMENT ON COLUMN trips.queue.settings IS 'Settings of the submitting session that the load uses';
COMMENT ON COLUMN trips.queue.attempts IS
  'Number of workers that have started the load; five failed workers make it fail';

-- pg_dump does not dump it: an OID of a role is only valid in its cluster. pg_upgrade preserves OIDs and this table.
CREATE TABLE trips_internal.queue_roles (
  load_id bigint NOT NULL,
  role    oid    NOT NULL,
  CONSTRAINT queue_roles_pkey PRIMARY KEY (load_id),
  CONSTRAINT queue_roles_load_id_fkey FOREIGN KEY (load_id) REFERENCES trips.queue (load_id) ON DELETE CASCADE
);
COMMENT ON TABLE trips_internal.queue_roles IS
  'Roles of queued loads, by OID; a load without a row runs as the role named in trips.loads.requested_by';
COMMENT ON COLUMN trips_internal.queue_roles.load_id IS 'Number of the load in trips.queue';
COMMENT ON COLUMN trips_internal.queue_roles.role IS 'OID of the role that submitted the load';

-- pg_dump dumps the rows of trips.queue, although the table belongs to the extension.
SELECT pg_catalog.pg_extension_config_dump('trips.queue', '');
