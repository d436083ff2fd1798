-- What there is to filter by.
SELECT json_build_object(
  'clock', now(),
  'since', (SELECT min(d.day) FROM trips.daily_trip_counts AS d WHERE d.trips > 0),
  'until', (SELECT max(d.day) FROM trips.daily_trip_counts AS d WHERE d.trips > 0),
  'trips', (SELECT coalesce(sum(d.trips), 0) FROM trips.daily_trip_counts AS d),
  'regions', (SELECT count(DISTINCT d.region) FROM trips.daily_trip_counts AS d WHERE d.trips > 0),
  'datasources', (SELECT coalesce(json_agg(s.datasource ORDER BY s.datasource), '[]')
                    FROM (SELECT DISTINCT d.datasource FROM trips.daily_trip_counts AS d
                           WHERE d.trips > 0 AND d.datasource IS NOT NULL ORDER BY 1 LIMIT 200) AS s))
