#!/usr/bin/env bash
# Format, clippy and the protocol's rules: all must be silent.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
. scripts/env.sh
scripts/rocksdb.sh
cargo fmt --all --check
cargo clippy --locked --workspace --all-targets -- -D warnings
scripts/buf.sh lint
