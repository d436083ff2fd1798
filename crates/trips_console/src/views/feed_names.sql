SELECT coalesce(json_agg(f.feed ORDER BY f.feed), '[]')
  FROM (SELECT DISTINCT l.feed FROM trips.loads AS l WHERE l.feed IS NOT NULL ORDER BY 1 LIMIT 200) AS f
