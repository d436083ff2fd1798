-- The pairs of cells with most trips. $1 and $2 period, $3 region, $4 datasource, $5 resolution, $6 limit,
-- $7 to $10 west, south, east and north of the map: the origin or the destination is inside.
WITH pairs AS MATERIALIZED (
  SELECT trips.h3_number(h.origin_coord, $5::int) AS origin, trips.h3_number(h.destination_coord, $5::int) AS destination
    FROM trips.hist_trip_data AS h
   WHERE h.date_time >= $1::date::timestamp AND h.date_time < ($2::date + 1)::timestamp
     AND ($3::text IS NULL OR h.region = $3)
     AND ($4::text IS NULL OR h.datasource = $4)
     AND (trips.is_inside(h.origin_coord, trips.area($7::float8, $8::float8, $9::float8, $10::float8))
       OR trips.is_inside(h.destination_coord, trips.area($7::float8, $8::float8, $9::float8, $10::float8)))
), top AS (
  SELECT to_hex(p.origin) AS origin, to_hex(p.destination) AS destination, count(*) AS trips
    FROM pairs AS p WHERE p.origin IS NOT NULL AND p.destination IS NOT NULL
   GROUP BY p.origin, p.destination
   ORDER BY 3 DESC, 1, 2
   LIMIT $6::bigint
), placed AS (
  SELECT t.*, trips.h3_center(t.origin) AS from_center, trips.h3_center(t.destination) AS to_center FROM top AS t
)
SELECT coalesce(json_agg(json_build_object(
         'from', json_build_object('cell', p.origin, 'center', json_build_array(p.from_center[0], p.from_center[1])),
         'to', json_build_object('cell', p.destination, 'center', json_build_array(p.to_center[0], p.to_center[1])),
         'trips', p.trips) ORDER BY p.trips DESC, p.origin, p.destination), '[]')
  FROM placed AS p
