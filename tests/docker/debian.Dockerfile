# The base, where debian:trixie-slim cannot be pulled: debootstrap has made it, and this machine's
# certificates are added, so that package registries are reached from a build as they are from here.
ARG RELEASE=trixie
FROM trips_standin/debootstrap:${RELEASE}
COPY ca-certificates.crt /usr/local/share/ca-certificates/host.crt
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
RUN printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' > /etc/pip.conf
# A mirror may be weeks behind, and lists of a release that is not stable yet expire in days.
RUN echo 'Acquire::Check-Valid-Until "false";' > /etc/apt/apt.conf.d/valid-until
