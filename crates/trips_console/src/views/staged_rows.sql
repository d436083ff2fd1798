-- The first $2 staged rows of load $1.
SELECT coalesce(json_agg(json_build_object(
         'line_no', s.line_no, 'member', s.member, 'error_code', s.error_code, 'column_name', s.column_name,
         'reason', s.error, 'raw_line', left(s.raw_line, 2000),
         'value', left(coalesce(
           CASE s.column_name WHEN 'region' THEN s.region WHEN 'origin_coord' THEN s.origin_coord
                              WHEN 'destination_coord' THEN s.destination_coord WHEN 'date_time' THEN s.date_time
                              WHEN 'datasource' THEN s.datasource ELSE s.record ->> s.column_name END,
           s.raw_line, s.record::text), 500))), '[]')
  FROM (SELECT s.* FROM trips.stg_trip_data AS s
         WHERE s.load_id = $1::bigint
         ORDER BY s.load_id, s.member, s.line_no
         LIMIT $2::bigint) AS s
