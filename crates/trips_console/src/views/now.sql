WITH allowed AS MATERIALIZED (
  -- What trips.cancel() demands.
  SELECT coalesce(has_function_privilege('trips.cancel(bigint)', 'EXECUTE'), false) AS may_call,
         (SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class AS c WHERE c.oid = 'trips.loads'::regclass) AS is_owner
), running AS (
  SELECT p.load_id, p.pid, l.source AS path, p.phase, p.bytes_done, p.bytes_total, p.rows_read, p.rows_per_second,
         round(p.bytes_done / greatest(extract(epoch FROM clock_timestamp() - p.started_at), 0.001)) AS bytes_per_second,
         p.started_at, p.estimated_end, l.requested_by,
         a.may_call AND (a.is_owner OR coalesce(
           (SELECT pg_has_role(r.oid, 'USAGE') FROM pg_roles AS r WHERE r.rolname = l.requested_by), false)) AS cancel
    FROM trips.load_progress AS p
    LEFT JOIN trips.loads AS l USING (load_id)
   CROSS JOIN allowed AS a
   ORDER BY p.load_id
   LIMIT 200
), waiting AS (
  SELECT l.load_id, l.source AS path, l.requested_by, l.requested_at AS submitted_at,
         row_number() OVER (ORDER BY l.load_id) AS position,
         a.may_call AND (a.is_owner OR coalesce(
           (SELECT pg_has_role(r.oid, 'USAGE') FROM pg_roles AS r WHERE r.rolname = l.requested_by), false)) AS cancel
    FROM trips.loads AS l
   CROSS JOIN allowed AS a
   WHERE l.state = 'queued'
   ORDER BY l.load_id
   LIMIT 200
), recent AS (
  SELECT l.* FROM trips.loads AS l
   WHERE l.state NOT IN ('queued', 'running')
   ORDER BY l.load_id DESC
   LIMIT 20
)
SELECT json_build_object(
  'loads', coalesce((SELECT json_agg(r ORDER BY r.load_id) FROM running AS r), '[]'),
  'queue', coalesce((SELECT json_agg(w ORDER BY w.position) FROM waiting AS w), '[]'),
  'recent', coalesce((
    SELECT json_agg({load_row} ORDER BY l.load_id DESC)
      FROM recent AS l), '[]'))
