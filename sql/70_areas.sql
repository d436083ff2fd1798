-- Queries for areas, and the area index. The index is derived from the history, and pg_dump does not dump it. Queries
-- count weeks from the history if the index does not have all of their trips.

CREATE TABLE trips_internal.area_directory (
  segment_id bigint NOT NULL,
  week       date   NOT NULL,
  trips      bigint NOT NULL CHECK (trips > 0),
  directory  bytea  NOT NULL,
  CONSTRAINT area_directory_pkey PRIMARY KEY (segment_id)
);
-- It fits on a heap page and does not compress.
ALTER TABLE trips_internal.area_directory ALTER COLUMN directory SET STORAGE PLAIN;
CREATE INDEX area_directory_week_idx ON trips_internal.area_directory (week);
COMMENT ON TABLE trips_internal.area_directory IS
  'The area index: segments, each with the bounds of its pages of one ISO week';
COMMENT ON COLUMN trips_internal.area_directory.segment_id IS 'Number of the segment';
COMMENT ON COLUMN trips_internal.area_directory.week IS 'Monday of the ISO week of the segment''s trips';
COMMENT ON COLUMN trips_internal.area_directory.trips IS 'Number of trips in the segment';
COMMENT ON COLUMN trips_internal.area_directory.directory IS
  '40 bytes for each page: its kind, days, number of trips and bounds, as encoded by the crate trips_areas';

CREATE TABLE trips_internal.area_pages (
  page_id bigint NOT NULL,
  content bytea  NOT NULL,
  CONSTRAINT area_pages_pkey PRIMARY KEY (page_id)
);
ALTER TABLE trips_internal.area_pages ALTER COLUMN content SET STORAGE PLAIN;
COMMENT ON TABLE trips_internal.area_pages IS
  'The area index: pages, each with the coordinates of some hundred trips of one ISO week';
COMMENT ON COLUMN trips_internal.area_pages.page_id IS '256 * segment_id + number of the page in its segment, from 0';
COMMENT ON COLUMN trips_internal.area_pages.content IS
  'Kind, number, grid coordinates and times of the trips, as encoded by the crate trips_areas';

CREATE SEQUENCE trips_internal.area_segments_seq OWNED BY trips_internal.area_directory.segment_id;
COMMENT ON SEQUENCE trips_internal.area_segments_seq IS 'Numbers of segments in trips_internal.area_directory';

CREATE FUNCTION trips.area(west float8, south float8, east float8, north float8) RETURNS box
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'area_wrapper';
COMMENT ON FUNCTION trips.area(float8, float8, float8, float8) IS
  'Returns the box of an area in degrees, WGS 84; with west greater than east, an area across the antimeridian';

CREATE FUNCTION trips.weekly_counts(
  area box, since date DEFAULT NULL, until date DEFAULT NULL, match text DEFAULT 'origin'
) RETURNS TABLE (week date, trips bigint)
LANGUAGE c STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
-- The query looks up few rows in many partitions, which JIT compilation makes slower.
SET jit = off
AS 'MODULE_PATHNAME', 'weekly_counts_of_area_wrapper';
COMMENT ON FUNCTION trips.weekly_counts(box, date, date, text) IS
  'Returns the number of trips of an area in each ISO week of a period, by the Monday of the week. Requires trips.grant_reader()';

CREATE FUNCTION trips.weekly_avg(
  area box, since date DEFAULT NULL, until date DEFAULT NULL, match text DEFAULT 'origin'
) RETURNS numeric
LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
  SELECT pg_catalog.sum(c.trips) / NULLIF(pg_catalog.count(*), 0)::numeric
    FROM trips.weekly_counts(area, since, until, match) AS c;
END;
COMMENT ON FUNCTION trips.weekly_avg(box, date, date, text) IS
  'Returns the average number of trips of an area per ISO week of a period, NULL without a period. Requires trips.grant_reader()';

