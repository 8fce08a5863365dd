#!/usr/bin/env bash
# Runs the benchmarks, optimised; arguments name one (`log_spike`) or go to it.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
. scripts/env.sh
scripts/rocksdb.sh
# Whoever names programs of their own wants those; else what is measured is what stands here.
[ -n "${EUNOE_BENCH_BIN:-}" ] || cargo build --release --locked -p eunoe-server -p eunoe-cli --bins
if [ $# -gt 0 ]; then
    name=$1
    shift
    exec cargo bench --locked -p eunoe-benches --bench "$name" -- "$@"
fi
exec cargo bench --locked -p eunoe-benches
