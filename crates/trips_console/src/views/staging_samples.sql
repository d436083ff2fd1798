-- Staged rows at the places $1, by place.
SELECT coalesce(json_object_agg(s.ctid, json_build_object(
         'load_id', s.load_id, 'line_no', s.line_no, 'raw_line', left(s.raw_line, 500),
         'value', left(coalesce(
           CASE s.column_name WHEN 'region' THEN s.region WHEN 'origin_coord' THEN s.origin_coord
                              WHEN 'destination_coord' THEN s.destination_coord WHEN 'date_time' THEN s.date_time
                              WHEN 'datasource' THEN s.datasource ELSE s.record ->> s.column_name END,
           s.raw_line, s.record::text), 200))), '{}')
  FROM trips.stg_trip_data AS s
 WHERE s.ctid = ANY ($1::tid[])
