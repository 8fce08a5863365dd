#!/usr/bin/env bash
# Kills nodes, cuts their power, fills and freezes their disks and flips their bytes, again and again with other seeds, until the
# time is over (EUNOE_SOAK_MINUTES, 30) or something is lost. A test that has begun is not cut off. The seed of what fails is
# shown: EUNOE_SEED=… makes the same choices again.
set -euo pipefail
cd "$(dirname "$0")/.."
minutes="${EUNOE_SOAK_MINUTES:-30}"
[[ "$minutes" =~ ^[0-9]+$ ]] || { echo "EUNOE_SOAK_MINUTES is a number of minutes" >&2; exit 2; }
scripts/setup.sh
. scripts/env.sh
scripts/rocksdb.sh
cargo build --locked -p eunoe-server -p eunoe-cli -p eunoe-tests --bins
cargo test --locked -p eunoe-tests --test black_box --no-run

export EUNOE_KILLS="${EUNOE_KILLS:-40}" EUNOE_POWER_FAILURES="${EUNOE_POWER_FAILURES:-20}" EUNOE_FLIPS="${EUNOE_FLIPS:-60}"
fixed="${EUNOE_SEED:-}"
log="$(mktemp "${TMPDIR:-/tmp}/eunoe-soak.XXXXXX")"
trap 'rm -f "$log"' EXIT
end=$((SECONDS + minutes * 60))
round=0
while :; do
    round=$((round + 1))
    for test in kill_loop:: disks::power:: disks::full:: disks::frozen:: disks::flips:: disks::repair::; do
        [ "$SECONDS" -lt "$end" ] || { echo "$minutes minutes are over: nothing was violated"; exit 0; }
        export EUNOE_SEED="${fixed:-$((RANDOM << 30 ^ RANDOM << 15 ^ RANDOM))}"
        printf '[%5d s] round %d: %s EUNOE_SEED=%s\n' "$SECONDS" "$round" "$test" "$EUNOE_SEED"
        if ! cargo test --locked -q -p eunoe-tests --test black_box "$test" -- --nocapture >"$log" 2>&1; then
            cat "$log"
            echo "violated: round $round, $test, EUNOE_SEED=$EUNOE_SEED" >&2
            exit 1
        fi
    done
done
