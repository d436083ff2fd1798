-- Staged rows by reason. $1 and $2 period of the loads, $3 feed. At most 200,000 rows are looked at. Groups whose reasons
-- differ in more than values are of different kinds; kind_of() of trips_core says which are of the same.
WITH rows AS MATERIALIZED (
  SELECT s.load_id, s.line_no, s.error_code, s.column_name, left(s.error, 1000) AS reason,
         regexp_replace(left(s.error, 1000), '".*"', '…') AS bare,
         left(coalesce(CASE s.column_name WHEN 'region' THEN s.region WHEN 'origin_coord' THEN s.origin_coord
                            WHEN 'destination_coord' THEN s.destination_coord WHEN 'date_time' THEN s.date_time
                            WHEN 'datasource' THEN s.datasource ELSE s.record ->> s.column_name END,
                       s.raw_line, s.record::text), 200) AS value,
         left(s.raw_line, 500) AS raw_line
    FROM trips.stg_trip_data AS s
    LEFT JOIN trips.loads AS l USING (load_id)
   WHERE ($1::date IS NULL OR l.requested_at >= $1::date)
     AND ($2::date IS NULL OR l.requested_at < $2::date + 1)
     AND ($3::text IS NULL OR l.feed = $3)
   LIMIT 200000
), groups AS (
  SELECT r.error_code AS code, r.column_name, min(r.reason) AS reason, count(*) AS records,
         (array_agg(DISTINCT r.load_id ORDER BY r.load_id DESC) FILTER (WHERE r.load_id IS NOT NULL))[1:20] AS load_ids,
         (array_agg(json_build_object('load_id', r.load_id, 'line_no', r.line_no, 'value', r.value, 'raw_line', r.raw_line)))[1:3] AS samples
    FROM rows AS r
   GROUP BY 1, 2, regexp_replace(split_part(r.bare, 'expected ', 1), '[^ ]*[0-9][^ ]*', '…', 'g'),
            substring(r.bare FROM position('expected ' IN r.bare || 'expected '))
   ORDER BY 4 DESC, 1, 2, 3
   LIMIT 2000
)
SELECT json_build_object(
  'groups', coalesce((SELECT json_agg(json_build_object(
      'code', g.code, 'column_name', g.column_name, 'reason', g.reason, 'records', g.records,
      'load_ids', coalesce(to_json(g.load_ids), '[]'), 'samples', to_json(g.samples)) ORDER BY g.records DESC) FROM groups AS g), '[]'),
  'total', (SELECT count(*) FROM rows),
  'cut', (SELECT count(*) >= 200000 FROM rows))
