-- Staged rows and their reasons. $1 and $2 period of the loads, $3 feed. At most 200,000 rows are looked at.
SELECT s.ctid, s.load_id, s.error_code, s.column_name, left(s.error, 2000)
  FROM trips.stg_trip_data AS s
  LEFT JOIN trips.loads AS l USING (load_id)
 WHERE ($1::date IS NULL OR l.requested_at >= $1::date)
   AND ($2::date IS NULL OR l.requested_at < $2::date + 1)
   AND ($3::text IS NULL OR l.feed = $3)
 LIMIT 200000
