#!/usr/bin/env bash
# Installs the Debian packages that the build needs and that are not there. Rust is expected to be there.
# What has what is asked for is left alone, so that a prepared machine needs neither root nor a network.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
need() { # need PACKAGE COMMAND...: the package, unless the command succeeds
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}
have_libclang() { ldconfig -p | grep -q 'libclang[-.0-9]*\.so' || compgen -G '/usr/lib/llvm-*/lib/libclang[-.][0-9s]*o*'; }
have_clang_headers() { compgen -G '/usr/lib/llvm-*/lib/clang/*/include/stddef.h' || compgen -G '/usr/lib/clang/*/include/stddef.h'; }

# RocksDB and aws-lc are C and C++; bindgen reads RocksDB's header with libclang and its own headers.
need g++ command -v g++
need make command -v make
need libclang1-14 have_libclang
need libclang-common-14-dev have_clang_headers
# buf and OpenBao come as Python packages; the demo reads JSON.
need python3 command -v python3
need python3-venv python3 -c 'import ensurepip, venv'
# Go's verifiers of the transparency log's formats, which check ours.
need golang-go command -v go
need golang-golang-x-mod-dev test -d /usr/share/gocode/src/golang.org/x/mod/sumdb
# The tests' PKCS#11 token and file systems.
need softhsm2 test -e /usr/lib/softhsm/libsofthsm2.so
need btrfs-progs test -x /usr/sbin/mkfs.btrfs -o -x /sbin/mkfs.btrfs
need xfsprogs test -x /usr/sbin/mkfs.xfs -o -x /sbin/mkfs.xfs

if [ "${#missing[@]}" -gt 0 ]; then
    echo "installing ${missing[*]}"
    root=()
    [ "$(id -u)" -eq 0 ] || root=(sudo)
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

command -v cargo >/dev/null || {
    echo "Rust is missing: install the toolchain that rust-version in Cargo.toml asks for" >&2
    exit 1
}
