#!/usr/bin/env bash
# Questions beside engines that share no code with the extension: DuckDB over the same files, H3's own
# library. ORACLE_SEED, ORACLE_ROWS and ORACLE_QUESTIONS change the seed, the rows and the queries. Arguments go to pytest.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

make_run_dir
test_environment
cd "$root"
venv=$tools/oracle
requirements=(tests/oracle/requirements.txt examples/requirements.txt)
make_venv "$venv"
if ! cmp -s <(cat "${requirements[@]}") "$venv/installed.txt"; then
  step "installing the oracle (DuckDB, H3, matplotlib) into .tools"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --requirement "${requirements[0]}" --requirement "${requirements[1]}"
  cat "${requirements[@]}" > "$venv/installed.txt"
fi

step "asking PostgreSQL $pg and the oracle"
cargo build --quiet --package trips_tests --bin with_cluster
export PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR=$venv/matplotlib
target/debug/with_cluster "$venv/bin/python" -m pytest -q -p no:cacheprovider tests/oracle "$@"
