# Two commands: `make demo` shows it work, `make test` runs all the tests. Both install what is
# missing. PG=18 (with PG_CONFIG=…, where it is not Debian's) takes another PostgreSQL.

.PHONY: help demo all up down logs spark-submit-insert spark-weekly-avg spark-local spark-stop test-spark test-docker \
  bench-against bench-spark bench-small bench-retract bench-wide bench-containers test test-reliability test-16 test-17 test-18 test-upgrade build setup bench bench-overhead bench-100m install psql watch stop lint pgspot fmt test-values test-oracle test-stores bench-questions \
  fuzz deny licences sample freeze clean distclean

help: ## this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 22

demo: build ## build, start a private server, load a sample file, show the averages
	@scripts/demo.sh

all: ## in containers: PostgreSQL, Spark and Jupyter, the sample in the history, the averages
	@docker/run.sh all

up: ## in containers: start all of it (docker/run.sh has more)
	@docker/run.sh up

down: ## remove the containers; the data stay
	@docker/run.sh down

logs: ## what the containers say
	@docker/run.sh logs

spark-submit-insert: ## in containers: load docker/data/*.csv with the Spark cluster
	@docker/run.sh insert

spark-weekly-avg: ## in containers: the weekly averages by the Spark cluster
	@docker/run.sh weekly-avg

spark-local: build ## without containers: a real Spark cluster and a server on loopback, a load, the averages
	@scripts/spark_local.sh start

spark-stop: ## end what spark-local has started
	@scripts/spark_local.sh stop

test: build ## all tests
	@scripts/test.sh

test-reliability: build ## the long form of the crash matrix, full disks, cancels, bad inputs (10 minutes), an hour of deadlock search
	@scripts/test_reliability.sh

test-spark: build ## files through a real Spark cluster on loopback, which loses a worker (2 minutes)
	@scripts/test_spark.sh

test-docker: ## make all from a clean clone, and what must be true of it; SUITE=1: the tests in a container, too
	@tests/docker/run.sh

test-values: setup ## the quick parsers beside plain functions of libraries, on 100,000,000 values each (minutes; TRIPS_VALUES)
	@cargo test --release --quiet --package trips_core --lib -- --ignored

test-oracle: build ## 500 random questions beside DuckDB and H3's own library, and the pictures (a minute)
	@scripts/test_oracle.sh

test-stores: build ## loads from an S3 server (moto) and from Azurite, which it installs into .tools; bucket events (a minute)
	@scripts/test_stores.sh

test-16: ## the tests that need a server on PostgreSQL 16, which it installs into .tools (PG_CONFIG_16 takes another)
	@scripts/test_pg.sh 16

test-17: ## the same on PostgreSQL 17
	@scripts/test_pg.sh 17

test-18: ## the same on PostgreSQL 18
	@scripts/test_pg.sh 18

test-upgrade: ## pg_upgrade to PostgreSQL 18, which it installs into .tools (PG_NEW, PG_CONFIG_18 take another)
	@scripts/test_upgrade.sh

build: setup ## build the extension into a private PostgreSQL
	@scripts/build.sh

setup: ## install what is missing (Debian packages, cargo-pgrx)
	@scripts/setup.sh

bench: build ## compare with bare COPY, the historical pipeline and the last release (minutes; BENCH_ROWS, BENCH_ROUNDS)
	@scripts/bench.sh compare && scripts/bench.sh wide && scripts/bench.sh against

bench-against: build ## compare with the last release, or BENCH_BASE=commit, which it builds (15 minutes; BENCH_ROWS, BENCH_ROUNDS)
	@scripts/bench.sh against

bench-containers: build ## the same trips as CSV, gzip, zstd, zip, Parquet and JSON lines: time and memory of a load (4 minutes; BENCH_ROWS, BENCH_ROUNDS)
	@scripts/bench.sh containers

bench-wide: build ## files of feeds with many columns, compared with bare COPY (5 minutes; BENCH_ROWS, BENCH_ROUNDS)
	@scripts/bench.sh wide

