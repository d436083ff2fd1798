json_build_object(
  'load_id', l.load_id, 'state', l.state, 'source', l.source, 'bytes', l.bytes_read, 'feed', l.feed,
  'rows_read', l.rows_read, 'rows_inserted', l.rows_inserted, 'rows_duplicate', l.rows_duplicate,
  'rows_corrected', l.rows_corrected, 'rows_staged', l.rows_staged - l.staged_deleted,
  'rows_deleted', l.rows_deleted, 'seconds', round(extract(epoch FROM l.finished_at - l.started_at), 3),
  'rows_per_second', round(l.rows_read / nullif(extract(epoch FROM l.finished_at - l.started_at), 0)),
  'requested_by', l.requested_by, 'requested_at', l.requested_at, 'started_at', l.started_at,
  'ended_at', coalesce(l.retracted_at, l.finished_at), 'retracted_by', l.retracted_by,
  'same_as', l.same_as, 'sqlstate', l.error_code, 'error', l.error)
