#!/bin/sh
# Runs a program with secrets from files, as the official images of databases take them: what NAME_FILE names is NAME.
set -eu
for name in PGPASSWORD JUPYTER_TOKEN; do
  eval "file=\${${name}_FILE:-}"
  # shellcheck disable=SC2154
  if [ -n "$file" ]; then
    value=$(cat "$file")
    export "$name=$value"
    unset "${name}_FILE"
  fi
done
exec "$@"
