-- Run as a role without rights, with search_path = pg_catalog: a copy in public of everything that a
-- name in pg_catalog may mean (functions, aggregates, operators, types, relations). Each copy springs
-- a trap when it is used: a row in public.called, and a warning in the log, which outlives a rollback.

CREATE FUNCTION public.trap(what text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS
$$ BEGIN
  INSERT INTO public.called VALUES (what, current_user);
  RAISE WARNING 'trapped by % as %', what, current_user;
END $$;
CREATE FUNCTION public.trap_true() RETURNS boolean LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.trap('a type or a view'); RETURN true; END $$;
CREATE FUNCTION public.trap_row() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.trap('a table'); RETURN NEW; END $$;

-- What cannot be copied (arguments of internal types, "any") is passed over.
CREATE FUNCTION public.try(statement text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS
$$ BEGIN EXECUTE statement; EXCEPTION WHEN OTHERS THEN NULL; END $$;

CREATE FUNCTION public.body(what text, ending text) RETURNS text LANGUAGE sql SET search_path = pg_catalog AS
$$ SELECT format('LANGUAGE plpgsql AS %L', format('BEGIN PERFORM public.trap(%L); %s; END', what, ending)) $$;

SELECT public.try(format('CREATE FUNCTION public.%I(%s) RETURNS %s %s', p.proname, oidvectortypes(p.proargtypes),
         CASE WHEN p.proretset THEN 'SETOF ' ELSE '' END || p.prorettype::regtype,
         public.body('function ' || p.proname, CASE
           WHEN p.proretset OR p.prorettype = 'void'::regtype THEN 'RETURN' ELSE 'RETURN NULL' END)))
  FROM pg_proc AS p
 WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind IN ('f', 'w');

SELECT public.try(format('CREATE FUNCTION public.trap_state_%s(%s) RETURNS bigint %s; CREATE AGGREGATE public.%I(%s) (
                            SFUNC = public.trap_state_%s, STYPE = bigint, INITCOND = ''1'')',
         p.oid, concat_ws(', ', 'bigint', nullif(args, '')), public.body('aggregate ' || p.proname, 'RETURN 1'),
         p.proname, coalesce(nullif(args, ''), '*'), p.oid))
  FROM pg_proc AS p JOIN pg_aggregate AS a ON a.aggfnoid = p.oid,
       replace(oidvectortypes(p.proargtypes), '"any"', 'anyelement') AS args
 WHERE p.pronamespace = 'pg_catalog'::regnamespace AND a.aggkind = 'n';

SELECT public.try(format('CREATE FUNCTION public.trap_operator_%s(%s) RETURNS %s %s; CREATE OPERATOR public.%s (
                            FUNCTION = public.trap_operator_%s %s, RIGHTARG = %s)',
         o.oid, concat_ws(', ', nullif(o.oprleft, 0)::regtype, o.oprright::regtype), o.oprresult::regtype,
         public.body('operator ' || o.oprname, 'RETURN NULL'), o.oprname, o.oid,
         ', LEFTARG = ' || nullif(o.oprleft, 0)::regtype, o.oprright::regtype))
  FROM pg_operator AS o
 WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprcode <> 0;

-- Casts need a type of one's own.
CREATE TYPE public.bait AS (x int);
SELECT public.try(format('CREATE FUNCTION public.to_bait(%s) RETURNS public.bait %s;
                          CREATE CAST (%1$s AS public.bait) WITH FUNCTION public.to_bait(%1$s) AS IMPLICIT',
         t.oid::regtype, public.body('cast', 'RETURN NULL')))
  FROM pg_type AS t
 WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype = 'b';

SELECT public.try(format('CREATE VIEW public.%I AS SELECT r.*, public.trap_true() FROM pg_catalog.%1$I AS r', c.relname))
  FROM pg_class AS c
 WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind IN ('r', 'v');

CREATE FUNCTION public.lay_tables(target text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS
$$ DECLARE name text; BEGIN
  FOREACH name IN ARRAY ARRAY['loads', 'hist_trip_data', 'stg_trip_data', 'daily_trip_counts', 'weekly_trip_counts',
                              'summarized_trip_data', 'load_progress'] LOOP
    EXECUTE format('CREATE TABLE %s.%I (load_id bigint, region text, datasource text);
                    CREATE TRIGGER trap BEFORE INSERT OR UPDATE OR DELETE ON %1$s.%2$I
                      FOR EACH ROW EXECUTE FUNCTION public.trap_row()', target, name);
  END LOOP;
END $$;
SELECT public.lay_tables('public');
CREATE SEQUENCE public.loads_load_id_seq;

-- Last: from here on, these names would mean public's in the statements above.
CREATE FUNCTION public.lay_types(target text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS
$$ DECLARE name text; BEGIN
  FOR name IN SELECT t.typname FROM pg_type AS t
               WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype = 'b' AND t.typcategory <> 'A' LOOP
    PERFORM public.try(format('CREATE DOMAIN %s.%I AS pg_catalog.%2$I CHECK (public.trap_true())', target, name));
  END LOOP;
END $$;
SELECT public.lay_types('public');
