#!/usr/bin/env bash
# Simulates clusters: SEEDS of them (2000), from FIRST (1) on. Ends with an error at the first that breaks a promise, and says
# its seed; FIRST=… SEEDS=1 with --trace shows what happened in it.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
. scripts/env.sh
scripts/rocksdb.sh
exec cargo run --locked --release -p eunoe-sim -- --seeds "${SEEDS:-2000}" --first "${FIRST:-1}" "$@"
