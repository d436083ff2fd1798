-- The schemas. CREATE without IF NOT EXISTS: the installation must fail if another role has created an object of
-- the same name.

-- Names without a schema are PostgreSQL's own; objects in public are ignored.
SET LOCAL search_path = pg_catalog, pg_temp;

CREATE SCHEMA trips;
COMMENT ON SCHEMA trips IS 'Tables, views and functions of the extension trips_pipeline for its users';

CREATE SCHEMA trips_internal;
COMMENT ON SCHEMA trips_internal IS
  'Functions and tables that the objects of schema trips use; they may change in any version';
