-- What the ledger has besides of load $1.
SELECT json_build_object(
  'file_changed_at', l.file_changed_at, 'source_version', l.source_version, 'options', l.options,
  'digest', encode(l.digest, 'hex'), 'commit_no', l.commit_no, 'staged_deleted', l.staged_deleted,
  'first_day', lower(l.days), 'last_day', upper(l.days) - 1,
  'members', coalesce((
    SELECT json_agg(json_build_object(
             'member', m.member, 'feed', m.feed, 'rows_read', m.rows_read, 'rows_inserted', m.rows_inserted,
             'rows_duplicate', m.rows_duplicate, 'rows_corrected', m.rows_corrected, 'rows_staged', m.rows_staged)
             ORDER BY m.member_no)
      FROM (SELECT m.* FROM trips.load_members AS m WHERE m.load_id = l.load_id
             ORDER BY m.member_no LIMIT 200) AS m), '[]'))
  FROM trips.loads AS l
 WHERE l.load_id = $1::bigint
