-- Queued and scheduled loads, and events of loads.

CREATE FUNCTION trips.events_since(seq bigint) RETURNS SETOF trips.events
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT e.*
    FROM trips.events AS e
   WHERE e.seq > events_since.seq
   ORDER BY e.seq;
END;
COMMENT ON FUNCTION trips.events_since(bigint) IS
  'Returns the events of trips.events after this number, in order. Requires SELECT on trips.events';

CREATE FUNCTION trips.submit(
  path text, on_error text DEFAULT 'stage', max_errors bigint DEFAULT NULL, force boolean DEFAULT false,
  feed text DEFAULT NULL, region text DEFAULT NULL, datasource text DEFAULT NULL, on_change text DEFAULT NULL
) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'submit_wrapper';
COMMENT ON FUNCTION trips.submit(text, text, bigint, boolean, text, text, text, text) IS
  'Queues a file for a background worker and returns the number of the load. Requires the privileges of trips.ingest(); the owner of the tables must have access to the file too';

CREATE FUNCTION trips.cancel(load_id bigint) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cancel_wrapper';
COMMENT ON FUNCTION trips.cancel(bigint) IS
  'Cancels a queued or running load of any session. Requires membership in the role that requested the load, or in the owner of trips.loads';

CREATE FUNCTION trips_internal.try_lock_pattern(pattern text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'try_lock_pattern_wrapper';
COMMENT ON FUNCTION trips_internal.try_lock_pattern(text) IS
  'Locks a pattern for the current role until the end of the transaction; returns false if another session has locked it. Requires trips.grant_loader() and access to the pattern';

CREATE FUNCTION trips_internal.new_files(
  pattern text, after text DEFAULT NULL, feed text DEFAULT NULL, region text DEFAULT NULL,
  datasource text DEFAULT NULL, on_change text DEFAULT NULL
) RETURNS text[]
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'new_files_wrapper';
COMMENT ON FUNCTION trips_internal.new_files(text, text, text, text, text, text) IS
  'Returns the paths of a pattern''s files that no load with these options has loaded in their current version, in order, after a given path. Requires trips.grant_loader() and access to the pattern';

CREATE FUNCTION trips_internal.ingest_match(
  pattern text, path text, feed text DEFAULT NULL, region text DEFAULT NULL, datasource text DEFAULT NULL,
  on_change text DEFAULT NULL
) RETURNS trips.loads
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ingest_match_wrapper';
COMMENT ON FUNCTION trips_internal.ingest_match(text, text, text, text, text, text) IS
  'Loads a file that matches a pattern, without following links out of the pattern''s directory, and returns its row of trips.loads. Requires trips.grant_loader() and access to the pattern';

-- A procedure that commits cannot have a SET clause, so all names are qualified.
CREATE PROCEDURE trips.ingest_new(
  pattern text, INOUT loaded bigint DEFAULT 0, INOUT skipped bigint DEFAULT 0, INOUT failed bigint DEFAULT 0,
  feed text DEFAULT NULL, region text DEFAULT NULL, datasource text DEFAULT NULL, on_change text DEFAULT NULL
)
LANGUAGE plpgsql
AS $$
DECLARE
  files pg_catalog.text[];
  file pg_catalog.text;
  state pg_catalog.text;
  is_free pg_catalog.bool;
BEGIN
  loaded := 0;
  skipped := 0;
  failed := 0;
  -- In a transaction block, this fails before a file is loaded.
  COMMIT;
  is_free := trips_internal.try_lock_pattern(pattern);
  WHILE is_free LOOP
    -- The files after the last one; a call returns some thousands at most.
    files := trips_internal.new_files(pattern, file, feed, region, datasource, on_change);
    EXIT WHEN pg_catalog.cardinality(files) OPERATOR(pg_catalog.=) 0;
    FOREACH file IN ARRAY files LOOP
      BEGIN
        SELECT l.state INTO state FROM trips_internal.ingest_match(pattern, file, feed, region, datasource, on_change) AS l;
        IF state OPERATOR(pg_catalog.=) 'loaded' THEN
          loaded := loaded OPERATOR(pg_catalog.+) 1;
        ELSE
          skipped := skipped OPERATOR(pg_catalog.+) 1;
        END IF;
      EXCEPTION WHEN OTHERS THEN
        -- trips.loads has the error; the procedure continues with the next file.
        failed := failed OPERATOR(pg_catalog.+) 1;
        RAISE NOTICE '% (%)', SQLERRM, SQLSTATE;
      END;
      COMMIT;
      is_free := trips_internal.try_lock_pattern(pattern);
      EXIT WHEN NOT is_free;
    END LOOP;
  END LOOP;
  IF NOT is_free THEN
    RAISE WARNING USING
      MESSAGE = pg_catalog.format('skipping pattern "%s": role "%s" runs it in another session', pattern, current_user),
      HINT = 'Wait for that session; pg_locks shows its advisory lock.';
  END IF;
END;
$$;
COMMENT ON PROCEDURE trips.ingest_new(text, bigint, bigint, bigint, text, text, text, text) IS
  'Loads each file of a pattern that no load has loaded in its current version, each in its own transaction; returns the numbers of loaded, skipped and failed files. Requires the privileges of trips.ingest()';

CREATE FUNCTION trips.schedule(
  job text, cron text, pattern text, feed text DEFAULT NULL, region text DEFAULT NULL,
  datasource text DEFAULT NULL, on_change text DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  number bigint;
  command text;
BEGIN
  IF job IS NULL OR cron IS NULL OR pattern IS NULL THEN
    RAISE null_value_not_allowed USING MESSAGE = 'job, cron and pattern must not be null';
  END IF;
  IF octet_length(pattern) > 4096 THEN
    RAISE invalid_parameter_value USING
      MESSAGE = 'pattern is too long',
      DETAIL = format('The pattern has %s bytes; the limit is 4096 bytes.', octet_length(pattern)),
      HINT = 'Use a shorter pattern.';
  END IF;
  -- A path, or the address of objects as src/source.rs knows it.
  IF NOT starts_with(pattern, '/') AND pattern !~ '^[A-Za-z][A-Za-z0-9+.-]*://' THEN
    RAISE invalid_name USING
      MESSAGE = format('pattern "%s" is not absolute', pattern),
      HINT = 'Use an absolute path of the server or an address, for example ''/data/inbox/*.csv'' or ''s3://bucket/*.csv''.';
  END IF;
  command := format('CALL trips.ingest_new(%L%s)', pattern,
    (SELECT string_agg(format(', %I => %L', a.name, a.value), '' ORDER BY a.number)
       FROM (VALUES (1, 'feed', feed), (2, 'region', region), (3, 'datasource', datasource),
                    (4, 'on_change', on_change)) AS a (number, name, value)
      WHERE a.value IS NOT NULL));
  PERFORM trips_internal.require_pg_cron(format('SELECT cron.schedule_in_database(%L, %L, %L, %L)',
    job, cron, command, current_database()));
  EXECUTE 'SELECT cron.schedule($1, $2, $3)' INTO number USING job, cron, command;
  RETURN number;
END;
$$;
COMMENT ON FUNCTION trips.schedule(text, text, text, text, text, text, text) IS
  'Creates or replaces a pg_cron job that calls trips.ingest_new() in this database as the current role, and returns its number. Requires trips.grant_loader() and USAGE on schema cron';

CREATE FUNCTION trips.unschedule(job text) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  is_there boolean;
BEGIN
  PERFORM trips_internal.require_pg_cron(format('SELECT cron.unschedule(%L)', job));
  EXECUTE 'SELECT EXISTS (SELECT FROM cron.job WHERE jobname = $1 AND username = current_user
             AND starts_with(command, ''CALL trips.ingest_new(''))' INTO is_there USING job;
  IF NOT is_there THEN
    RAISE undefined_object USING
      MESSAGE = format('job "%s" of role "%s" does not exist', job, current_user),
      HINT = 'Query cron.job to find the jobs that trips.schedule() created.';
  END IF;
  EXECUTE 'SELECT cron.unschedule($1)' USING job;
END;
$$;
COMMENT ON FUNCTION trips.unschedule(text) IS
  'Deletes a job of the current role that trips.schedule() created. Requires trips.grant_loader() and USAGE on schema cron';

CREATE FUNCTION trips_internal.require_pg_cron(instead text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  home text;
  is_known boolean := true;
BEGIN
  -- The function must be a member of the extension pg_cron.
  IF EXISTS (
    SELECT FROM pg_depend AS d
      JOIN pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
     WHERE e.extname = 'pg_cron' AND d.deptype = 'e' AND d.classid = 'pg_proc'::regclass
       AND d.objid = to_regprocedure('cron.schedule(text,text,text)')
  ) THEN
    RETURN;
  END IF;
  BEGIN
    home := current_setting('cron.database_name', true);
  EXCEPTION WHEN insufficient_privilege THEN
    -- pg_cron is loaded; only members of pg_read_all_settings see cron.database_name.
    is_known := false;
  END;
  RAISE object_not_in_prerequisite_state USING
    MESSAGE = format('pg_cron is not installed in database "%s"', current_database()),
    DETAIL = CASE WHEN NOT is_known THEN 'The server has loaded pg_cron.'
                  WHEN home IS NULL THEN 'The server has not loaded pg_cron.'
                  ELSE format('The server has loaded pg_cron for database "%s".', home) END,
    HINT = CASE WHEN NOT is_known THEN
             format('Run CREATE EXTENSION pg_cron in the database of the setting cron.database_name. If that is another database, run there: %s', instead)
           WHEN home IS NULL THEN
             'Install pg_cron, set shared_preload_libraries = ''pg_cron'' and cron.database_name, restart the server, and run CREATE EXTENSION pg_cron.'
           WHEN home = current_database() THEN 'Run CREATE EXTENSION pg_cron.'
           ELSE format('Run in database "%s": %s', home, instead) END;
END;
$$;
COMMENT ON FUNCTION trips_internal.require_pg_cron(text) IS
  'Raises an error if pg_cron is not installed in this database; the argument is the command for the database that has it. Requires trips.grant_loader()';
