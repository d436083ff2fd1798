# Where postgres:17-trixie cannot be pulled: Debian's PostgreSQL behind an entrypoint with the interface of
# the official one, as far as the project uses it.
FROM trips_standin/debian
ENV PG_MAJOR=17 PGDATA=/var/lib/postgresql/data LANG=C.UTF-8
ENV PATH=/usr/lib/postgresql/17/bin:$PATH
RUN apt-get update \
  && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates postgresql-common \
  && sed -ri 's/#(create_main_cluster) .*$/\1 = false/' /etc/postgresql-common/createcluster.conf \
  && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql-17 \
  && rm -rf /var/lib/apt/lists/* \
  && install -d -m 1777 -o postgres -g postgres "$PGDATA" /var/run/postgresql \
  && mkdir /docker-entrypoint-initdb.d
COPY docker-entrypoint.sh /usr/local/bin/
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["docker-entrypoint.sh"]
STOPSIGNAL SIGINT
EXPOSE 5432
CMD ["postgres"]
