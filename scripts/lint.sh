#!/usr/bin/env bash
# Format, clippy, the protocol's rules and the alerts: all must be silent.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
. scripts/env.sh
scripts/rocksdb.sh
cargo fmt --all --check
cargo clippy --locked --workspace --all-targets -- -D warnings
scripts/buf.sh lint
if command -v promtool >/dev/null; then
    scripts/alerts.sh
else
    echo "promtool is not here (Debian: prometheus): the alerts are not tested"
fi
