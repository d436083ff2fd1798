-- Questions about areas, and what they are answered from. It is derived from the history: pg_dump does not
-- carry it, and weeks of which it does not have every trip are counted from the history itself.

CREATE TABLE trips_internal.area_directory (
  segment_id  bigint NOT NULL,
  week      date   NOT NULL,
  trips     bigint NOT NULL CHECK (trips > 0),
  directory bytea  NOT NULL,
  CONSTRAINT area_directory_pkey PRIMARY KEY (segment_id)
);
-- It fits a page, and is not compressible.
ALTER TABLE trips_internal.area_directory ALTER COLUMN directory SET STORAGE PLAIN;
CREATE INDEX area_directory_week_idx ON trips_internal.area_directory (week);
COMMENT ON TABLE trips_internal.area_directory IS
  'For questions about areas: groups of blocks (trips_internal.area_pages) of a week, with the bounds of each block; kept by every load, derived from the history';
COMMENT ON COLUMN trips_internal.area_directory.segment_id IS
  'Number of the group; its blocks have the numbers from 256 times that on';
COMMENT ON COLUMN trips_internal.area_directory.week IS 'Monday of the ISO week of all trips of the group';
COMMENT ON COLUMN trips_internal.area_directory.trips IS 'How many trips the group has';
COMMENT ON COLUMN trips_internal.area_directory.directory IS
  'For each block 40 bytes: what it has, its days, trips and bounds (crates/trips_areas/src/segment.rs)';

CREATE TABLE trips_internal.area_pages (
  page_id bigint NOT NULL,
  content bytea  NOT NULL,
  CONSTRAINT area_pages_pkey PRIMARY KEY (page_id)
);
ALTER TABLE trips_internal.area_pages ALTER COLUMN content SET STORAGE PLAIN;
COMMENT ON TABLE trips_internal.area_pages IS
  'For questions about areas: where some hundred trips of a week begin and end, near each other; derived from the history';
COMMENT ON COLUMN trips_internal.area_pages.page_id IS
  '256 times the segment_id of trips_internal.area_directory, and the number of the block in its group, from 0';
COMMENT ON COLUMN trips_internal.area_pages.content IS
  'Kind, count, and the coordinates on a grid with the minutes of the week (crates/trips_areas/src/page.rs)';

CREATE SEQUENCE trips_internal.area_segments_seq OWNED BY trips_internal.area_directory.segment_id;
COMMENT ON SEQUENCE trips_internal.area_segments_seq IS 'Numbers of groups in trips_internal.area_directory';

CREATE FUNCTION trips.area(west float8, south float8, east float8, north float8) RETURNS box
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'area_wrapper';
COMMENT ON FUNCTION trips.area(float8, float8, float8, float8) IS
  'The box of an area, degrees, WGS 84. West greater than east: across the antimeridian, the box then reaches to east + 360. 22003 when a number is out of range (-180 to 180, -90 to 90) or not finite, 22023 when south is greater than north, 22004 for NULL';

CREATE FUNCTION trips.weekly_counts(
  area box, since date DEFAULT NULL, until date DEFAULT NULL, match text DEFAULT 'origin'
) RETURNS TABLE (week date, trips bigint)
LANGUAGE c STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
-- A handful of rows of many partitions are looked up: compiling that would take seconds.
SET jit = off
AS 'MODULE_PATHNAME', 'weekly_counts_of_area_wrapper';
COMMENT ON FUNCTION trips.weekly_counts(box, date, date, text) IS
  'Trips in an area by ISO week (its Monday), weeks without trips with 0. Edges are inside. The period is since to until, both inside; where one is not given, the week of the area''s own first or last trip. match: origin, destination, both or either must be inside. trips.area() makes boxes across the antimeridian. 22023 for another match, since after until, a date that is not of the years 1 to 9999, or a box that is not finite; 22004 when area or match is NULL. Needs SELECT on the history, the daily roll-up and the tables area_directory and area_pages';

CREATE FUNCTION trips.weekly_avg(
  area box, since date DEFAULT NULL, until date DEFAULT NULL, match text DEFAULT 'origin'
) RETURNS numeric
LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
  SELECT pg_catalog.sum(c.trips) / NULLIF(pg_catalog.count(*), 0)::numeric
    FROM trips.weekly_counts(area, since, until, match) AS c;
END;
COMMENT ON FUNCTION trips.weekly_avg(box, date, date, text) IS
  'Trips in an area by ISO weeks of the period, not rounded: the average of trips.weekly_counts(area, since, until, match), whose arguments and errors it has; NULL when there are no trips and no period';

