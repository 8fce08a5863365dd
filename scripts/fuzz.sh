#!/usr/bin/env bash
# Fuzzes every target for FUZZ_SECONDS (60), or FUZZ_TARGET alone, guided by coverage. What is found stays in
# $EUNOE_CACHE/fuzz: the corpus, which the next run goes on from, and inputs that broke something.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
. scripts/env.sh
scripts/rocksdb.sh

RUSTC_WORKSPACE_WRAPPER="$PWD/scripts/fuzz-rustc.sh" \
    cargo build --locked -p eunoe-fuzz --features libfuzzer --bin eunoe-fuzz
fuzzer="$CARGO_TARGET_DIR/debug/eunoe-fuzz"

seconds="${FUZZ_SECONDS:-60}"
broken=()
for target in ${FUZZ_TARGET:-$(basename -s .toml -a fuzz/seeds/*.toml)}; do
    [ -f "fuzz/seeds/$target.toml" ] || { echo "there is no target $target" >&2; exit 2; }
    folder="$EUNOE_CACHE/fuzz/$target"
    rm -rf "$folder/seeds"
    mkdir -p "$folder/corpus" "$folder/broken" "$folder/seeds"
    printf '%-10s ' "$target"
    outcome=ok
    EUNOE_FUZZ_TARGET="$target" EUNOE_FUZZ_SEEDS="$folder/seeds" "$fuzzer" "$folder/corpus" "$folder/seeds" \
        -max_total_time="$seconds" -max_len=4096 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$folder/broken/" >"$folder/log" 2>&1 || outcome=BROKEN
    executions="$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/log" | tail -1)"
    coverage="$(grep -o 'cov: [0-9]*' "$folder/log" | tail -1 || true)"
    echo "$outcome, ${executions:-unknown} executions, ${coverage:-cov: unknown}"
    if [ "$outcome" != ok ]; then
        broken+=("$target")
        grep -aE 'panicked|^SUMMARY|Test unit written' -A1 "$folder/log" | head -20 >&2 || true
    fi
done
if [ "${#broken[@]}" -gt 0 ]; then
    echo "broken: ${broken[*]}; the inputs are in $EUNOE_CACHE/fuzz/*/broken" >&2
    exit 1
fi
