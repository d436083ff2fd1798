-- Events after $1, in order, with the files of their loads; with -1, the last 50.
SELECT e.seq,
       json_build_object('seq', e.seq, 'load_id', e.load_id, 'state', e.state, 'bytes_done', e.bytes_done,
                         'bytes_total', e.bytes_total, 'rows_read', e.rows_read, 'published_at', e.published_at,
                         'source', l.source, 'sqlstate', l.error_code, 'error', l.error)
  FROM (SELECT e.* FROM trips.events AS e 
         WHERE e.seq > CASE WHEN $1::bigint >= 0 THEN $1::bigint ELSE coalesce(
                 (SELECT x.seq FROM trips.events AS x ORDER BY x.seq DESC OFFSET 50 LIMIT 1), 0) END
         ORDER BY e.seq LIMIT 500) AS e
  LEFT JOIN trips.loads AS l USING (load_id)
 ORDER BY e.seq
