-- The ledger, newest first. $1 state, $2 part of the source, $3 role, $4 only loads before this one, $5 limit,
-- $6 and $7 period, $8 feed, $9 one load.
SELECT coalesce(json_agg({load_row} ORDER BY l.load_id DESC), '[]'),
       CASE WHEN count(*) = $5::bigint THEN min(l.load_id) END
  FROM (SELECT l.* FROM trips.loads AS l
         WHERE ($1::text IS NULL OR l.state = $1)
           AND ($2::text IS NULL OR position(lower($2) IN lower(l.source)) > 0)
           AND ($3::text IS NULL OR l.requested_by = $3)
           AND ($4::bigint IS NULL OR l.load_id < $4)
           AND ($6::date IS NULL OR l.requested_at >= $6::date)
           AND ($7::date IS NULL OR l.requested_at < $7::date + 1)
           AND ($8::text IS NULL OR l.feed = $8)
           AND ($9::bigint IS NULL OR l.load_id = $9)
         ORDER BY l.load_id DESC
         LIMIT $5::bigint) AS l