bench-spark: build ## a Spark load against the plain JDBC write of the same rows (BENCH_ROWS, BENCH_ROUNDS)
	@scripts/spark.sh setup && scripts/bench.sh spark

bench-100m: build ## 100 million trips into one history (needs 40 GB of disk; BENCH_FILES, BENCH_ROWS)
	@scripts/bench.sh hundred_million

bench-overhead: build ## what events and areas cost a load (2 minutes; BENCH_ROWS, BENCH_ROUNDS)
	@scripts/bench.sh overhead

bench-small: build ## what a file of one trip and a file of 100 cost (a minute; BENCH_FILES, BENCH_ROUNDS)
	@scripts/bench.sh small

bench-retract: build ## what it takes to retract a load, compared with the load (10 minutes, 6 GB of disk; BENCH_ROWS, BENCH_ROUNDS)
	@scripts/bench.sh retract

bench-questions: build ## how long the questions take with 20 million trips (5 minutes, 8 GB of disk; BENCH_FILES, BENCH_ROWS)
	@scripts/bench.sh questions

# Installing, and what others install.
.PHONY: uninstall installcheck test-install deb dist test-packages

install: ## build the extension and install it into PG_CONFIG's server, the one in PATH, or Debian's newest
	@scripts/install.sh

uninstall: ## remove the files of the extension from the same server
	@scripts/install_files.sh uninstall

installcheck: ## test the installed extension on a running server (PGHOST, PGPORT, PGUSER)
	@scripts/installcheck.sh

deb: ## Debian packages into target/dist (PG_VERSIONS, 15 16 17 18)
	@scripts/deb.sh

dist: ## archives into target/dist: sources with all crates, binaries, PGXN's (PG_VERSIONS)
	@scripts/dist.sh

test-install: build ## what make install, uninstall and installcheck find, say and write (seconds)
	@tests/install/run.sh

test-packages: ## packages and archives, installed and used in clean systems without a compiler (30 minutes)
	@tests/packages/run.sh

# The page of the console, which trips_console embeds.
.PHONY: page test-console console-pictures

page: ## build the console's page; installs Node.js where it is missing (seconds)
	@scripts/page.sh

test-console: build ## the console's page in Debian's Chromium, which it installs where it is missing (2 minutes)
	@scripts/test_console.sh

console-pictures: build ## write the pictures of the console in docs/images anew (2 minutes)
	@scripts/test_console.sh pictures

watch: ## a live line for each load of the demo's database (PG_CONNECTION or PGHOST, PGDATABASE, … name another)
	@scripts/watch.sh

console: ## a page of the demo's database in the browser: loads, trips, a map (PG_CONNECTION or PGHOST, PGDATABASE, … name another)
	@scripts/console.sh $(CONSOLE_OPTIONS)

psql: ## psql in the demo's database
	@scripts/cluster.sh psql -d trips

stop: ## stop the private server, and its page
	@scripts/console.sh stop
	@scripts/cluster.sh stop

.PHONY: console bench-console
bench-console: build ## the page with 20 million trips: time of each view, memory, a load with a hundred pages (10 minutes, 8 GB of disk; BENCH_FILES, BENCH_ROWS)
	@scripts/bench.sh console

lint: setup ## rustfmt, clippy and rustdoc, warnings are errors; docs/licences.md
	@scripts/lint.sh

pgspot: build ## look for what an attacker could use in the SQL scripts
	@scripts/pgspot.sh

fmt: ## format the sources
	@cargo fmt --all

fuzz: setup ## search for inputs that break a promise of the parser (FUZZ_SECONDS for each target, 60)
	@scripts/fuzz.sh

deny: ## check licences and sources of all crates, and known vulnerabilities where the list is at hand
	@scripts/deny.sh

licences: ## make docs/licences.md anew
	@scripts/licences.sh

sample: ## make samples/trips_sample.csv anew
	@scripts/sample.sh

freeze: build ## keep the install script of this version for ever: part of a release (CONTRIBUTING.md)
	@scripts/freeze.sh

clean: ## stop the private servers, remove them and what was built
	@scripts/clean.sh

distclean: clean ## and the tools that were installed for this project
	@rm -rf .tools
