#!/usr/bin/env bash
# Builds both programs in the profile that the tests use, so that nothing is compiled twice.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
. scripts/env.sh
scripts/rocksdb.sh
cargo build --locked -p eunoe-server -p eunoe-cli --bins
