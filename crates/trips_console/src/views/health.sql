-- The tiles of the ledger.
SELECT json_build_object(
  'loaded_today', count(*) FILTER (WHERE l.state = 'loaded' AND l.finished_at >= date_trunc('day', now())),
  'failed_24h', count(*) FILTER (WHERE l.state = 'failed' AND coalesce(l.finished_at, l.requested_at) > now() - interval '24 hours'),
  'staged', coalesce(sum(l.rows_staged - l.staged_deleted) FILTER (WHERE l.state = 'loaded'), 0),
  'duplicates_percent', round(100.0 * sum(l.rows_duplicate) FILTER (WHERE l.state = 'loaded')
                                / nullif(sum(l.rows_read) FILTER (WHERE l.state = 'loaded'), 0), 2),
  'newest_load', max(l.finished_at) FILTER (WHERE l.state IN ('loaded', 'skipped')),
  'queue', count(*) FILTER (WHERE l.state = 'queued'),
  'running', (SELECT count(*) FROM trips.load_progress),
  'loads', count(*))
  FROM trips.loads AS l
