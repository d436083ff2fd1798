\set QUIET on
\pset footer off
\set QUIET off
\echo 'CREATE EXTENSION trips_pipeline;'
CREATE EXTENSION trips_pipeline;

\echo
\echo 'SELECT * FROM trips.ingest(\'/…/trips_sample.csv\');   -- and the same once more'
SELECT state, rows_read, rows_inserted, rows_duplicate, rows_staged FROM trips.ingest(:'sample');
SELECT state, same_as, rows_read FROM trips.ingest(:'sample');

\echo 'The ledger: rows_read = rows_inserted + rows_duplicate + rows_staged'
SELECT load_id, state, bytes_read, rows_read, rows_inserted, rows_duplicate, rows_staged, same_as,
       round(extract(epoch FROM finished_at - started_at) * 1000) AS ms
  FROM trips.loads ORDER BY load_id;

\echo 'Staging: every line that could not become a trip, with the reason'
SELECT line_no, column_name, error_code, error FROM trips.stg_trip_data ORDER BY line_no;

\echo 'Weekly averages (week_of_month is year, month, week of the month)'
SELECT * FROM trips.weekly_avg()
\crosstabview region week_of_month weekly_avg

\echo
\echo 'In which regions has cheap_mobile appeared? Of the two most common regions, which is the latest datasource?'
SELECT string_agg(r, ', ') AS cheap_mobile_regions FROM trips.datasource_regions('cheap_mobile') AS r;
SELECT * FROM trips.latest_datasource();
