#!/usr/bin/env bash
# Runs buf, which is kept in a Python environment of its own beside the build cache.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
. scripts/python-tool.sh
python_tool buf 1.75.0 buf-bin
exec "$venv/bin/buf" "$@"
