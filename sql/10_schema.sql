-- The schemas. A plain CREATE: a schema or table that is there already, and might be
-- somebody else's, must fail the installation, not be adopted.

-- Names without a schema mean PostgreSQL's own, whatever lies in public.
SET LOCAL search_path = pg_catalog, pg_temp;

CREATE SCHEMA trips;
COMMENT ON SCHEMA trips IS
  'Trips, the functions that load them, and what is derived from them';

CREATE SCHEMA trips_internal;
COMMENT ON SCHEMA trips_internal IS
  'Functions and tables that the functions and views of schema trips use';
