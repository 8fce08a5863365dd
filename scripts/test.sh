#!/usr/bin/env bash
# Runs every test of the workspace; arguments go to the runner (a filter, -p PACKAGE).
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
. scripts/env.sh
scripts/rocksdb.sh
scripts/openbao.sh version >/dev/null
# The black-box tests start the programs, which are no dependency of theirs. The whole workspace builds them anyhow, and
# with the features of its tests: building them apart before would compile everything twice.
[ $# -eq 0 ] || cargo build --locked -p eunoe-server -p eunoe-cli --bins
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --workspace --no-fail-fast "$@"
    # Faults on purpose, and steps at which nodes end, are compiled into no other build.
    [ $# -gt 0 ] || cargo nextest run --locked -p eunoe-sim --features sabotage,failpoints --test seeds \
        -E 'test(sabotage::) or test(failpoints::)' --no-fail-fast
    # nextest leaves the examples in the documentation out.
    [ $# -gt 0 ] || cargo test --locked --workspace --doc
else
    cargo test --locked --workspace --no-fail-fast "$@"
    [ $# -gt 0 ] || cargo test --locked -p eunoe-sim --features sabotage,failpoints --test seeds -- sabotage:: failpoints::
fi
