-- The time of the newest trip: the partitions before its day are not read.
SELECT to_json(max(h.date_time))
  FROM trips.hist_trip_data AS h
 WHERE h.date_time >= (SELECT max(d.day)::timestamp FROM trips.daily_trip_counts AS d WHERE d.trips > 0)
   AND h.date_time < (SELECT (max(d.day) + 1)::timestamp FROM trips.daily_trip_counts AS d WHERE d.trips > 0)
