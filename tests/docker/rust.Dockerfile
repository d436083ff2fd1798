# Where rust:1.95-trixie cannot be pulled: this machine's toolchain, where the official image has its own.
FROM trips_standin/debian:trixie
COPY toolchain/ /usr/local/rustup/toolchains/here/
RUN mkdir -p /usr/local/cargo/bin && ln -s /usr/local/rustup/toolchains/here/bin/* /usr/local/cargo/bin/
