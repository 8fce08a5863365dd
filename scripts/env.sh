# Sourced by the Makefile's scripts and by .ci/run: where builds are cached, and where RocksDB's archive is.
# Nothing here is needed to use a finished binary.
export EUNOE_CACHE="${EUNOE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/eunoe}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$EUNOE_CACHE/target}"
# Versions and flags that change the archive's bytes are part of its folder's name.
EUNOE_ROCKSDB_VERSION="$(sed -n '/^name = "librocksdb-sys"$/{n;s/^version = "\(.*\)"$/\1/p}' \
    "$(dirname "${BASH_SOURCE[0]}")/../Cargo.lock")"
export ROCKSDB_LIB_DIR="$EUNOE_CACHE/rocksdb-$EUNOE_ROCKSDB_VERSION-$(uname -m)"
export ROCKSDB_STATIC=1
