# Where rust:1.95-trixie cannot be pulled: this machine's toolchain.
FROM trips_standin/debian
RUN apt-get update \
  && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates gcc libc6-dev \
  && rm -rf /var/lib/apt/lists/*
COPY toolchain/ /usr/local/
ENV CARGO_HOME=/usr/local/cargo
