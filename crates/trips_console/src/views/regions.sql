-- Regions whose names begin with $1, those with most trips first.
SELECT coalesce(json_agg(r ORDER BY r.trips DESC, r.region), '[]')
  FROM (SELECT d.region, sum(d.trips) AS trips FROM trips.daily_trip_counts AS d
         WHERE d.trips > 0 AND ($1::text IS NULL OR starts_with(lower(d.region), lower($1)))
         GROUP BY d.region ORDER BY 2 DESC, 1 LIMIT $2::bigint) AS r
