#!/usr/bin/env bash
# Loads from servers of stores on loopback: S3 (moto, from PyPI) and Azure (Azurite, from npm; left out where npm is not
# there), then with the credentials of roles. Arguments go to the first pytest.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

make_run_dir
test_environment
cd "$root"
venv=$tools/stores
requirements=tests/stores/requirements.txt
make_venv "$venv"
if ! cmp -s "$requirements" "$venv/installed.txt"; then
  step "installing the servers of stores (moto) into .tools"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
  cp "$requirements" "$venv/installed.txt"
fi
azurite=$tools/azurite/node_modules/.bin/azurite-blob
azurite_version=3.37.0
if command -v npm > /dev/null && [ ! -x "$azurite" ]; then
  step "installing Azurite into .tools"
  npm install --silent --no-fund --no-audit --prefix "$tools/azurite" "azurite@$azurite_version"
fi

free_port() { "$venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
directory=$(mktemp -d)
servers=()
trap 'kill "${servers[@]}" 2> /dev/null || true; rm -rf "$directory"' EXIT

port=$(free_port)
"$venv/bin/moto_server" --host 127.0.0.1 --port "$port" > "$directory/moto.log" 2>&1 &
servers+=($!)
export AWS_ENDPOINT_URL=http://127.0.0.1:$port AWS_REGION=eu-central-1 AWS_DEFAULT_REGION=eu-central-1
export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing
if [ -x "$azurite" ]; then
  blob_port=$(free_port)
  "$azurite" --silent --skipApiVersionCheck --location "$directory" --blobHost 127.0.0.1 --blobPort "$blob_port" \
    > "$directory/azurite.log" 2>&1 &
  servers+=($!)
  export AZURE_STORAGE_USE_EMULATOR=true AZURITE_BLOB_STORAGE_URL=http://127.0.0.1:$blob_port
else
  step "az:// NOT CHECKED: npm is not there"
fi
wait_for() { # port
  for _ in $(seq 300); do
    if (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; then return; fi
    sleep 0.1
  done
  fail "a server does not start: $(cat "$directory"/*.log)"
}
wait_for "$port"
[ ! -x "$azurite" ] || wait_for "$blob_port"

step "loading from stores with PostgreSQL $pg"
cargo build --quiet --package trips_tests --bin with_cluster
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$root/examples
run_tests() {
  WITH_CLUSTER_CONFIGURATION="shared_preload_libraries = 'trips_pipeline'" \
    target/debug/with_cluster "$venv/bin/python" -m pytest -q -p no:cacheprovider "$@"
}
run_tests tests/stores/test_stores.py "$@"

# The same without keys: the environment of the server names where it gets the credentials of a role.
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
printf 'the token' > "$directory/token"
chmod 755 "$directory" && chmod 644 "$directory/token"
for role in machine container web_identity google_machine; do
  step "loading with the credentials of a ${role/_/ }"
  (
    port=$(free_port)
    export TRIPS_STORES_ROLE=$role TRIPS_ISSUER_PORT=$port
    case $role in
      machine) export AWS_METADATA_ENDPOINT=http://127.0.0.1:$port ;;
      container)
        export AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:$port/v1/credentials
        export AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=$directory/token
        ;;
      web_identity)
        export AWS_ENDPOINT_URL_STS=http://127.0.0.1:$port AWS_WEB_IDENTITY_TOKEN_FILE=$directory/token
        export AWS_ROLE_ARN=arn:aws:iam::123456789012:role/reader
        ;;
      google_machine) export GCE_METADATA_HOST=127.0.0.1:$port GOOGLE_BASE_URL=$AWS_ENDPOINT_URL ;;
    esac
    run_tests tests/stores/test_roles.py
  )
done
