# Sourced: images of other versions of PostgreSQL (VERSIONS), each with a volume of its own, and the way from 17 to 18 as
# docs/upgrade.md has it.
# shellcheck shell=bash disable=SC2154

version_works() { # number
  local number=$1 images begin=$SECONDS
  images=$(PG=$number "$here/images.sh")
  eval "$images"
  PG=$number COMPOSE_PROFILES=db "$run" up > "$scratch/version.log" 2>&1 ||
    { tail -n 30 "$scratch/version.log"; fail "the image of PostgreSQL $number does not start"; }
  check "PostgreSQL $number, in a volume of its own, and pg_cron" "$number trips_pgdata$number 1" \
    "$(($(sql 'SHOW server_version_num') / 10000)) $(docker inspect -f '{{range .Mounts}}{{.Name}} {{end}}' \
      "$("$run" compose ps -q postgres)" | tr ' ' '\n' | grep pgdata | sed "s/^${TRIPS_PROJECT}_/trips_/") $(
      sql "SELECT count(*) FROM pg_extension WHERE extname = 'pg_cron'")"
  # Into an empty database of 18.
  if [ "$number" = 18 ]; then as_documented; fi
  check "the sample on $number" "${loaded_before:-loaded}" "$(sql "SELECT state FROM trips.ingest('/data/trips.csv')" 2> /dev/null)"
  "$run" down > /dev/null 2>&1
  TRIPS_BUILD=no "$run" up > "$scratch/version.log" 2>&1 || { tail -n 30 "$scratch/version.log"; fail "$number does not start again"; }
  check "$number: the data stay" "" "$(sql 'SELECT check_name FROM trips.verify() WHERE NOT passed')"
  check "$number: known bytes" skipped "$(sql "SELECT state FROM trips.ingest('/data/trips.csv')" 2> /dev/null)"
  "$run" down -v > /dev/null 2>&1
  step "PostgreSQL $number took $((SECONDS - begin)) seconds"
}

# The dump of 17 into 18.
as_documented() {
  "$run" psql -c 'DROP EXTENSION trips_pipeline' > /dev/null 2>&1
  "$run" compose exec -T -u postgres postgres pg_restore -U postgres -d trips < "$scratch/trips.dump" > "$scratch/restore.log" 2>&1 || true
  check "pg_restore finds nothing in its way" "" "$(cat "$scratch/restore.log")"
  sql 'SELECT trips.rebuild()' > /dev/null
  check "17 to 18: all trips" "$trips_before" "$(sql 'SELECT count(*) FROM trips.hist_trip_data')"
  check "17 to 18: trips.verify()" "" "$(sql 'SELECT check_name FROM trips.verify() WHERE NOT passed')"
  loaded_before=skipped
}

other_versions() {
  local number trips_before loaded_before
  COMPOSE_PROFILES=db TRIPS_BUILD=no "$run" up > "$scratch/version.log" 2>&1
  trips_before=$(sql 'SELECT count(*) FROM trips.hist_trip_data')
  "$run" compose exec -T -u postgres postgres pg_dump -U postgres -Fc trips > "$scratch/trips.dump" < /dev/null
  "$run" down > /dev/null 2>&1
  for number in $VERSIONS; do
    loaded_before=
    version_works "$number"
  done
}
