-- The questions that this pipeline was asked for, each twice: as plain SQL over the history, and as a call
-- of a function. tests/server/questions_file.rs runs this file and compares the answers of each pair.
--
--   psql -d trips -f docs/querying.sql

-- 1. What is the weekly average number of trips of a region? ISO weeks, from that of its first trip to that
--    of its last one, weeks without trips included.

SELECT count(h.date_time)::numeric / count(DISTINCT date_trunc('week', d.day))::numeric
  FROM generate_series(
         (SELECT date_trunc('week', min(date_time)) FROM trips.hist_trip_data WHERE region = 'Prague'),
         (SELECT max(date_time) FROM trips.hist_trip_data WHERE region = 'Prague'),
         interval '1 day') AS d (day)
  LEFT JOIN trips.hist_trip_data AS h ON h.date_time::date = d.day AND h.region = 'Prague';

SELECT trips.weekly_avg('Prague');

-- 2. The same in a period: 10 May to 20 June 2018, both inside, which has days of seven weeks.

SELECT count(*)::numeric / 7::numeric
  FROM trips.hist_trip_data
 WHERE region = 'Prague' AND date_time >= '2018-05-10' AND date_time < '2018-06-21';

SELECT trips.weekly_avg('Prague', since => '2018-05-10', until => '2018-06-20');

-- 3. What is the weekly average number of trips of an area, given as a bounding box? Of the trips that begin
--    in it, its edges included, from 10 May to 20 June 2018.

SELECT count(*)::numeric / 7::numeric
  FROM trips.hist_trip_data
 WHERE origin_coord[0] BETWEEN 14.40 AND 14.55 AND origin_coord[1] BETWEEN 50.02 AND 50.12
   AND date_time >= '2018-05-10' AND date_time < '2018-06-21';

SELECT trips.weekly_avg(trips.area(14.40, 50.02, 14.55, 50.12), since => '2018-05-10', until => '2018-06-20');

-- 4. The same for the weeks of the area's own trips, which begin or end in it.

WITH found AS (
  SELECT date_trunc('week', date_time)::date AS week
    FROM trips.hist_trip_data
   WHERE origin_coord[0] BETWEEN 14.40 AND 14.55 AND origin_coord[1] BETWEEN 50.02 AND 50.12
      OR destination_coord[0] BETWEEN 14.40 AND 14.55 AND destination_coord[1] BETWEEN 50.02 AND 50.12)
SELECT count(*)::numeric / ((max(week) - min(week)) / 7 + 1)::numeric FROM found;

SELECT trips.weekly_avg(trips.area(14.40, 50.02, 14.55, 50.12), match => 'either');

-- 5. The weeks themselves, for a plot.

SELECT d.week::date, count(h.date_time)
  FROM generate_series(
         (SELECT date_trunc('week', min(date_time)) FROM trips.hist_trip_data WHERE region = 'Turin'),
         (SELECT max(date_time) FROM trips.hist_trip_data WHERE region = 'Turin'),
         interval '7 days') AS d (week)
  LEFT JOIN trips.hist_trip_data AS h ON date_trunc('week', h.date_time) = d.week AND h.region = 'Turin'
 GROUP BY d.week ORDER BY d.week;

SELECT week, trips FROM trips.weekly_counts('Turin');

-- 6. The weekly averages of all regions, by week of month, as the pipeline before this one gave them.

SELECT region, week_of_month, ceil(avg(trips)) AS weekly_avg
  FROM (SELECT region, to_char(date_time, 'YYYY-MM-"0"W') AS week_of_month, count(*) AS trips
          FROM trips.hist_trip_data GROUP BY 1, 2) AS weeks
 GROUP BY region, week_of_month
 ORDER BY region COLLATE "C", week_of_month;

SELECT region, week_of_month, weekly_avg FROM trips.weekly_avg() ORDER BY region COLLATE "C", week_of_month;

-- 7. Which trips are similar in origin, destination and time of day? Here: the same cell of H3 of about
--    five square kilometres at each end, and the same hour.

SELECT origin_cell, destination_cell, make_time(hour, 0, 0) AS time_of_day, count(*) AS trips
  FROM (SELECT trips.h3_cell(origin_coord, 7) AS origin_cell, trips.h3_cell(destination_coord, 7) AS destination_cell,
               extract(hour FROM date_time)::int AS hour
          FROM trips.hist_trip_data WHERE region = 'Prague') AS cells
 WHERE origin_cell IS NOT NULL AND destination_cell IS NOT NULL
 GROUP BY origin_cell, destination_cell, hour
HAVING count(*) >= 2
 ORDER BY trips DESC, origin_cell COLLATE "C", destination_cell COLLATE "C", time_of_day;

SELECT origin_cell, destination_cell, time_of_day, trips
  FROM trips.similar_trips('Prague', resolution => 7, bucket => '1 hour');

-- 8. Which trips are like the first one of Prague? The same, two hours long.

SELECT h.date_time, h.datasource
  FROM trips.hist_trip_data AS h,
       (SELECT * FROM trips.hist_trip_data WHERE region = 'Prague' ORDER BY date_time, trip_key LIMIT 1) AS first
 WHERE trips.h3_cell(h.origin_coord, 6) = trips.h3_cell(first.origin_coord, 6)
   AND trips.h3_cell(h.destination_coord, 6) = trips.h3_cell(first.destination_coord, 6)
   AND extract(hour FROM h.date_time)::int / 2 = extract(hour FROM first.date_time)::int / 2
 ORDER BY h.date_time, h.trip_key;

SELECT s.date_time, s.datasource
  FROM (SELECT * FROM trips.hist_trip_data WHERE region = 'Prague' ORDER BY date_time, trip_key LIMIT 1) AS first,
       trips.similar_to(first.trip_key, resolution => 6, bucket => '2 hours', began => first.date_time) AS s;

-- 9. From the two most commonly appearing regions, which is the latest datasource?

SELECT datasource
  FROM trips.hist_trip_data
 WHERE datasource IS NOT NULL
   AND region IN (SELECT region FROM trips.hist_trip_data GROUP BY region ORDER BY count(*) DESC, region LIMIT 2)
 ORDER BY date_time DESC
 LIMIT 1;

SELECT datasource FROM trips.latest_datasource();

-- 10. What regions has the "cheap_mobile" datasource appeared in?

SELECT DISTINCT region FROM trips.hist_trip_data WHERE datasource = 'cheap_mobile' ORDER BY region;

SELECT trips.datasource_regions('cheap_mobile');
