#!/usr/bin/env bash
# Builds RocksDB once, optimised, and keeps the archive where every build of every checkout links it from.
# The C++ front end takes about 25 minutes on two cores; profiles and clean clones must not pay it again.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
[ -f "$ROCKSDB_LIB_DIR/librocksdb.a" ] && exit 0
echo "building RocksDB $EUNOE_ROCKSDB_VERSION once into $ROCKSDB_LIB_DIR" >&2
built="$EUNOE_CACHE/rocksdb-build"
# Without ROCKSDB_LIB_DIR the crate's build script compiles the bundled source.
# Debug information would make the archive thirty times as large.
env -u ROCKSDB_LIB_DIR -u ROCKSDB_STATIC CARGO_TARGET_DIR="$built" CARGO_PROFILE_RELEASE_DEBUG=0 \
    cargo build --release --locked -p librocksdb-sys
archive="$(find "$built/release/build" -name librocksdb.a -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-)"
mkdir -p "$ROCKSDB_LIB_DIR"
cp "$archive" "$ROCKSDB_LIB_DIR/librocksdb.a.tmp"
mv "$ROCKSDB_LIB_DIR/librocksdb.a.tmp" "$ROCKSDB_LIB_DIR/librocksdb.a"
rm -rf "$built"
