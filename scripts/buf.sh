#!/usr/bin/env bash
# Runs buf, which is kept in a Python environment of its own beside the build cache.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
version=1.75.0
venv="$EUNOE_CACHE/buf-$version"
if [ ! -x "$venv/bin/buf" ]; then
    # Made aside and renamed, so that a broken download leaves nothing that looks finished.
    rm -rf "$venv" "$venv.tmp"
    python3 -m venv "$venv.tmp"
    "$venv.tmp/bin/pip" install --quiet --disable-pip-version-check "buf-bin==$version"
    mv "$venv.tmp" "$venv"
fi
exec "$venv/bin/buf" "$@"
