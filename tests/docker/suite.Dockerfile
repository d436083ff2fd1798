# The extension's own tests on the PostgreSQL of the image that builds it.
ARG BUILD_IMAGE
FROM ${BUILD_IMAGE}
COPY . .
RUN find . -name '*.rs' -not -path './target/*' -exec touch {} + && make build
CMD ["scripts/test.sh", "--package", "trips_tests", "--test", "server"]
