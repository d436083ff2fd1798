-- The full error of load $1.
SELECT json_build_object('message', e.message, 'detail', e.detail, 'hint', e.hint, 'line', e.line_no,
                         'column', e.column_name, 'member', e.member, 'context', e.context)
  FROM trips.load_errors AS e
 WHERE e.load_id = $1::bigint
