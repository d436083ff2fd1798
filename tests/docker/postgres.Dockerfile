# Where postgres:NN-trixie cannot be pulled: Debian's PostgreSQL behind an entrypoint with the interface of
# the official one, as far as the project uses it.
ARG RELEASE=trixie
FROM trips_standin/debian:${RELEASE}
ARG PG=17
ARG DATA=/var/lib/postgresql/data
ARG DATA_VOLUME=/var/lib/postgresql/data
ENV PG_MAJOR=$PG PGDATA=$DATA LANG=C.UTF-8
ENV PATH=/usr/lib/postgresql/$PG/bin:$PATH
RUN apt-get update \
  && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates postgresql-common \
  && sed -ri 's/#(create_main_cluster) .*$/\1 = false/' /etc/postgresql-common/createcluster.conf \
  && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "postgresql-$PG" \
  && rm -rf /var/lib/apt/lists/* \
  && install -d -m 1777 -o postgres -g postgres "$PGDATA" /var/run/postgresql \
  && mkdir /docker-entrypoint-initdb.d
COPY docker-entrypoint.sh /usr/local/bin/
VOLUME $DATA_VOLUME
ENTRYPOINT ["docker-entrypoint.sh"]
STOPSIGNAL SIGINT
EXPOSE 5432
CMD ["postgres"]
