-- Why the staged rows of load $1 wait.
SELECT coalesce(json_agg(e), '[]') FROM (SELECT e.* FROM trips.explain_staged($1::bigint) AS e LIMIT 200) AS e
