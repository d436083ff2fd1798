-- The schemas. A plain CREATE: a schema or table that is there already, and might be
-- somebody else's, must fail the installation, not be adopted.

-- Names without a schema mean PostgreSQL's own, whatever lies in public.
SET LOCAL search_path = pg_catalog, pg_temp;

CREATE SCHEMA trips;
COMMENT ON SCHEMA trips IS 'Tables, views and functions of the extension trips_pipeline for its users';

CREATE SCHEMA trips_internal;
COMMENT ON SCHEMA trips_internal IS
  'Functions and tables that the objects of schema trips use; they may change in any version';
