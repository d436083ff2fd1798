-- The installed extension loads a file, knows it again, keeps a bad row, answers, and goes.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION trips_pipeline;
-- The server writes the file, because only it must be able to read it. Nobody can guess the name.
SELECT '/tmp/trips_installcheck_' || gen_random_uuid() || '.csv' AS path \gset
COPY (VALUES
    ('region,origin_coord,destination_coord,date_time,datasource'),
    ('Prague,POINT (14.42 50.09),POINT (14.45 50.05),2018-05-07 08:15:00,my_app'),
    ('Prague,POINT (14.42 50.09),POINT (14.46 50.06),2018-05-08 09:15:00,my_app'),
    ('Turin,POINT (7.66 45.06),POINT (7.70 45.10),2018-05-07 08:20:00,my_app'),
    ('Turin,POINT (7.66 45.06),POINT (7.70 45.10),yesterday,my_app'))
  TO :'path' WITH (DELIMITER '|');
SELECT state, rows_read, rows_inserted, rows_duplicate, rows_staged FROM trips.ingest(:'path');
SELECT state, same_as FROM trips.ingest(:'path');
SELECT line_no, column_name, error_code FROM trips.stg_trip_data;
SELECT * FROM trips.weekly_avg();
SELECT region, date_time FROM trips.hist_trip_data ORDER BY region, date_time;
SELECT check_name FROM trips.verify() WHERE NOT passed;
COPY (SELECT :'path') TO PROGRAM 'xargs rm';
DROP EXTENSION trips_pipeline;
