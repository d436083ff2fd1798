-- Feeds, the kinds of files that loads know, and the zones and stations of their trips. The C functions are in
-- src/api/feeds.rs.

-- Feeds ------------------------------------------------------------------------------------------

CREATE TABLE trips.feeds (
  name       text        NOT NULL,
  definition jsonb       NOT NULL,
  created_by text        NOT NULL,
  created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  CONSTRAINT feeds_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE trips.feeds IS 'Feeds that trips.create_feed() created; trips.all_feeds has the built-in feeds too';
COMMENT ON COLUMN trips.feeds.name IS 'Name of the feed: up to 63 characters of a-z, 0-9 and _';
COMMENT ON COLUMN trips.feeds.definition IS 'Definition of the feed, as docs/feeds.md describes it';
COMMENT ON COLUMN trips.feeds.created_by IS 'Name of the role that created the feed, at that time';
COMMENT ON COLUMN trips.feeds.created_at IS 'Time when the feed was created';

CREATE FUNCTION trips_internal.builtin_feeds() RETURNS TABLE (name text, definition text)
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'builtin_feeds_wrapper';
COMMENT ON FUNCTION trips_internal.builtin_feeds() IS
  'Returns the built-in feeds and their definitions, for trips.all_feeds. Requires trips.grant_loader() or trips.grant_reader()';

CREATE VIEW trips.all_feeds AS
SELECT f.name,
       f.definition OPERATOR(pg_catalog.->>) 'title' AS title,
       ARRAY(SELECT pg_catalog.jsonb_object_keys(f.definition OPERATOR(pg_catalog.->) 'versions')) AS versions,
       f.definition OPERATOR(pg_catalog.->) 'identity' OPERATOR(pg_catalog.->>) 'scheme' AS scheme,
       f.is_builtin,
       f.definition
  FROM (SELECT b.name, b.definition::jsonb AS definition, true AS is_builtin
          FROM trips_internal.builtin_feeds() AS b
        UNION ALL
        SELECT o.name, o.definition, false FROM trips.feeds AS o) AS f;
COMMENT ON VIEW trips.all_feeds IS 'The built-in feeds, and those of trips.feeds';
COMMENT ON COLUMN trips.all_feeds.name IS 'Name of the feed, for the argument feed of functions';
COMMENT ON COLUMN trips.all_feeds.title IS 'Name of the feed for readers';
COMMENT ON COLUMN trips.all_feeds.versions IS 'Names of the versions of the feed''s files';
COMMENT ON COLUMN trips.all_feeds.scheme IS
  'Identity of trips: content (the five values), columns (values of columns) or source_id (the feed''s own ids)';
COMMENT ON COLUMN trips.all_feeds.is_builtin IS 'Whether the feed belongs to the extension';
COMMENT ON COLUMN trips.all_feeds.definition IS 'Definition of the feed, as docs/feeds.md describes it';

CREATE FUNCTION trips.create_feed(name text, definition jsonb) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'create_feed_wrapper';
COMMENT ON FUNCTION trips.create_feed(text, jsonb) IS
  'Checks the definition of a feed and creates the feed, so that loads recognize its files. Requires ownership of the extension, or EXECUTE that its owner granted';

CREATE FUNCTION trips.drop_feed(name text) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'drop_feed_wrapper';
COMMENT ON FUNCTION trips.drop_feed(text) IS
  'Drops a feed of trips.feeds, unless a queued load names it; its trips stay. Requires ownership of the extension, or EXECUTE that its owner granted';

-- Zones and stations -----------------------------------------------------------------------------

CREATE TABLE trips.zones (
  zone_set   text NOT NULL,
  zone_id    text NOT NULL,
  valid_from int,
  valid_to   int,
  name       text,
  region     text,
  point      point,
  CONSTRAINT zones_key UNIQUE NULLS NOT DISTINCT (zone_set, zone_id, valid_from, valid_to),
  CONSTRAINT zones_years_check CHECK (valid_from <= valid_to),
  CONSTRAINT zones_region_check CHECK (
    region = pg_catalog.btrim(region) AND pg_catalog.octet_length(region) BETWEEN 1 AND 1000),
  CONSTRAINT zones_point_check CHECK ((point)[0] BETWEEN -180 AND 180 AND (point)[1] BETWEEN -90 AND 90)
);
-- A key with a nullable column cannot be the replica identity.
ALTER TABLE trips.zones REPLICA IDENTITY FULL;
COMMENT ON TABLE trips.zones IS
  'Zones and stations of feeds whose trips have ids instead of coordinates; loads use the built-in rows of nyc_taxi_zones as they were installed';
COMMENT ON COLUMN trips.zones.zone_set IS 'Name of the set of zones, as in the definitions of feeds; nyc_taxi_zones is built in';
COMMENT ON COLUMN trips.zones.zone_id IS 'Id of the zone or station, as in details of trips';
COMMENT ON COLUMN trips.zones.valid_from IS 'First year in which the id means this zone; NULL for no limit';
COMMENT ON COLUMN trips.zones.valid_to IS 'Last year in which the id means this zone; NULL for no limit';
COMMENT ON COLUMN trips.zones.name IS 'Name of the zone or station';
COMMENT ON COLUMN trips.zones.region IS 'Region of trips that start or end in the zone';
COMMENT ON COLUMN trips.zones.point IS '(longitude, latitude) in degrees, WGS 84; NULL if it is not known';

-- The stations of archives that have staged rows: a merge gives their trips the places of the load.
CREATE TABLE trips_internal.load_stations (
  load_id    bigint NOT NULL,
  zone_set   text   NOT NULL,
  zone_id    text   NOT NULL,
  valid_from int,
  valid_to   int,
  point      point,
  CONSTRAINT load_stations_key UNIQUE NULLS NOT DISTINCT (load_id, zone_set, zone_id, valid_from, valid_to)
);
-- A key with a nullable column cannot be the replica identity.
ALTER TABLE trips_internal.load_stations REPLICA IDENTITY FULL;
COMMENT ON TABLE trips_internal.load_stations IS
  'Stations of loaded archives that have rows in trips.stg_trip_data; they count before those of trips.zones';
COMMENT ON COLUMN trips_internal.load_stations.load_id IS 'Number of the load in trips.loads';
COMMENT ON COLUMN trips_internal.load_stations.zone_set IS 'Name of the set of zones, as in the definition of the feed';
COMMENT ON COLUMN trips_internal.load_stations.zone_id IS 'Id of the station, as in details of trips';
COMMENT ON COLUMN trips_internal.load_stations.valid_from IS 'First year in which the id means this station; NULL for no limit';
COMMENT ON COLUMN trips_internal.load_stations.valid_to IS 'Last year in which the id means this station; NULL for no limit';
COMMENT ON COLUMN trips_internal.load_stations.point IS '(longitude, latitude) in degrees, WGS 84; NULL if it is not known';

CREATE FUNCTION trips_internal.builtin_zones()
RETURNS TABLE (zone_id text, name text, region text, point point)
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'builtin_zones_wrapper';
COMMENT ON FUNCTION trips_internal.builtin_zones() IS
  'Returns the taxi zones of New York, which trips.zones has as nyc_taxi_zones. Requires ownership of the extension';
INSERT INTO trips.zones (zone_set, zone_id, name, region, point)
SELECT 'nyc_taxi_zones', z.zone_id, z.name, z.region, z.point FROM trips_internal.builtin_zones() AS z;

CREATE FUNCTION trips.load_stations(feed text, path text, year int DEFAULT NULL) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'load_stations_wrapper';
COMMENT ON FUNCTION trips.load_stations(text, text, int) IS
  'Loads the stations of a feed from a file or an archive into trips.zones, in place of rows with the same ids and years, and returns their number; reports other records. Any role with the privileges of trips.ingest() may replace the stations of any feed';

CREATE FUNCTION trips.complete_places(feed text, since date DEFAULT NULL, until date DEFAULT NULL) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'complete_places_wrapper';
COMMENT ON FUNCTION trips.complete_places(text, date, date) IS
  'Fills coordinates that are NULL in trips of a feed from trips.zones, by the ids in details, and returns the number of changed trips; keys stay. Requires trips.grant_loader()';

-- Files ------------------------------------------------------------------------------------------

CREATE FUNCTION trips.detect_feed(path text) RETURNS TABLE (
  feed text, version text, is_chosen boolean, matched int, missing text[], mapping jsonb, not_stored text[], note text
)
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'detect_feed_wrapper';
COMMENT ON FUNCTION trips.detect_feed(text) IS
  'Returns the feeds that the header of a file fits, the best first, and how its columns become trips; otherwise the nearest feed and what the header lacks. Requires the privileges of trips.ingest()';

CREATE FUNCTION trips.preview(path text, feed text DEFAULT NULL, rows int DEFAULT 10) RETURNS TABLE (
  kind text, line_no bigint, region text, origin_coord point, destination_coord point, date_time timestamp,
  datasource text, ended_at timestamp, trip_id text, details jsonb, error_code text, note text
)
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'preview_wrapper';
COMMENT ON FUNCTION trips.preview(text, text, int) IS
  'Returns what a load of a file would do and writes nothing: the feed, its columns, what is not stored, the first trips and the first rejected records. Requires EXECUTE (trips.grant_loader()) and pg_read_server_files';

-- pg_dump dumps the rows of these tables, although the tables belong to the extension; CREATE EXTENSION inserts the
-- built-in zones.
SELECT pg_catalog.pg_extension_config_dump('trips.feeds', '');
SELECT pg_catalog.pg_extension_config_dump('trips_internal.load_stations', '');
SELECT pg_catalog.pg_extension_config_dump('trips.zones', 'WHERE zone_set <> ''nyc_taxi_zones''');
